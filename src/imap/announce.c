/*
 * What happened in the selected mailbox, told in the order that keeps every number right (law 10):
 * keyword names, flag FETCHes under the old numbers, what left followed results, what vanished
 * (descending), then EXISTS and RECENT, then FETCHes of new messages, then what came into followed
 * results.
 *
 * view_update has already renumbered when the flag FETCHes are written. The expunged numbers come
 * descending, each as it was before, so the old number of a message is its new one plus how many of
 * them lie below.
 */
#include "core.h"
#include "fetch.h"

#include "wire/imap_write.h"

void imap_announce_drop(struct imap_session *s)
{
	struct imap_announce *a = &s->announce;

	view_walk_end(&a->walk);
	view_changes_free(&a->changes);
	set_free(&a->uids);
	set_free(&a->bare);
	set_free(&a->news);
	set_free(&a->fresh);
	arena_free(&a->arena);
	*a = (struct imap_announce){ .phase = ANNOUNCE_IDLE };
}

/* ---- flags ---- */

static void write_keywords(struct buf *out, const struct view_state *st)
{
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		if (!st->keywords[i] || !st->keywords[i][0])
			continue;
		buf_add_char(out, ' ');
		buf_add_str(out, st->keywords[i]);
	}
}

/* Only then may "\\*" be promised (RFC 3501 section 7.1). */
static bool room_for_keywords(const struct view_state *st)
{
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (!st->keywords[i])
			return true;
	return false;
}

void imap_write_flags_lines(struct imap_session *s)
{
	const struct view_state *st = view_state(s->view);
	struct buf *out = imap_out(s);

	buf_add_str(out, "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft");
	write_keywords(out, st);
	buf_add_str(out, ")\r\n");
	if (st->seen_only) {
		buf_add_str(out, "* OK [PERMANENTFLAGS (\\Seen)] Read-only but for what you have seen.\r\n");
	} else if (st->readonly) {
		buf_add_str(out, "* OK [PERMANENTFLAGS ()] Read-only mailbox.\r\n");
	} else {
		buf_add_str(out, "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft");
		write_keywords(out, st);
		buf_add_str(out, room_for_keywords(st) ? " \\*" : "");
		buf_add_str(out, ")] Flags permitted.\r\n");
	}
	stream_push(s->stream);
}

void imap_tell_keywords(struct imap_session *s, struct imap_emit *e)
{
	imap_write_flags_lines(s);
	imap_emit_init(e, s->view);
}

/* The number that the client knows the message by; 0: it has not been told of it. */
static uint32_t old_seq(struct imap_session *s, uint32_t seq)
{
	struct imap_announce *a = &s->announce;
	const uint32_t *gone = a->changes.expunged;
	size_t n = a->changes.expunged_n;

	while (a->pos < n && gone[n - 1 - a->pos] <= seq + a->pos)
		a->pos++;
	seq += (uint32_t)a->pos;
	return seq <= s->told_exists ? seq : 0;
}

static void write_fetch(struct imap_session *s, struct imap_emit *e, const struct message_facts *m,
			uint32_t seq)
{
	struct buf *out = imap_out(s);
	const struct imap_fetch_item *const *item = s->hooks.unsolicited + set_has(&s->announce.bare, m->uid);
	bool first = true;

	buf_add_str(out, "* ");
	buf_add_u64(out, seq);
	buf_add_str(out, " FETCH (");
	if (s->announce.uid) {
		imap_emit_u64(out, "UID", m->uid);
		first = false;
	}
	for (; *item; item++) {
		if (!first)
			buf_add_char(out, ' ');
		first = false;
		(*item)->emit(e, m, out);
	}
	buf_add_str(out, ")\r\n");
}

static enum step step_flags(struct imap_session *s)
{
	struct imap_announce *a = &s->announce;
	struct imap_emit e;
	struct message_facts m;

