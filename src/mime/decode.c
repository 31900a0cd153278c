#include "mime/decode.h"
#include "content.h"

#include "base/base64.h"

enum { WHITE_MAX = 1000 }; /* of blanks at the end of a line; more are no padding but text */

enum mime_cte mime_cte_of(struct span value)
{
	struct span params;
	struct span token = content_value(value, &params);

	if (span_ieq_str(token, "base64"))
		return MIME_CTE_BASE64;
	return span_ieq_str(token, "quoted-printable") ? MIME_CTE_QP : MIME_CTE_IDENTITY;
}

void mime_decoder_init(struct mime_decoder *d, enum mime_cte cte)
{
	*d = (struct mime_decoder){ .cte = cte };
	buf_init(&d->tail, WHITE_MAX);
}

/*
 * Padding ends a run, and another may follow: mailing lists append text that way. Other bytes are
 * skipped.
 */
static void base64_add(struct mime_decoder *d, struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		int v = base64_value(in.p[i]);

		if (in.p[i] == '=')
			d->nbits = 0;
		if (v < 0)
			continue;
		d->bits = d->bits << 6 | (unsigned)v;
		d->nbits += 6;
		if (d->nbits >= 8) {
			d->nbits -= 8;
			buf_add_char(out, (char)(d->bits >> d->nbits));
		}
	}
}

static int hex_digit(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void qp_release(struct mime_decoder *d, struct buf *out)
{
	buf_add_span(out, buf_span(&d->tail));
	buf_clear(&d->tail);
}

/* A line ends: blanks before it go, and a '=' before those makes the line end go too. */
static void qp_line_end(struct mime_decoder *d, bool crlf, struct buf *out)
{
	bool soft = d->tail.n && d->tail.p[0] == '=';

	buf_clear(&d->tail);
	if (!soft)
		buf_add_str(out, crlf ? "\r\n" : "\n");
}

/* "=4": the second digit decides. */
static bool qp_half(const struct buf *tail)
{
	return tail->n == 2 && tail->p[0] == '=' && hex_digit(tail->p[1]) >= 0;
}

/* Does the tail, as it is, wait for c? */
static bool qp_wants(const struct buf *tail, char c)
{
	char last = tail->n ? tail->p[tail->n - 1] : '\0';

	if (tail->n == WHITE_MAX || last == '\r' || qp_half(tail))
		return false;
	if (tail->n == 1 && last == '=' && hex_digit(c) >= 0)
		return true;
	return c == ' ' || c == '\t' || c == '\r';
}

static void qp_byte(struct mime_decoder *d, char c, struct buf *out)
{
	struct buf *tail = &d->tail;

	if (c == '\n' && !qp_half(tail)) {
		qp_line_end(d, tail->n && tail->p[tail->n - 1] == '\r', out);
	} else if (qp_wants(tail, c)) {
		buf_add_char(tail, c);
	} else if (qp_half(tail) && hex_digit(c) >= 0) {
		buf_add_char(out, (char)(hex_digit(tail->p[1]) << 4 | hex_digit(c)));
		buf_clear(tail);
	} else {
		qp_release(d, out);
		if (c == '=' || c == ' ' || c == '\t' || c == '\r')
			buf_add_char(tail, c);
		else
			buf_add_char(out, c);
	}
}

void mime_decoder_add(struct mime_decoder *d, struct span in, struct buf *out)
{
	switch (d->cte) {
	case MIME_CTE_BASE64:
		base64_add(d, in, out);
		break;
	case MIME_CTE_QP:
		for (size_t i = 0; i < in.n; i++)
			qp_byte(d, in.p[i], out);
		break;
	case MIME_CTE_IDENTITY:
		buf_add_span(out, in);
		break;
	}
}

void mime_decoder_end(struct mime_decoder *d, struct buf *out)
{
	if (!(d->tail.n == 1 && d->tail.p[0] == '='))
		qp_release(d, out);
	buf_free(&d->tail);
	d->nbits = 0;
}
