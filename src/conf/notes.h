/*
 * Errors and warnings of one reading: "file:line: sentence", one a line, capped. And the nearest
 * known name.
 */
#ifndef CONF_NOTES_H
#define CONF_NOTES_H

#include "base/buf.h"

struct notes {
	struct buf *errors, *warnings; /* borrowed from the caller of conf_load */
	size_t errors_n;
};

enum { NOTES_MAX = 100 }; /* errors; what follows is noise */

/* line 0: the message is about the whole file. */
void note_error(struct notes *n, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void note_warning(struct notes *n, const char *file, unsigned line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The candidate with the smallest edit distance so far. */
struct nearest {
	struct span word;
	const char *best; /* NULL: none yet */
	size_t distance;
};

void nearest_try(struct nearest *n, const char *candidate);

#endif
