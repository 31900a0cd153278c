/* Tables of message keys: open addressing, linear probing, at most half full. */
#include "keytab.h"

#include "base/mem.h"

#include <xxhash.h>

static uint64_t key_hash(struct span key)
{
	uint64_t h = XXH3_64bits(key.p, key.n);

	return h ? h : 1;
}

void keytab_free(struct keytab *t)
{
	free(t->key);
	free(t->slot);
	*t = (struct keytab){ 0 };
}

/* A slot holds the hash above the number of the key + 1: a miss is known without a look at the key. */
static uint64_t slot_of(uint32_t hash, size_t k)
{
	return (uint64_t)hash << 32 | (k + 1);
}

static size_t keytab_probe(const struct keytab *t, struct span key, uint32_t hash)
{
	size_t i = hash & (t->slots - 1);

	for (; t->slot[i]; i = (i + 1) & (t->slots - 1))
		if (t->slot[i] >> 32 == hash && span_eq(t->key[(uint32_t)t->slot[i] - 1], key))
			break;
	return i;
}

size_t keytab_find(const struct keytab *t, struct span key)
{
	if (t->slots == 0)
		return SIZE_MAX;
	uint32_t found = (uint32_t)t->slot[keytab_probe(t, key, (uint32_t)key_hash(key))];
	return found ? found - 1 : SIZE_MAX;
}

static void keytab_grow(struct keytab *t)
{
	uint64_t *old = t->slot;
	size_t slots = t->slots;

	t->cap = t->cap ? t->cap * 2 : 64;
	t->key = mem_grow(t->key, t->cap, sizeof(*t->key));
	t->slots = t->cap * 2;
	t->slot = mem_array(t->slots, sizeof(*t->slot));
	for (size_t k = 0; k < slots; k++) {
		size_t i = (old[k] >> 32) & (t->slots - 1);

		if (!old[k])
			continue;
		while (t->slot[i])
			i = (i + 1) & (t->slots - 1);
		t->slot[i] = old[k];
	}
	free(old);
}

size_t keytab_add(struct keytab *t, struct span key, bool *new_r)
{
	uint32_t hash = (uint32_t)key_hash(key);

	if (t->n == t->cap)
		keytab_grow(t);
	size_t i = keytab_probe(t, key, hash);
	*new_r = t->slot[i] == 0;
	if (!*new_r)
		return (uint32_t)t->slot[i] - 1;
	t->key[t->n] = key;
	t->slot[i] = slot_of(hash, t->n);
	return t->n++;
}

void keymap_free(struct keymap *m)
{
	free(m->hash);
	free(m->value);
	*m = (struct keymap){ 0 };
}

static size_t keymap_probe(const struct keymap *m, uint64_t hash)
{
	size_t i = hash & (m->slots - 1);

	while (m->hash[i] && m->hash[i] != hash)
		i = (i + 1) & (m->slots - 1);
	return i;
}

bool keymap_get(const struct keymap *m, struct span key, uint32_t *value_r)
{
	if (m->slots == 0)
		return false;
	size_t i = keymap_probe(m, key_hash(key));
	if (m->hash[i] == 0)
		return false;
	*value_r = m->value[i];
	return true;
}

static void keymap_grow(struct keymap *m)
{
	struct keymap old = *m;

	m->slots = old.slots ? old.slots * 2 : 32;
	m->hash = mem_array(m->slots, sizeof(*m->hash));
	m->value = mem_array(m->slots, sizeof(*m->value));
	for (size_t k = 0; k < old.slots; k++) {
		if (old.hash[k] == 0)
			continue;
		size_t i = keymap_probe(m, old.hash[k]);
		m->hash[i] = old.hash[k];
		m->value[i] = old.value[k];
	}
	free(old.hash);
	free(old.value);
}

void keymap_set(struct keymap *m, struct span key, uint32_t value)
{
	uint64_t hash = key_hash(key);

	if (m->n * 2 >= m->slots)
		keymap_grow(m);
	size_t i = keymap_probe(m, hash);
	if (m->hash[i] == 0) {
		m->hash[i] = hash;
		m->n++;
	}
	m->value[i] = value;
}

struct pool_chunk {
	struct pool_chunk *older;
	char bytes[];
};

enum { POOL_CHUNK = 64 * 1024 };

void pool_free(struct pool *p)
{
	for (struct pool_chunk *c = p->chunk, *older; c; c = older) {
		older = c->older;
		free(c);
	}
	*p = (struct pool){ 0 };
}

static char *pool_take(struct pool *p, size_t n)
{
	if (p->cap - p->used < n) {
		size_t cap = n > POOL_CHUNK ? n : POOL_CHUNK;
		struct pool_chunk *c = mem_alloc(sizeof(*c) + cap);

		c->older = p->chunk;
		p->chunk = c;
		p->used = 0;
		p->cap = cap;
	}
	char *at = p->chunk->bytes + p->used;
	p->used += n;
	p->total += n;
	return at;
}

struct span pool_copy(struct pool *p, struct span s)
{
	if (s.n == 0)
		return (struct span){ NULL, 0 };
	char *at = pool_take(p, s.n);
	memcpy(at, s.p, s.n);
	return span_of(at, s.n);
}
