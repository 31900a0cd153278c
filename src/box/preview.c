/* The preview of a message (RFC 8970): the beginning of its first text part, as plain text. */
#include "made.h"

#include "base/must.h"
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

/* ---- HTML ---- */

static size_t behind(struct span text, struct span end)
{
	size_t at = span_search(text, end);

	return at == SIZE_MAX ? text.n : at + end.n;
}

/* How long the markup is that text begins with: a comment, a tag, or one with content that nobody is shown. */
static size_t markup_size(struct span text)
{
	static const char *const hidden[] = { "style", "script", "title" };

	if (span_starts(text, SPAN("<!--")))
		return behind(text, SPAN("-->"));
	for (size_t i = 0; i < ARRAY_LEN(hidden); i++) {
		struct span name = span_str(hidden[i]), rest = span_from(text, 1);

		if (!span_istarts(rest, name))
			continue;
		while (rest.n && !(span_starts(rest, SPAN("</")) && span_istarts(span_from(rest, 2), name)))
			rest = span_from(rest, 1);
		return (size_t)(rest.p - text.p) + behind(rest, SPAN(">"));
	}
	return behind(text, SPAN(">"));
}

/* The character that text begins with as a reference ("&amp;", "&#8364;"); its length, 0 when it is none. */
static size_t reference_size(struct span text, uint32_t *cp_r)
{
	static const struct {
		const char *name;
		uint32_t cp;
	} known[] = { { "amp", '&' }, { "lt", '<' }, { "gt", '>' }, { "quot", '"' }, { "apos", '\'' }, { "nbsp", ' ' } };
	size_t end = span_find(span_cut(text, 0, 12), ';');
	struct span name = span_cut(text, 1, end == SIZE_MAX ? 0 : end - 1);
	bool hex = span_istarts(name, SPAN("#x"));
	uint64_t v = 0;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!span_eq_str(name, known[i].name))
			continue;
		*cp_r = known[i].cp;
		return end + 1;
	}
	if (name.n < 2 || name.p[0] != '#')
		return 0;
	if (!(hex ? span_hex64(span_from(name, 2), &v) : span_u64(span_from(name, 1), &v)))
		return 0;
	*cp_r = v > 0x10ffff || (v >= 0xd800 && v < 0xe000) ? 0xfffd : (uint32_t)v;
	return end + 1;
}

/* ---- what is seen ---- */

/* The next character of text and its length. Markup counts as a blank. */
static size_t next_visible(struct span text, bool html, uint32_t *cp_r)
{
	size_t n;

	if (html && text.p[0] == '<') {
		*cp_r = ' ';
		return markup_size(text);
	}
	n = html && text.p[0] == '&' ? reference_size(text, cp_r) : 0;
	if (!n)
		n = utf8_next(text, cp_r);
	if (n)
		return n;
	*cp_r = 0xfffd;
	return 1;
}

static bool is_blank(uint32_t cp)
{
	return cp <= ' ' || cp == 0x7f || cp == 0xa0;
}

/* Appends text without markup and with white space collapsed, until enough characters are there. */
static void add_visible(struct span text, bool html, struct buf *out)
{
	unsigned chars = 0;
	bool blank = false;

	while (text.n && chars < PREVIEW_CHARS) {
		uint32_t cp;

		text = span_from(text, next_visible(text, html, &cp));
		if (is_blank(cp)) {
			blank = true;
			continue;
		}
		if (blank && chars) {
			if (++chars == PREVIEW_CHARS)
				return; /* a blank would be the last */
			buf_add_char(out, ' ');
		}
		blank = false;
		utf8_put(out, cp);
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
