/*
 * STATUS without selecting: the folder is looked at as SELECT would, then one record answers. The sum of the
 * sizes takes a walk when some are unknown, because files that other programs deliver do not say their size in CRLF form.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"

struct asking {
	struct mailbox *mb;      /* a reference */
	struct view *v;          /* own; for the sizes, as is what follows */
	struct view_walk *walk;
	uint64_t size;
	bool sized;              /* the record has the sum */
};

static enum err answer(struct idx_txn *x, const struct idx_box *b, struct acct_status *job)
{
	struct set uids = SET_EMPTY;
	enum err e = ERR_OK;

	job->messages = b->messages;
	job->unseen = b->unseen;
	job->deleted = b->deleted;
	job->uidnext = b->uidnext;
	job->uidvalidity = b->uidvalidity;
	job->highestmodseq = b->highestmodseq;
	job->size = b->vsize;
	job->recent = 0;
	memcpy(job->guid, b->guid, sizeof(job->guid));
	if (b->recent_from < b->uidnext && b->messages) {
		e = idx_uids(x, b->id, &uids);
		job->recent = (uint32_t)(set_count(&uids) - set_rank(&uids, b->recent_from));
		set_free(&uids);
	}
	return e;
}

static enum err status_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	return answer(x, &r->b, arg);
}

/* --- at a glance -------------------------------------------------------------------- */

struct glancing {
	const struct name *name;
	struct acct_status *job;
	bool done;
};

/* The record answers when the folder is as the last scan left it and nothing of it is in the making. */
static enum err glance_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct glancing *g = arg;
	const struct space *s = g->name->space;
	char name[NAME_MAX_STORAGE + 1];
	bool changed = true;
	struct idx_box b;
	enum err e = idx_box_find(x, name_index(s, g->name->storage, name), &b);

	if (!e && (b.flags & (BOX_ADOPTING | BOX_UNSYNCED) || (g->job->sizes && b.unsized)))
		return ERR_OK;
	if (!e)
		e = s->ns->ops->glance(s->store, g->name->storage, g->job->seen, b.token, &changed);
	if (!e && !changed) {
		e = g->job->err = answer(x, &b, g->job);
		g->done = !e;
	}
	return e;
}

/* Without opening the mailbox. False: only the long way can tell, also what is wrong. */
static bool glance(struct acct *a, struct acct_status *job)
{
	struct name n;
	struct glancing g = { &n, job, false };

	if (name_resolve(a, job->name, &n, NULL) || !n.space->ns->ops->glance ||
	    mailbox_find(a, n.space, n.storage))
		return false;
	(void)shelf_read(n.space->shelf, glance_run, &g, NULL);
	return g.done;
}

/* --- sizes ------------------------------------------------------------------------ */

static enum err sizes_begin(struct acct *a, struct acct_status *job, struct asking *q)
{
	struct arena *ar = arena_new(1 << 20);
	struct view_changes c = { .expunged = NULL };
	enum err e = view_open(a, job->name, true, &q->v, &job->text);

	q->size = 0;
	if (!e)
		e = view_update(q->v, true, ar, &c, &job->text);
	view_changes_free(&c);
	arena_free(&ar);
	if (!e)
		e = view_walk_begin(q->v, view_uids(q->v), WANT_VSIZE, &q->walk, &job->text);
	return e;
}

static enum err sized_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	*(bool *)arg = r->b.unsized == 0;
	return ERR_OK;
}

static enum step sizes_step(struct acct *a, struct acct_status *job, struct asking *q)
{
	uint64_t until = clock_us() + SLICE_US;
	struct message_facts f;

	if (!q->walk)
		job->err = sizes_begin(a, job, q);
	for (unsigned i = 1; !job->err; i++) {
		enum err e = view_walk_next(q->walk, &f, &job->text);

		if (e == ERR_NOTFOUND)
			break;
		if (e && e != ERR_AGAIN && !view_err_passes(e))
			job->err = e;
		if (!e)
			q->size += f.vsize;
		if (e == ERR_AGAIN || (i % 64 == 0 && clock_us() >= until)) {
			view_walk_pause(q->walk);
			return STEP_SLICE;
		}
	}
	view_walk_end(&q->walk);
	view_close(&q->v);
	return job->err == ERR_INUSE ? STEP_WAITING : STEP_DONE;
}

/* --- the step ---------------------------------------------------------------------- */

static enum step status_step(struct acct *a, struct acct_status *job, struct asking *q)
{
	enum step step;

	if (!q->walk) {
		step = mailbox_sync(q->mb, false, &job->err, &job->text);
		if (step != STEP_DONE || job->err)
			return step;
		job->err = mailbox_sync_numbers(q->mb, &job->text);
		if (!job->err && job->sizes)
			job->err = mailbox_read(q->mb, sized_run, &q->sized, &job->text);
		if (job->err)
			return STEP_DONE;
	}
	if (job->sizes && !q->sized) {
		step = sizes_step(a, job, q);
		if (step != STEP_DONE || job->err)
			return step;
	}
	job->err = mailbox_read(q->mb, status_run, job, &job->text);
	if (job->sizes && !q->sized)
		job->size = q->size;
	return STEP_DONE;
}

void acct_status_free(struct acct_status *job)
{
	struct asking *q = job->priv;

	if (!q)
		return;
	view_walk_end(&q->walk);
	view_close(&q->v);
	mailbox_close(&q->mb);
	free(q);
	job->priv = NULL;
}

enum step acct_status(struct acct *a, struct acct_status *job)
{
	struct asking *q = job->priv;
	enum step step;

	if (!q) {
		struct mailbox *mb;

		if (glance(a, job))
			return STEP_DONE;
		job->err = mailbox_open(a, job->name, &mb, &job->text);
		if (job->err)
			return STEP_DONE;
		q = job->priv = mem_alloc(sizeof(*q));
		q->mb = mb;
	}
	step = status_step(a, job, q);
	if (step == STEP_DONE)
		acct_status_free(job);
	return step;
}
