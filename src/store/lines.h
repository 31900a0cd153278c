/* Complete lines of a file, from an offset on, through one 64 KiB buffer. */
#ifndef STORE_LINES_H
#define STORE_LINES_H

#include "base/err.h"
#include "base/span.h"

struct lines {
	int fd;        /* borrowed */
	uint64_t end;  /* offset in the file behind the last line given */
	char *p;       /* own */
	size_t at, n;  /* p[at..n) is read and not yet given */
};

void lines_init(struct lines *l, int fd, uint64_t off);
void lines_free(struct lines *l);

/*
 * The next line without its LF; valid until the next call. ERR_CLOSED at the end: bytes behind the
 * last LF are not given. A line that does not fit the buffer comes in pieces, each far longer than
 * any parser takes.
 */
enum err lines_next(struct lines *l, struct span *line_r);

#endif
