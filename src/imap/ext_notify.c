/*
 * NOTIFY (RFC 5465): what a client hears of the selected mailbox, of others (notify_boxes.c) and of
 * the folders (notify_folders.c), and that it hears it between commands too.
 *
 * MailboxMetadataChange and ServerMetadataChange come with METADATA.
 */
#include "args.h"
#include "modules.h"
#include "notify.h"

#include "base/mem.h"

#include <stdlib.h>

enum {
	SPEC_MAX = 4 << 20,
	AGAIN_MS = 100, /* after a look that a lock prevented */
};

static struct imap_notify *notify_of(const struct imap_session *s)
{
	return s->noticed;
}

/* ---- life ---- */

/* Forgets all that was asked for. */
static void notify_clear(struct imap_notify *n)
{
	loop_timer_stop(n->s->cfg.loop, &n->again);
	loop_timer_stop(n->s->cfg.loop, &n->poll);
	imap_standing_end(&n->fetch);
	notify_boxes_clear(n);
	notify_folders_clear(n);
	arena_free(&n->spec.arena);
	n->spec = (struct notify_spec){ .groups = 0 };
	n->resolve = n->overflow = false;
}

static struct imap_notify *notify_new(struct imap_session *s)
{
	struct imap_notify *n = mem_alloc(sizeof(*n));

	n->s = s;
	n->spec.arena = arena_new(SPEC_MAX);
	return n;
}

static void notify_free(struct imap_notify *n)
{
	notify_clear(n);
	free(n);
}

/* ---- what wakes it ---- */

void notify_due(struct imap_notify *n)
{
	if (notify_of(n->s) == n)
		imap_notice_due(n->s);
}

static void on_again(void *ctx)
{
	notify_due(ctx);
}

void notify_again(struct imap_notify *n)
{
	loop_timer_set(n->s->cfg.loop, &n->again, AGAIN_MS, on_again, n);
}

/* Where nothing tells of other programs. */
static void on_poll(void *ctx)
{
	struct imap_notify *n = ctx;

	notify_boxes_poll(n);
	n->look |= n->folders && !folder_heed_watched(n->folders);
	n->s->look |= n->s->view && !view_watch(n->s->view);
	loop_timer_set(n->s->cfg.loop, &n->poll, n->s->cfg.settings.idle_check_ms, on_poll, n);
	notify_due(n);
}

static void arm_poll(struct imap_notify *n)
{
	uint64_t ms = n->s->cfg.settings.idle_check_ms;
	bool heeded = notify_boxes_heeded(n) &&
		      (!n->folders || folder_heed_watched(n->folders)) &&
		      (!n->s->view || !n->spec.selected || view_watch(n->s->view));

	if (heeded)
		loop_timer_stop(n->s->cfg.loop, &n->poll);
	else if (ms && !loop_timer_armed(&n->poll))
		loop_timer_set(n->s->cfg.loop, &n->poll, ms, on_poll, n);
}

/* ---- the hook ---- */

static unsigned heard(const struct imap_session *s)
{
	const struct imap_notify *n = notify_of(s);
	unsigned h = 0;

	if (n->all)
		return IMAP_HEARD_ALL;
	if (n->spec.selected & NOTIFY_NEW)
		h |= IMAP_HEARD_COUNTS | IMAP_HEARD_AT_ONCE |
		     (n->spec.delayed ? 0 : IMAP_HEARD_VANISHED);
	if (n->spec.selected & NOTIFY_FLAGS)
		h |= IMAP_HEARD_FLAGS;
	return h;
}

static enum step fresh(struct imap_session *s, const struct set *uids)
{
	struct imap_notify *n = notify_of(s);

	if (n->all || !n->spec.fetch)
		return STEP_DONE;
	return imap_standing_run(s, &n->fetch, n->spec.fetch, uids);
}

static void told(struct imap_session *s)
{
	struct imap_notify *n = notify_of(s);

	notify_boxes_selected(n);
	if (!s->missed)
		return;
	s->look = true;
	notify_again(n);
}

static void tell_overflow(struct imap_notify *n)
{
	notify_clear(n);
	imap_untagged(n->s, "OK [NOTIFICATIONOVERFLOW] Too much to tell.");
}

