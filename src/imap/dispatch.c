/*
 * From bytes to commands to tagged answers. One command at a time, in the order of arrival:
 *
 *	READING --literal of a row that wants it--> LITERAL --> READING
 *	READING --complete--> RUNNING --answered--> SYNCING --> READING
 *
 * Nothing here knows any command.
 */
#include "core.h"
#include "modules.h"

#include "base/clock.h"
#include "base/must.h"
#include "wire/imap_write.h"

/* ---- answers ---- */

static enum step answer(struct imap_cmd *c, const char *cond, const char *code, const char *text)
{
	c->cond = cond;
	c->code = code;
	c->text = text;
	return STEP_DONE;
}

enum step imap_ok(struct imap_cmd *c, const char *code, const char *text)
{
	return answer(c, "OK", code, text);
}

enum step imap_no(struct imap_cmd *c, const char *code, const char *text)
{
	return answer(c, "NO", code, text);
}

enum step imap_bad(struct imap_cmd *c, const char *text)
{
	const char *name = c->row ? c->row->name : "";
	char *all = arena_printf(c->arena, "Error in IMAP command%s%s: %s", *name ? " " : "", name, text);

	return answer(c, "BAD", NULL, all ? all : text);
}

enum step imap_fail(struct imap_cmd *c, enum err e, const char *text)
{
	const struct imap_failure *f = imap_failure(e);
	char *copy = text && text[0] ? arena_str(c->arena, text) : NULL;

	if (e == ERR_SYNTAX)
		return imap_bad(c, copy ? copy : f->text);
	return answer(c, f->cond, f->code, copy ? copy : f->text);
}

void *imap_cmd_state(struct imap_cmd *c, size_t size)
{
	c->state = arena_alloc(c->arena, size);
	if (!c->state)
		imap_fail(c, ERR_MEMORY, NULL);
	return c->state;
}

bool imap_slice_over(const struct imap_cmd *c)
{
	return clock_us() >= c->deadline_us;
}

/* ---- one command's frame ---- */

static void cmd_begin(struct imap_session *s)
{
	s->cmd = (struct imap_cmd){ .s = s, .arena = arena_new(IMAP_ARENA_MAX) };
	imap_lex_start(s->lex, s->cmd.arena);
}

void imap_dispatch_drop(struct imap_session *s)
{
	struct arena *arena = s->cmd.arena;

	s->waiting_since = 0;
	s->listening = false;
	arena_free(&arena); /* its clean-ups may still look at the command */
	s->cmd = (struct imap_cmd){ .s = s };
}

static void cmd_tagged(struct imap_session *s)
{
	struct imap_cmd *c = &s->cmd;
	void (*after)(struct imap_session *s) = c->after;
	bool bad = c->cond[0] == 'B';

	imap_write_status(imap_out(s), c->tag, c->cond, c->code, c->text);
	stream_answered(s->stream);
	stream_push(s->stream);
	s->stats.commands++;
	s->bad = bad ? s->bad + 1 : 0;
	imap_dispatch_drop(s);
	s->phase = IMAP_READING;
	if (after)
		after(s);
	if (s->leaving)
		imap_session_end(s, IMAP_END_LOGOUT, "Logged out");
	else if (s->bad >= IMAP_BAD_MAX)
		imap_session_bye(s, IMAP_END_BAD, NULL, "Too many invalid IMAP commands.");
}

/* ---- reading ---- */

/* "UID FETCH" is one name here; the arguments begin behind it. */
static struct span full_name(struct imap_session *s, const struct imap_command *cmd,
			     const struct imap_arg **args_r)
{
	struct span sub;
	char *name;

	*args_r = cmd->args;
	if (!span_eq_str(cmd->name, "UID") || !imap_arg_atom(cmd->args, &sub) || sub.n > 32)
		return cmd->name;
	name = arena_printf(s->cmd.arena, "UID %.*s", (int)sub.n, sub.p);
	if (!name)
		return cmd->name;
	for (char *p = name; *p; p++)
		*p = ascii_upper(*p);
	*args_r = cmd->args->next;
	return span_str(name);
}

