/*
 * SAVEDATE (RFC 8514): when a message came into its mailbox. Every store of ours knows it: the index
 * keeps it for what arrived through us, the file's change time tells it for the rest.
 */
#include "fetch.h"
#include "search.h"

static void emit_savedate(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	imap_emit_date(e, "SAVEDATE", m->savedate, out);
}

static enum err parse_day(struct imap_search *s, const struct imap_search_key *key,
			  const struct imap_arg **a, struct query *q_r)
{
	int64_t day;

	if (!imap_arg_date(*a, &day))
		return ERR_SYNTAX;
	q_r->kind = key->kind;
	q_r->day = (int32_t)day;
	*a = (*a)->next;
	return ERR_OK;
}

/* Matches everything, as Q_ALL does. */
static enum err parse_supported(struct imap_search *s, const struct imap_search_key *key,
				const struct imap_arg **a, struct query *q_r)
{
	return ERR_OK;
}

static const struct imap_capability capabilities[] = {
	{ "SAVEDATE", NULL },
	{ 0 },
};

static const struct imap_fetch_item items[] = {
	{ .name = "SAVEDATE", .want = WANT_DATES, .emit = emit_savedate },
	{ 0 },
};

static const struct imap_search_key keys[] = {
	{ "SAVEDBEFORE", parse_day, Q_SAVEDBEFORE, 0, false },
	{ "SAVEDON", parse_day, Q_SAVEDON, 0, false },
	{ "SAVEDSINCE", parse_day, Q_SAVEDSINCE, 0, false },
	{ "SAVEDATESUPPORTED", parse_supported, Q_ALL, 0, false },
	{ 0 },
};

const struct imap_module imap_ext_savedate = {
	.name = "savedate",
	.capabilities = capabilities,
	.fetch_items = items,
	.search_keys = keys,
};
