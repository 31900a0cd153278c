/* roostadm reindex: what the index knows of a mailbox is thrown away and made anew from the folder; modseqs go on upwards. */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "box/patience.h"

struct reindexing {
	struct arena *ar;        /* own */
	struct folder *f;        /* arena; one pseudo entry when a name was given */
	size_t n, at;
	struct mailbox *mb;      /* a reference: the one under way */
	bool drained;            /* and nothing is owed to its folder */
	uint64_t since;          /* clock_ms: it was begun */
};

/* Has another process come to owe flags since all were written? */
static enum err owes_flags(struct idx_txn *x, uint32_t box)
{
	struct idx_todo todo = { .seq = 0 };
	enum err e;

	while ((e = idx_todo_next(x, box, todo.seq, &todo)) == ERR_OK)
		if (todo.kind == IDX_TODO_FLAGS)
			return ERR_INUSE;
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err empty_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	enum err e = owes_flags(x, r->b.id);

	if (!e)
		e = idx_box_empty(x, r->b.id);
	if (e)
		return e;
	/* Raised here, not by a change: the log starts afresh, so that views compare. */
	r->b.highestmodseq++;
	r->b.token = (struct span){ NULL, 0 };
	r->b.flags |= BOX_ADOPTING;
	return idx_box_put(x, &r->b);
}

static enum err count_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	*(uint32_t *)arg += r->b.messages;
	return ERR_OK;
}

static enum err begin(struct acct *a, struct acct_reindex *job)
{
	struct reindexing *r = mem_alloc(sizeof(*r));
	enum err e = ERR_OK;

	r->ar = arena_new(64 << 20);
	job->priv = r;
	if (!job->name) {
		e = acct_folders(a, r->ar, &r->f, &r->n, &job->text);
	} else {
		r->f = arena_alloc(r->ar, sizeof(*r->f));
		r->f->name = job->name;
		r->n = 1;
	}
	return e;
}

/* Flags still owed to the folder go there first: the index is about to forget them. */
static enum step drain(struct reindexing *r, struct acct_reindex *job)
{
	bool found = false;
	enum step step = STEP_DONE;
	enum err e = rec_find(r->mb, &found, &job->text);

	if (!e && found)
		step = todo_drain(r->mb->space->shelf, r->mb, &e, &job->text);
	if (!e && step == STEP_SLICE)
		return step;
	if (!e && found)
		e = rec_update(r->mb, REC_FACTS, empty_run, NULL, &job->text);
	if (box_patient(e, r->since))
		return STEP_WAITING;
	if (!e)
		sync_free(&r->mb->sync);
	r->drained = true;
	job->err = e;
	return e ? STEP_DONE : STEP_SLICE;
}

static enum step one(struct acct *a, struct reindexing *r, struct acct_reindex *job)
{
	enum step step;

	if (!r->mb) {
		job->err = mailbox_open(a, r->f[r->at].name, &r->mb, &job->text);
		r->drained = false;
		r->since = clock_ms();
		if (job->err)
			return STEP_DONE;
	}
	if (!r->drained)
		return drain(r, job);
	step = mailbox_sync(r->mb, true, &job->err, &job->text);
	if (step != STEP_DONE || job->err)
		return step;
	job->err = mailbox_read(r->mb, count_run, &job->messages, &job->text);
	job->mailboxes++;
	mailbox_close(&r->mb);
	r->at++;
	return job->err ? STEP_DONE : STEP_SLICE;
}

void acct_reindex_free(struct acct_reindex *job)
{
	struct reindexing *r = job->priv;

	if (!r)
		return;
	mailbox_close(&r->mb);
	arena_free(&r->ar);
	free(r);
	job->priv = NULL;
}

enum step acct_reindex(struct acct *a, struct acct_reindex *job)
{
	struct reindexing *r;
	enum step step = STEP_DONE;

	if (!job->priv)
		job->err = begin(a, job);
	r = job->priv;
	while (!job->err && r->at < r->n && !r->mb && (r->f[r->at].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)))
		r->at++;
	if (!job->err && r->at < r->n)
		step = one(a, r, job);
	if (step == STEP_DONE)
		acct_reindex_free(job);
	return step;
}
