/*
 * SPECIAL-USE (RFC 6154). The attributes are part of every LIST line already, so RETURN
 * (SPECIAL-USE) changes nothing; the selection option leaves out mailboxes without a special use.
 */
#include "list.h"

static enum err select_special(struct imap_list *l, const struct imap_arg **a)
{
	l->need_special = true;
	return ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "SPECIAL-USE", NULL },
	{ 0 },
};

static const struct imap_list_option options[] = {
	{ "SPECIAL-USE", IMAP_LIST_SELECT, select_special },
	{ "SPECIAL-USE", IMAP_LIST_RETURN, NULL },
	{ 0 },
};

const struct imap_module imap_ext_special_use = {
	.name = "special-use",
	.capabilities = capabilities,
	.list_options = options,
};
