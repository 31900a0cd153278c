/*
 * Growable bytes with a maximum given at birth.
 *
 * Invariants: b->p[0..n) are the bytes; n <= max; after an append that would pass
 * max, or when memory is short, nothing is added and b->failed stays true until buf_clear: callers may append
 * freely and check once. b->p is not NUL-terminated; buf_cstr terminates it.
 * Life cycle: buf_init, use, buf_free (may be called again; leaves an empty buf
 * with the same max).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/span.h"

#include <string.h>

struct buf {
	char *p;    /* own */
	size_t n;   /* used */
	size_t cap; /* allocated */
	size_t max;
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
void buf_clear(struct buf *b);               /* n = 0, failed = false, memory kept */
void buf_consume(struct buf *b, size_t n);   /* drops the first n bytes (n <= b->n) */
void buf_truncate(struct buf *b, size_t n);  /* n <= b->n */

/* Room for at least n more bytes at b->p + b->n; false (and failed) beyond max. The caller adds to b->n. */
bool buf_reserve_slow(struct buf *b, size_t n); /* the part of buf_reserve that allocates or fails */
static inline bool buf_reserve(struct buf *b, size_t n)
{
	if (!b->failed && b->n + n < b->cap && n < b->cap)
		return true; /* cap is at most max + 1 */
	return buf_reserve_slow(b, n);
}

static inline void buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || !buf_reserve(b, n))
		return;
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static inline void buf_add_span(struct buf *b, struct span s)
{
	buf_add(b, s.p, s.n);
}

static inline void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void buf_add_char(struct buf *b, char c)
{
	if (buf_reserve(b, 1))
		b->p[b->n++] = c;
}

void buf_add_u64(struct buf *b, uint64_t v); /* decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *buf_cstr(struct buf *b); /* NUL-terminated view, valid until the next change; "" when empty or failed */

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ b->p, b->n };
}

#endif
