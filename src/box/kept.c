/*
 * The last result of THREAD in an account, for clients that ask for it with each list they show.
 * What it is made of does not change as long as the set of messages is the same, so that set is its
 * key (RFC 5267 section 4.5 allows this kind of cache).
 */
#include "thread.h"

#include "base/mem.h"

enum {
	KEPT_MAX = 4 << 20,   /* octets of a result worth keeping */
	REST_MAX = 256 << 10, /* and of one that an account at rest may hold */
};

struct thread_kept {
	const struct space *space;
	char *name; /* own: storage name */
	uint32_t uidvalidity;
	enum thread_algorithm how;
	struct set uids;          /* own */
	struct thread_item *item; /* own */
	size_t items;
};

static void forget(struct thread_kept **kept)
{
	struct thread_kept *k = *kept;

	*kept = NULL;
	if (!k)
		return;
	free(k->name);
	set_free(&k->uids);
	free(k->item);
	free(k);
}

static size_t octets(const struct set *uids, size_t items)
{
	return uids->n * sizeof(*uids->r) + items * sizeof(struct thread_item);
}

static bool same_set(const struct set *a, const struct set *b)
{
	return a->n == b->n && (!a->n || memcmp(a->r, b->r, a->n * sizeof(*a->r)) == 0);
}

static struct thread_item *copy_items(const struct thread_item *item, size_t n)
{
	struct thread_item *copy = mem_array(n + 1, sizeof(*copy));

	if (n)
		memcpy(copy, item, n * sizeof(*copy));
	return copy;
}

bool thread_kept_find(struct thread_run *r)
{
	const struct mailbox *mb = r->v->mb;
	const struct thread_kept *k = mb->acct->threads;

	if (!k || k->how != r->how || k->space != mb->space || k->uidvalidity != r->v->uidvalidity ||
	    strcmp(k->name, mb->name) != 0 || !same_set(&k->uids, &r->uids))
		return false;
	r->item = copy_items(k->item, k->items);
	r->items = k->items;
	return true;
}

void thread_kept_put(const struct thread_run *r)
{
	const struct mailbox *mb = r->v->mb;
	struct thread_kept *k;

	forget(&mb->acct->threads);
	if (octets(&r->uids, r->items) > KEPT_MAX)
		return;
	k = mem_alloc(sizeof(*k));
	k->space = mb->space;
	k->name = mem_str(mb->name);
	k->uidvalidity = r->v->uidvalidity;
	k->how = r->how;
	set_copy(&k->uids, &r->uids);
	k->item = copy_items(r->item, r->items);
	k->items = r->items;
	mb->acct->threads = k;
}

void threads_rest(struct acct *a)
{
	learnt_rest(a);
	if (a->threads && octets(&a->threads->uids, a->threads->items) > REST_MAX)
		forget(&a->threads);
}

void threads_forget(struct acct *a)
{
	forget(&a->threads);
	thread_learnt_free(&a->learnt);
}
