/* Encoded words (RFC 2047) in field values. */
#include "mime/decode.h"
#include "mime/header.h"

struct word {
	struct span charset; /* without the language of RFC 2231 */
	bool base64;
	struct span text;
	size_t size; /* of the whole, from "=?" to "?=" */
};

/* Up to the next '?' of s, no blank in it unless spaced; false when there is none. */
static bool piece(struct span s, size_t max, bool spaced, struct span *piece_r)
{
	size_t n = span_find(span_cut(s, 0, max), '?');

	if (n == SIZE_MAX)
		return false;
	*piece_r = span_cut(s, 0, n);
	return spaced ||
	       (span_find(*piece_r, ' ') == SIZE_MAX && span_find(*piece_r, '\t') == SIZE_MAX);
}

/* s begins with "=?". Senders put blanks into the text of Q words; that is taken as it is meant. */
static bool word_read(struct span s, struct word *w_r)
{
	struct span rest = span_from(s, 2);
	struct span charset, encoding, text;
	char e;

	if (!piece(rest, 80, false, &charset) || charset.n == 0)
		return false;
	rest = span_from(rest, charset.n + 1);
	if (!piece(rest, 2, false, &encoding) || encoding.n != 1)
		return false;
	e = ascii_lower(encoding.p[0]);
	rest = span_from(rest, 2);
	if ((e != 'q' && e != 'b') || !piece(rest, SIZE_MAX, true, &text) ||
	    span_cut(rest, text.n + 1, 1).n == 0 || rest.p[text.n + 1] != '=')
		return false;
	*w_r = (struct word){
		.charset = span_cut(charset, 0, span_find(charset, '*')),
		.base64 = e == 'b',
		.text = text,
		.size = (size_t)(rest.p + text.n + 2 - s.p),
	};
	return true;
}

static void word_decode(const struct word *w, struct buf *out)
{
	struct mime_decoder d;

	mime_decoder_init(&d, w->base64 ? MIME_CTE_BASE64 : MIME_CTE_QP);
	for (size_t i = 0; i < w->text.n; i++) {
		char c = w->text.p[i];

		if (w->base64)
			mime_decoder_add(&d, span_of(&c, 1), out);
		else if (c == '_')
			mime_decoder_add(&d, SPAN("=20"), out);
		else
			mime_decoder_add(&d, span_of(&c, 1), out);
	}
	mime_decoder_end(&d, out);
}

/* A value on its way to UTF-8. */
struct decoding {
	struct mime_charsets *cs;
	struct buf *out;
	struct buf bytes;    /* own: one word, decoded */
	struct span charset; /* of the run of words under way; empty: none */
	struct mime_to_utf8 u;
};

static void plain_add(struct decoding *d, struct span s)
{
	struct mime_to_utf8 u;

	mime_to_utf8_init(&u, d->cs, SPAN("UTF-8"));
	mime_to_utf8_add(&u, s, d->out);
	mime_to_utf8_end(&u, d->out);
}

static void run_end(struct decoding *d)
{
	if (d->charset.n)
		mime_to_utf8_end(&d->u, d->out);
	d->charset = SPAN("");
}

/* Words in one charset that follow each other are one text: many senders cut characters in two. */
static void word_add(struct decoding *d, const struct word *w)
{
	if (!span_ieq(d->charset, w->charset)) {
		run_end(d);
		d->charset = w->charset;
		mime_to_utf8_init(&d->u, d->cs, w->charset);
	}
	buf_clear(&d->bytes);
	word_decode(w, &d->bytes);
	mime_to_utf8_add(&d->u, buf_span(&d->bytes), d->out);
}

static bool all_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != ' ' && s.p[i] != '\t')
			return false;
	return true;
}

static void decode_value(struct decoding *d, struct span v)
{
	size_t plain = 0; /* where the text that is no word begins */
	size_t pos = 0;
	struct word w;

	while (pos < v.n) {
		size_t at = span_search(span_from(v, pos), SPAN("=?"));

		if (at == SIZE_MAX)
			break;
		pos += at;
		if (!word_read(span_from(v, pos), &w)) {
			pos += 2;
			continue;
		}
		if (!d->charset.n || !all_blank(span_cut(v, plain, pos - plain))) {
			run_end(d);
			plain_add(d, span_cut(v, plain, pos - plain));
		}
		word_add(d, &w);
		plain = pos += w.size;
	}
	run_end(d);
	plain_add(d, span_from(v, plain));
}

/* One line of ASCII without encoded words, as most are: nothing to decode. */
static bool is_plain(struct span v)
{
	bool special = false;

	if (span_is_plain(v))
		return span_find(v, '=') == SIZE_MAX || span_search(v, SPAN("=?")) == SIZE_MAX;
	for (size_t i = 0; i < v.n; i++)
		special |= (v.p[i] < ' ' && v.p[i] != '\t') || v.p[i] == 0x7f;
	return !special && span_search(v, SPAN("=?")) == SIZE_MAX;
}

void mime_words_decode(struct mime_charsets *cs, struct span value, struct buf *out)
{
	struct decoding d = { .cs = cs, .out = out, .charset = SPAN("") };
	struct buf unfolded;

	if (is_plain(value)) {
		buf_add_span(out, value);
		return;
	}
	buf_init(&unfolded, value.n);
	buf_init(&d.bytes, value.n + 1);
	mime_field_unfold(value, &unfolded);
	decode_value(&d, buf_span(&unfolded));
	buf_free(&unfolded);
	buf_free(&d.bytes);
}
