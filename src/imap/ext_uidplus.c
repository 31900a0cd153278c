/* UIDPLUS (RFC 4315): UID EXPUNGE. APPENDUID and COPYUID are always given, by APPEND and COPY themselves. */
#include "args.h"
#include "expunge.h"

static enum step uid_expunge_start(struct imap_cmd *c)
{
	const struct imap_arg *a = c->args;
	struct set *uids = arena_alloc(c->arena, sizeof(*uids));

	if (!uids)
		return imap_fail(c, ERR_MEMORY, NULL);
	if (!imap_args_set(c, &a, uids) || !imap_args_end(c, a))
		return STEP_DONE;
	if (view_state(c->s->view)->readonly)
		return imap_fail(c, ERR_READONLY, NULL);
	return imap_expunge_start(c, uids, false, "Expunge completed.");
}

static const struct imap_capability capabilities[] = {
	{ "UIDPLUS", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "UID EXPUNGE", IMAP_SELECTED, IMAP_CMD_UID, uid_expunge_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_uidplus = {
	.name = "uidplus",
	.capabilities = capabilities,
	.commands = commands,
};
