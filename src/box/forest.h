/*
 * A forest whose links come and go, which knows in logarithmic (amortised) time whether a link would close a loop:
 * link-cut trees (Sleator, Tarjan 1983). Walking up instead would make a mailbox that is one long thread
 * cost the square of its length.
 */
#ifndef BOX_FOREST_H
#define BOX_FOREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct forest_node {
	uint32_t kid[2], up; /* of the splay tree of a path; up of its root: the path above */
	uint32_t parent;     /* the link itself */
};

struct forest {
	struct forest_node *node; /* own; node[0] is nobody */
	size_t n, cap;
};

void forest_init(struct forest *f);
void forest_free(struct forest *f);
uint32_t forest_add(struct forest *f); /* a node without links; numbers from 1 */

/* child has no parent. False: child is parent itself, or above it. */
bool forest_link(struct forest *f, uint32_t child, uint32_t parent);
void forest_cut(struct forest *f, uint32_t child); /* from its parent, if it has one */

#endif