/* Fills the command's frame from the lexer; false when it cannot run, and is answered. */
static bool cmd_frame(struct imap_session *s)
{
	const struct imap_command *cmd = imap_lex_command(s->lex);
	struct imap_cmd *c = &s->cmd;
	struct span name;

	c->s = s;
	c->noted_ms = loop_now(s->cfg.loop);
	c->tag = cmd->tag;
	name = full_name(s, cmd, &c->args);
	c->row = imap_row_find(s, name);
	if (!c->row) {
		char *text = arena_printf(c->arena, "Error in IMAP command %.*s: Unknown command.",
					  (int)(name.n > 64 ? 64 : name.n), name.p);

		answer(c, "BAD", NULL, text ? text : "Unknown command.");
		return false;
	}
	if (c->row->states & (s->view ? IMAP_SELECTED : IMAP_AUTH))
		return true;
	if (!s->view)
		answer(c, "BAD", NULL, "No mailbox selected.");
	else
		imap_bad(c, "Not allowed in this state.");
	return false;
}

/* Of UID it is not known yet which command it is; what no row takes is collected all the same. */
static void want_literals(struct imap_session *s)
{
	struct span name = imap_lex_command(s->lex)->name;
	const struct imap_command_row *row = imap_row_find(s, name);

	if (span_eq_str(name, "UID"))
		imap_lex_stream(s->lex, 2);
	else if (row && row->literal && row->flags & IMAP_CMD_STREAM &&
		 row->states & (s->view ? IMAP_SELECTED : IMAP_AUTH))
		imap_lex_stream(s->lex, 1);
}

static void lex_bad(struct imap_session *s)
{
	const struct imap_command *cmd = imap_lex_command(s->lex);
	const char *why = imap_lex_why(s->lex);
	struct imap_cmd *c = &s->cmd;

	c->tag = cmd->tag;
	if (!c->cond) {
		char *text = arena_printf(c->arena, "Error in IMAP command %.*s: %s",
					  (int)(cmd->name.n > 64 ? 64 : cmd->name.n), cmd->name.p, why);

		answer(c, "BAD", imap_lex_code(s->lex), text ? text : why);
	}
	s->phase = IMAP_SYNCING;
}

static bool tells_at_once(const struct imap_session *s)
{
	return s->view && (s->changed || s->look) && imap_heard(s) & IMAP_HEARD_AT_ONCE;
}

/* Feeds the lexer until a command is complete, a literal is to be taken, or input is wanted. */
static enum step do_read(struct imap_session *s)
{
	for (;;) {
		struct span in = stream_input(s->stream);
		enum imap_lex_event ev;
		size_t used = 0;

		if (!s->cmd.arena && (s->notice || tells_at_once(s))) {
			s->phase = IMAP_TELLING;
			return STEP_DONE;
		}
		if (!s->cmd.arena) {
			if (!in.n)
				return STEP_INPUT;
			cmd_begin(s);
		}
		ev = imap_lex_feed(s->lex, in, &used);
		stream_consume(s->stream, used);
		switch (ev) {
		case IMAP_LEX_MORE:
			if (imap_lex_idle(s->lex))
				imap_dispatch_drop(s);
			return STEP_INPUT;
		case IMAP_LEX_NAME:
			want_literals(s);
			break;
		case IMAP_LEX_CONTINUE:
			imap_continue(s, "OK");
			break;
		case IMAP_LEX_LITERAL:
			cmd_frame(s);
			s->phase = IMAP_LITERAL;
			return STEP_DONE;
		case IMAP_LEX_COMMAND:
			s->phase = cmd_frame(s) ? IMAP_RUNNING : IMAP_SYNCING;
			return STEP_DONE;
		case IMAP_LEX_BAD:
			lex_bad(s);
			return STEP_DONE;
		case IMAP_LEX_FATAL:
			imap_session_bye(s, IMAP_END_BAD, imap_lex_code(s->lex), imap_lex_why(s->lex));
			return STEP_DONE;
		}
	}
}

