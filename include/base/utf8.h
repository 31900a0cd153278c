/* UTF-8 (RFC 3629): validity, and case folding for search (i;unicode-casemap, RFC 5051, by utf8proc). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/*
 * Length in bytes of the valid sequence at s.p; 0 when there is none (overlong, surrogate,
 * above U+10FFFF, cut short). cp_r may be NULL.
 */
size_t utf8_next(struct span s, uint32_t *cp_r);
bool utf8_valid(struct span s);
size_t utf8_ascii_run(struct span s); /* how many bytes at its begin are ASCII */
void utf8_put(struct buf *out, uint32_t cp);

/*
 * Appends s folded for comparison: titlecase map, then full decomposition (RFC 5051);
 * invalid bytes become U+FFFD.
 */
void utf8_fold(struct span s, struct buf *out);

/* Appends s in normalization form C; false (nothing appended) when it is not valid UTF-8. */
bool utf8_nfc(struct span s, struct buf *out);

#endif
