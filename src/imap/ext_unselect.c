/* UNSELECT (RFC 3691): leaves the mailbox and removes nothing. */
#include "args.h"

static enum step unselect_start(struct imap_cmd *c)
{
	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	imap_session_unselect(c->s);
	return imap_ok(c, NULL, "Unselect completed.");
}

static const struct imap_capability capabilities[] = {
	{ "UNSELECT", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "UNSELECT", IMAP_SELECTED, 0, unselect_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_unselect = {
	.name = "unselect",
	.capabilities = capabilities,
	.commands = commands,
};
