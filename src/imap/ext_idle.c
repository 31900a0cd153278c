/*
 * IDLE (RFC 2177). A change wakes the session through its view, whoever made it; where the process
 * has no watch to lend, one by another program is found by looking from time to time. DONE may
 * already be there when the command begins: IDLE can be pipelined.
 */
#include "args.h"

enum {
	DONE_MAX = 1024, /* octets of the line that ends it */
	AGAIN_MS = 100,  /* after a look that a lock prevented */
};

struct idle {
	struct imap_session *s;
	struct loop_timer alive, poll, again;
	bool round;   /* an announcement is on its way, */
	bool looking; /* which looks at the folder */
};

/* ---- what wakes it ---- */

static void look_again(void *ctx)
{
	struct idle *i = ctx;

	i->s->look = true;
	imap_session_stir(i->s);
}

static void on_poll(void *ctx)
{
	struct idle *i = ctx;

	loop_timer_set(i->s->cfg.loop, &i->poll, i->s->cfg.settings.idle_check_ms, on_poll, i);
	look_again(i);
}

static void on_alive(void *ctx)
{
	struct idle *i = ctx;

	/* Who takes no output is not told that we live. */
	if (i->s->blocked == STEP_INPUT)
		imap_untagged(i->s, "OK Still here");
	loop_timer_set(i->s->cfg.loop, &i->alive, i->s->cfg.settings.idle_notify_ms, on_alive, i);
}

static void watch_folder(struct idle *i)
{
	if (i->s->view && !view_watch(i->s->view) && i->s->cfg.settings.idle_check_ms)
		loop_timer_set(i->s->cfg.loop, &i->poll, i->s->cfg.settings.idle_check_ms, on_poll, i);
}

static void idle_free(void *arg)
{
	struct idle *i = arg;

	loop_timer_stop(i->s->cfg.loop, &i->alive);
	loop_timer_stop(i->s->cfg.loop, &i->poll);
	loop_timer_stop(i->s->cfg.loop, &i->again);
	i->s->listening = false;
}

/* ---- the command ---- */

/* The line that ends it; STEP_INPUT while it has not come. */
static enum step take_done(struct imap_cmd *c)
{
	struct span in = stream_input(c->s->stream), line;
	size_t n = span_find(in, '\n');
	bool done;

	if (n == SIZE_MAX && in.n <= DONE_MAX)
		return STEP_INPUT;
	line = span_trim(span_cut(in, 0, n));
	done = n != SIZE_MAX && span_ieq_str(line, "DONE");
	stream_consume(c->s->stream, n == SIZE_MAX ? in.n : n + 1);
	return done ? imap_ok(c, NULL, "Idle completed.") : imap_bad(c, "Expected DONE.");
}

static enum step idle_step(struct imap_cmd *c)
{
	struct imap_session *s = c->s;
	struct idle *i = c->state;

	while (s->view && (i->round || s->look || s->changed)) {
		enum step step;

		if (!i->round) {
			i->looking = s->look;
			i->round = true;
		}
		step = imap_announce_step(s, true, i->looking);
		if (step != STEP_DONE || s->phase == IMAP_ENDING)
			return step;
		i->round = false;
		if (i->looking && s->missed)
			loop_timer_set(s->cfg.loop, &i->again, AGAIN_MS, look_again, i);
	}
	if (s->notice) {
		enum step step = s->hooks.notice->others(s);

		if (step != STEP_DONE)
			return step;
	}
	return take_done(c);
}

static enum step idle_start(struct imap_cmd *c)
{
	struct imap_session *s = c->s;
	struct idle *i;

	if (!imap_args_end(c, c->args))
		return STEP_DONE;
	i = imap_cmd_state(c, sizeof(*i));
	if (!i)
		return STEP_DONE;
	i->s = s;
	if (!arena_cleanup(c->arena, idle_free, i))
		return imap_fail(c, ERR_MEMORY, NULL);
	imap_continue(s, "idling");
	s->listening = true;
	s->look = s->view != NULL;
	watch_folder(i);
	if (s->cfg.settings.idle_notify_ms)
		loop_timer_set(s->cfg.loop, &i->alive, s->cfg.settings.idle_notify_ms, on_alive, i);
	c->step = idle_step;
	return idle_step(c);
}

static const struct imap_capability capabilities[] = {
	{ "IDLE", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "IDLE", IMAP_ANY, 0, idle_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_idle = {
	.name = "idle",
	.capabilities = capabilities,
	.commands = commands,
};
