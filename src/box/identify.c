/*
 * roostadm mailbox update, create -g: a mailbox gets another UIDVALIDITY, UIDNEXT or GUID. The folder is the truth of these, so
 * they are written there, and what we owe it before; then the index is brought up with it as with any other change of a folder.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "box/patience.h"

struct identifying {
	struct mailbox *mb; /* a reference; NULL: not open yet */
	enum { ID_OPEN, ID_DRAIN, ID_FOLDER, ID_INDEX } phase;
	uint64_t since;     /* clock_ms: it got on last */
};

static enum err open_mailbox(struct acct *a, struct acct_identify *job, struct identifying *g)
{
	enum err e = mailbox_open(a, job->name, &g->mb, &job->text);

	return !e && mailbox_readonly(g->mb) ? err_say(&job->text, ERR_READONLY, "Mailbox is read-only") : e;
}

static enum err write_folder(struct acct_identify *job, struct mailbox *mb)
{
	const struct store_identify want = { job->uidvalidity, job->uidnext, job->guid };
	struct store_box *sb;
	enum err e = mailbox_store(mb, &sb, &job->text);

	if (!e && !sb->ops->identify)
		e = err_say(&job->text, ERR_CANNOT, "This format carries no such numbers");
	return e ? e : sb->ops->identify(sb, &want, &job->text);
}

/* STEP_DONE: the phase is. */
static enum step phase_step(struct acct *a, struct acct_identify *job, struct identifying *g)
{
	switch (g->phase) {
	case ID_OPEN:
		job->err = open_mailbox(a, job, g);
		return STEP_DONE;
	case ID_DRAIN: /* flags under the old UIDVALIDITY would be forgotten with it */
		return todo_drain(g->mb->space->shelf, g->mb, &job->err, &job->text);
	case ID_FOLDER:
		job->err = write_folder(job, g->mb);
		return STEP_DONE;
	case ID_INDEX:
		break;
	}
	return mailbox_sync(g->mb, true, &job->err, &job->text);
}

enum step acct_identify(struct acct *a, struct acct_identify *job)
{
	struct identifying *g = job->priv;
	enum step step;

	if (!g) {
		g = job->priv = mem_alloc(sizeof(*g));
		g->since = clock_ms();
	}
	step = phase_step(a, job, g);
	if (step == STEP_DONE && box_patient(job->err, g->since)) {
		job->err = ERR_OK;
		return STEP_WAITING;
	}
	if (step == STEP_DONE && !job->err && g->phase != ID_INDEX) {
		g->phase++;
		step = STEP_SLICE;
	}
	if (step == STEP_SLICE)
		g->since = clock_ms();
	if (step == STEP_DONE)
		acct_identify_free(job);
	return step;
}

void acct_identify_free(struct acct_identify *job)
{
	struct identifying *g = job->priv;

	if (!g)
		return;
	mailbox_close(&g->mb);
	free(g);
	job->priv = NULL;
}
