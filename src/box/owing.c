/*
 * Flag changes that were acknowledged and are not in the folder yet, kept in RAM beside the to-do list of the index:
 * should the index turn out damaged before they are written, the rebuilt one is told them again.
 *
 * Entries are in the order of the list, so that what is written leaves at the front.
 */
#include "owing.h"

#include "base/mem.h"

enum { OWING_MAX = 1 << 20 };

void owing_add(struct mailbox *mb, uint64_t seq, uint32_t uid, struct mail_flags flags)
{
	struct owing *o = &mb->owing;

	if (o->n == OWING_MAX)
		return;
	if (o->n == o->cap) {
		o->cap = o->cap ? o->cap * 2 : 16;
		o->e = mem_grow(o->e, o->cap, sizeof(*o->e));
	}
	if (!o->n)
		mb->refs++; /* stays open until all is written */
	o->e[o->n++] = (struct owing_entry){ seq, uid, flags };
}

static int by_seq(const void *key, const void *entry)
{
	uint64_t a = *(const uint64_t *)key, b = ((const struct owing_entry *)entry)->seq;

	return a < b ? -1 : a > b;
}

bool owing_has(const struct mailbox *mb, uint64_t seq)
{
	const struct owing *o = &mb->owing;

	return o->n && bsearch(&seq, o->e, o->n, sizeof(*o->e), by_seq);
}

static void drop_front(struct mailbox *mb, size_t k)
{
	struct owing *o = &mb->owing;
	struct mailbox *self = mb;

	if (!k)
		return;
	memmove(o->e, o->e + k, (o->n - k) * sizeof(*o->e));
	o->n -= k;
	if (o->n)
		return;
	free(o->e);
	*o = (struct owing){ NULL, 0, 0, false };
	mailbox_close(&self);
}

void owing_written(struct mailbox *mb, uint64_t seq)
{
	size_t k = 0;

	while (k < mb->owing.n && mb->owing.e[k].seq <= seq)
		k++;
	drop_front(mb, k);
}

void owing_forget(struct mailbox *mb)
{
	drop_front(mb, mb->owing.n);
}

void owing_settled(struct shelf *s)
{
	for (struct mailbox *mb = s->acct->boxes, *next; mb; mb = next) {
		next = mb->next;
		if (mb->space->shelf == s && !mb->owing.lost)
			owing_forget(mb);
	}
}

static int by_uid_then_seq(const void *a, const void *b)
{
	const struct owing_entry *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid < y->uid ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The last word on each message: as they came, for their numbers may be of several indexes. */
static void settle(struct owing *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++)
		o->e[i].seq = i;
	qsort(o->e, o->n, sizeof(*o->e), by_uid_then_seq);
	for (size_t i = 0; i < o->n; i++) {
		if (n && o->e[n - 1].uid == o->e[i].uid)
			n--;
		o->e[n++] = o->e[i];
	}
	o->n = n;
}

static enum err put_again(struct idx_txn *x, uint32_t box, struct owing_entry *e, uint64_t modseq)
{
	struct idx_todo todo = { .box = box, .kind = IDX_TODO_FLAGS, .uid = e->uid, .flags = e->flags };
	struct idx_msg m;
	enum err err = idx_msg_get(x, box, e->uid, &m);

	e->seq = 0;
	if (err)
		return err == ERR_NOTFOUND ? ERR_OK : err;
	m.flags = e->flags;
	m.modseq = modseq;
	err = idx_msg_put(x, box, &m);
	if (!err)
		err = idx_todo_add(x, &todo);
	e->seq = todo.seq;
	return err;
}

static enum err again_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct owing *o = arg;
	struct set uids = SET_EMPTY;
	uint64_t modseq;
	enum err e;

	for (size_t i = 0; i < o->n; i++)
		set_add(&uids, o->e[i].uid);
	e = idx_change(x, &r->b, &uids, NULL, &modseq);
	for (size_t i = 0; !e && i < o->n; i++)
		e = put_again(x, r->b.id, &o->e[i], modseq);
	set_free(&uids);
	return e ? e : idx_box_put(x, &r->b);
}

enum err owing_again(struct mailbox *mb, struct errtext *t)
{
	enum err e;

	if (!mb->owing.n)
		return ERR_OK;
	settle(&mb->owing);
	e = rec_update(mb, REC_FACTS, again_run, &mb->owing, t);
	mb->owing.lost = e;
	shelf_owe(mb->space->shelf);
	return e;
}
