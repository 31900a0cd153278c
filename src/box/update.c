/*
 * How a view learns what happened: it asks the index what changed since its modseq and gathers the answer
 * in pending sets until the protocol lets it be told. \Recent is claimed here, in a write
 * transaction, so that no two sessions are the first to see a message.
 */
#include "room.h"

/* What one look at the index adds to a view; applied when its transaction is over. */
struct delta {
	struct view *v;
	struct set added, gone, flags, recent;
	struct set lost; /* vanished of what waits */
	struct idx_box b; /* numbers only: its spans are dead */
	uint32_t first_unseen;
	bool adopting, unsynced, claim;
};

static void delta_free(struct delta *d)
{
	set_free(&d->added);
	set_free(&d->gone);
	set_free(&d->flags);
	set_free(&d->recent);
	set_free(&d->lost);
}

/* The part of s in [first, last]. */
static void set_between(struct set *s, uint32_t first, uint32_t last)
{
	if (first > 1)
		set_remove_range(s, 1, first - 1);
	if (last < UINT32_MAX)
		set_remove_range(s, last + 1, UINT32_MAX);
}

/* The log cannot tell: compare what is there with what the session knows. */
static enum err delta_compare(struct idx_txn *x, const struct idx_box *b, struct delta *d)
{
	const struct view *v = d->v;
	uint64_t since = v->epoch == v->mb->epoch ? v->absorbed : 0;
	struct set all = SET_EMPTY;
	enum err e = idx_uids(x, b->id, &all);

	if (!e) {
		set_copy(&d->gone, &v->uids);
		set_remove_set(&d->gone, &all);
		set_copy(&d->lost, &v->waiting);
		set_remove_set(&d->lost, &all);
		set_copy(&d->added, &all);
		if (v->top > 1)
			set_remove_range(&d->added, 1, v->top - 1);
	}
	set_free(&all);
	if (!e && v->opened)
		e = since_records(x, b->id, since, &d->flags);
	if (!e)
		set_intersect(&d->flags, &v->uids);
	return e;
}

/*
 * New messages have UIDs from top on. A UID below that came back after it had vanished (a file restored by hand)
 * cannot be put between numbers that the session knows: it stays unseen until the next SELECT.
 */
static enum err delta_log(struct idx_txn *x, const struct idx_box *b, struct delta *d)
{
	const struct view *v = d->v;
	bool complete = false;
	enum err e = idx_changes(x, b, v->absorbed, &d->flags, &d->gone, &complete);

	if (e)
		return e;
	if (!complete)
		return delta_compare(x, b, d);
	set_copy(&d->added, &d->flags);
	set_between(&d->added, v->top, UINT32_MAX);
	set_copy(&d->lost, &d->gone);
	set_intersect(&d->lost, &v->waiting);
	set_intersect(&d->flags, &v->uids);
	set_intersect(&d->gone, &v->uids);
	return ERR_OK;
}

/* A claimed message leaves the arrivals of the folder. */
static enum err owe_claims(struct idx_txn *x, const struct idx_box *b, const struct set *claimed)
{
	struct idx_msg m;
	enum err e = ERR_OK;

	for (uint32_t uid = set_min(claimed); !e && uid; uid = set_next(claimed, uid + 1)) {
		struct idx_todo todo = { .box = b->id, .kind = IDX_TODO_CLAIM, .uid = uid };

		e = idx_msg_get(x, b->id, uid, &m);
		if (e || !hint_arrived(m.hint))
			continue;
		e = idx_todo_add(x, &todo);
	}
	return e;
}

static enum err delta_recent(struct idx_txn *x, struct rec *r, struct delta *d, bool write)
{
	bool takes = !d->v->readonly && !d->v->leave_recent;
	enum err e = ERR_OK;

	set_copy(&d->recent, &d->added);
	set_between(&d->recent, r->b.recent_from, UINT32_MAX);
	d->claim = d->recent.n && (takes || (d->v->mb->space->ns->empty_new && !mailbox_readonly(d->v->mb)));
	if (!write || !d->claim)
		return ERR_OK;
	d->claim = false;
	e = owe_claims(x, &r->b, &d->recent);
	if (takes)
		r->b.recent_from = r->b.uidnext;
	return e ? e : idx_box_put(x, &r->b);
}

static enum err delta_fill(struct idx_txn *x, struct rec *r, struct delta *d, bool write)
{
	const struct view *v = d->v;
	enum err e = ERR_OK;

	d->b = r->b;
	d->adopting = r->b.flags & BOX_ADOPTING || v->mb->owing.lost;
	d->unsynced = r->b.flags & BOX_UNSYNCED;
	set_clear(&d->added);
	set_clear(&d->gone);
	set_clear(&d->flags);
	set_clear(&d->recent);
	set_clear(&d->lost);
	if (d->adopting || (v->opened && v->uidvalidity != r->b.uidvalidity))
		return ERR_OK;
	if (!v->opened || v->epoch != v->mb->epoch)
		e = delta_compare(x, &r->b, d);
	else if (r->b.highestmodseq != v->absorbed)
		e = delta_log(x, &r->b, d);
	if (!e && !v->opened)
		e = idx_first_unseen(x, r->b.id, &d->first_unseen);
	return e ? e : delta_recent(x, r, d, write);
}

