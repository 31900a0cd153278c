/*
 * DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 sections 6.3.4 to 6.3.7). A folder that
 * another program has locked is tried again for a while, as everywhere.
 */
#include "args.h"

struct folder_job {
	const char *name;
	struct acct_rename rename;
};

static enum step finish(struct imap_cmd *c, enum err e, struct errtext *t, const char *text)
{
	if (e == ERR_INUSE)
		return STEP_WAITING;
	if (e)
		return imap_fail(c, e, t->text);
	imap_session_busy(c->s);
	return imap_ok(c, NULL, text);
}

static enum step delete_step(struct imap_cmd *c)
{
	struct folder_job *j = c->state;
	struct errtext t = { "" };
	enum err e = acct_delete(c->s->cfg.acct, j->name, &t);

	if (!e && c->s->view && !strcmp(view_state(c->s->view)->name, j->name))
		imap_session_unselect(c->s);
	return finish(c, e, &t, "Delete completed.");
}

static enum step subscribe_step(struct imap_cmd *c)
{
	struct folder_job *j = c->state;
	struct errtext t = { "" };

	return finish(c, acct_subscribe(c->s->cfg.acct, j->name, true, &t), &t, "Subscribe completed.");
}

static enum step unsubscribe_step(struct imap_cmd *c)
{
	struct folder_job *j = c->state;
	struct errtext t = { "" };

	return finish(c, acct_subscribe(c->s->cfg.acct, j->name, false, &t), &t,
		      "Unsubscribe completed.");
}

static enum step rename_step(struct imap_cmd *c)
{
	struct folder_job *j = c->state;
	enum step step = acct_rename(c->s->cfg.acct, &j->rename);

	if (step != STEP_DONE)
		return step;
	return finish(c, j->rename.err, &j->rename.text, "Rename completed.");
}

/* One name and nothing else. */
static enum step one_name(struct imap_cmd *c, enum step (*step)(struct imap_cmd *))
{
	struct folder_job *j = imap_cmd_state(c, sizeof(*j));
	const struct imap_arg *a = c->args;

	if (!j || !imap_args_mailbox(c, &a, false, &j->name) || !imap_args_end(c, a))
		return STEP_DONE;
	c->step = step;
	return step(c);
}

static enum step delete_start(struct imap_cmd *c)
{
	return one_name(c, delete_step);
}

static enum step subscribe_start(struct imap_cmd *c)
{
	return one_name(c, subscribe_step);
}

static enum step unsubscribe_start(struct imap_cmd *c)
{
	return one_name(c, unsubscribe_step);
}

static enum step rename_start(struct imap_cmd *c)
{
	struct folder_job *j = imap_cmd_state(c, sizeof(*j));
	const struct imap_arg *a = c->args;

	if (!j || !imap_args_mailbox(c, &a, false, &j->rename.from) ||
	    !imap_args_mailbox(c, &a, true, &j->rename.to) || !imap_args_end(c, a))
		return STEP_DONE;
	c->step = rename_step;
	return rename_step(c);
}

static const struct imap_command_row commands[] = {
	{ "DELETE", IMAP_ANY, 0, delete_start, NULL },
	{ "RENAME", IMAP_ANY, 0, rename_start, NULL },
	{ "SUBSCRIBE", IMAP_ANY, 0, subscribe_start, NULL },
	{ "UNSUBSCRIBE", IMAP_ANY, 0, unsubscribe_start, NULL },
	{ 0 },
};

const struct imap_module imap_folders = {
	.name = "folder",
	.commands = commands,
};
