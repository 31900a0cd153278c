/*
 * CONDSTORE (RFC 7162 section 3.1). HIGHESTMODSEQ at SELECT is base IMAP here and NOMODSEQ never
 * needed: every mailbox keeps modseqs. A session that has shown that it knows them is told MODSEQ
 * with every change, its own silent ones too.
 */
#include "condstore.h"
#include "fetch.h"
#include "modules.h"
#include "search.h"
#include "store.h"

#include "wire/imap_write.h"

static void tell_highest(struct imap_session *s)
{
	if (s->view)
		imap_untagged(s, "OK [HIGHESTMODSEQ %llu] Highest",
			      (unsigned long long)view_state(s->view)->highestmodseq);
}

extern const struct imap_module imap_ext_condstore;

/* Also when CONDSTORE is masked: QRESYNC speaks of modseqs too. */
static bool enable_quietly(struct imap_session *s)
{
	const struct imap_fetch_item *item = &imap_ext_condstore.fetch_items[0];
	size_t i = 0;

	for (; s->hooks.unsolicited[i]; i++)
		if (s->hooks.unsolicited[i] == item)
			return false;
	if (i == IMAP_UNSOLICITED_MAX)
		return false;
	s->hooks.unsolicited[i] = item;
	s->hooks.unsolicited[i + 1] = NULL;
	s->hooks.uid = true;
	return true;
}

void imap_condstore_enable(struct imap_session *s)
{
	if (enable_quietly(s))
		tell_highest(s);
}

static bool enable(struct imap_session *s)
{
	imap_condstore_enable(s);
	return true;
}

static bool read_modseq(const struct imap_arg **a, uint64_t *modseq_r)
{
	if (!imap_arg_number64(*a, modseq_r))
		return false;
	*a = (*a)->next;
	return true;
}

/* ---- SELECT and STATUS ---- */

/* HIGHESTMODSEQ of the mailbox that is about to be selected is told in any case. */
static enum err select_condstore(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	enable_quietly(c->s);
	return ERR_OK;
}

static void emit_highest(const struct acct_status *st, struct buf *out)
{
	buf_add_u64(out, st->highestmodseq);
}

/* ---- FETCH ---- */

static void emit_modseq(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	buf_add_str(out, "MODSEQ (");
	buf_add_u64(out, m->modseq);
	buf_add_char(out, ')');
}

static enum err parse_modseq(struct imap_fetch *f, const struct imap_arg **a,
			     struct imap_fetch_op *op)
{
	imap_condstore_enable(f->c->s);
	return ERR_OK;
}

static void since_free(void *arg)
{
	struct imap_since *since = arg;

	view_since_free(&since->found);
}

struct imap_since *imap_since_get(struct imap_fetch *f)
{
	struct arena *arena = f->c->arena;

	if (f->since)
		return f->since;
	f->since = arena_alloc(arena, sizeof(*f->since));
	if (f->since && !arena_cleanup(arena, since_free, f->since))
		f->since = NULL;
	return f->since;
}

enum step imap_since_find(struct imap_fetch *f)
{
	struct imap_since *since = f->since;
	struct errtext t = { "" };
	enum err e;

	if (since->done)
		return STEP_DONE;
	if (!since->found.known)
		since->found.known = &f->uids;
	e = view_since(f->c->s->view, &since->found, &t);
	if (e == ERR_INUSE)
		return STEP_WAITING;
	if (e)
		return imap_fail(f->c, e, t.text);
	since->done = true;
	set_intersect(&f->uids, &since->found.changed);
	return STEP_DONE;
}

/* 0 is not a modseq, but some clients send it and mean all. */
static enum err fetch_changedsince(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_fetch *f = state;
	struct imap_since *since = imap_since_get(f);

	if (!since)
		return ERR_MEMORY;
	if (since->given || !read_modseq(a, &since->found.modseq))
		return ERR_SYNTAX;
	since->given = true;
	if (!f->before)
		f->before = imap_since_find;
	return imap_fetch_add(f, SPAN("MODSEQ")) ? ERR_OK : ERR_SYNTAX;
}

/* ---- STORE ---- */

static char *modified_code(struct imap_cmd *c, const struct set *uids)
{
	struct set numbers = SET_EMPTY;
	struct buf b;
	char *code;

	buf_init(&b, 4 << 20);
	if (c->row->flags & IMAP_CMD_UID)
		set_copy(&numbers, uids);
	else
		view_uids_to_seqs(c->s->view, uids, &numbers);
	buf_add_str(&b, "MODIFIED ");
	imap_write_set(&b, &numbers);
	code = b.failed ? NULL : arena_span(c->arena, buf_span(&b));
	buf_free(&b);
	set_free(&numbers);
	return code;
}

/* What failed is told as it is now: the client can decide without asking (section 3.1.3). */
static enum step store_answer(struct imap_cmd *c, struct imap_store *st)
{
	if (!st->job.modified.n)
		return imap_ok(c, NULL, "Store completed.");
	set_add_set(&c->s->echo, &st->job.modified);
	return imap_ok(c, modified_code(c, &st->job.modified), "Conditional store failed.");
}

static enum err store_unchangedsince(struct imap_cmd *c, void *state, const struct imap_arg **a)
{
	struct imap_store *st = state;

	if (st->after || !read_modseq(a, &st->job.unchangedsince))
		return ERR_SYNTAX;
	st->after = store_answer;
	imap_condstore_enable(c->s);
	return ERR_OK;
}

/* ---- SEARCH ---- */

/* MODSEQ ["/flags/name" priv|shared|all] n. A message has one modseq: the entry does not matter. */
static enum err search_modseq(struct imap_search *s, const struct imap_search_key *key,
			      const struct imap_arg **a, struct query *q)
{
	struct span entry;

	if (imap_arg_string(*a, &entry)) {
		*a = (*a)->next;
		if (!imap_arg_word(*a, "priv") && !imap_arg_word(*a, "shared") &&
		    !imap_arg_word(*a, "all"))
			return ERR_SYNTAX;
		*a = (*a)->next;
	}
	if (!read_modseq(a, &q->number))
		return ERR_SYNTAX;
	q->kind = key->kind;
	s->modseq = true;
	imap_condstore_enable(s->c->s);
	return ERR_OK;
}

/* ---- the module ---- */

static const struct imap_capability capabilities[] = {
	{ "CONDSTORE", NULL },
	{ 0 },
};

static const struct imap_fetch_item items[] = {
	{ .name = "MODSEQ", .parse = parse_modseq, .emit = emit_modseq },
	{ 0 },
};

static const struct imap_search_key keys[] = {
	{ .name = "MODSEQ", .parse = search_modseq, .kind = Q_MODSEQ },
	{ 0 },
};

static const struct imap_status_item status_items[] = {
	{ .name = "HIGHESTMODSEQ", .emit = emit_highest, .asked = imap_condstore_enable },
	{ 0 },
};

static const struct imap_modifier modifiers[] = {
	{ "CONDSTORE", IMAP_OF_SELECT, select_condstore },
	{ "CHANGEDSINCE", IMAP_OF_FETCH, fetch_changedsince },
	{ "UNCHANGEDSINCE", IMAP_OF_STORE, store_unchangedsince },
	{ 0 },
};

static const struct imap_enable enables[] = {
	{ "CONDSTORE", enable },
	{ 0 },
};

const struct imap_module imap_ext_condstore = {
	.name = "condstore",
	.capabilities = capabilities,
	.fetch_items = items,
	.search_keys = keys,
	.status_items = status_items,
	.modifiers = modifiers,
	.enables = enables,
};
