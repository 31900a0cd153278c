/* WITHIN (RFC 5032): SEARCH OLDER and YOUNGER, seconds before now against INTERNALDATE. */
#include "modules.h"
#include "search.h"

static enum err parse_interval(struct imap_search *s, const struct imap_search_key *key,
			       const struct imap_arg **a, struct query *q)
{
	uint64_t seconds;

	if (!imap_arg_number64(*a, &seconds) || !seconds || seconds > UINT32_MAX)
		return ERR_SYNTAX;
	q->kind = key->kind;
	q->number = seconds;
	*a = (*a)->next;
	return ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "WITHIN", NULL },
	{ 0 },
};

static const struct imap_search_key keys[] = {
	{ "OLDER", parse_interval, Q_OLDER, 0, false },
	{ "YOUNGER", parse_interval, Q_YOUNGER, 0, false },
	{ 0 },
};

const struct imap_module imap_ext_within = {
	.name = "within",
	.capabilities = capabilities,
	.search_keys = keys,
};
