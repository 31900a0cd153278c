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

bool mime_cte_of_part(struct span header, enum mime_cte *cte_r)
{
	struct content_fields f;
	struct span token, params;

	*cte_r = MIME_CTE_IDENTITY;
	content_fields_read(header, &f);
	if (!f.encoding.p)
		return true;
	*cte_r = mime_cte_of(f.encoding);
	token = content_value(f.encoding, &params);
	return *cte_r != MIME_CTE_IDENTITY || !token.n || span_ieq_str(token, "7bit") ||
	       span_ieq_str(token, "8bit") || span_ieq_str(token, "binary");
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
	if (!buf_reserve(out, in.n))
		return;
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
			out->p[out->n++] = (char)(d->bits >> d->nbits);
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

/* Blanks, or "=" and blanks: what goes at the end of a line goes at the end of all, too (RFC 2045 section 6.7 rule 3). */
static bool qp_padding(const struct buf *tail)
{
	size_t i = tail->n && tail->p[0] == '=';

	while (i < tail->n && (tail->p[i] == ' ' || tail->p[i] == '\t'))
		i++;
	return i == tail->n;
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

static bool qp_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Where the blanks begin that the line which ends at end has at its end; the CR of a line end is none. */
static size_t qp_line_text(struct span in, size_t from, size_t end, bool ended)
{
	size_t text = end;

	if (ended && text > from && in.p[text - 1] == '\r')
		text--;
	if (text == from || !qp_blank(in.p[text - 1]))
		return end;
	while (end > from && qp_blank(in.p[end - 1]))
		end--;
	return end;
}

/*
 * How many of the bytes from at up to limit, where a '=' stands or the end is, decode to themselves:
 * whole lines, but no blanks that a line end may follow. The tail is empty.
 */
static size_t qp_plain(struct span in, size_t at, size_t limit)
{
	while (at < limit) {
		size_t n = span_find(span_cut(span_from(in, at), 0, limit - at), '\n');
		bool ended = n != SIZE_MAX;
		size_t end = ended ? at + n : limit, text = end;

		if (ended || limit == in.n)
			text = qp_line_text(in, at, end, ended);
		if (text < end || !ended)
			return text;
		at = end + 1;
	}
	return limit;
}

static void qp_add(struct mime_decoder *d, struct span in, struct buf *out)
{
	size_t at = 0, sign = 0;

	while (at < in.n) {
		size_t plain = at;

		if (sign <= at && (sign != at || in.p[at] != '=')) {
			size_t n = span_find(span_from(in, at), '=');

			sign = n == SIZE_MAX ? in.n : at + n;
		}
		if (!d->tail.n)
			plain = qp_plain(in, at, sign);
		buf_add_span(out, span_cut(span_from(in, at), 0, plain - at));
		at = plain;
		if (at < in.n)
			qp_byte(d, in.p[at++], out);
	}
}

void mime_decoder_add(struct mime_decoder *d, struct span in, struct buf *out)
{
	switch (d->cte) {
	case MIME_CTE_BASE64:
		base64_add(d, in, out);
		break;
	case MIME_CTE_QP:
		qp_add(d, in, out);
		break;
	case MIME_CTE_IDENTITY:
		buf_add_span(out, in);
		break;
	}
}

void mime_decoder_end(struct mime_decoder *d, struct buf *out)
{
	if (!qp_padding(&d->tail))
		qp_release(d, out);
	buf_free(&d->tail);
	d->nbits = 0;
}
