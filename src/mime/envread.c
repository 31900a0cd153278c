/* What mime_envelope_add wrote, read again: strings, NIL and parentheses. */
#include "mime/envelope.h"

struct reader {
	struct span in;
	size_t pos;
};

static int peek(const struct reader *r)
{
	return r->pos < r->in.n ? (unsigned char)r->in.p[r->pos] : -1;
}

static bool expect(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->pos++;
	return true;
}

/* {n} CRLF and n bytes, from behind the brace. */
static bool read_literal(struct reader *r, struct buf *out)
{
	struct span rest = span_from(r->in, r->pos), body;
	size_t end = span_find(rest, '}');
	uint64_t n;

	if (end == SIZE_MAX || !span_u64(span_cut(rest, 0, end), &n))
		return false;
	body = span_from(rest, end + 3);
	if (n > body.n)
		return false;
	if (out)
		buf_add(out, body.p, n);
	r->pos += end + 3 + n;
	return true;
}

static bool read_quoted(struct reader *r, struct buf *out)
{
	while (r->pos < r->in.n) {
		char c = r->in.p[r->pos++];

		if (c == '"')
			return true;
		if (c == '\\' && r->pos < r->in.n)
			c = r->in.p[r->pos++];
		if (out)
			buf_add_char(out, c);
	}
	return false;
}

/* A string or NIL; out may be NULL. False: neither. */
static bool read_nstring(struct reader *r, struct buf *out, bool *nil_r)
{
	*nil_r = false;
	if (expect(r, '"'))
		return read_quoted(r, out);
	if (expect(r, '{'))
		return read_literal(r, out);
	*nil_r = span_starts(span_from(r->in, r->pos), SPAN("NIL"));
	r->pos += *nil_r ? 3 : 0;
	return *nil_r;
}

/* A string, NIL or a list, whatever is in it. */
static bool skip_value(struct reader *r)
{
	unsigned depth = 0;
	bool nil;

	do {
		if (expect(r, '('))
			depth++;
		else if (expect(r, ')'))
			depth--;
		else if (!expect(r, ' ') && !read_nstring(r, NULL, &nil))
			return false;
	} while (depth && r->pos < r->in.n);
	return !depth;
}

static bool go_to(struct reader *r, enum mime_envelope_field field)
{
	if (!expect(r, '('))
		return false;
	for (int i = 0; i < (int)field; i++)
		if (!skip_value(r) || !expect(r, ' '))
			return false;
	return true;
}

bool mime_envelope_text(struct span envelope, enum mime_envelope_field field, struct buf *out)
{
	struct reader r = { envelope, 0 };
	bool nil;

	return go_to(&r, field) && read_nstring(&r, out, &nil) && !nil;
}

bool mime_envelope_first(struct span envelope, enum mime_envelope_field field,
			 struct mime_envelope_address *a)
{
	struct reader r = { envelope, 0 };
	bool nil;

	buf_clear(&a->name);
	buf_clear(&a->mailbox);
	buf_clear(&a->host);
	if (!go_to(&r, field) || !expect(&r, '(') || !expect(&r, '('))
		return false;
	return read_nstring(&r, &a->name, &nil) && expect(&r, ' ') && skip_value(&r) &&
	       expect(&r, ' ') && read_nstring(&r, &a->mailbox, &nil) && expect(&r, ' ') &&
	       read_nstring(&r, &a->host, &nil);
}
