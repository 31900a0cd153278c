/*
 * Removing messages (architecture, law 1): facts with a to-do in one transaction, then the disk, then the
 * answer. A crash in between leaves the to-do, which todo.c finishes.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"

/* One message of a batch: what the disk needs. */
struct leaving {
	uint64_t seq;  /* of its to-do */
	char key[255], hint[1024];
	size_t key_n, hint_n;
	bool removed;
};

struct removal {
	struct mailbox *mb;      /* a reference */
	struct set left, batch, done;
	bool flagged, begun, disk, touched;
	struct leaving *msg;     /* own: VIEW_EXPUNGE_BATCH */
	size_t n, at;
	unsigned index;          /* which (shelf.opened) the to-dos are in */
	uint64_t *seq;           /* own: to-dos of batches that a late store has noted only */
	size_t seqs, seq_cap;
};

struct removal *removal_new(struct mailbox *mb, const struct set *uids, bool flagged)
{
	struct removal *r = mem_alloc(sizeof(*r));

	r->mb = mb;
	mb->refs++;
	r->flagged = flagged;
	set_copy(&r->left, uids);
	r->msg = mem_array(VIEW_EXPUNGE_BATCH, sizeof(*r->msg));
	return r;
}

void removal_free(struct removal **r)
{
	struct removal *c = *r;

	if (!c)
		return;
	if (c->disk || c->seqs)
		shelf_owe(c->mb->space->shelf);
	mailbox_close(&c->mb);
	set_free(&c->left);
	set_free(&c->batch);
	set_free(&c->done);
	free(c->seq);
	free(c->msg);
	free(c);
	*r = NULL;
}

static enum err choose_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct removal *r = arg;
	struct set flagged = SET_EMPTY;
	enum err e = idx_uids_flagged(x, rec->b.id, MAIL_DELETED, true, &flagged);

	if (!e)
		set_intersect(&r->left, &flagged);
	set_free(&flagged);
	return e;
}

/* --- facts -------------------------------------------------------------------------- */

static enum err leave(struct idx_txn *x, uint32_t box, uint32_t uid, struct removal *r)
{
	struct leaving *l = &r->msg[r->n];
	struct idx_todo todo = { .box = box, .kind = IDX_TODO_EXPUNGE, .uid = uid };
	struct idx_msg m;
	enum err e = idx_msg_get(x, box, uid, &m);

	if (e == ERR_NOTFOUND || (!e && r->flagged && !(m.flags.system & MAIL_DELETED)))
		return ERR_OK;
	if (!e && (m.key.n > sizeof(l->key) || m.hint.n > sizeof(l->hint)))
		e = ERR_CORRUPT;
	if (e)
		return e;
	*l = (struct leaving){ .key_n = m.key.n, .hint_n = m.hint.n };
	memcpy(l->key, m.key.p, m.key.n);
	if (m.hint.n)
		memcpy(l->hint, m.hint.p, m.hint.n);
	todo.key = span_of(l->key, l->key_n);
	todo.hint = span_of(l->hint, l->hint_n);
	e = idx_todo_add(x, &todo);
	if (!e)
		e = idx_msg_remove(x, box, uid);
	l->seq = todo.seq;
	set_add(&r->batch, uid);
	r->n++;
	return e;
}

static enum err facts_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	struct removal *r = arg;
	uint32_t uid = set_min(&r->left);
	uint64_t modseq;
	enum err e = ERR_OK;

	r->n = 0;
	set_clear(&r->batch);
	for (; !e && uid && r->n < VIEW_EXPUNGE_BATCH; uid = set_next(&r->left, uid + 1))
		e = leave(x, rec->b.id, uid, r);
	if (e || !r->n)
		return e;
	e = idx_change(x, &rec->b, NULL, &r->batch, &modseq);
	return e ? e : idx_box_put(x, &rec->b);
}

/* Do the numbers of the to-dos still mean them? The index may be another one by now, which knows nothing of them. */
static bool same_index(const struct removal *r)
{
	return r->index == r->mb->space->shelf->opened;
}

static enum err facts(struct removal *r, struct errtext *t)
{
	uint32_t last;
	enum err e = mailbox_update(r->mb, REC_FACTS, facts_run, r, t);

