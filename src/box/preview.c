/* The preview of a message (RFC 8970): the beginning of its first text part, as plain text. */
#include "made.h"

#include "base/utf8.h"
#include "mime/header.h"

enum {
	PREVIEW_CHARS = 200,
	PREVIEW_BYTES = 64 << 10, /* of a part that are looked at */
};

/* The value of charset= in a Content-Type, quoted or not; empty when there is none. */
static struct span charset_of(struct span type)
{
	static const char key[] = "charset=";
	struct span v;
	size_t n = 0;

	for (size_t i = 0; i + sizeof(key) - 1 < type.n; i++) {
		if (!span_ieq(span_cut(type, i, sizeof(key) - 1), SPAN("charset=")))
			continue;
		v = span_from(type, i + sizeof(key) - 1);
		if (v.n && v.p[0] == '"')
			return span_cut(v, 1, span_find(span_from(v, 1), '"'));
		while (n < v.n && v.p[n] != ';' && v.p[n] != ' ' && v.p[n] != '\r' && v.p[n] != '\n')
			n++;
		return span_cut(v, 0, n);
	}
	return (struct span){ NULL, 0 };
}

/* Appends text without tags and with white space collapsed, until enough characters are there. */
static void add_visible(struct span text, bool html, struct buf *out)
{
	unsigned chars = 0;
	bool tag = false, blank = false;
	size_t n;

	for (; text.n && chars < PREVIEW_CHARS; text = span_from(text, n)) {
		unsigned char c = (unsigned char)text.p[0];

		n = utf8_next(text, NULL);
		if (!n)
			n = 1;
		if (html && (tag || c == '<')) {
			tag = c != '>';
			blank = true;
			continue;
		}
		if (c <= ' ' || c == 0x7f) {
			blank = true;
			continue;
		}
		if (blank && chars) {
			buf_add_char(out, ' ');
			chars++;
		}
		blank = false;
		buf_add(out, text.p, n);
		chars++;
	}
}

static void decode_part(struct mime_charsets *cs, struct span header, struct span body, struct span type,
			struct buf *out)
{
	struct mime_decoder dec;
	struct mime_to_utf8 conv;
	struct mime_field f;
	struct buf raw;
	enum mime_cte cte = MIME_CTE_IDENTITY;

	if (mime_header_find(header, "Content-Transfer-Encoding", &f))
		cte = mime_cte_of(f.value);
	buf_init(&raw, 2 * PREVIEW_BYTES);
	mime_decoder_init(&dec, cte);
	mime_decoder_add(&dec, span_cut(body, 0, PREVIEW_BYTES), &raw);
	mime_decoder_end(&dec, &raw);
	mime_to_utf8_init(&conv, cs, charset_of(type));
	mime_to_utf8_add(&conv, buf_span(&raw), out);
	mime_to_utf8_end(&conv, out);
	buf_free(&raw);
}

void preview_add(struct mime_charsets *cs, struct span message, const struct mime_tree *tree, struct buf *out)
{
	struct buf text;

	for (size_t i = 0; i < tree->n; i++) {
		const struct mime_part *p = &tree->part[i];
		struct span header = mime_part_header(message, p);
		struct mime_field f = { .colon = false };
		struct span type = { NULL, 0 };

		if (!(p->flags & MIME_PART_TEXT))
			continue;
		if (mime_header_find(header, "Content-Type", &f))
			type = f.value;
		buf_init(&text, 8 * PREVIEW_BYTES);
		decode_part(cs, header, mime_part_body(message, p), type, &text);
		add_visible(buf_span(&text), span_istarts(type, SPAN("text/html")), out);
		buf_free(&text);
		return;
	}
}
