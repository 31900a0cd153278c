#include "wiretext.h"
#include "mime/header.h"

enum { QUOTED_MAX = 1000 }; /* clients with line buffers are happier with a literal beyond that */

/*
 * Bytes of s that need more than themselves: in a literal, and in a quoted string (SIZE_MAX: it
 * cannot be quoted).
 */
static void measure(struct span s, size_t *nuls_r, bool *quotable_r)
{
	size_t nuls = 0;
	bool quotable = s.n <= QUOTED_MAX;

	for (size_t i = 0; i < s.n; i++) {
		nuls += s.p[i] == '\0';
		quotable &= s.p[i] > 0 && s.p[i] != '\n';
	}
	*nuls_r = nuls;
	*quotable_r = quotable;
}

static void add_byte(struct buf *out, char c, bool quoted)
{
	if (c == '\0') {
		buf_add_str(out, "\xef\xbf\xbd");
		return;
	}
	if (quoted && (c == '"' || c == '\\'))
		buf_add_char(out, '\\');
	buf_add_char(out, c == '\r' ? ' ' : c);
}

/* As nearly all are: nothing to escape. */
static void add_quoted(struct buf *out, struct span s)
{
	if (!buf_reserve(out, s.n + 2))
		return;
	out->p[out->n++] = '"';
	if (s.n)
		memcpy(out->p + out->n, s.p, s.n);
	out->n += s.n;
	out->p[out->n++] = '"';
}

void wiretext_add(struct buf *out, struct span s)
{
	size_t nuls;
	bool quoted;

	if (s.n <= QUOTED_MAX && span_is_plain(s)) {
		add_quoted(out, s);
		return;
	}
	measure(s, &nuls, &quoted);
	if (quoted)
		buf_add_char(out, '"');
	else
		buf_printf(out, "{%zu}\r\n", s.n + 2 * nuls);
	for (size_t i = 0; i < s.n && !out->failed; i++)
		add_byte(out, s.p[i], quoted);
	if (quoted)
		buf_add_char(out, '"');
}

void wiretext_add_nil(struct buf *out, struct span s)
{
	if (s.p)
		wiretext_add(out, s);
	else
		buf_add_str(out, "NIL");
}

/* A bare CR becomes a blank, unless a blank, another or nothing follows. */
static void drop_crs(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		char next = i + 1 < b->n ? b->p[i + 1] : ' ';

		if (b->p[i] != '\r')
			b->p[n++] = b->p[i];
		else if (next != '\r' && next != ' ' && next != '\t')
			b->p[n++] = ' ';
	}
	buf_truncate(b, n);
}

static void squeeze(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		char c = b->p[i];

		if (c == '\t' || c == '\r' || c == '\n')
			c = ' ';
		if (c != ' ' || (n && b->p[n - 1] != ' '))
			b->p[n++] = c;
	}
	buf_truncate(b, n && b->p[n - 1] == ' ' ? n - 1 : n);
}

/* Would squeezing leave it as it is? */
static bool squeezed(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == ' ' && (i == 0 || i + 1 == s.n || s.p[i - 1] == ' '))
			return false;
	return true;
}

static void add_unfolded(struct buf *out, struct span s, bool human)
{
	struct buf b;

	if (!s.p) {
		buf_add_str(out, "NIL");
		return;
	}
	if (s.n <= QUOTED_MAX && span_is_plain(s) && (!human || squeezed(s))) {
		add_quoted(out, s);
		return;
	}
	buf_init(&b, s.n);
	mime_field_unfold(s, &b);
	drop_crs(&b);
	if (human)
		squeeze(&b);
	wiretext_add(out, buf_span(&b));
	buf_free(&b);
}

void wiretext_add_field(struct buf *out, struct span s)
{
	add_unfolded(out, s, false);
}

void wiretext_add_human(struct buf *out, struct span s)
{
	add_unfolded(out, s, true);
}
