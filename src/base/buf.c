#include "base/buf.h"
#include "base/must.h"

#include <stdarg.h>

enum { BUF_FIRST = 64 }; /* bytes of the first allocation */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_free(struct buf *b)
{
	free(b->p);
	buf_init(b, b->max);
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

void buf_consume(struct buf *b, size_t n)
{
	must(n <= b->n);
	b->n -= n;
	if (n && b->n)
		memmove(b->p, b->p + n, b->n);
}

void buf_truncate(struct buf *b, size_t n)
{
	must(n <= b->n);
	b->n = n;
}

/* Grows to at least want bytes, room for the NUL of buf_cstr included. */
static bool buf_grow(struct buf *b, size_t want)
{
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	size_t most = b->max == SIZE_MAX ? SIZE_MAX : b->max + 1;
	char *p;

	while (cap < want) {
		if (__builtin_mul_overflow(cap, 2, &cap))
			return false;
	}
	if (cap > most)
		cap = most;
	p = realloc(b->p, cap);
	if (!p)
		return false;
	b->p = p;
	b->cap = cap;
	return true;
}

bool buf_reserve_slow(struct buf *b, size_t n)
{
	if (b->failed || n > b->max - b->n) {
		b->failed = true;
		return false;
	}
	if (b->n + n + 1 > b->cap && !buf_grow(b, b->n + n + 1))
		b->failed = true;
	return !b->failed;
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int n;

	if (b->failed)
		return;
	va_start(args, fmt);
	n = vsnprintf(b->p ? b->p + b->n : NULL, b->p ? b->cap - b->n : 0, fmt, args);
	va_end(args);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!b->p || (size_t)n >= b->cap - b->n) {
		if (!buf_reserve(b, (size_t)n))
			return;
		va_start(args, fmt);
		vsnprintf(b->p + b->n, b->cap - b->n, fmt, args);
		va_end(args);
	}
	b->n += (size_t)n;
}

const char *buf_cstr(struct buf *b)
{
	if (b->n == 0 || b->failed)
		return "";
	b->p[b->n] = '\0'; /* buf_reserve always leaves room for it */
	return b->p;
}
