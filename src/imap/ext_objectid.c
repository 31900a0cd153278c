/*
 * OBJECTID (RFC 8474). The folder carries what the ids are made of: so they outlive the index, COPY, MOVE and RENAME.
 * SELECT and CREATE tell the MAILBOXID themselves.
 */
#include "fetch.h"
#include "objectid.h"
#include "search.h"

#include "base/guid.h"

void imap_objectid_add(enum imap_objectid_kind kind, const uint8_t id[16], struct buf *out)
{
	char text[GUID_TEXT + 1];

	guid_text(id, text);
	buf_printf(out, "(%c%s)", (char)kind, text);
}

static void emit_emailid(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	buf_add_str(out, "EMAILID ");
	imap_objectid_add(IMAP_EMAILID, m->emailid, out);
}

static void emit_threadid(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	buf_add_str(out, "THREADID ");
	imap_objectid_add(IMAP_THREADID, m->threadid, out);
}

/* An id of another kind or another server is no error: it matches nothing. */
static enum err parse_id(struct imap_search *s, const struct imap_search_key *key,
			 const struct imap_arg **a, struct query *q_r)
{
	char letter = key->kind == Q_EMAILID ? IMAP_EMAILID : IMAP_THREADID;
	struct span id;

	if (!imap_arg_astring(*a, &id) || !id.n || id.n > 255)
		return ERR_SYNTAX;
	*a = (*a)->next;
	q_r->kind = Q_UIDS; /* of none */
	if (id.p[0] == letter && guid_read(span_from(id, 1), q_r->id))
		q_r->kind = key->kind;
	return ERR_OK;
}

static void emit_mailboxid(const struct acct_status *st, struct buf *out)
{
	imap_objectid_add(IMAP_MAILBOXID, st->guid, out);
}

static const struct imap_capability capabilities[] = {
	{ "OBJECTID", NULL },
	{ 0 },
};

static const struct imap_fetch_item items[] = {
	{ .name = "EMAILID", .emit = emit_emailid },
	{ .name = "THREADID", .want = WANT_THREADID, .emit = emit_threadid },
	{ 0 },
};

static const struct imap_search_key keys[] = {
	{ "EMAILID", parse_id, Q_EMAILID, 0, false },
	{ "THREADID", parse_id, Q_THREADID, 0, false },
	{ 0 },
};

static const struct imap_status_item status_items[] = {
	{ "MAILBOXID", emit_mailboxid },
	{ 0 },
};

const struct imap_module imap_ext_objectid = {
	.name = "objectid",
	.capabilities = capabilities,
	.fetch_items = items,
	.search_keys = keys,
	.status_items = status_items,
};
