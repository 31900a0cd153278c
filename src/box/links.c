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

/* Where the node of the id in r->text is noted; NULL: too many. */
static uint32_t *place_of(struct thread_run *r)
{
	uint32_t id = intern_get(&r->ids, buf_span(&r->text));

	if (id == UINT32_MAX || r->forest.n >= THREAD_NODES_MAX)
		return NULL;
	r->node_of = grown(r->node_of, (size_t)id + 1, &r->node_of_cap, sizeof(*r->node_of));
	return &r->node_of[id];
}

static bool add_reference(struct thread_run *r)
{
	uint32_t *place = place_of(r);

	if (!place)
		return false;
	if (!*place)
		*place = thread_node_new(r, NOBODY);
	r->reference =
		grown(r->reference, r->references + 1, &r->references_cap, sizeof(*r->reference));
	r->reference[r->references++] = *place;
	return true;
}

static enum err take_references(struct thread_run *r, struct span references,
				struct span in_reply_to)
{
	r->references = 0;
	while (next_id(r, &references))
		if (!add_reference(r))
			return ERR_LIMIT;
	if (!r->references && next_id(r, &in_reply_to) && !add_reference(r))
		return ERR_LIMIT;
	return ERR_OK;
}

/* The message's node: that of its id, unless an earlier message has it, or it has none. */
static enum err take_id(struct thread_run *r, uint32_t i, struct span id)
{
	uint32_t *place = NULL;

	if (next_id(r, &id)) {
		place = place_of(r);
		if (!place)
			return ERR_LIMIT;
	}
	if (place && *place && r->node[*place].message == NOBODY) {
		r->node[*place].message = i;
		r->message[i].node = *place;
		return ERR_OK;
	}
	r->message[i].node = thread_node_new(r, i);
	if (place && !*place)
		*place = r->message[i].node;
	return ERR_OK;
}

enum err thread_link(struct thread_run *r, uint32_t i, struct span id, struct span references,
		     struct span in_reply_to)
{
	const uint32_t *ref;
	uint32_t node, parent = 0;
	size_t from;
	enum err e = take_references(r, references, in_reply_to);

	if (!e)
		e = take_id(r, i, id);
	if (e)
		return e;
	ref = r->reference;
	from = r->references > THREAD_REFERENCES_MAX ? r->references - THREAD_REFERENCES_MAX : 0;
	for (size_t k = from; k + 1 < r->references; k++)
		if (!r->forest.node[ref[k + 1]].parent)
			forest_link(&r->forest, ref[k + 1], ref[k]);
	node = r->message[i].node;
	if (r->references)
		parent = ref[r->references - 1];
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