	if (!a->uids.n)
		return STEP_DONE;
	if (!a->walk && view_walk_begin(s->view, &a->uids, 0, &a->walk, NULL))
		return STEP_DONE;
	imap_emit_init(&e, s->view);
	for (unsigned i = 0; !imap_out_full(s); i++) {
		enum err err = view_walk_next(a->walk, &m, NULL);
		uint32_t seq;

		if (err && err != ERR_EXPUNGED) {
			view_walk_end(&a->walk);
			return STEP_DONE;
		}
		seq = old_seq(s, m.seq);
		if (m.new_keywords)
			imap_tell_keywords(s, &e);
		if (seq && !err) /* else it vanished since: that is told in time */
			write_fetch(s, &e, &m, seq);
		stream_push(s->stream);
		if (i % 64 == 63 && imap_slice_over(&s->cmd)) {
			view_walk_pause(a->walk);
			return STEP_SLICE;
		}
	}
	view_walk_pause(a->walk);
	return STEP_OUTPUT_FULL;
}

/* ---- what is gone ---- */

void imap_tell_highest(struct imap_session *s)
{
	unsigned long long highest = view_state(s->view)->highestmodseq;
	struct imap_cmd *c = &s->cmd;

	if (!c->cond)
		return;
	if (c->cond[0] == 'O' && !c->code)
		c->code = arena_printf(c->arena, "HIGHESTMODSEQ %llu", highest);
	else
		imap_untagged(s, "OK [HIGHESTMODSEQ %llu] Highest", highest);
}

enum step imap_vanished_expunge(struct imap_session *s, const struct view_changes *c, size_t *pos)
{
	for (; *pos < c->expunged_n; ++*pos) {
		struct buf *out = imap_out(s);

		if (imap_out_full(s))
			return STEP_OUTPUT_FULL;
		buf_add_str(out, "* ");
		buf_add_u64(out, c->expunged[*pos]);
		buf_add_str(out, " EXPUNGE\r\n");
		stream_push(s->stream);
	}
	if (imap_tells_own(s) && view_state(s->view)->behind)
		imap_tell_highest(s);
	return STEP_DONE;
}

bool imap_tells_own(const struct imap_session *s)
{
	return s->hooks.unsolicited[1] != NULL;
}

/* The messages from number first on; fresh: those among them that the client did not add itself. */
static void find_news(struct imap_session *s, uint32_t first)
{
	struct imap_announce *a = &s->announce;
	uint32_t uid = view_uid(s->view, first);

	if (!uid)
		return;
	set_copy(&a->news, view_uids(s->view));
	if (uid > 1)
		set_remove_range(&a->news, 1, uid - 1);
	if (!s->hooks.notice)
		return;
	set_copy(&a->fresh, &a->news);
	set_remove_set(&a->fresh, &s->own);
	set_clear(&s->own);
}

static void write_counts(struct imap_session *s)
{
	const struct view_state *st = view_state(s->view);
	uint32_t left = s->told_exists - (uint32_t)s->announce.changes.expunged_n;

	if (!(s->announce.heard & IMAP_HEARD_COUNTS))
		return;
	if ((s->hooks.notice || s->hooks.follow) && st->exists > left)
		find_news(s, left + 1);
	if (st->exists != left)
		imap_untagged(s, "%u EXISTS", st->exists);
	if (st->recent != s->told_recent)
		imap_untagged(s, "%u RECENT", st->recent);
	s->told_exists = st->exists;
	s->told_recent = st->recent;
}

/* ---- the round ---- */

/* A mailbox that cannot be followed any longer (deleted, re-created, damaged) ends the session: the
 * client's numbers mean nothing now. */
static void lost(struct imap_session *s, enum err e)
{
	if (e == ERR_NOTFOUND)
		imap_session_bye(s, IMAP_END_FAILED, NULL, "Mailbox was deleted under us.");
	else
		imap_session_bye(s, IMAP_END_FAILED, imap_failure(e)->code,
				 "Selected mailbox can no longer be followed.");
}

unsigned imap_heard(const struct imap_session *s)
{
	return s->hooks.notice ? s->hooks.notice->heard(s) : IMAP_HEARD_ALL;
}

/*
 * New messages that EXISTS does not tell of stay out of the view: no number, no result may speak of them.
 * imap_client_workarounds = delay-newmail: clients that mistake new messages for others, told at any other time than NOOP.
 */
