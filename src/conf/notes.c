#include "notes.h"
#include "base/must.h"

#include <stdarg.h>

static void note(struct buf *b, const char *file, unsigned line, const char *fmt, va_list args)
	__attribute__((format(printf, 4, 0)));

static void note(struct buf *b, const char *file, unsigned line, const char *fmt, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, args);
	if (line > 0)
		buf_printf(b, "%s:%u: %s\n", file, line, text);
	else
		buf_printf(b, "%s: %s\n", file, text);
}

void note_error(struct notes *n, const char *file, unsigned line, const char *fmt, ...)
{
	va_list args;

	if (n->errors_n++ < NOTES_MAX) {
		va_start(args, fmt);
		note(n->errors, file, line, fmt, args);
		va_end(args);
	}
}

void note_warning(struct notes *n, const char *file, unsigned line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	note(n->warnings, file, line, fmt, args);
	va_end(args);
}

enum { WORD_MAX = 63 }; /* names are shorter; what is beyond is not compared */

/* Levenshtein's distance, one row at a time. */
static size_t distance(struct span a, struct span b)
{
	size_t row[WORD_MAX + 1];

	a = span_cut(a, 0, WORD_MAX);
	b = span_cut(b, 0, WORD_MAX);
	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 0; i < a.n; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b.n; j++) {
			bool same = ascii_lower(a.p[i]) == ascii_lower(b.p[j]);
			size_t best = diagonal + !same;

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j + 1] + 1 < best)
				best = row[j + 1] + 1;
			diagonal = row[j + 1];
			row[j + 1] = best;
		}
	}
	return row[b.n];
}

void nearest_try(struct nearest *n, const char *candidate)
{
	size_t d = distance(n->word, span_str(candidate));

	if (!n->best || d < n->distance) {
		n->best = candidate;
		n->distance = d;
	}
}