static enum step others(struct imap_session *s)
{
	struct imap_notify *n = notify_of(s);
	enum step step;

	notify_folders_look(n);
	if (n->resolve && notify_boxes_resolve(n))
		n->overflow = true;
	notify_boxes_selected(n);
	step = n->overflow ? STEP_DONE : notify_folders_tell(n);
	if (n->overflow)
		tell_overflow(n);
	if (step == STEP_DONE)
		step = notify_boxes_tell(n);
	if (step != STEP_DONE)
		return step;
	arm_poll(n);
	s->notice = false;
	imap_session_busy(s); /* a look may have left something to be found out */
	return STEP_DONE;
}

static void drop(struct imap_session *s)
{
	notify_free(notify_of(s));
	s->noticed = NULL;
	s->hooks.notice = NULL;
	s->notice = false;
}

static const struct imap_notice notice = {
	.heard = heard,
	.fresh = fresh,
	.told = told,
	.others = others,
	.drop = drop,
};

static void install(struct imap_session *s, struct imap_notify *n)
{
	if (s->hooks.notice)
		drop(s);
	s->noticed = n;
	s->hooks.notice = &notice;
	imap_notice_due(s);
}

/* ---- the command ---- */

struct setting {
	struct imap_notify *n; /* own, until it is installed */
	struct watched *next;
	bool begun;
};

static void setting_free(void *arg)
{
	struct setting *st = arg;

	if (st->n)
		notify_free(st->n);
}

static void after(struct imap_session *s)
{
	notify_of(s)->all = false;
}

/* The client's wish holds from here on; what was held back of the selected mailbox is told with
 * this command. */
static enum step finish(struct imap_cmd *c, struct setting *st)
{
	install(c->s, st->n);
	st->n->all = c->s->view != NULL;
	st->n = NULL;
	c->after = after;
	return imap_ok(c, NULL, "NOTIFY completed.");
}

static enum err begin(struct setting *st, struct errtext *t)
{
	struct imap_notify *n = st->n;
	enum err e = ERR_OK;

	if (notify_any(&n->spec))
		e = notify_folders_heed(n, t);
	if (!e)
		e = notify_boxes_resolve(n);
	if (!e)
		notify_boxes_selected(n);
	if (!e)
		arm_poll(n);
	st->next = n->boxes;
	st->begun = true;
	return e;
}

static enum step set_step(struct imap_cmd *c)
{
	struct setting *st = c->state;
	struct errtext t = { "" };
	enum err e = st->begun ? ERR_OK : begin(st, &t);
	enum step step;

	if (e)
		return imap_fail(c, e, t.text);
	if (st->n->overflow)
		return imap_no(c, "NOTIFICATIONOVERFLOW", "Too many mailboxes.");
	step = notify_boxes_first(st->n, &st->next);
	if (step != STEP_DONE)
		return step;
	return finish(c, st);
}

static enum step notify_start(struct imap_cmd *c)
{
	struct setting *st = imap_cmd_state(c, sizeof(*st));
	bool set = imap_arg_word(c->args, "SET");

	if (!st)
		return STEP_DONE;
	if (!set && !imap_arg_word(c->args, "NONE"))
		return imap_bad(c, "SET or NONE is expected.");
	if (!arena_cleanup(c->arena, setting_free, st))
		return imap_fail(c, ERR_MEMORY, NULL);
	st->n = notify_new(c->s);
	if (set && !notify_read(c, c->args->next, &st->n->spec))
		return STEP_DONE;
	if (set) {
		c->step = set_step;
		return set_step(c);
	}
	if (!imap_args_end(c, c->args->next))
		return STEP_DONE;
	install(c->s, st->n);
	st->n = NULL;
	return imap_ok(c, NULL, "NOTIFY completed.");
}

static const struct imap_capability capabilities[] = {
	{ "NOTIFY", NULL },
	{ 0 },
};

static const struct imap_command_row commands[] = {
	{ "NOTIFY", IMAP_ANY, IMAP_CMD_REFRESH, notify_start, NULL },
	{ 0 },
};

const struct imap_module imap_ext_notify = {
	.name = "notify",
	.capabilities = capabilities,
	.commands = commands,
};
