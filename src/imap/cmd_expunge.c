/* EXPUNGE and CLOSE (RFC 3501 sections 6.4.2 and 6.4.3). CLOSE of a read-only mailbox removes nothing and succeeds. */
#include "args.h"
#include "expunge.h"

struct expunge {
	struct view_expunge job;
	bool unselect;
	const char *text;
};

static void expunge_free(void *arg)
{
	struct expunge *x = arg;

	view_expunge_free(&x->job);
	x->job = (struct view_expunge){ 0 };
}

static enum step expunge_step(struct imap_cmd *c)
{
	struct expunge *x = c->state;
	enum step step = view_expunge(c->s->view, &x->job);

	if (step != STEP_DONE)
		return step;
	imap_session_busy(c->s);
	if (x->job.err)
		return imap_fail(c, x->job.err, x->job.text.text);
	c->s->asked |= IMAP_HEARD_COUNTS;
	c->s->stats.expunged += set_count(&x->job.expunged);
	if (x->unselect) {
		expunge_free(x);
		imap_session_unselect(c->s);
	}
	return imap_ok(c, NULL, x->text);
}

enum step imap_expunge_start(struct imap_cmd *c, const struct set *uids, bool unselect,
			     const char *text)
{
	struct expunge *x = imap_cmd_state(c, sizeof(*x));

	if (!x)
		return STEP_DONE;
	if (!arena_cleanup(c->arena, expunge_free, x))
		return imap_fail(c, ERR_MEMORY, NULL);
	x->job.uids = uids;
	x->unselect = unselect;
	x->text = text;
	c->step = expunge_step;
	return expunge_step(c);
}

static enum step expunge_start(struct imap_cmd *c)
{
	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	if (view_state(c->s->view)->readonly)
		return imap_fail(c, ERR_READONLY, NULL);
	return imap_expunge_start(c, NULL, false, "Expunge completed.");
}

static enum step close_start(struct imap_cmd *c)
{
	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	if (!view_state(c->s->view)->readonly)
		return imap_expunge_start(c, NULL, true, "Close completed.");
	imap_session_unselect(c->s);
	return imap_ok(c, NULL, "Close completed.");
}

static const struct imap_command_row commands[] = {
	{ "EXPUNGE", IMAP_SELECTED, 0, expunge_start, NULL },
	{ "CLOSE", IMAP_SELECTED, IMAP_CMD_NO_SYNC, close_start, NULL },
	{ 0 },
};

const struct imap_module imap_expunging = {
	.name = "expunge",
	.commands = commands,
};
