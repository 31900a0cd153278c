/*
 * Texts as numbers: equal texts, and only those, have the same one. Hashed with a key drawn for each table (SipHash-1-3),
 * so that nobody can choose texts that collide.
 */
#ifndef BOX_INTERN_H
#define BOX_INTERN_H

#include "base/buf.h"

struct intern {
	uint64_t key[2];
	uint32_t *slot;      /* own: number + 1; 0: free. slots is a power of two */
	size_t slots;
	struct intern_text { /* own: by number */
		uint32_t hash;
		uint32_t end; /* in text; it begins where the one before ends */
	} *of;
	size_t n, cap;
	struct buf text;     /* own */
};

void intern_init(struct intern *t, size_t text_max);
void intern_free(struct intern *t);
size_t intern_octets(const struct intern *t);
/* The number of s, new ones counted from 0; UINT32_MAX beyond text_max (at most 4 GiB). */
uint32_t intern_get(struct intern *t, struct span s);

#endif