static bool holds_new(const struct imap_session *s)
{
	const struct imap_command_row *row = s->cmd.row;

	if (!(s->announce.heard & IMAP_HEARD_COUNTS))
		return true;
	return s->cfg.settings.delay_newmail && !s->listening && !(row && row->flags & IMAP_CMD_REFRESH);
}

/* False: nothing to announce this time, or the session is ending. */
static bool begin(struct imap_session *s, bool expunge)
{
	struct imap_announce *a = &s->announce;
	const struct imap_command_row *row = s->cmd.row;
	enum err e;

	s->changed = false;
	a->heard = imap_heard(s) | s->asked;
	s->asked = 0;
	a->arena = arena_new(IMAP_ARENA_MAX);
	view_hold(s->view, holds_new(s), !(a->heard & IMAP_HEARD_FLAGS));
	e = view_update(s->view, expunge && a->heard & IMAP_HEARD_COUNTS, a->arena, &a->changes, NULL);
	if (e == ERR_INUSE || e == ERR_TEMP || e == ERR_MEMORY)
		return false;
	if (e) {
		lost(s, e);
		return false;
	}
	if (a->changes.keywords_changed)
		imap_write_flags_lines(s);
	set_add_set(&a->uids, &a->changes.flags);
	set_add_set(&a->uids, &s->echo);
	set_clear(&s->echo);
	set_copy(&a->bare, &s->quiet);
	set_remove_set(&a->bare, &a->uids);
	set_add_set(&a->uids, &a->bare);
	set_clear(&s->quiet);
	a->uid = s->hooks.uid || s->hooks.notice || (row && row->flags & IMAP_CMD_UID);
	a->pos = 0;
	return true;
}

/* A lock held elsewhere does not matter here: the index still knows something. */
static enum step refresh(struct imap_session *s)
{
	enum err e = ERR_OK;
	enum step step;

	s->look = false;
	step = view_refresh(s->view, false, &e, NULL);
	if (step != STEP_DONE && step != STEP_WAITING)
		return step;
	if (step == STEP_DONE && (e == ERR_NOTFOUND || e == ERR_CORRUPT))
		lost(s, e);
	s->missed = step == STEP_WAITING;
	s->refreshed_ms = loop_now(s->cfg.loop);
	return STEP_DONE;
}

static enum step do_phase(struct imap_session *s, bool expunge)
{
	struct imap_announce *a = &s->announce;

	switch (a->phase) {
	case ANNOUNCE_REFRESH:
		return refresh(s);
	case ANNOUNCE_UPDATE:
		if (!begin(s, expunge))
			a->phase = ANNOUNCE_DONE;
		return STEP_DONE;
	case ANNOUNCE_FLAGS:
		return step_flags(s);
	case ANNOUNCE_REMOVED:
		return s->hooks.follow ? s->hooks.follow->removed(s, &a->changes) : STEP_DONE;
	case ANNOUNCE_VANISHED:
		return s->hooks.vanished(s, &a->changes, &a->pos);
	case ANNOUNCE_COUNTS:
		write_counts(s);
		return STEP_DONE;
	case ANNOUNCE_ADDED:
		return s->hooks.follow ? s->hooks.follow->added(s, &a->news) : STEP_DONE;
	case ANNOUNCE_FRESH:
		return a->fresh.n ? s->hooks.notice->fresh(s, &a->fresh) : STEP_DONE;
	case ANNOUNCE_IDLE:
	case ANNOUNCE_DONE:
		break;
	}
	return STEP_DONE;
}

enum step imap_announce_step(struct imap_session *s, bool expunge, bool look)
{
	struct imap_announce *a = &s->announce;

	if (a->phase == ANNOUNCE_IDLE)
		a->phase = look ? ANNOUNCE_REFRESH : ANNOUNCE_UPDATE;
	while (a->phase < ANNOUNCE_DONE && s->phase != IMAP_ENDING) {
		enum step step = do_phase(s, expunge);

		if (step != STEP_DONE)
			return step;
		if (a->phase < ANNOUNCE_DONE)
			a->phase++;
		if (a->phase == ANNOUNCE_VANISHED)
			a->pos = 0;
	}
	imap_announce_drop(s);
	if (s->hooks.notice && s->phase != IMAP_ENDING)
		s->hooks.notice->told(s);
	imap_session_busy(s);
	return STEP_DONE;
}
