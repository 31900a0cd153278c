/* Complete lines of a file. */
#include "lines.h"

#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

enum { LINES_BUF = 64 * 1024 };

void lines_init(struct lines *l, int fd, uint64_t off)
{
	*l = (struct lines){ .fd = fd, .end = off, .p = mem_alloc(LINES_BUF) };
}

void lines_free(struct lines *l)
{
	free(l->p);
	l->p = NULL;
}

static enum err lines_fill(struct lines *l)
{
	memmove(l->p, l->p + l->at, l->n - l->at);
	l->n -= l->at;
	l->at = 0;
	for (;;) {
		ssize_t got = pread(l->fd, l->p + l->n, LINES_BUF - l->n, (off_t)(l->end + l->n));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		l->n += (size_t)got;
		return got == 0 ? ERR_CLOSED : ERR_OK;
	}
}

enum err lines_next(struct lines *l, struct span *line_r)
{
	size_t looked = 0;

	for (;;) {
		char *from = l->p + l->at;
		char *lf = l->n - l->at > looked
				   ? memchr(from + looked, '\n', l->n - l->at - looked)
				   : NULL;
		size_t taken = lf ? (size_t)(lf - from) + 1 : l->n - l->at;

		if (lf || taken == LINES_BUF) {
			*line_r = span_of(from, lf ? taken - 1 : taken);
			l->at += taken;
			l->end += taken;
			return ERR_OK;
		}
		looked = taken;
		enum err e = lines_fill(l);
		if (e)
			return e;
	}
}
