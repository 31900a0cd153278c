/*
 * SELECT and EXAMINE (RFC 3501 section 6.3.1). Whatever happens, the mailbox selected before is
 * left, which CLOSED says (RFC 7162 section 3.2.11). UIDNEXT and HIGHESTMODSEQ are always told;
 * PERMANENTFLAGS says what STORE would really keep.
 */
#include "args.h"
#include "objectid.h"
#include "select.h"

#include "wire/imap_write.h"

static void on_notify(void *ctx, bool look)
{
	struct imap_session *s = ctx;

	s->changed = true;
	s->look |= look;
	if (s->listening || imap_heard(s) & IMAP_HEARD_AT_ONCE)
		imap_session_stir(s);
}

static void select_free(void *arg)
{
	struct imap_select *sel = arg;

	view_close(&sel->view);
}

/* The first view_update is the state that the responses show. */
static enum err take_view(struct imap_session *s, struct imap_select *sel, struct errtext *t)
{
	struct arena *arena = arena_new(IMAP_ARENA_MAX);
	struct view_changes ch = { 0 };
	enum err e = view_update(sel->view, true, arena, &ch, t);

	view_changes_free(&ch);
	arena_free(&arena);
	if (e)
		return e;
	s->view = sel->view;
	sel->view = NULL;
	s->told_exists = view_state(s->view)->exists;
	s->told_recent = view_state(s->view)->recent;
	s->refreshed_ms = loop_now(s->cfg.loop);
	s->changed = s->look = false;
	view_set_notify(s->view, on_notify, s);
	imap_notice_due(s);
	imap_session_busy(s);
	return ERR_OK;
}

static void write_mailboxid(struct imap_session *s, const uint8_t guid[16])
{
	struct buf *out = imap_out(s);

	buf_add_str(out, "* OK [MAILBOXID ");
	imap_objectid_add(IMAP_MAILBOXID, guid, out);
	buf_add_str(out, "] Ok\r\n");
}

static void write_state(struct imap_session *s)
{
	const struct view_state *st = view_state(s->view);

	imap_write_flags_lines(s);
	imap_untagged(s, "%u EXISTS", st->exists);
	imap_untagged(s, "%u RECENT", st->recent);
	if (st->first_unseen)
		imap_untagged(s, "OK [UNSEEN %u] First unseen.", st->first_unseen);
	imap_untagged(s, "OK [UIDVALIDITY %u] UIDs valid", st->uidvalidity);
	imap_untagged(s, "OK [UIDNEXT %u] Predicted next UID", st->uidnext);
	write_mailboxid(s, st->guid);
	imap_untagged(s, "OK [HIGHESTMODSEQ %llu] Highest", (unsigned long long)st->highestmodseq);
}

static enum step select_step(struct imap_cmd *c)
{
	struct imap_select *sel = c->state;
	struct errtext t = { "" };
	enum err e = ERR_OK;
	enum step step;

	if (!sel->announced) {
		step = view_refresh(sel->view, false, &e, &t);
		if (step != STEP_DONE)
			return step;
		if (!e)
			e = take_view(c->s, sel, &t);
		if (e)
			return imap_fail(c, e, t.text);
		write_state(c->s);
		sel->announced = true;
	}
	step = sel->after ? sel->after(c, sel) : STEP_DONE;
	if (step == STEP_DONE && c->cond)
		imap_session_unselect(c->s); /* it failed */
	if (step != STEP_DONE || c->cond)
		return step;
	/* Also when the mailbox does not let itself be written to. */
	return imap_ok(c, view_state(c->s->view)->readonly && !view_state(c->s->view)->seen_only ? "READ-ONLY" : "READ-WRITE",
		       sel->readonly ? "Examine completed." : "Select completed.");
}

static enum step select_start(struct imap_cmd *c)
{
	struct imap_select *sel = imap_cmd_state(c, sizeof(*sel));
	const struct imap_arg *a = c->args;
	struct errtext t = { "" };
	enum err e;

	if (!sel)
		return STEP_DONE;
	sel->readonly = c->row->name[0] == 'E';
	if (!imap_args_mailbox(c, &a, false, &sel->name))
		return STEP_DONE;
	if (a && !imap_args_modifiers(c, a, IMAP_OF_SELECT, sel))
		return STEP_DONE;
	if (!imap_args_end(c, a ? a->next : NULL))
		return STEP_DONE;
	if (c->s->view)
		imap_untagged(c->s, "OK [CLOSED] Previous mailbox closed.");
	imap_session_unselect(c->s);
	e = view_open(c->s->cfg.acct, sel->name, sel->readonly, &sel->view, &t);
	if (e)
		return imap_fail(c, e, t.text);
	if (!arena_cleanup(c->arena, select_free, sel)) {
		select_free(sel);
		return imap_fail(c, ERR_MEMORY, NULL);
	}
	c->step = select_step;
	return select_step(c);
}

static const struct imap_command_row commands[] = {
	{ "SELECT", IMAP_ANY, IMAP_CMD_NO_SYNC, select_start, NULL },
	{ "EXAMINE", IMAP_ANY, IMAP_CMD_NO_SYNC, select_start, NULL },
	{ 0 },
};

const struct imap_module imap_selecting = {
	.name = "select",
	.commands = commands,
};
