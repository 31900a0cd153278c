#include "mime/crlf.h"

uint64_t mime_crlf_size(struct span in)
{
	uint64_t bare = 0;
	size_t pos = 0;

	while (pos < in.n) {
		size_t lf = span_find(span_from(in, pos), '\n');

		if (lf == SIZE_MAX)
			break;
		pos += lf;
		bare += pos == 0 || in.p[pos - 1] != '\r';
		pos++;
	}
	return in.n + bare;
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

		if (run == SIZE_MAX)
			run = in.n - i;
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
