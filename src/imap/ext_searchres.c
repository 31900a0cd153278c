/*
 * SEARCHRES (RFC 5182): SEARCH RETURN (SAVE), and "$" for what was saved. The set is kept as UIDs
 * in the session, so it needs no care when numbers change; imap_args_set and the search keys know
 * "$".
 */
#include "modules.h"
#include "search.h"

static enum err parse_save(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_search *s = state;

	s->save = true;
	return ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "SEARCHRES", NULL },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "SAVE", IMAP_OF_RETURN, parse_save },
	{ 0 },
};

const struct imap_module imap_ext_searchres = {
	.name = "searchres",
	.capabilities = capabilities,
	.modifiers = modifiers,
};
