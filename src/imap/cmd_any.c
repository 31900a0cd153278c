/* CAPABILITY, NOOP, CHECK, LOGOUT (RFC 3501 section 6.1): what may be said in any state. */
#include "args.h"

static enum step capability_start(struct imap_cmd *c)
{
	struct buf *out = imap_out(c->s);

	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	buf_add_str(out, "* CAPABILITY ");
	imap_capability_text(&c->s->cfg.settings, out);
	buf_add_str(out, "\r\n");
	return imap_ok(c, NULL, "Capability completed.");
}

static enum step noop_start(struct imap_cmd *c)
{
	return imap_args_end(c, c->args) ? imap_ok(c, NULL, "NOOP completed.") : STEP_DONE;
}

static enum step check_start(struct imap_cmd *c)
{
	view_make_sure(c->s->view);
	return imap_args_end(c, c->args) ? imap_ok(c, NULL, "Check completed.") : STEP_DONE;
}

static enum step logout_start(struct imap_cmd *c)
{
	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	imap_untagged(c->s, "BYE Logging out");
	c->s->leaving = true;
	return imap_ok(c, NULL, "Logout completed.");
}

static const struct imap_capability capabilities[] = {
	{ "IMAP4rev1", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "CAPABILITY", IMAP_ANY, 0, capability_start, NULL },
	{ "NOOP", IMAP_ANY, IMAP_CMD_REFRESH, noop_start, NULL },
	{ "CHECK", IMAP_SELECTED, IMAP_CMD_REFRESH, check_start, NULL },
	{ "LOGOUT", IMAP_ANY, IMAP_CMD_NO_SYNC, logout_start, NULL },
	{ 0 },
};

const struct imap_module imap_base = {
	.name = "base",
	.base = true,
	.capabilities = capabilities,
	.commands = commands,
};
