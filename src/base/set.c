#include "base/set.h"
#include "base/mem.h"
#include "base/must.h"

void set_free(struct set *s)
{
	free(s->r);
	*s = (struct set)SET_EMPTY;
}

void set_clear(struct set *s)
{
	s->n = 0;
}

static void set_room(struct set *s, size_t n)
{
	if (n <= s->cap)
		return;
	s->cap = n > s->cap * 2 ? n : s->cap * 2;
	if (s->cap < 4)
		s->cap = 4;
	s->r = mem_grow(s->r, s->cap, sizeof(*s->r));
}

/* Index of the first range whose last >= v; s->n when there is none. */
static size_t set_lookup(const struct set *s, uint32_t v)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->r[mid].last < v)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Replaces the ranges [from, to) by the count ranges at with. */
static void set_splice(struct set *s, size_t from, size_t to, const struct set_range *with,
		       size_t count)
{
	set_room(s, s->n - (to - from) + count);
	memmove(s->r + from + count, s->r + to, (s->n - to) * sizeof(*s->r));
	if (count)
		memcpy(s->r + from, with, count * sizeof(*with));
	s->n = s->n - (to - from) + count;
}

/* Appends a range that begins at or behind the last one's end, joining neighbours. */
static void set_append(struct set *s, struct set_range r)
{
	struct set_range *tail = s->n ? &s->r[s->n - 1] : NULL;

	if (tail && r.first - 1 <= tail->last) {
		if (r.last > tail->last)
			tail->last = r.last;
		return;
	}
	set_room(s, s->n + 1);
	s->r[s->n++] = r;
}

void set_add_range(struct set *s, uint32_t first, uint32_t last)
{
	struct set_range r = { first ? first : 1, last };
	size_t from, to;

	if (r.first > r.last)
		return;
	if (s->n == 0 || r.first >= s->r[s->n - 1].first) {
		set_append(s, r);
		return;
	}
	from = set_lookup(s, r.first - 1);
	to = from;
	while (to < s->n && s->r[to].first - 1 <= r.last)
		to++;
	if (to > from) {
		if (s->r[from].first < r.first)
			r.first = s->r[from].first;
		if (s->r[to - 1].last > r.last)
			r.last = s->r[to - 1].last;
	}
	set_splice(s, from, to, &r, 1);
}

void set_add(struct set *s, uint32_t v)
{
	set_add_range(s, v, v);
}

/* Takes over the ranges of from, which is used up. */
static void set_take(struct set *s, struct set *from)
{
	set_free(s);
	*s = *from;
}

void set_add_set(struct set *s, const struct set *other)
{
	struct set out = SET_EMPTY;
	size_t i = 0, k = 0;

	if (other->n == 0 || s == other)
		return;
	if (s->n == 0 || other->n == 1 || other->r[0].first > s->r[s->n - 1].last) {
		for (k = 0; k < other->n; k++)
			set_add_range(s, other->r[k].first, other->r[k].last);
		return;
	}
	set_room(&out, s->n + other->n);
	while (i < s->n || k < other->n) {
		if (k == other->n || (i < s->n && s->r[i].first <= other->r[k].first))
			set_append(&out, s->r[i++]);
		else
			set_append(&out, other->r[k++]);
	}
	set_take(s, &out);
}

void set_remove_range(struct set *s, uint32_t first, uint32_t last)
{
	size_t from = set_lookup(s, first), to = from, count = 0;
	struct set_range rest[2];

	while (to < s->n && s->r[to].first <= last)
		to++;
	if (first > last || to == from)
		return;
	if (s->r[from].first < first)
		rest[count++] = (struct set_range){ s->r[from].first, first - 1 };
	if (s->r[to - 1].last > last)
		rest[count++] = (struct set_range){ last + 1, s->r[to - 1].last };
	set_splice(s, from, to, rest, count);
}

