/*
 * Tables of message keys. keytab numbers distinct keys 0, 1, 2... in the order in
 * which they came; callers keep parallel arrays. keymap holds 64-bit hashes of keys with a
 * number each, for "what do we know of this key" without holding the key.
 *
 * Keys are borrowed: their bytes must outlive the table (see struct pool).
 */
#ifndef STORE_KEYTAB_H
#define STORE_KEYTAB_H

#include "base/span.h"

struct keytab {
	struct span *key; /* own; [0..n) */
	size_t n, cap;
	uint64_t *slot; /* own; hash << 32 | index + 1, 0 free */
	size_t slots;   /* power of two, 0 before the first add */
};

void keytab_free(struct keytab *t);
size_t keytab_find(const struct keytab *t, struct span key); /* SIZE_MAX: absent */
/* The key's number; new ones get n. copied bytes are the caller's business. */
size_t keytab_add(struct keytab *t, struct span key, bool *new_r);

struct keymap {
	uint64_t *hash; /* own; 0 free */
	uint32_t *value;
	size_t n, slots;
};

void keymap_free(struct keymap *m);
bool keymap_get(const struct keymap *m, struct span key, uint32_t *value_r);
void keymap_set(struct keymap *m, struct span key, uint32_t value);

/* Bytes kept together until all are freed. */
struct pool {
	struct pool_chunk *chunk; /* own */
	size_t used, cap;         /* of the newest chunk */
	size_t total;
};

void pool_free(struct pool *p);
struct span pool_copy(struct pool *p, struct span s);

#endif
