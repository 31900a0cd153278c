/* Sequence-set text to ranges. Any order costs O(n log n): sorted before the set sees them. */
#include "wire/imap_set.h"
#include "base/mem.h"

struct ranges {
	struct set_range *r; /* own */
	size_t n, cap;
	bool sorted; /* ascending so far */
};

static void ranges_add(struct ranges *l, uint32_t first, uint32_t last)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 16;
		l->r = mem_grow(l->r, l->cap, sizeof(*l->r));
	}
	if (l->n > 0 && first < l->r[l->n - 1].first)
		l->sorted = false;
	l->r[l->n++] = (struct set_range){ first, last };
}

/* nz-number or "*"; star_r tells which. */
static bool number(struct span s, uint32_t star, uint32_t *v_r, bool *star_r)
{
	if (s.n == 1 && s.p[0] == '*') {
		*star_r = true;
		*v_r = star;
		return true;
	}
	return s.n > 0 && s.p[0] != '0' && span_u32(s, v_r);
}

static bool item(struct span s, uint32_t star, struct ranges *l)
{
	size_t colon = span_find(s, ':');
	struct span left = span_cut(s, 0, colon);
	uint32_t a, b;
	bool has_star = false;

	if (!number(left, star, &a, &has_star))
		return false;
	b = a;
	if (colon != SIZE_MAX && !number(span_from(s, colon + 1), star, &b, &has_star))
		return false;
	if (has_star && star == 0)
		return true;
	ranges_add(l, a < b ? a : b, a < b ? b : a);
	return true;
}

static bool parse(struct span text, uint32_t star, struct ranges *l)
{
	struct span word;

	if (text.n == 0 || text.p[text.n - 1] == ',')
		return false;
	while (span_split(&text, ',', &word)) {
		if (!item(word, star, l))
			return false;
	}
	return true;
}

static int by_first(const void *x, const void *y)
{
	const struct set_range *a = x, *b = y;

	return (a->first > b->first) - (a->first < b->first);
}

bool imap_set_parse(struct span text, uint32_t star, struct set *set_r)
{
	struct ranges l = { .sorted = true };
	bool ok = parse(text, star, &l);

	if (ok) {
		if (!l.sorted)
			qsort(l.r, l.n, sizeof(*l.r), by_first);
		set_clear(set_r);
		for (size_t i = 0; i < l.n; i++)
			set_add_range(set_r, l.r[i].first, l.r[i].last);
	}
	free(l.r);
	return ok;
}

bool imap_set_looks(struct span text)
{
	if (span_eq_str(text, "$"))
		return true;
	for (size_t i = 0; i < text.n; i++) {
		if (!ascii_isdigit(text.p[i]) && !strchr("*:,", text.p[i]))
			return false;
	}
	return text.n > 0 && text.p[0] != ',' && text.p[0] != ':';
}
