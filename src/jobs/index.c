/* reindex, index, force-resync: the index made anew, filled ahead, held against the folders. */
#include "room.h"

enum {
	/* All that clients ask for and the index keeps. */
	FILL = WANT_VSIZE | WANT_DATES | WANT_SENT | WANT_ENVELOPE | WANT_BODYSTRUCTURE | WANT_PARTS | WANT_HEADERS |
	       WANT_PREVIEW,
};

/* --- filling -------------------------------------------------------------------------------- */

struct filling {
	struct view_walk *walk; /* own */
	uint64_t done, goal;
};

static void filling_drop(void *state)
{
	struct filling *f = state;

	view_walk_end(&f->walk);
}

static enum err fill_begin(struct jobs *j, struct filling **f_r, struct errtext *t)
{
	struct filling *f = job_box_state(j, sizeof(*f), filling_drop);

	if (!f)
		return ERR_MEMORY;
	*f_r = f;
	f->goal = set_count(&j->uids);
	return view_walk_begin(j->v, &j->uids, FILL, &f->walk, t);
}

/* Every message is looked at; what is not known yet is made from its bytes and kept. */
static enum step fill_mailbox(struct jobs *j)
{
	struct filling *f = j->box_state;
	struct message_facts facts;
	struct errtext t = { "" };
	enum err e = f ? ERR_OK : fill_begin(j, &f, &t);

	if (!e && j->option['n'] && view_state(j->v)->recent > strtoul(j->option['n'], NULL, 10))
		return STEP_DONE;
	while (!e && !job_slice_over(j)) {
		e = view_walk_next(f->walk, &facts, &t);
		if (e == ERR_AGAIN)
			break;
		if (e && e != ERR_NOTFOUND && e != ERR_EXPUNGED && view_err_passes(e))
			job_fail(j, e, &t, "Mailbox %s: UID %u", j->name, facts.uid);
		if (view_err_passes(e))
			e = ERR_OK;
		f->done++;
	}
	if (f)
		view_walk_pause(f->walk);
	if (!e || e == ERR_AGAIN) {
		job_progress(j, f->done, f->goal, j->name);
		return job_yield(j);
	}
	if (e != ERR_NOTFOUND)
		job_fail(j, e, &t, "Mailbox %s", j->name);
	return STEP_DONE;
}

static enum err index_start(struct jobs *j, struct errtext *t)
{
	uint32_t n;

	if (j->option['n'] && !span_u32(span_str(j->option['n']), &n))
		return err_say(t, ERR_SYNTAX, "Invalid -n parameter: %s", j->option['n']);
	return job_choose_masks(j, j->arg, j->args, false, t);
}

/* --- making anew ------------------------------------------------------------------------------ */

static void reindex_drop(void *state)
{
	acct_reindex_free(state);
}

static enum err reindex_start(struct jobs *j, struct errtext *t)
{
	return job_choose_masks(j, j->arg, j->args, true, t);
}

static enum step reindex_before(struct jobs *j)
{
	struct acct_reindex *job = j->box_state;
	enum step step;

	if (j->dry)
		return STEP_DONE;
	if (!job) {
		job = job_box_state(j, sizeof(*job), reindex_drop);
		if (!job)
			return job_short(j);
		job->name = j->folder[j->at].name;
	}
	step = acct_reindex(j->cfg.acct, job);
	if (step == STEP_DONE && job->err && job->err != ERR_NOTFOUND)
		job_fail(j, job->err, &job->text, "Mailbox %s", j->name);
	return step;
}

static enum step reindex_mailbox(struct jobs *j)
{
	return j->dry ? STEP_DONE : fill_mailbox(j);
}

/* --- looking again ------------------------------------------------------------------------------ */

static enum step resync_mailbox(struct jobs *j)
{
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step = j->dry ? STEP_DONE : view_refresh(j->v, true, &e, &t);

	if (step == STEP_DONE && e)
		job_fail(j, e, &t, "Mailbox %s", j->name);
	return step;
}

const struct job_row job_rows_index[] = {
	{ .name = "force-resync", .start = index_start, .mailbox = resync_mailbox },
	{ .name = "index", .start = index_start, .mailbox = fill_mailbox },
	{ .name = "reindex", .start = reindex_start, .before = reindex_before, .mailbox = reindex_mailbox },
	{ 0 },
};
