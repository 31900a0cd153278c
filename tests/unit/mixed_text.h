/* Bytes for compressors: half of them as in a text, half that nothing makes smaller; always the same. */
#ifndef TESTS_UNIT_MIXED_TEXT_H
#define TESTS_UNIT_MIXED_TEXT_H

#include "tests/unit/test.h"

#include <stdlib.h>

/* n bytes; the caller frees. */
static inline char *mixed_text(size_t n)
{
	char *text = malloc(n);
	unsigned seed = 1;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i % 100 < 50 ? 'a' + (int)(i % 7) : rand_r(&seed));
	return text;
}

#endif
