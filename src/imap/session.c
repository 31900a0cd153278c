/*
 * The life of a session: birth, callbacks of stream and loop, time-outs, end. What commands are and
 * do is dispatch.c's matter; this file only keeps it called when there is something to do.
 */
#include "core.h"
#include "modules.h"

#include "base/clock.h"
#include "base/must.h"
#include "box/acct.h"
#include "wire/imap_write.h"

enum { FLUSH_MS = 5000 }; /* how long a parting BYE may take */

static void session_pump(struct imap_session *s);

static void on_task(void *ctx)
{
	session_pump(ctx);
}

void imap_session_wake(struct imap_session *s)
{
	if (s->phase != IMAP_ENDING)
		loop_later(s->cfg.loop, &s->task, on_task, s);
}

void imap_session_stir(struct imap_session *s)
{
	/* Whoever waits for output or a lock looks for himself when he goes on. */
	if (s->acting || s->blocked == STEP_INPUT)
		imap_session_wake(s);
}

void imap_notice_due(struct imap_session *s)
{
	if (!s->hooks.notice)
		return;
	s->notice = true;
	imap_session_stir(s);
}

void imap_session_busy(struct imap_session *s)
{
	if (s->cfg.on_busy)
		s->cfg.on_busy(s->cfg.ctx);
}

void imap_session_unselect(struct imap_session *s)
{
	imap_announce_drop(s);
	set_clear(&s->echo);
	set_clear(&s->quiet);
	set_clear(&s->saved);
	if (s->hooks.follow)
		s->hooks.follow->drop(s);
	s->hooks.follow = NULL;
	set_clear(&s->own);
	imap_binary_forget(s);
	view_close(&s->view);
	s->told_exists = s->told_recent = 0;
	s->changed = s->look = false;
	s->refreshed_ms = 0;
	imap_notice_due(s);
}

/* ---- the end ---- */

static void session_free(struct imap_session *s)
{
	loop_task_stop(&s->task);
	loop_task_stop(&s->last);
	loop_timer_stop(s->cfg.loop, &s->wait);
	loop_timer_stop(s->cfg.loop, &s->life);
	set_free(&s->echo);
	set_free(&s->quiet);
	set_free(&s->saved);
	set_free(&s->own);
	imap_lex_free(&s->lex);
	stream_free(&s->stream);
	arena_free(&s->arena);
	free(s);
}

static void on_last(void *ctx)
{
	struct imap_session *s = ctx;

	imap_dispatch_drop(s);
	imap_session_unselect(s); /* the account may be closed from on_end on */
	if (s->hooks.notice)
		s->hooks.notice->drop(s);
	if (s->cfg.on_end)
		s->cfg.on_end(s->cfg.ctx, s->end, s->end_text);
	session_free(s);
}

static void on_flush_timeout(void *ctx)
{
	struct imap_session *s = ctx;

	loop_later(s->cfg.loop, &s->last, on_last, s);
}

/* Gives up the mailbox and the command at once; what is written goes out before on_end, if the
 * client takes it. */
void imap_session_end(struct imap_session *s, enum imap_end why, const char *text)
{
	if (s->phase == IMAP_ENDING)
		return;
	s->phase = IMAP_ENDING;
	s->end = why;
	s->end_text = text;
	loop_timer_stop(s->cfg.loop, &s->wait);
	loop_timer_set(s->cfg.loop, &s->life, FLUSH_MS, on_flush_timeout, s);
	if (why == IMAP_END_CLOSED || why == IMAP_END_STALLED)
		loop_later(s->cfg.loop, &s->last, on_last, s);
	else
		stream_finish(s->stream);
}

void imap_session_bye(struct imap_session *s, enum imap_end why, const char *code, const char *text)
{
	if (s->phase == IMAP_ENDING)
		return;
	imap_write_status(imap_out(s), (struct span){ NULL, 0 }, "BYE", code, text);
	stream_push(s->stream);
	imap_session_end(s, why, text);
}

void imap_session_kick(struct imap_session *s, const char *text)
{
	imap_session_bye(s, IMAP_END_KICKED, NULL, arena_str(s->arena, text));
}

void imap_session_last_words(const struct imap_session *s)
{
	struct imap_speech heard = s->heard;
	size_t whole;

	if (s->phase == IMAP_ENDING)
		return;
	whole = imap_speech_add(&heard, stream_unsent(s->stream));
	if (whole || imap_speech_between(&s->heard))
		stream_last_words(s->stream, whole, SPAN(IMAP_LAST_WORDS));
}

/* ---- time ---- */

static uint64_t life_limit(const struct imap_session *s)
{
	uint64_t silent = s->cfg.settings.inactivity_ms;

	if (s->blocked == STEP_OUTPUT_FULL)
		return silent < IMAP_STALL_MS ? silent : IMAP_STALL_MS;
	return s->listening ? UINT64_MAX : s->cfg.settings.inactivity_ms;
}

static void on_life(void *ctx);

static void life_arm(struct imap_session *s)
{
	uint64_t now = loop_now(s->cfg.loop), limit = life_limit(s), silent = now - s->active_ms;

	if (limit == UINT64_MAX)
		limit = silent + s->cfg.settings.inactivity_ms;
	loop_timer_set(s->cfg.loop, &s->life, limit > silent ? limit - silent : 1, on_life, s);
}

static void life_restart(struct imap_session *s)
{
	s->active_ms = loop_now(s->cfg.loop);
	life_arm(s);
}

/* The timer is armed once and looks at the clock when it fires: nothing is to be done for each
 * command. */