/* ---- running ---- */

static enum step do_literal(struct imap_session *s)
{
	struct imap_cmd *c = &s->cmd;
	enum step step = STEP_DONE;

	if (c->row && c->row->literal)
		step = c->row->literal(c);
	else
		imap_lex_collect(s->lex);
	if (step == STEP_DONE && s->phase == IMAP_LITERAL)
		s->phase = IMAP_READING;
	return step;
}

static enum step do_run(struct imap_session *s)
{
	struct imap_cmd *c = &s->cmd;
	enum step step = c->step ? c->step(c) : c->row->start(c);

	if (step == STEP_DONE && s->phase == IMAP_RUNNING) {
		must(c->cond);
		s->phase = IMAP_SYNCING;
	}
	if (step == STEP_SLICE || step == STEP_WAITING)
		imap_progress(c);
	return step;
}

static enum step do_sync(struct imap_session *s)
{
	const struct imap_command_row *row = s->cmd.row;
	enum step step = STEP_DONE;

	if (s->view && row && !(row->flags & IMAP_CMD_NO_SYNC)) {
		bool stale = s->look || loop_now(s->cfg.loop) - s->refreshed_ms >= IMAP_REFRESH_MS;

		step = imap_announce_step(s, !(row->flags & IMAP_CMD_SEQUENCE) && !s->cmd.numbers,
					  row->flags & IMAP_CMD_REFRESH || stale);
	}
	if (step == STEP_DONE && s->phase == IMAP_SYNCING)
		cmd_tagged(s);
	return step;
}

/* Between commands, for a client that listens then too (RFC 5465). */
static enum step do_tell(struct imap_session *s)
{
	enum step step = STEP_DONE;

	if (s->announce.phase != ANNOUNCE_IDLE || tells_at_once(s))
		step = imap_announce_step(s, imap_heard(s) & IMAP_HEARD_VANISHED, s->look);
	if (step == STEP_DONE && s->notice && s->phase == IMAP_TELLING)
		step = s->hooks.notice->others(s);
	if (step == STEP_DONE && s->phase == IMAP_TELLING)
		s->phase = IMAP_READING;
	return step;
}

/* A lock that another program holds: try again for half a minute, then say so. */
static enum step waited(struct imap_session *s)
{
	uint64_t now = loop_now(s->cfg.loop), most = s->cfg.lock_wait_ms;

	if (!s->waiting_since)
		s->waiting_since = now ? now : 1;
	if (now - s->waiting_since < (most && most < IMAP_WAIT_MS ? most : IMAP_WAIT_MS))
		return STEP_WAITING;
	s->waiting_since = 0;
	if (s->phase == IMAP_LITERAL)
		imap_lex_skip(s->lex);
	imap_fail(&s->cmd, ERR_INUSE, NULL);
	s->phase = s->phase == IMAP_LITERAL ? IMAP_READING : IMAP_SYNCING;
	return STEP_SLICE;
}

static enum step do_phase(struct imap_session *s)
{
	switch (s->phase) {
	case IMAP_READING:
		return do_read(s);
	case IMAP_LITERAL:
		return do_literal(s);
	case IMAP_RUNNING:
		return do_run(s);
	case IMAP_SYNCING:
		return do_sync(s);
	case IMAP_TELLING:
		return do_tell(s);
	case IMAP_ENDING:
		break;
	}
	return STEP_DONE;
}

enum step imap_dispatch(struct imap_session *s)
{
	uint64_t deadline = clock_us() + IMAP_SLICE_US;

	while (s->phase != IMAP_ENDING) {
		enum step step;

		s->cmd.deadline_us = deadline;
		step = do_phase(s);
		if (step == STEP_WAITING)
			return waited(s);
		s->waiting_since = 0;
		if (step != STEP_DONE)
			return step;
		if (s->phase != IMAP_ENDING && stream_full(s->stream))
			return STEP_OUTPUT_FULL;
		if (clock_us() >= deadline)
			return STEP_SLICE;
	}
	return STEP_DONE;
}