static enum err delta_read(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	return delta_fill(x, r, arg, false);
}

static enum err delta_write(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	return delta_fill(x, r, arg, true);
}

/* --- into the view ------------------------------------------------------------------ */

static void take_state(struct view *v, const struct delta *d)
{
	v->uidvalidity = v->state.uidvalidity = d->b.uidvalidity;
	v->state.uidnext = d->b.uidnext;
	memcpy(v->state.guid, d->b.guid, sizeof(v->state.guid));
	v->absorbed = d->b.highestmodseq;
	v->epoch = v->mb->epoch;
	if (d->b.uidnext > v->top)
		v->top = d->b.uidnext;
}

static void take_delta(struct view *v, const struct delta *d)
{
	set_add_set(&v->waiting, &d->added);
	set_add_set(&v->waiting_recent, &d->recent);
	set_add_set(&v->gone, &d->gone);
	set_remove_set(&v->waiting, &d->lost);
	set_remove_set(&v->waiting_recent, &d->lost);
	if (!v->hold) {
		set_add_set(&v->uids, &v->waiting);
		set_add_set(&v->recent, &v->waiting_recent);
		set_clear(&v->waiting);
		set_clear(&v->waiting_recent);
	}
	set_add_set(&v->flags, &d->flags);
	set_remove_set(&v->flags, &v->gone);
	take_state(v, d);
}

static bool take_keywords(struct view *v)
{
	if (v->opened && v->keywords_serial == v->mb->keywords_serial)
		return false;
	view_name_keywords(v);
	v->keywords_serial = v->mb->keywords_serial;
	return true;
}

static enum err absorb(struct view *v, struct delta *d, struct errtext *t)
{
	enum err e = mailbox_peek(v->mb, delta_read, d, t);

	if (!e && d->claim) {
		e = mailbox_update(v->mb, REC_NOTES, delta_write, d, t);
		shelf_owe(v->mb->space->shelf);
	}
	if (!e && d->unsynced)
		e = mailbox_sync_numbers(v->mb, t);
	if (e)
		return e;
	if (v->opened && v->uidvalidity != d->b.uidvalidity)
		return err_say(t, ERR_NOTFOUND, "The mailbox was replaced by another of the same name");
	if (d->adopting && !v->opened)
		return err_say(t, ERR_INUSE, "The mailbox is being read anew");
	if (!d->adopting)
		take_delta(v, d);
	return ERR_OK;
}

/* --- telling ------------------------------------------------------------------------- */

void view_changes_free(struct view_changes *c)
{
	set_free(&c->vanished);
	set_free(&c->flags);
}

/* Numbers from the largest down: each is then still what it was before the update. */
static enum err tell_expunged(struct view *v, struct arena *a, struct view_changes *c, struct errtext *t)
{
	uint64_t n = set_count(&v->gone);
	struct set seqs = SET_EMPTY;
	size_t k = 0;

	c->expunged = arena_array(a, n, sizeof(*c->expunged));
	if (!c->expunged)
		return err_say(t, ERR_MEMORY, "Too many messages vanished at once");
	view_uids_to_seqs(v, &v->gone, &seqs);
	for (size_t i = seqs.n; i > 0; i--)
		for (uint32_t seq = seqs.r[i - 1].last; seq >= seqs.r[i - 1].first; seq--)
			c->expunged[k++] = seq;
	c->expunged_n = k;
	set_free(&seqs);
	set_copy(&c->vanished, &v->gone);
	set_remove_set(&v->uids, &v->gone);
	set_remove_set(&v->recent, &v->gone);
	set_clear(&v->gone);
	return ERR_OK;
}

static void tell_state(struct view *v, struct view_changes *c)
{
	uint32_t exists = (uint32_t)set_count(&v->uids), recent = (uint32_t)set_count(&v->recent);

	c->exists_changed = exists + c->expunged_n != v->state.exists;
	c->recent_changed = recent != v->state.recent;
	v->state.exists = exists;
	v->state.recent = recent;
	v->state.behind = v->gone.n || v->waiting.n || v->flags.n;
	if (!v->state.behind)
		v->state.highestmodseq = v->absorbed;
}

enum err view_update(struct view *v, bool expunge, struct arena *a, struct view_changes *c_r, struct errtext *t)
{
	struct view_changes c = { .expunged = NULL };
	struct delta d = { .v = v };
	enum err e;

	if (v->mb->dead)
		return err_say(t, ERR_NOTFOUND, "Mailbox was deleted");
	e = absorb(v, &d, t);
	if (!e && expunge && v->gone.n)
		e = tell_expunged(v, a, &c, t);
	if (!e) {
		c.keywords_changed = take_keywords(v);
		if (!v->hold_flags) {
			set_copy(&c.flags, &v->flags);
			set_clear(&v->flags);
		}
		tell_state(v, &c);
		if (!v->opened && d.first_unseen)
			v->state.first_unseen = view_seq(v, d.first_unseen);
		v->opened = true;
		*c_r = c;
	}
	delta_free(&d);
	return e;
}
