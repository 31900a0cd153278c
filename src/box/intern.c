#include "intern.h"

#include "base/mem.h"
#include "base/must.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { SLOTS_FIRST = 1024 };

/* --- SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") ------------- */

static uint64_t rotl(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t load64(const char *p, size_t n)
{
	uint64_t x = 0;

	if (n == 8) {
		memcpy(&x, p, 8);
		return le64toh(x);
	}
	for (size_t i = n; i > 0; i--)
		x = x << 8 | (unsigned char)p[i - 1];
	return x;
}

static uint64_t siphash(const uint64_t key[2], struct span s)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
			  key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
	size_t pos = 0;
	uint64_t word;

	for (;; pos += 8) {
		bool last = s.n - pos < 8;

		word = last ? load64(s.p + pos, s.n - pos) | (uint64_t)s.n << 56
			    : load64(s.p + pos, 8);
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
		if (last)
			break;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- the table -------------------------------------------------------------------- */

void intern_init(struct intern *t, size_t text_max)
{
	*t = (struct intern){ .slots = SLOTS_FIRST };
	must(getrandom(t->key, sizeof(t->key), 0) == (ssize_t)sizeof(t->key));
	t->slot = mem_array(t->slots, sizeof(*t->slot));
	buf_init(&t->text, text_max);
}

void intern_free(struct intern *t)
{
	free(t->slot);
	free(t->of);
	buf_free(&t->text);
}

size_t intern_octets(const struct intern *t)
{
	return t->slots * sizeof(*t->slot) + t->cap * sizeof(*t->of) + t->text.cap;
}

static struct span text_of(const struct intern *t, uint32_t number)
{
	size_t at = number ? t->of[number - 1].end : 0;

	return span_of(t->text.p + at, t->of[number].end - at);
}

static void place(struct intern *t, uint32_t number)
{
	size_t at = t->of[number].hash & (t->slots - 1);

	while (t->slot[at])
		at = (at + 1) & (t->slots - 1);
	t->slot[at] = number + 1;
}

static void grow(struct intern *t)
{
	free(t->slot);
	t->slots *= 2;
	t->slot = mem_array(t->slots, sizeof(*t->slot));
	for (size_t i = 0; i < t->n; i++)
		place(t, (uint32_t)i);
}

static uint32_t add(struct intern *t, struct span s, uint32_t hash)
{
	buf_add_span(&t->text, s);
	if (t->text.failed || t->text.n > UINT32_MAX || t->n >= UINT32_MAX - 1)
		return UINT32_MAX;
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 256;
		t->of = mem_grow(t->of, t->cap, sizeof(*t->of));
	}
	t->of[t->n] = (struct intern_text){ hash, (uint32_t)t->text.n };
	if (2 * (t->n + 1) > t->slots)
		grow(t);
	place(t, (uint32_t)t->n);
	return (uint32_t)t->n++;
}

uint32_t intern_get(struct intern *t, struct span s)
{
	uint32_t hash = (uint32_t)siphash(t->key, s);

	for (size_t at = hash & (t->slots - 1); t->slot[at]; at = (at + 1) & (t->slots - 1)) {
		uint32_t number = t->slot[at] - 1;

		if (t->of[number].hash == hash && span_eq(s, text_of(t, number)))
			return number;
	}
	return add(t, s, hash);
}
