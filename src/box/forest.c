#include "forest.h"

#include "base/mem.h"

#include <stdlib.h>

void forest_init(struct forest *f)
{
	*f = (struct forest){ .n = 1, .cap = 256 };
	f->node = mem_array(f->cap, sizeof(*f->node));
}

void forest_free(struct forest *f)
{
	free(f->node);
	*f = (struct forest){ .n = 0 };
}

uint32_t forest_add(struct forest *f)
{
	if (f->n == f->cap) {
		f->cap *= 2;
		f->node = mem_grow(f->node, f->cap, sizeof(*f->node));
	}
	f->node[f->n] = (struct forest_node){ .parent = 0 };
	return (uint32_t)f->n++;
}

/* Which kid of its splay parent x is; -1: it is the root of its splay tree. */
static int side(const struct forest *f, uint32_t x)
{
	const struct forest_node *up = &f->node[f->node[x].up];

	if (!f->node[x].up)
		return -1;
	return up->kid[0] == x ? 0 : up->kid[1] == x ? 1 : -1;
}

static void rotate(struct forest *f, uint32_t x)
{
	struct forest_node *node = f->node;
	uint32_t p = node[x].up, g = node[p].up;
	int s = side(f, x), ps = side(f, p);
	uint32_t inner = node[x].kid[1 - s];

	if (ps >= 0)
		node[g].kid[ps] = x;
	node[x].up = g;
	node[p].kid[s] = inner;
	if (inner)
		node[inner].up = p;
	node[x].kid[1 - s] = p;
	node[p].up = x;
}

static void splay(struct forest *f, uint32_t x)
{
	while (side(f, x) >= 0) {
		uint32_t p = f->node[x].up;

		if (side(f, p) >= 0)
			rotate(f, side(f, x) == side(f, p) ? p : x);
		rotate(f, x);
	}
}

/* Makes the path from the root down to x one splay tree, with x at its top. */
static void access_path(struct forest *f, uint32_t x)
{
	uint32_t below = 0;

	for (uint32_t y = x; y; y = f->node[y].up) {
		splay(f, y);
		f->node[y].kid[1] = below;
		below = y;
	}
	splay(f, x);
}

static uint32_t root_of(struct forest *f, uint32_t x)
{
	access_path(f, x);
	while (f->node[x].kid[0])
		x = f->node[x].kid[0];
	splay(f, x);
	return x;
}

bool forest_link(struct forest *f, uint32_t child, uint32_t parent)
{
	if (child == parent || root_of(f, parent) == child)
		return false;
	access_path(f, child);
	f->node[child].up = parent;
	f->node[child].parent = parent;
	return true;
}

void forest_cut(struct forest *f, uint32_t child)
{
	uint32_t above;

	if (!f->node[child].parent)
		return;
	access_path(f, child);
	above = f->node[child].kid[0];
	f->node[child].kid[0] = 0;
	f->node[above].up = 0;
	f->node[child].parent = 0;
}
