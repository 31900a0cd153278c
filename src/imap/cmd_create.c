/*
 * CREATE (RFC 3501 section 6.3.3). A folder that another program has locked is tried again for a while, as
 * everywhere.
 */
#include "args.h"
#include "create.h"
#include "objectid.h"

static void create_free(void *arg)
{
	struct imap_create *j = arg;

	acct_status_free(&j->status);
}

/* The MAILBOXID (RFC 8474 section 4.1) of what was made; that it cannot be told yet is no failure of CREATE. */
static enum step created(struct imap_cmd *c, const struct imap_create *j)
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
	struct imap_create *j = c->state;
	struct errtext t = { "" };
	enum step step;

	if (!j->made) {
		enum err e = acct_create(c->s->cfg.acct, j->name, j->special_use, &t);

		if (e)
			return e == ERR_INUSE ? STEP_WAITING : imap_fail(c, e, t.text);
		imap_session_busy(c->s);
		j->status.name = j->name;
		j->made = true;
	}
	step = acct_status(c->s->cfg.acct, &j->status);
	return step == STEP_DONE ? created(c, j) : step;
}

static enum step create_start(struct imap_cmd *c)
{
	struct imap_create *j = imap_cmd_state(c, sizeof(*j));
	const struct imap_arg *a = c->args;

	if (!j || !imap_args_mailbox(c, &a, true, &j->name))
		return STEP_DONE;
	if (a && a->type == IMAP_ARG_LIST) {
		if (!imap_args_modifiers(c, a, IMAP_OF_CREATE, j))
			return STEP_DONE;
		a = a->next;
	}
	if (!imap_args_end(c, a))
		return STEP_DONE;
	if (!arena_cleanup(c->arena, create_free, j))
		return imap_fail(c, ERR_MEMORY, NULL);
	c->step = create_step;
	return create_step(c);
}

static const struct imap_command_row commands[] = {
	{ "CREATE", IMAP_ANY, 0, create_start, NULL },
	{ 0 },
};

const struct imap_module imap_creating = {
	.name = "create",
	.commands = commands,
};