	if (e)
		return e;
	last = r->n < VIEW_EXPUNGE_BATCH ? UINT32_MAX : set_max(&r->batch);
	set_remove_range(&r->left, 1, last);
	if (!r->n)
		return ERR_OK;
	if (!same_index(r))
		r->seqs = 0;
	r->index = r->mb->space->shelf->opened;
	r->at = 0;
	r->disk = r->touched = true;
	sync_touched(r->mb, NULL, &r->batch);
	mailbox_notify(r->mb, NULL);
	return ERR_OK;
}

/* --- disk --------------------------------------------------------------------------- */

static enum err done_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	const struct removal *r = arg;
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < r->n && same_index(r); i++)
		if (r->msg[i].removed)
			e = idx_todo_done(x, rec->b.id, r->msg[i].seq);
	return e;
}

/* A late store does all batches together in the end: it rewrites a file once, not once a batch. */
static void put_off(struct removal *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!r->msg[i].removed)
			continue;
		if (r->seqs == r->seq_cap) {
			r->seq_cap = r->seq_cap ? r->seq_cap * 2 : VIEW_EXPUNGE_BATCH;
			r->seq = mem_grow(r->seq, r->seq_cap, sizeof(*r->seq));
		}
		r->seq[r->seqs++] = r->msg[i].seq;
	}
}

static enum err late_run(struct idx_txn *x, struct rec *rec, void *arg, struct errtext *t)
{
	const struct removal *r = arg;
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < r->seqs && same_index(r); i++)
		e = idx_todo_done(x, rec->b.id, r->seq[i]);
	return e;
}

static enum err disk(struct removal *r, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;
	struct store_box *sb;
	enum err e = mailbox_store(r->mb, &sb, t);

	mailbox_guard(r->mb);
	for (; !e && r->at < r->n && clock_us() < end; r->at++) {
		struct leaving *l = &r->msg[r->at];

		e = sb->ops->expunge(sb, span_of(l->key, l->key_n), span_of(l->hint, l->hint_n), t);
		if (e == ERR_EXPUNGED)
			e = ERR_OK;
		l->removed = !e;
	}
	if (e || r->at < r->n)
		return e;
	mailbox_guarded(r->mb);
	if (sb->ops->late)
		put_off(r);
	else
		e = mailbox_update(r->mb, REC_NOTES, done_run, r, t);
	r->disk = false;
	set_add_set(&r->done, &r->batch);
	return e;
}

static enum err finish(struct removal *r, struct errtext *t)
{
	struct store_box *sb;
	enum err e;

	if (!r->touched)
		return ERR_OK;
	e = mailbox_store(r->mb, &sb, t);
	if (e)
		return e;
	mailbox_guard(r->mb);
	e = sb->ops->expunge_done(sb, t);
	mailbox_guarded(r->mb);
	if (!e && r->seqs)
		e = mailbox_update(r->mb, REC_NOTES, late_run, r, t);
	if (!e)
		r->seqs = 0;
	return e;
}

enum step removal_step(struct removal *r, enum err *err_r, struct errtext *t)
{
	enum err e = ERR_OK;

	if (!r->begun && r->flagged)
		e = mailbox_read(r->mb, choose_run, r, t);
	r->begun = true;
	if (!e && r->disk)
		e = disk(r, t);
	else if (!e && r->left.n)
		e = facts(r, t);
	if (!e && (r->disk || r->left.n))
		return STEP_SLICE;
	if (!e)
		e = finish(r, t);
	if (e == ERR_INUSE)
		return STEP_WAITING;
	if (e && (r->disk || r->seqs))
		shelf_owe(r->mb->space->shelf);
	*err_r = e;
	return STEP_DONE;
}

/* --- EXPUNGE ------------------------------------------------------------------------ */

enum step view_expunge(struct view *v, struct view_expunge *job)
{
	struct removal *r = job->priv;
	struct set uids = SET_EMPTY;
	enum step step;

	if (!r) {
		if (v->readonly) {
			job->err = err_say(&job->text, ERR_READONLY, "Mailbox is open read-only");
			return STEP_DONE;
		}
		set_copy(&uids, &v->uids);
		if (job->uids)
			set_intersect(&uids, job->uids);
		r = job->priv = removal_new(v->mb, &uids, !job->unflagged);
		set_free(&uids);
	}
	step = removal_step(r, &job->err, &job->text);
	if (step == STEP_DONE) {
		set_copy(&job->expunged, &r->done);
		removal_free(&r);
		job->priv = NULL;
	}
	return step;
}

void view_expunge_free(struct view_expunge *job)
{
	struct removal *r = job->priv;

	removal_free(&r);
	job->priv = NULL;
	set_free(&job->expunged);
}
