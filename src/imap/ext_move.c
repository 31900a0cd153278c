/* MOVE and UID MOVE (RFC 6851). The work is COPY's; EXPUNGE may be told before the tagged answer. */
#include "copy.h"

static enum step move_start(struct imap_cmd *c)
{
	return imap_copy_start(c, true);
}

static const struct imap_capability capabilities[] = {
	{ "MOVE", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "MOVE", IMAP_SELECTED, 0, move_start, NULL },
	{ "UID MOVE", IMAP_SELECTED, IMAP_CMD_UID, move_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_move = {
	.name = "move",
	.capabilities = capabilities,
	.commands = commands,
};
