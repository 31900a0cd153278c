/*
 * STATUS without selecting: the folder is looked at as SELECT would, then one record answers. The sum of the
 * sizes takes a walk, because files that other programs deliver do not say their size in CRLF form.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"

struct asking {
	struct mailbox *mb;      /* a reference */
	struct view *v;          /* own; for the sizes, as is what follows */
	struct view_walk *walk;
	uint64_t size;
};

static enum err status_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct acct_status *job = arg;
	struct set uids = SET_EMPTY;
	enum err e = ERR_OK;

	job->messages = r->b.messages;
	job->unseen = r->b.unseen;
	job->deleted = r->b.deleted;
	job->uidnext = r->b.uidnext;
	job->uidvalidity = r->b.uidvalidity;
	job->highestmodseq = r->b.highestmodseq;
	job->size = r->b.vsize;
	job->recent = 0;
	memcpy(job->guid, r->b.guid, sizeof(job->guid));
	if (r->b.recent_from < r->b.uidnext && r->b.messages) {
		e = idx_uids(x, r->b.id, &uids);
		job->recent = (uint32_t)(set_count(&uids) - set_rank(&uids, r->b.recent_from));
		set_free(&uids);
	}
	return e;
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
		if (e && !view_err_passes(e))
			job->err = e;
		if (!e)
			q->size += f.vsize;
		if (i % 64 == 0 && clock_us() >= until) {
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
		if (job->err)
			return STEP_DONE;
	}
	if (job->sizes) {
		step = sizes_step(a, job, q);
		if (step != STEP_DONE || job->err)
			return step;
	}
	job->err = mailbox_read(q->mb, status_run, job, &job->text);
	if (job->sizes)
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
