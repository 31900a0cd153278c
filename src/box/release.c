/*
 * roostadm release: another server takes a mailbox, and gives modseqs of its own to clients that know ours. It begins a little
 * above what they know; we go on far above that, with every message, for what it changed and changed back cannot be seen
 * when we come back.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "box/patience.h"

enum {
	BATCH = 1000,
	MODSEQ_MARGIN = 1000,   /* between what clients know and where the other server begins */
	MODSEQ_ABROAD = 1 << 24 /* and to where we go on: all that it may give */
};

struct releasing {
	struct mailbox *mb;  /* a reference */
	bool drained;
	uint64_t since;      /* clock_ms: it got on last */
	struct set left;     /* own: still with the modseqs they had */
	struct set batch;    /* own */
};

static enum err begin_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct acct_release *job = arg;
	struct releasing *g = job->priv;

	enum err e = ERR_OK;

	job->raise = r->b.highestmodseq + MODSEQ_MARGIN;
	job->own_seen = g->mb->own_seen;
	if (job->own_seen)
		e = idx_uids_flagged(x, r->b.id, MAIL_SEEN, true, &job->seen);
	return e ? e : idx_uids(x, r->b.id, &g->left);
}

/* The change log begins there: whoever knows less than that is told by comparison. */
static enum err jump_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct acct_release *job = arg;

	r->b.highestmodseq = job->raise + MODSEQ_ABROAD;
	return idx_box_put(x, &r->b);
}

static enum err stamp_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct releasing *g = arg;
	struct idx_msg m;
	uint64_t modseq = 0;
	enum err e = idx_change(x, &r->b, &g->batch, NULL, &modseq);

	for (uint32_t uid = 0; !e && (uid = set_next(&g->batch, uid + 1));) {
		e = idx_msg_get(x, r->b.id, uid, &m);
		m.modseq = modseq;
		if (!e)
			e = idx_msg_put(x, r->b.id, &m);
		if (e == ERR_NOTFOUND)
			e = ERR_OK;
	}
	return e;
}

static void begin(struct acct *a, struct acct_release *job)
{
	struct releasing *g = mem_alloc(sizeof(*g));

	job->priv = g;
	g->since = clock_ms();
	job->err = mailbox_open(a, job->name, &g->mb, &job->text);
	if (!job->err)
		job->err = mailbox_read(g->mb, begin_run, job, &job->text);
	if (!job->err && job->note)
		job->err = mailbox_update(g->mb, REC_NOTES, jump_run, job, &job->text);
	job->goal = set_count(&g->left);
}

/* Is it a lock that was in the way, for which there is still time? */
static bool waits(struct acct_release *job)
{
	const struct releasing *g = job->priv;

	if (!box_patient(job->err, g->since))
		return false;
	job->err = ERR_OK;
	return true;
}

/* A batch more. STEP_DONE: that was all. */
static enum step stamp(struct acct_release *job)
{
	struct releasing *g = job->priv;

	set_copy(&g->batch, &g->left);
	set_slice(&g->batch, 0, BATCH);
	if (!g->batch.n)
		return STEP_DONE;
	job->err = mailbox_update(g->mb, REC_FACTS, stamp_run, g, &job->text);
	if (waits(job))
		return STEP_WAITING;
	set_remove_set(&g->left, &g->batch);
	job->done = job->goal - set_count(&g->left);
	return STEP_SLICE;
}

void acct_release_free(struct acct_release *job)
{
	struct releasing *g = job->priv;

	if (!g)
		return;
	mailbox_close(&g->mb);
	set_free(&g->left);
	set_free(&g->batch);
	free(g);
	job->priv = NULL;
}

/* Flags that we still owe the folder: the other server reads them there. */
static enum step drain(struct acct_release *job)
{
	struct releasing *g = job->priv;
	enum step step = todo_drain(g->mb->space->shelf, g->mb, &job->err, &job->text);

	if (waits(job))
		return STEP_WAITING;
	g->drained = step != STEP_SLICE;
	return STEP_SLICE;
}

enum step acct_release(struct acct *a, struct acct_release *job)
{
	struct releasing *g;
	enum step step = STEP_DONE;

	if (!job->priv)
		begin(a, job);
	g = job->priv;
	if (!job->err && !g->drained)
		step = drain(job);
	else if (!job->err && job->note)
		step = stamp(job);
	if (job->err)
		step = STEP_DONE;
	if (step == STEP_SLICE)
		g->since = clock_ms();
	if (step == STEP_DONE)
		acct_release_free(job);
	return step;
}

static enum err raise_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const uint64_t *least = arg;

	if (r->b.highestmodseq >= *least)
		return ERR_OK;
	r->b.highestmodseq = *least;
	return idx_box_put(x, &r->b);
}

enum err acct_raise_modseq(struct acct *a, const char *name, uint64_t least, struct errtext *t)
{
	struct mailbox *mb = NULL;
	enum err e = mailbox_open(a, name, &mb, t);

	if (!e)
		e = mailbox_update(mb, REC_NOTES, raise_run, &least, t);
	mailbox_close(&mb);
	return e;
}