static void on_life(void *ctx)
{
	struct imap_session *s = ctx;

	if (loop_now(s->cfg.loop) - s->active_ms < life_limit(s))
		life_arm(s);
	else if (s->blocked == STEP_OUTPUT_FULL)
		imap_session_end(s, IMAP_END_STALLED, "Disconnected: client reads no output");
	else if (s->blocked == STEP_INPUT)
		imap_session_bye(s, IMAP_END_IDLE, NULL, "Disconnected for inactivity.");
	else
		life_restart(s);
}

/* ---- work ---- */

static void on_wait(void *ctx)
{
	session_pump(ctx);
}

/* Between 30 and 70 ms, so that several waiters do not march in step. */
static uint64_t wait_jitter(const struct imap_session *s)
{
	return 30 + (clock_us() ^ (uintptr_t)s >> 4) % 41;
}

static void session_pump(struct imap_session *s)
{
	enum step before = s->blocked;

	if (s->phase == IMAP_ENDING)
		return;
	s->acting = true;
	s->blocked = imap_dispatch(s);
	s->acting = false;
	stream_push(s->stream);
	if (s->phase == IMAP_ENDING)
		return;
	if (s->blocked == STEP_OUTPUT_FULL && !stream_full(s->stream))
		s->blocked = STEP_SLICE;
	if (s->blocked == STEP_INPUT)
		stream_resume(s->stream);
	else
		stream_pause(s->stream);
	if (s->blocked == STEP_SLICE)
		imap_session_wake(s);
	else if (s->blocked == STEP_WAITING)
		loop_timer_set(s->cfg.loop, &s->wait, wait_jitter(s), on_wait, s);
	else if (s->blocked == STEP_OUTPUT_FULL && before != STEP_OUTPUT_FULL)
		life_restart(s);
}

static void on_input(void *ctx)
{
	struct imap_session *s = ctx;

	s->active_ms = loop_now(s->cfg.loop);
	if (s->phase != IMAP_ENDING && s->blocked == STEP_INPUT)
		session_pump(s);
}

static void on_drained(void *ctx)
{
	struct imap_session *s = ctx;

	s->active_ms = loop_now(s->cfg.loop);
	if (s->phase != IMAP_ENDING && s->blocked == STEP_OUTPUT_FULL)
		session_pump(s);
}

static void on_closed(void *ctx, enum err why)
{
	struct imap_session *s = ctx;

	imap_session_end(s, IMAP_END_CLOSED,
			 why == ERR_LIMIT ? "Disconnected: output limit"
					  : "Disconnected: Connection closed");
	loop_later(s->cfg.loop, &s->last, on_last, s);
}

static void on_sent(void *ctx, struct span bytes)
{
	struct imap_session *s = ctx;

	imap_speech_add(&s->heard, bytes);
}

static const struct stream_handler session_handler = {
	.input = on_input,
	.drained = on_drained,
	.closed = on_closed,
	.sent = on_sent,
};

/* ---- birth ---- */

static void session_greet(struct imap_session *s, struct span tag)
{
	struct buf code;

	buf_init(&code, 8192);
	buf_add_str(&code, "CAPABILITY ");
	imap_capability_text(&s->cfg.settings, &code);
	imap_write_status(imap_out(s), tag, tag.n ? "OK" : "PREAUTH", buf_cstr(&code), "Logged in");
	stream_push(s->stream);
	buf_free(&code);
}

static bool copy_strings(struct imap_session *s, const struct imap_config *c)
{
	s->cfg = *c;
	s->cfg.user = arena_str(s->arena, c->user ? c->user : "");
	s->cfg.session_id = arena_str(s->arena, c->session_id ? c->session_id : "");
	s->cfg.remote_ip = arena_str(s->arena, c->remote_ip ? c->remote_ip : "");
	s->cfg.login_tag = s->cfg.leftover = (struct span){ NULL, 0 };
	return s->cfg.user && s->cfg.session_id && s->cfg.remote_ip;
}

enum err imap_session_new(const struct imap_config *config, struct imap_session **s_r)
{
	struct imap_session *s = calloc(1, sizeof(*s));
	struct stream *stream = config->stream;
	struct imap_lex_limits limits = imap_lex_session;

	if (!s) {
		stream_free(&stream);
		return ERR_MEMORY;
	}
	s->stream = stream;
	s->cfg.loop = config->loop;
	s->arena = arena_new(64 << 10);
	if (!copy_strings(s, config)) {
		session_free(s);
		return ERR_MEMORY;
	}
	limits.line_max = config->settings.line_max > IMAP_LINE_MAX ? config->settings.line_max
								    : IMAP_LINE_MAX;
	limits.literal_max = IMAP_LITERALS_MAX;
	limits.plus_max = imap_literal_plus_max(s);
	s->lex = imap_lex_new(&limits);
	imap_modules_mask(s);
	imap_hooks_default(s);
	s->active_ms = loop_now(s->cfg.loop);
	s->blocked = STEP_INPUT;
	stream_set_handler(s->stream, &session_handler, s);
	if (stream_preload(s->stream, config->leftover)) {
		session_free(s);
		return ERR_LIMIT;
	}
	session_greet(s, config->login_tag);
	life_arm(s);
	stream_resume(s->stream);
	*s_r = s;
	return ERR_OK;
}

/* ---- what others ask ---- */

const struct imap_stats *imap_session_stats(struct imap_session *s)
{
	/* The octets are the stream's to count; the rest is kept as it happens. */
	s->stats.in = stream_bytes_in(s->stream);
	s->stats.out = stream_bytes_out(s->stream);
	return &s->stats;
}

const char *imap_session_state(const struct imap_session *s)
{
	return s->cmd.row ? s->cmd.row->name : "";
}

const char *imap_session_mailbox(const struct imap_session *s)
{
	return s->view ? view_state(s->view)->name : "";
}
