/* Lines and dot-stuffing, both as cursors over the input: what is whole in it is not copied. */
#include "wire/line.h"

void line_init(struct line_reader *r, size_t max, bool lf_ok)
{
	*r = (struct line_reader){ .lf_ok = lf_ok };
	buf_init(&r->b, max + 2);
}

void line_free(struct line_reader *r)
{
	buf_free(&r->b);
	r->too_long = false;
}

/* line ends with LF. */
static enum line_event judge(const struct line_reader *r, struct span line, struct span *line_r)
{
	bool crlf = line.n >= 2 && line.p[line.n - 2] == '\r';

	line.n -= crlf ? 2 : 1;
	if (line.n > r->b.max - 2)
		return LINE_TOO_LONG;
	if (!crlf && !r->lf_ok)
		return LINE_BAD;
	if (line.n > 0 && (memchr(line.p, '\0', line.n) || memchr(line.p, '\r', line.n)))
		return LINE_BAD;
	*line_r = line;
	return LINE_READY;
}

enum line_event line_feed(struct line_reader *r, struct span in, size_t *used_r, struct span *line_r)
{
	const char *lf;

	if (r->b.cap > 0 && r->b.n == 0)
		buf_free(&r->b); /* the line handed out by the last call is done with */
	lf = in.n > 0 ? memchr(in.p, '\n', in.n) : NULL;
	*used_r = lf ? (size_t)(lf - in.p) + 1 : in.n;
	if (!r->too_long && (r->b.n > 0 || !lf))
		buf_add(&r->b, in.p, *used_r);
	if (r->b.failed) {
		buf_free(&r->b);
		buf_clear(&r->b);
		r->too_long = true;
	}
	if (!lf)
		return LINE_MORE;
	if (r->too_long) {
		r->too_long = false;
		return LINE_TOO_LONG;
	}
	if (r->b.n == 0)
		return judge(r, span_of(in.p, *used_r), line_r);
	in = buf_span(&r->b);
	r->b.n = 0; /* its memory stays until the next call */
	return judge(r, in, line_r);
}

void dot_init(struct dot_decoder *d)
{
	d->state = DOT_LINE_START;
}

/* Behind at: the state after the bytes p[0..n), n > 0, none of them a dot at a line start. */
static enum dot_state state_after(const char *p, size_t n, enum dot_state before)
{
	if (p[n - 1] == '\r')
		return DOT_CR;
	if (p[n - 1] == '\n' && (n >= 2 ? p[n - 2] == '\r' : before == DOT_CR))
		return DOT_LINE_START;
	return DOT_TEXT;
}

/* How many bytes at the front of in are text, up to the next dot at a line start. */
static size_t text_run(struct span in, enum dot_state state)
{
	size_t i = 0;

	while (i < in.n) {
		const char *dot = memchr(in.p + i, '.', in.n - i);

		if (!dot)
			return in.n;
		i = (size_t)(dot - in.p);
		if (i >= 2 && dot[-1] == '\n' && dot[-2] == '\r')
			return i;
		if (i == 1 && dot[-1] == '\n' && state == DOT_CR)
			return i;
		i++;
	}
	return in.n;
}

static bool take_text(struct dot_decoder *d, struct span *in, struct span *piece_r)
{
	size_t n = text_run(*in, d->state);

	*piece_r = span_cut(*in, 0, n);
	d->state = state_after(in->p, n, d->state);
	*in = span_from(*in, n);
	return true;
}

bool dot_next(struct dot_decoder *d, struct span *in, struct span *piece_r)
{
	while (in->n > 0) {
		char c = in->p[0];

		switch (d->state) {
		case DOT_DONE:
			return false;
		case DOT_LINE_START:
			if (c != '.')
				return take_text(d, in, piece_r);
			d->state = DOT_DOT;
			break;
		case DOT_DOT: /* this dot was stuffing, unless CRLF follows */
			if (c != '\r') {
				d->state = DOT_TEXT;
				return take_text(d, in, piece_r);
			}
			d->state = DOT_DOT_CR;
			break;
		case DOT_DOT_CR:
			if (c == '\n') {
				d->state = DOT_DONE;
				break;
			}
			d->state = DOT_CR; /* a bare CR behind a stuffed dot: it is content */
			*piece_r = SPAN("\r");
			return true;
		case DOT_TEXT:
		case DOT_CR:
			return take_text(d, in, piece_r);
		}
		*in = span_from(*in, 1);
	}
	return false;
}
