/* STATUS without selecting: the folder is looked at as SELECT would, then one record answers. */
#include "room.h"

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

static enum step status_step(struct mailbox *mb, struct acct_status *job)
{
	enum step step = mailbox_sync(mb, false, &job->err, &job->text);

	if (step != STEP_DONE || job->err)
		return step;
	job->err = mailbox_sync_numbers(mb, &job->text);
	if (!job->err)
		job->err = mailbox_read(mb, status_run, job, &job->text);
	return STEP_DONE;
}

void acct_status_free(struct acct_status *job)
{
	struct mailbox *mb = job->priv;

	mailbox_close(&mb);
	job->priv = NULL;
}

enum step acct_status(struct acct *a, struct acct_status *job)
{
	struct mailbox *mb = job->priv;
	enum step step;

	if (!mb) {
		job->err = mailbox_open(a, job->name, &mb, &job->text);
		if (job->err)
			return STEP_DONE;
		job->priv = mb;
	}
	step = status_step(mb, job);
	if (step == STEP_DONE)
		acct_status_free(job);
	return step;
}