void set_remove_set(struct set *s, const struct set *other)
{
	struct set out = SET_EMPTY;
	size_t k = 0;

	if (other->n == 1) {
		set_remove_range(s, other->r[0].first, other->r[0].last);
		return;
	}
	for (size_t i = 0; i < s->n; i++) {
		uint64_t first = s->r[i].first;
		uint32_t last = s->r[i].last;

		while (k < other->n && other->r[k].last < first)
			k++;
		for (size_t m = k; m < other->n && other->r[m].first <= last; m++) {
			if (other->r[m].first > first)
				set_append(&out, (struct set_range){ (uint32_t)first,
								     other->r[m].first - 1 });
			first = (uint64_t)other->r[m].last + 1;
			k = m;
		}
		if (first <= last)
			set_append(&out, (struct set_range){ (uint32_t)first, last });
	}
	set_take(s, &out);
}

void set_intersect(struct set *s, const struct set *other)
{
	struct set out = SET_EMPTY;
	size_t i = 0, k = 0;

	while (i < s->n && k < other->n) {
		struct set_range a = s->r[i], b = other->r[k];
		uint32_t first = a.first > b.first ? a.first : b.first;
		uint32_t last = a.last < b.last ? a.last : b.last;

		if (first <= last)
			set_append(&out, (struct set_range){ first, last });
		if (a.last < b.last)
			i++;
		else
			k++;
	}
	set_take(s, &out);
}

void set_slice(struct set *s, uint64_t from, uint64_t n)
{
	uint64_t pos = 0, end = from + n;
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct set_range r = s->r[i];
		uint64_t next = pos + (r.last - r.first) + 1;
		uint64_t low = from > pos ? from : pos, high = end < next ? end : next;

		if (low < high)
			s->r[kept++] = (struct set_range){ r.first + (uint32_t)(low - pos),
							   r.first + (uint32_t)(high - 1 - pos) };
		pos = next;
	}
	s->n = kept;
}

void set_copy(struct set *dst, const struct set *src)
{
	if (dst == src)
		return;
	set_room(dst, src->n);
	if (src->n)
		memcpy(dst->r, src->r, src->n * sizeof(*src->r));
	dst->n = src->n;
}

bool set_has(const struct set *s, uint32_t v)
{
	size_t i = set_lookup(s, v);

	return i < s->n && s->r[i].first <= v;
}

uint64_t set_count(const struct set *s)
{
	uint64_t count = 0;

	for (size_t i = 0; i < s->n; i++)
		count += (uint64_t)s->r[i].last - s->r[i].first + 1;
	return count;
}

uint32_t set_min(const struct set *s)
{
	return s->n ? s->r[0].first : 0;
}

uint32_t set_max(const struct set *s)
{
	return s->n ? s->r[s->n - 1].last : 0;
}

uint32_t set_next(const struct set *s, uint32_t v)
{
	size_t i = set_lookup(s, v);

	if (i == s->n)
		return 0;
	return s->r[i].first > v ? s->r[i].first : v;
}

uint32_t set_at(const struct set *s, uint64_t pos)
{
	for (size_t i = 0; i < s->n; i++) {
		uint64_t count = (uint64_t)s->r[i].last - s->r[i].first + 1;

		if (pos < count)
			return s->r[i].first + (uint32_t)pos;
		pos -= count;
	}
	return 0;
}

uint64_t set_rank(const struct set *s, uint32_t v)
{
	uint64_t rank = 0;

	for (size_t i = 0; i < s->n && s->r[i].first < v; i++) {
		uint32_t last = s->r[i].last < v ? s->r[i].last : v - 1;

		rank += (uint64_t)last - s->r[i].first + 1;
	}
	return rank;
}

void set_ranks_init(struct set_ranks *k, const struct set *s)
{
	uint64_t sum = 0;

	k->set = s;
	k->before = mem_array(s->n + 1, sizeof(*k->before));
	for (size_t i = 0; i < s->n; i++) {
		k->before[i] = sum;
		sum += (uint64_t)s->r[i].last - s->r[i].first + 1;
	}
}

void set_ranks_free(struct set_ranks *k)
{
	free(k->before);
	*k = (struct set_ranks){ NULL, NULL };
}

uint64_t set_ranks_of(const struct set_ranks *k, uint32_t v)
{
	size_t i = set_lookup(k->set, v);

	must(i < k->set->n && k->set->r[i].first <= v);
	return k->before[i] + (v - k->set->r[i].first);
}
