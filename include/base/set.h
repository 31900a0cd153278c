/*
 * Sets of 32-bit numbers as ascending, disjoint, non-adjacent ranges: UIDs,
 * sequence numbers. Number 0 is never a member.
 *
 * Life cycle: struct set s = SET_EMPTY (or zeroed), use, set_free.
 * Adding in ascending order is O(1); otherwise O(log n) to find plus a move.
 */
#ifndef BASE_SET_H
#define BASE_SET_H

#include "base/span.h"

struct set_range {
	uint32_t first, last; /* first <= last */
};

struct set {
	struct set_range *r; /* own */
	size_t n;            /* ranges */
	size_t cap;
};

#define SET_EMPTY { NULL, 0, 0 }

void set_free(struct set *s);
void set_clear(struct set *s); /* keeps memory */
void set_add(struct set *s, uint32_t v);
void set_add_range(struct set *s, uint32_t first, uint32_t last);
void set_add_set(struct set *s, const struct set *other);
void set_remove_range(struct set *s, uint32_t first, uint32_t last);
void set_remove_set(struct set *s, const struct set *other);
void set_intersect(struct set *s, const struct set *other);
void set_slice(struct set *s, uint64_t from, uint64_t n); /* keeps the n members from position from on (0 = smallest) */
void set_copy(struct set *dst, const struct set *src); /* dst initialised before */

bool set_has(const struct set *s, uint32_t v);
uint64_t set_count(const struct set *s);
uint32_t set_min(const struct set *s); /* 0 when empty */
uint32_t set_max(const struct set *s); /* 0 when empty */

/* The smallest member >= v; 0 when there is none. */
uint32_t set_next(const struct set *s, uint32_t v);

/* The member at position pos (0 = smallest); 0 beyond the end. And its inverse: how many members are < v. */
uint32_t set_at(const struct set *s, uint64_t pos);
uint64_t set_rank(const struct set *s, uint32_t v);

/* set_rank many times over a set that does not change meanwhile: O(log n) each. */
struct set_ranks {
	const struct set *set; /* borrowed */
	uint64_t *before;      /* own: members below each range */
};
void set_ranks_init(struct set_ranks *k, const struct set *s);
void set_ranks_free(struct set_ranks *k); /* zeroed: allowed */
uint64_t set_ranks_of(const struct set_ranks *k, uint32_t v); /* how many members are < v, for a member v */

#endif
