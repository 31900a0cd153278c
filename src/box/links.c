/* The tree of references (RFC 5256, REFERENCES, steps 1 to 3). */
#include "thread.h"

#include "base/mem.h"
#include "mime/msgid.h"

static void *grown(void *p, size_t need, size_t *cap, size_t size)
{
	size_t old = *cap;

	if (need <= old)
		return p;
	*cap = need + need / 2 + 64;
	p = mem_grow(p, *cap, size);
	memset((char *)p + old * size, 0, (*cap - old) * size);
	return p;
}

uint32_t thread_node_new(struct thread_run *r, uint32_t message)
{
	uint32_t x = forest_add(&r->forest);

	r->node = grown(r->node, (size_t)x + 1, &r->nodes_cap, sizeof(*r->node));
	r->node[x].message = message;
	return x;
}

/* --- step 1 ----------------------------------------------------------------------- */

/* The first id of a value into r->text; false: there is none. */
static bool next_id(struct thread_run *r, struct span *rest)
{
	buf_clear(&r->text);
	return mime_msgid_next(rest, &r->text);
}

/* The number of the id in r->text. */
static enum err add_reference(struct thread_run *r, struct thread_input *in)
{
	struct thread_learnt *l = r->l;
	uint32_t id = intern_get(&l->ids, buf_span(&r->text));

	if (id == UINT32_MAX || l->refs >= THREAD_REFS_MAX)
		return ERR_LIMIT;
	l->ref = grown(l->ref, l->refs + 1, &l->refs_cap, sizeof(*l->ref));
	l->ref[l->refs++] = id;
	in->refs++;
	return ERR_OK;
}

/* Of too many the last ones: those before have no part in the tree. */
static void keep_last(struct thread_learnt *l, struct thread_input *in)
{
	size_t more = in->refs > THREAD_REFERENCES_MAX ? in->refs - THREAD_REFERENCES_MAX : 0;

	if (!more)
		return;
	in->refs = THREAD_REFERENCES_MAX;
	memmove(l->ref + in->ref, l->ref + in->ref + more, in->refs * sizeof(*l->ref));
	l->refs -= more;
}

enum err thread_learn(struct thread_run *r, struct thread_input *in, struct span id, struct span references,
		      struct span in_reply_to)
{
	enum err e = ERR_OK;

	in->ref = (uint32_t)r->l->refs;
	while (!e && next_id(r, &references))
		e = add_reference(r, in);
	if (!e && !in->refs && next_id(r, &in_reply_to))
		e = add_reference(r, in);
	keep_last(r->l, in);
	in->id = NOBODY;
	if (e || !next_id(r, &id))
		return e;
	in->id = intern_get(&r->l->ids, buf_span(&r->text));
	return in->id == NOBODY ? ERR_LIMIT : ERR_OK;
}

/* The message's node: that of its id, unless an earlier message has it, or it has none. */
static void take_id(struct thread_run *r, uint32_t i, uint32_t id)
{
	uint32_t *place = id == NOBODY ? NULL : &r->node_of[id];

	if (place && *place && r->node[*place].message == NOBODY) {
		r->node[*place].message = i;
		r->message[i].node = *place;
		return;
	}
	r->message[i].node = thread_node_new(r, i);
	if (place && !*place)
		*place = r->message[i].node;
}

static const uint32_t *nodes_of_references(struct thread_run *r, const struct thread_input *in)
{
	for (size_t k = 0; k < in->refs; k++) {
		uint32_t *place = &r->node_of[r->l->ref[in->ref + k]];

		if (!*place)
			*place = thread_node_new(r, NOBODY);
		r->reference[k] = *place;
	}
	return r->reference;
}

enum err thread_link(struct thread_run *r, uint32_t i, const struct thread_input *in)
{
	const uint32_t *ref;
	uint32_t node, parent = 0;

	if (r->forest.n + in->refs >= THREAD_NODES_MAX)
		return ERR_LIMIT;
	ref = nodes_of_references(r, in);
	take_id(r, i, in->id);
	for (size_t k = 0; k + 1 < in->refs; k++)
		if (!r->forest.node[ref[k + 1]].parent)
			forest_link(&r->forest, ref[k + 1], ref[k]);
	node = r->message[i].node;
	if (in->refs)
		parent = ref[in->refs - 1];
	if (parent && r->forest.node[node].parent == parent)
		return ERR_OK;
	forest_cut(&r->forest, node);
	if (parent)
		forest_link(&r->forest, node, parent);
	return ERR_OK;
}

/* --- step 3 ----------------------------------------------------------------------- */

static bool is_dummy(const struct thread_run *r, uint32_t x)
{
	return r->node[x].message == NOBODY;
}

/*
 * Above a chain of dummies: the message they hang from, or the last of them, at the top. What is
 * found is noted in the "up" of all of them below it, so that each is passed twice at most.
 */
static uint32_t end_of_chain(struct thread_run *r, uint32_t x)
{
	uint32_t end = x, next;

	while (is_dummy(r, end) && !r->node[end].up) {
		next = r->forest.node[end].parent;
		if (!next)
			break;
		end = next;
	}
	if (is_dummy(r, end) && r->node[end].up)
		end = r->node[end].up;
	for (; x != end && is_dummy(r, x) && !r->node[x].up; x = r->forest.node[x].parent)
		r->node[x].up = end;
	return end;
}

void thread_prune(struct thread_run *r)
{
	for (size_t i = 0; i < r->n; i++) {
		uint32_t x = r->message[i].node, up = r->forest.node[x].parent;

		if (up && is_dummy(r, up))
			up = end_of_chain(r, up);
		r->node[x].up = up;
		r->node[up].children++;
	}
	/* "Do not promote the children if doing so would make them children of the root, unless
	 * there is only one child." */
	for (size_t i = 0; i < r->n; i++) {
		struct thread_node *x = &r->node[r->message[i].node];

		if (x->up && is_dummy(r, x->up) && r->node[x->up].children == 1)
			x->up = 0;
	}
}
