/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 sections 6.3.3 to 6.3.7). A folder that
 * another program has locked is tried again for a while, as everywhere.
 */
#include "args.h"
#include "objectid.h"

struct folder_job {
	const char *name;
	struct acct_rename rename;
	struct acct_status status; /* of the mailbox made */
	bool made;
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

static void status_free(void *arg)
{
	struct folder_job *j = arg;

	acct_status_free(&j->status);
}

/* The MAILBOXID (RFC 8474 section 4.1) of what was made; that it cannot be told yet is no failure of CREATE. */
static enum step created(struct imap_cmd *c, struct folder_job *j)
{
	struct buf code;
	const char *text;

	if (j->status.err)
		return imap_ok(c, NULL, "Create completed.");
	buf_init(&code, 256);
	buf_add_str(&code, "MAILBOXID ");
	imap_objectid_add(IMAP_MAILBOXID, j->status.guid, &code);
	text = arena_str(c->arena, buf_cstr(&code));
	buf_free(&code);
	return imap_ok(c, text, "Create completed.");
}

static enum step create_step(struct imap_cmd *c)
{
	struct folder_job *j = c->state;
	struct errtext t = { "" };
	enum step step;

	if (!j->made) {
		enum err e = acct_create(c->s->cfg.acct, j->name, &t);

		if (e)
			return finish(c, e, &t, NULL);
		imap_session_busy(c->s);
		j->status.name = j->name;
		j->made = true;
	}
	step = acct_status(c->s->cfg.acct, &j->status);
	return step == STEP_DONE ? created(c, j) : step;
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

/* One name and nothing else; strict when it is a name to be made. */
static enum step one_name(struct imap_cmd *c, struct folder_job *j, bool strict,
			  enum step (*step)(struct imap_cmd *))
{
	const struct imap_arg *a = c->args;

	if (!j || !imap_args_mailbox(c, &a, strict, &j->name))
		return STEP_DONE;
	if (a && strict && a->type == IMAP_ARG_LIST) {
		if (!imap_args_modifiers(c, a, IMAP_OF_CREATE, j))
			return STEP_DONE;
		a = a->next;
	}
	if (!imap_args_end(c, a))
		return STEP_DONE;
	c->step = step;
	return step(c);
}

static enum step create_start(struct imap_cmd *c)
{
	struct folder_job *j = imap_cmd_state(c, sizeof(*j));

	if (!j)
		return STEP_DONE;
	if (!arena_cleanup(c->arena, status_free, j))
		return imap_fail(c, ERR_MEMORY, NULL);
	return one_name(c, j, true, create_step);
}

static enum step delete_start(struct imap_cmd *c)
{
	return one_name(c, imap_cmd_state(c, sizeof(struct folder_job)), false, delete_step);
}

static enum step subscribe_start(struct imap_cmd *c)
{
	return one_name(c, imap_cmd_state(c, sizeof(struct folder_job)), false, subscribe_step);
}

static enum step unsubscribe_start(struct imap_cmd *c)
{
	return one_name(c, imap_cmd_state(c, sizeof(struct folder_job)), false, unsubscribe_step);
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
	{ "CREATE", IMAP_ANY, 0, create_start, NULL },
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
