/*
 * STORE and UID STORE (RFC 3501 section 6.4.6). The change is one transaction over all messages;
 * what the flags are afterwards is told by the announcement before the tagged answer: the view
 * brings every message named, unless SILENT.
 */
#include "args.h"
#include "store.h"

static void store_free(void *arg)
{
	struct imap_store *st = arg;

	set_free(&st->job.modified);
}

static bool parse_mode(struct span word, struct imap_store *st)
{
	struct span silent = SPAN(".SILENT");

	st->job.mode = VIEW_FLAGS_SET;
	if (word.n && (word.p[0] == '+' || word.p[0] == '-')) {
		st->job.mode = word.p[0] == '+' ? VIEW_FLAGS_ADD : VIEW_FLAGS_REMOVE;
		word = span_from(word, 1);
	}
	if (word.n > silent.n && span_ieq(span_from(word, word.n - silent.n), silent)) {
		st->job.silent = true;
		word.n -= silent.n;
	}
	return span_ieq_str(word, "FLAGS");
}

static bool parse(struct imap_cmd *c, struct imap_store *st)
{
	const struct imap_arg *a = c->args;
	struct span word;

	if (!imap_args_set(c, &a, &st->uids))
		return false;
	if (a && a->type == IMAP_ARG_LIST) {
		if (!imap_args_modifiers(c, a, IMAP_OF_STORE, st))
			return false;
		a = a->next;
	}
	if (!imap_arg_atom(a, &word) || !parse_mode(word, st) || !a->next) {
		imap_bad(c, "Invalid STORE data item.");
		return false;
	}
	return imap_args_flags(c, a->next, &st->job.system, &st->job.keywords, &st->job.keywords_n);
}

/* A silent change is told nevertheless when more than the flags changed for the client. */
static void note_quiet(struct imap_session *s, struct imap_store *st)
{
	if (!st->job.silent || !imap_tells_own(s))
		return;
	set_add_set(&s->quiet, &st->uids);
	set_remove_set(&s->quiet, &st->job.modified);
}

static enum step store_step(struct imap_cmd *c)
{
	struct imap_store *st = c->state;
	struct imap_session *s = c->s;
	struct errtext t = { "" };
	enum err e = view_store(s->view, &st->uids, &st->job, &t);

	if (e == ERR_INUSE)
		return STEP_WAITING;
	if (e)
		return imap_fail(c, e, t.text);
	if (st->job.mode != VIEW_FLAGS_REMOVE && st->job.system & MAIL_DELETED)
		s->stats.deleted += set_count(&st->uids);
	note_quiet(s, st);
	s->asked |= IMAP_HEARD_FLAGS;
	imap_session_busy(s);
	return st->after ? st->after(c, st) : imap_ok(c, NULL, "Store completed.");
}

static enum step store_start(struct imap_cmd *c)
{
	struct imap_store *st = imap_cmd_state(c, sizeof(*st));

	if (!st)
		return STEP_DONE;
	st->job.unchangedsince = UINT64_MAX;
	if (!arena_cleanup(c->arena, store_free, st))
		return imap_fail(c, ERR_MEMORY, NULL);
	if (!parse(c, st))
		return STEP_DONE;
	if (view_state(c->s->view)->readonly && !view_state(c->s->view)->seen_only)
		return imap_fail(c, ERR_READONLY, NULL);
	c->step = store_step;
	return store_step(c);
}

static const struct imap_command_row commands[] = {
	{ "STORE", IMAP_SELECTED, IMAP_CMD_SEQUENCE, store_start, NULL },
	{ "UID STORE", IMAP_SELECTED, IMAP_CMD_UID, store_start, NULL },
	{ 0 },
};

const struct imap_module imap_storing = {
	.name = "store",
	.commands = commands,
};
