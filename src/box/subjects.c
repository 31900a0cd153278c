/* Threads by base subject (RFC 5256: ORDEREDSUBJECT, and REFERENCES step 5). */
#include "thread.h"

#include "base/mem.h"

#include <stdlib.h>

void thread_by_subject(struct thread_run *r)
{
	uint32_t *first = mem_array(r->l->subjects.n + 1, sizeof(*first));

	for (size_t k = 0; k < r->n; k++) {
		const struct thread_message *m = &r->message[r->sort.a[k]];
		uint32_t *at = &first[m->subject == NOBODY ? r->l->subjects.n : m->subject];

		if (*at)
			r->node[m->node].up = *at;
		else
			*at = m->node;
	}
	free(first);
}

/* A thread: the node at its top, and the message that its subject is taken from. */
struct top {
	uint32_t node;
	const struct thread_message *m;
};

struct merge {
	struct thread_run *r;
	struct top *top; /* own: the threads, sorted */
	size_t n;
	uint32_t *table; /* own: subject to node; 0: none */
	uint32_t *alias; /* own: by node: where a merged dummy's children go; 0: not merged */
};

static bool dummy(const struct merge *g, uint32_t x)
{
	return g->r->node[x].message == NOBODY;
}

/* A dummy counts as neither reply nor forward. */
static bool reply(const struct merge *g, uint32_t x)
{
	return !dummy(g, x) && g->r->message[g->r->node[x].message].reply;
}

/* The order of messages is that of threads too: a dummy stands where its first child does. */
static void collect(struct merge *g)
{
	struct thread_run *r = g->r;

	for (size_t k = 0; k < r->n; k++) {
		const struct thread_message *m = &r->message[r->sort.a[k]];
		uint32_t up = r->node[m->node].up;

		if (up && (r->node[up].message != NOBODY || r->node[up].seen))
			continue;
		if (up)
			r->node[up].seen = true;
		if (m->subject != NOBODY)
			g->top[g->n++] = (struct top){ up ? up : m->node, m };
	}
}

/* Step 5.B. */
static void fill_table(struct merge *g)
{
	for (size_t i = 0; i < g->n; i++) {
		uint32_t x = g->top[i].node, *at = &g->table[g->top[i].m->subject];

		if (!*at || (!dummy(g, *at) && (dummy(g, x) || (reply(g, *at) && !reply(g, x)))))
			*at = x;
	}
}

/* Step 5.C for one thread: x and what the table has. */
static void merge_one(struct merge *g, uint32_t x, uint32_t *at)
{
	struct thread_run *r = g->r;
	uint32_t both;

	if (dummy(g, *at) && dummy(g, x)) {
		g->alias[x] = *at;
	} else if (dummy(g, *at) || (reply(g, x) && !reply(g, *at))) {
		r->node[x].up = *at;
	} else {
		both = thread_node_new(r, NOBODY);
		r->node[x].up = both;
		r->node[*at].up = both;
		*at = both;
	}
}

void thread_merge_subjects(struct thread_run *r)
{
	struct merge g = { .r = r };
	size_t nodes = r->forest.n;

	g.top = mem_array(r->n + 1, sizeof(*g.top));
	g.table = mem_array(r->l->subjects.n + 1, sizeof(*g.table));
	g.alias = mem_array(nodes, sizeof(*g.alias));
	collect(&g);
	fill_table(&g);
	for (size_t i = 0; i < g.n; i++) {
		uint32_t x = g.top[i].node, *at = &g.table[g.top[i].m->subject];

		/* One that has become a child of another thread meanwhile is dealt with. */
		if (*at != x && !r->node[x].up)
			merge_one(&g, x, at);
	}
	for (size_t i = 0; i < r->n; i++) {
		struct thread_node *x = &r->node[r->message[i].node];

		if (x->up && x->up < nodes && g.alias[x->up])
			x->up = g.alias[x->up];
	}
	free(g.top);
	free(g.table);
	free(g.alias);
}
