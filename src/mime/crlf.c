#include "mime/crlf.h"

enum { BLOCK = 64 }; /* compilers make vector instructions of loops of a constant length */

/* Bare LFs among the BLOCK bytes from p on; there is a byte before p. */
static unsigned bare_in_block(const char *p)
{
	unsigned char n = 0;

	for (int i = 0; i < BLOCK; i++)
		n += (unsigned char)((p[i] == '\n') & (p[i - 1] != '\r'));
	return n;
}

uint64_t mime_crlf_size(struct span in)
{
	uint64_t bare = in.n > 0 && in.p[0] == '\n';
	size_t i = 1;

	for (; i + BLOCK <= in.n; i += BLOCK)
		bare += bare_in_block(in.p + i);
	for (; i < in.n; i++)
		bare += in.p[i] == '\n' && in.p[i - 1] != '\r';
	return in.n + bare;
}

/* A line and its end, when all of it fits; out is not NULL. */
static bool crlf_line(struct span line, uint64_t room, struct buf *out)
{
	if (line.n + 2 > room || line.p[line.n - 1] == '\r' || !buf_reserve(out, line.n + 2))
		return false;
	memcpy(out->p + out->n, line.p, line.n);
	out->n += line.n;
	out->p[out->n++] = '\r';
	out->p[out->n++] = '\n';
	return true;
}

/*
 * Moves over in, producing at most max bytes into out (may be NULL: only moves).
 * A bare LF is eaten only when both its bytes are out; between the two owes_lf is set.
 */
static size_t crlf_run(struct mime_crlf *st, struct span in, uint64_t max, struct buf *out)
{
	uint64_t room = max;
	size_t i = 0;

	while (i < in.n && room > 0) {
		if (in.p[i] == '\n') {
			bool lf = st->after_cr || st->owes_lf;

			if (out)
				buf_add_char(out, lf ? '\n' : '\r');
			room--;
			st->owes_lf = !lf;
			st->after_cr = false;
			i += lf;
			continue;
		}
		size_t run = span_find(span_from(in, i), '\n');

		if (run == SIZE_MAX) {
			run = in.n - i;
		} else if (out && crlf_line(span_of(in.p + i, run), room, out)) {
			*st = (struct mime_crlf)MIME_CRLF_START;
			i += run + 1;
			room -= run + 2;
			continue;
		}
		if (run > room)
			run = (size_t)room;
		if (out)
			buf_add(out, in.p + i, run);
		i += run;
		room -= run;
		st->after_cr = in.p[i - 1] == '\r';
	}
	return i;
}

void mime_crlf_add(struct mime_crlf *st, struct span in, struct buf *out)
{
	crlf_run(st, in, UINT64_MAX, out);
}

size_t mime_crlf_copy(struct mime_crlf *st, struct span in, size_t max, struct buf *out)
{
	return crlf_run(st, in, max, out);
}

size_t mime_crlf_seek(struct mime_crlf *st, struct span in, uint64_t voff)
{
	*st = (struct mime_crlf)MIME_CRLF_START;
	return crlf_run(st, in, voff, NULL);
}
