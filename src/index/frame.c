/*
 * Keys and the frame of the records. Not here: the bodies (schema.c), where records lie (kv.c).
 *
 * Every value begins with its frame:
 *
 *	offset size
 *	     0    4  checksum: XXH3 of everything behind it, mixed with XXH3 of the key seeded by the kind;
 *	             of a cache record, of its head: the fields have their own, so that who wants one reads one
 *	     4    1  version of this kind's layout, REC_VERSION
 *	     5    .  body, drawn in schema.c
 */
#include "frame.h"
#include "bytes.h"
#include "schema.h"

#include "base/must.h"

#include <xxhash.h>

/* --- keys --------------------------------------------------------------------------- */

static void be32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

static uint32_t read_be32(const char *c)
{
	const unsigned char *p = (const unsigned char *)c;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

struct rec_key rec_key32(uint32_t a)
{
	struct rec_key k = { .n = 4 };

	be32(k.b, a);
	return k;
}

struct rec_key rec_key32_32(uint32_t a, uint32_t b)
{
	struct rec_key k = { .n = 8 };

	be32(k.b, a);
	be32(k.b + 4, b);
	return k;
}

struct rec_key rec_key32_64(uint32_t a, uint64_t b)
{
	struct rec_key k = { .n = 12 };

	be32(k.b, a);
	be32(k.b + 4, (uint32_t)(b >> 32));
	be32(k.b + 8, (uint32_t)b);
	return k;
}

struct span rec_key_span(const struct rec_key *k)
{
	return span_of(k->b, k->n);
}

uint64_t rec_key_number(const struct rec_key *k)
{
	const char *p = (const char *)k->b;

	return k->n == 8 ? (uint64_t)read_be32(p) << 32 | read_be32(p + 4) : 0;
}

bool rec_key_read32_32(struct span key, uint32_t *a_r, uint32_t *b_r)
{
	if (key.n != 8)
		return false;
	*a_r = read_be32(key.p);
	*b_r = read_be32(key.p + 4);
	return true;
}

bool rec_key_read32_64(struct span key, uint32_t *a_r, uint64_t *b_r)
{
	if (key.n != 12)
		return false;
	*a_r = read_be32(key.p);
	*b_r = (uint64_t)read_be32(key.p + 4) << 32 | read_be32(key.p + 8);
	return true;
}

/* --- frame -------------------------------------------------------------------------- */

char *rec_begin(struct buf *out, size_t body)
{
	buf_clear(out);
	if (!buf_reserve(out, REC_FRAME + body))
		return NULL;
	out->n = REC_FRAME + body;
	return out->p + REC_FRAME;
}

static uint32_t fold(XXH64_hash_t h)
{
	return (uint32_t)(h ^ h >> 32);
}

static uint32_t checksum(enum rec_kind kind, struct span key, struct span value)
{
	XXH64_hash_t k = XXH3_64bits_withSeed(key.p, key.n, 1 + (XXH64_hash_t)kind);

	if (kind == REC_CACHE)
		value = span_cut(value, 0, REC_FRAME + cache_head_size(span_from(value, REC_FRAME)));
	return fold(XXH3_64bits(value.p + 4, value.n - 4) ^ (k << 17 | k >> 47));
}

uint32_t rec_sum(struct span bytes)
{
	return fold(XXH3_64bits(bytes.p, bytes.n));
}

uint32_t rec_seal(enum rec_kind kind, struct span key, struct buf *out)
{
	uint32_t sum;

	must(out->n >= REC_FRAME);
	out->p[4] = REC_VERSION;
	sum = checksum(kind, key, buf_span(out));
	put32(out->p, sum);
	return sum;
}

enum err rec_open(enum rec_kind kind, struct span key, struct span value, struct span *body_r,
		  uint32_t *sum_r)
{
	uint32_t sum;

	if (value.n < REC_FRAME)
		return ERR_CORRUPT;
	sum = load32(value.p);
	if (sum != checksum(kind, key, value))
		return ERR_CORRUPT;
	if (value.p[4] != REC_VERSION)
		return ERR_CORRUPT;
	*body_r = span_of(value.p + REC_FRAME, value.n - REC_FRAME);
	if (sum_r)
		*sum_r = sum;
	return ERR_OK;
}
