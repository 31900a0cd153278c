/* The tree that a query is, as data: freed and copied without recursion, for clients nest it. */
#include "query.h"

/* A list of nodes still to free, threaded through next: the children of each are put in front. The
 * tree is used up. */
void query_free(struct query *q)
{
	struct query *list = q;

	if (q)
		q->next = NULL;
	while (list) {
		struct query *node = list, *tail = query_is_key(node->kind) ? NULL : node->first;

		set_free(&node->uids);
		list = node->next;
		if (!tail)
			continue;
		for (list = node->first; tail->next; tail = tail->next)
			;
		tail->next = node->next;
	}
}

static void free_set(void *arg)
{
	set_free(arg);
}

static bool copy_span(struct span *s, struct arena *a)
{
	bool ok;

	*s = arena_copy(a, *s, &ok);
	return ok;
}

/* One node; its links still lead into the tree that is copied. */
static struct query *copy_node(const struct query *q, struct arena *a)
{
	struct query *c = arena_alloc(a, sizeof(*c));

	if (!c)
		return NULL;
	*c = *q;
	c->uids = (struct set)SET_EMPTY;
	if (!copy_span(&c->name, a) || !copy_span(&c->text, a) ||
	    (q->uids.n && !arena_cleanup(a, free_set, &c->uids)))
		return NULL;
	if (q->uids.n)
		set_copy(&c->uids, &q->uids);
	return c;
}

/* Copies that wait for their children's copies form a list. */
struct open_copy {
	struct open_copy *next;
	struct query *node;
};

static bool copy_children(struct query *node, struct open_copy **open, struct arena *a)
{
	for (struct query **link = &node->first; *link; link = &(*link)->next) {
		struct open_copy *o = arena_alloc(a, sizeof(*o));
		struct query *c = copy_node(*link, a);

		if (!c || !o)
			return false;
		*link = c;
		*o = (struct open_copy){ *open, c };
		*open = o;
	}
	return true;
}

struct query *query_copy(const struct query *q, struct arena *a)
{
	struct query *root = copy_node(q, a);
	struct open_copy first = { NULL, root }, *open = &first;

	if (!root)
		return NULL;
	root->next = NULL;
	while (open) {
		struct query *node = open->node;

		open = open->next;
		if (!query_is_key(node->kind) && !copy_children(node, &open, a))
			return NULL;
	}
	return root;
}
