/*
 * Integers and spans in values, little-endian and unaligned. Writers trust the caller for room and return where they
 * stopped; the reader cannot leave its bytes.
 */
#ifndef INDEX_BYTES_H
#define INDEX_BYTES_H

#include "base/err.h"
#include "base/span.h"

static inline char *put8(char *p, uint8_t v)
{
	*p = (char)v;
	return p + 1;
}

static inline char *put16(char *p, uint16_t v)
{
	return put8(put8(p, (uint8_t)v), (uint8_t)(v >> 8));
}

static inline char *put32(char *p, uint32_t v)
{
	uint8_t b[4] = { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) };

	memcpy(p, b, 4);
	return p + 4;
}

static inline char *put64(char *p, uint64_t v)
{
	return put32(put32(p, (uint32_t)v), (uint32_t)(v >> 32));
}

static inline char *put_span(char *p, struct span s)
{
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p + s.n;
}

static inline uint32_t load32(const char *c)
{
	const unsigned char *p = (const unsigned char *)c;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load64(const char *c)
{
	return load32(c) | (uint64_t)load32(c + 4) << 32;
}

/* A reader that cannot leave its bytes: once short, it stays bad and gives zeroes. */
struct rd {
	const char *p;
	size_t n;
	bool bad;
};

static inline struct rd rd_of(struct span s)
{
	return (struct rd){ s.p, s.n, false };
}

static inline struct span rd_take(struct rd *r, size_t n)
{
	struct span s = { r->p, n };

	if (r->n < n) {
		r->bad = true;
		r->n = 0;
		return (struct span){ r->p, 0 };
	}
	r->p += n;
	r->n -= n;
	return s;
}

static inline uint8_t rd_8(struct rd *r)
{
	struct span s = rd_take(r, 1);

	return s.n > 0 ? (uint8_t)s.p[0] : 0;
}

static inline uint16_t rd_16(struct rd *r)
{
	uint8_t low = rd_8(r);

	return (uint16_t)(low | rd_8(r) << 8);
}

static inline uint32_t rd_32(struct rd *r)
{
	struct span s = rd_take(r, 4);

	return s.n > 0 ? load32(s.p) : 0;
}

static inline uint64_t rd_64(struct rd *r)
{
	struct span s = rd_take(r, 8);

	return s.n > 0 ? load64(s.p) : 0;
}

static inline enum err rd_end(const struct rd *r)
{
	return r->bad || r->n > 0 ? ERR_CORRUPT : ERR_OK;
}

#endif
