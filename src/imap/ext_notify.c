/*
 * NOTIFY (RFC 5465): what a client hears of the selected mailbox, of others and of the folders, and
 * that it hears it between commands too. Of each other mailbox that is asked for we keep what the
 * client knows of it (a few numbers) and a heed (box/heed.h), which only says that something may
 * have changed; what, STATUS tells by comparing. So nothing happens while nothing happens, and a
 * burst of changes is one answer.
 *
 * MailboxMetadataChange and ServerMetadataChange come with METADATA.
 */
#include "args.h"
#include "fetch.h"
#include "list.h"
#include "modules.h"
#include "notify.h"
#include "status.h"

#include "base/mem.h"
#include "box/heed.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

enum {
	SPEC_MAX = 4 << 20,
	BOXES_MAX = 5000,
	NAMES_MAX =
		1000, /* folders to be told of: a client that does not listen has asked too much */
	LIST_ARENA = 64 << 20,
	AGAIN_MS = 100,  /* after a look that a lock prevented */
	FOLDER_MS = 300, /* another program that makes a folder needs a moment for what is in it */
};

/* Another mailbox, and what the client knows of it. */
struct watched {
	struct imap_notify *n;
	struct heed *heed; /* own */
	unsigned events;   /* enum notify_event */
	bool known;        /* what follows is true, */
	bool unseen_known; /* this too */
	uint32_t uidvalidity, uidnext, messages, unseen;
	uint64_t highestmodseq;
	bool queued;
	bool foreign;                /* somebody else changed it, not only the client itself */
	bool wanted;                 /* while the list of mailboxes is read anew */
	struct watched *prev, *next; /* the queue of those to be asked for */
	UT_hash_handle hh;
	char name[];
};

/* A folder to be told of. */
struct named {
	struct named *prev, *next;
	unsigned event; /* NOTIFY_NAME or NOTIFY_SUBSCRIPTION */
	char *old;      /* own; or NULL */
	char name[];
};

struct imap_notify {
	struct imap_session *s;
	struct notify_spec spec; /* its arena: own */
	struct watched *boxes;   /* own, by name */
	struct watched *queue;
	struct watched *asking; /* whose status is being asked for */
	struct acct_status job;
	struct folder_heed *folders; /* own; NULL: nobody needs to know */
	struct named *names;         /* own */
	struct named
		*moved; /* own: renamed folders, of which the client goes on to know what it knew */
	size_t names_n;
	bool resolve;       /* other mailboxes may match now */
	bool look, looking; /* the folders may have changed; we are finding out */
	bool all;           /* while NOTIFY SET runs: what was held back is told */
	bool overflow;
	struct watched *selected; /* the one that is selected, as of the last look */
	struct loop_timer again, poll, folder;
	struct imap_standing fetch; /* own: of new messages */
};

static struct imap_notify *notify_of(const struct imap_session *s)
{
	return s->noticed;
}

/* ---- life ---- */

static void unqueue(struct watched *w)
{
	if (w->queued)
		DL_DELETE(w->n->queue, w);
	w->queued = w->foreign = false;
}

static void stop_asking(struct imap_notify *n)
{
	acct_status_free(&n->job);
	n->asking = NULL;
}

static void watched_free(struct watched *w)
{
	struct imap_notify *n = w->n;

	unqueue(w);
	if (n->asking == w)
		stop_asking(n);
	if (n->selected == w)
		n->selected = NULL;
	acct_unheed(&w->heed);
	HASH_DEL(n->boxes, w);
	free(w);
}

static struct named *named_new(unsigned event, const char *name, const char *old)
{
	struct named *d = mem_alloc(sizeof(*d) + strlen(name) + 1);

	d->event = event;
	d->old = old ? mem_str(old) : NULL;
	memcpy(d->name, name, strlen(name));
	return d;
}

static void named_free(struct named **list, struct named *d)
{
	DL_DELETE(*list, d);
	free(d->old);
	free(d);
}

static void names_clear(struct named **list)
{
	while (*list)
		named_free(list, *list);
}

/* Forgets all that was asked for. */
static void notify_clear(struct imap_notify *n)
{
	struct watched *w, *wn;

	loop_timer_stop(n->s->cfg.loop, &n->again);
	loop_timer_stop(n->s->cfg.loop, &n->poll);
	loop_timer_stop(n->s->cfg.loop, &n->folder);
	imap_standing_end(&n->fetch);
	HASH_ITER (hh, n->boxes, w, wn)
		watched_free(w);
	names_clear(&n->names);
	names_clear(&n->moved);
	n->names_n = 0;
	acct_folders_unheed(&n->folders);
	arena_free(&n->spec.arena);
	n->spec = (struct notify_spec){ .groups = 0 };
	n->resolve = n->look = n->overflow = false;
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

/* Something is to be told; by the one that serves the session, not by one that is still being set
 * up. */
static void due(struct imap_notify *n)
{
	if (notify_of(n->s) == n)
		imap_notice_due(n->s);
}

/* ---- what wakes it ---- */

static void enqueue(struct watched *w, bool foreign)
{
	w->foreign |= foreign;
	if (!w->queued)
		DL_APPEND(w->n->queue, w);
	w->queued = true;
}

static void on_mailbox(void *ctx)
{
	struct watched *w = ctx;

	enqueue(w, !w->n->s->acting);
	due(w->n);
}

static void push_name(struct imap_notify *n, unsigned event, const char *name, const char *old)
{
	struct named *d;

	DL_FOREACH (n->names, d)
		if (d->event == event && !d->old && !old && strcmp(d->name, name) == 0)
			return;
	if (n->names_n == NAMES_MAX) {
		n->overflow = true;
		return;
	}
	d = named_new(event, name, old);
	DL_APPEND(n->names, d);
	n->names_n++;
}

/* The level above is affected, too (section 5.4). */
static void push_parent(struct imap_notify *n, const char *name)
{
	char sep = imap_args_separator(n->s, span_str(name)), *parent = mem_str(name),
	     *end = strrchr(parent, sep);

	if (end && end > parent) {
		*end = '\0';
		push_name(n, NOTIFY_NAME, parent, NULL);
	}
	free(parent);
}

static void on_news(struct imap_notify *n, const struct folder_news *news)
{
	switch (news->kind) {
	case NEWS_CREATED:
	case NEWS_DELETED:
		push_name(n, NOTIFY_NAME, news->name, NULL);
		push_parent(n, news->name);
		break;
	case NEWS_RENAMED:
		push_name(n, NOTIFY_NAME, news->name, news->old);
		break;
	case NEWS_SUBSCRIBED:
	case NEWS_UNSUBSCRIBED:
		push_name(n, NOTIFY_SUBSCRIPTION, news->name, NULL);
		break;
	}
}

static void note_moved(struct imap_notify *n, const struct folder_news *news)
{
	if (news->kind != NEWS_RENAMED || strcmp(news->old, "INBOX") == 0)
		return;
	struct named *d = named_new(NOTIFY_NAME, news->name, news->old);

	DL_APPEND(n->moved, d);
}

static void on_folder_timer(void *ctx)
{
	struct imap_notify *n = ctx;

	n->look = true;
	due(n);
}

static void on_folders(void *ctx, const struct folder_news *news)
{
	struct imap_notify *n = ctx;

	if (!news) {
		n->look = true;
		if (!loop_timer_armed(&n->folder))
			loop_timer_set(n->s->cfg.loop, &n->folder, FOLDER_MS, on_folder_timer, n);
	} else {
		n->resolve = true;
		note_moved(n, news);
		if (!n->s->acting || n->looking) /* what the client does itself it knows */
			on_news(n, news);
	}
	due(n);
}

static void on_again(void *ctx)
{
	due(ctx);
}

/* Where nothing tells of other programs. */
static void on_poll(void *ctx)
{
	struct imap_notify *n = ctx;
	struct watched *w, *next;

	HASH_ITER (hh, n->boxes, w, next)
		if (!heed_watched(w->heed))
			enqueue(w, true);
	n->look |= n->folders && !folder_heed_watched(n->folders);
	n->s->look |= n->s->view && !view_watch(n->s->view);
	loop_timer_set(n->s->cfg.loop, &n->poll, n->s->cfg.settings.idle_check_ms, on_poll, n);
	due(n);
}

/* ---- which mailboxes ---- */

static bool all_watched(struct imap_notify *n)
{
	struct watched *w, *next;

	HASH_ITER (hh, n->boxes, w, next)
		if (!heed_watched(w->heed))
			return false;
	return (!n->folders || folder_heed_watched(n->folders)) &&
	       (!n->s->view || !n->spec.selected || view_watch(n->s->view));
}

static void arm_poll(struct imap_notify *n)
{
	uint64_t ms = n->s->cfg.settings.idle_check_ms;

	if (all_watched(n))
		loop_timer_stop(n->s->cfg.loop, &n->poll);
	else if (ms && !loop_timer_armed(&n->poll))
		loop_timer_set(n->s->cfg.loop, &n->poll, ms, on_poll, n);
}

static struct watched *watched_find(struct imap_notify *n, const char *name)
{
	struct watched *w;

	HASH_FIND_STR(n->boxes, name, w);
	return w;
}

/* A mailbox that matches. It is asked for in any case: it may be another one that has the name now.
 */
static void want(struct imap_notify *n, const char *name, unsigned events)
{
	struct watched *w = watched_find(n, name);

	if (!w && HASH_COUNT(n->boxes) == BOXES_MAX) {
		n->overflow = true;
		return;
	}
	if (!w) {
		w = mem_alloc(sizeof(*w) + strlen(name) + 1);
		memcpy(w->name, name, strlen(name));
		w->n = n;
		w->heed = acct_heed(n->s->cfg.acct, name, on_mailbox, w);
		if (!w->heed) {
			free(w);
			return;
		}
		HASH_ADD_STR(n->boxes, name, w);
	}
	w->events = events;
	w->wanted = true;
	enqueue(w, true);
}

/* What the client knew of w it knows of the one that w became. */
static void move_one(struct imap_notify *n, const struct watched *w, const struct named *d)
{
	size_t top = strlen(d->old);
	char *name;
	struct watched *to;

	if (strncmp(w->name, d->old, top) != 0 ||
	    (w->name[top] && w->name[top] != imap_args_separator(n->s, span_str(w->name))))
		return;
	name = mem_printf("%s%s", d->name, w->name + top);
	want(n, name, w->events);
	to = watched_find(n, name);
	if (to && to != w) {
		to->known = w->known;
		to->unseen_known = w->unseen_known;
		to->uidvalidity = w->uidvalidity;
		to->uidnext = w->uidnext;
		to->messages = w->messages;
		to->unseen = w->unseen;
		to->highestmodseq = w->highestmodseq;
	}
	free(name);
}

static void move_known(struct imap_notify *n)
{
	struct watched *w, *next;

	for (; n->moved; named_free(&n->moved, n->moved)) {
		unsigned before = HASH_COUNT(n->boxes); /* what is added comes behind */

		HASH_ITER (hh, n->boxes, w, next)
			if (before-- > 0)
				move_one(n, w, n->moved);
			else
				break;
	}
}

static enum err resolve(struct imap_notify *n)
{
	struct arena *ar = arena_new(LIST_ARENA);
	struct watched *w, *next;
	struct folder *f;
	size_t count;
	enum err e = acct_folders(n->s->cfg.acct, ar, &f, &count, NULL);

	move_known(n);
	HASH_ITER (hh, n->boxes, w, next)
		w->wanted = false;
	for (size_t i = 0; !e && i < count; i++) {
		unsigned events = notify_match(&n->spec, &f[i]) & NOTIFY_MESSAGE;

		if (events && !(f[i].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)))
			want(n, f[i].name, events);
	}
	HASH_ITER (hh, n->boxes, w, next)
		if (!e && !w->wanted)
			watched_free(w);
	arena_free(&ar);
	n->resolve = false;
	arm_poll(n);
	return e;
}

/* ---- STATUS ---- */

enum item {
	ITEM_MESSAGES = 0x01,
	ITEM_UIDNEXT = 0x02,
	ITEM_UIDVALIDITY = 0x04,
	ITEM_UNSEEN = 0x08,
	ITEM_HIGHESTMODSEQ = 0x10,
};

static void write_status(struct imap_session *s, unsigned items, const struct acct_status *st)
{
	static const char *const names[] = { "MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN",
					     "HIGHESTMODSEQ" };
	struct imap_status_ask ask = { .items = 0 };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct imap_status_item *item =
			items & 1u << i ? imap_status_item_find(s, span_str(names[i])) : NULL;

		if (item)
			ask.item[ask.items++] = item;
	}
	if (ask.items)
		imap_status_write(s, &ask, st);
	stream_push(s->stream);
}

/* What NOTIFY SET STATUS tells at first (section 3.1). */
static unsigned first_items(unsigned events)
{
	unsigned items = 0;

	if (events & NOTIFY_NEW)
		items |= ITEM_MESSAGES | ITEM_UIDNEXT | ITEM_UIDVALIDITY;
	if (events & NOTIFY_EXPUNGE)
		items |= ITEM_MESSAGES;
	if (events & NOTIFY_FLAGS)
		items |= ITEM_UIDVALIDITY | ITEM_UNSEEN | ITEM_HIGHESTMODSEQ;
	return items;
}

/* What is to be told of the changes from w to st (sections 5.1 to 5.3). */
static unsigned changed_items(const struct imap_session *s, const struct watched *w,
			      const struct acct_status *st)
{
	bool modseqs = imap_tells_own(s), moved = w->uidvalidity != st->uidvalidity;
	unsigned items = 0;

	if (moved)
		return ITEM_MESSAGES | ITEM_UIDNEXT | ITEM_UIDVALIDITY |
		       (modseqs ? ITEM_HIGHESTMODSEQ : 0);
	if (w->messages != st->messages || w->uidnext != st->uidnext)
		items |= ITEM_MESSAGES | ITEM_UIDNEXT | (modseqs ? ITEM_HIGHESTMODSEQ : 0);
	if (!(w->events & NOTIFY_FLAGS))
		return items;
	if (w->unseen_known && w->unseen != st->unseen)
		items |= ITEM_UNSEEN;
	if (modseqs && w->highestmodseq != st->highestmodseq)
		items |= ITEM_HIGHESTMODSEQ | ITEM_UIDVALIDITY;
	return items;
}

static void take_status(struct watched *w, const struct acct_status *st)
{
	w->known = w->unseen_known = true;
	w->uidvalidity = st->uidvalidity;
	w->uidnext = st->uidnext;
	w->messages = st->messages;
	w->unseen = st->unseen;
	w->highestmodseq = st->highestmodseq;
}

/* While a mailbox is selected the client hears of it otherwise: what it has been told is what it
 * knows. */
static void note_selected(struct imap_notify *n)
{
	const struct imap_session *s = n->s;
	const struct view_state *st = s->view ? view_state(s->view) : NULL;
	struct watched *w = st ? watched_find(n, st->name) : NULL;

	if (n->selected && n->selected != w)
		enqueue(n->selected, true);
	n->selected = w;
	if (!w || (!(n->spec.selected & NOTIFY_MESSAGE) && w->known))
		return;
	w->known = true;
	w->unseen_known = false;
	w->uidvalidity = st->uidvalidity;
	w->uidnext = st->uidnext;
	w->messages = s->told_exists;
	w->highestmodseq = st->highestmodseq;
}

static void write_no_access(struct imap_session *s, const char *name)
{
	struct folder f = { .name = name, .separator = imap_args_separator(s, span_str(name)) };

	imap_list_write_as(s, &f, "\\NoAccess");
}

/* One mailbox, whose turn it is. first: of NOTIFY SET, told as it asked. */
static enum step ask(struct imap_notify *n, struct watched *w, bool first)
{
	struct imap_session *s = n->s;
	bool foreign = w->foreign;
	enum step step;

	if (n->asking != w) {
		stop_asking(n);
		n->job = (struct acct_status){ .name = w->name };
		n->asking = w;
		unqueue(w);
		w->foreign = foreign;
	}
	step = acct_status(s->cfg.acct, &n->job);
	if (step != STEP_DONE)
		return step;
	foreign = w->foreign;
	w->foreign = w->queued && foreign;
	n->asking = NULL;
	if (n->job.err == ERR_PERM && first)
		write_no_access(s, w->name);
	if (n->job.err)
		return STEP_DONE;
	if (first && n->spec.status)
		write_status(s, first_items(w->events), &n->job);
	else if (!first && foreign && w->known)
		write_status(s, changed_items(s, w, &n->job), &n->job);
	else if (!first && foreign && n->job.messages) /* a new one */
		write_status(s, first_items(w->events & (NOTIFY_NEW | NOTIFY_EXPUNGE)), &n->job);
	take_status(w, &n->job);
	return STEP_DONE;
}

static enum step ask_queue(struct imap_notify *n)
{
	struct watched *w;
	size_t locked = 0, count = HASH_COUNT(n->boxes);

	while ((w = n->asking ? n->asking : n->queue) && locked < count) {
		enum step step;

		if (imap_out_full(n->s))
			return STEP_OUTPUT_FULL;
		if (w == n->selected) {
			unqueue(w);
			continue;
		}
		step = ask(n, w, false);
		if (step == STEP_WAITING) { /* another program has its lock: the others first */
			stop_asking(n);
			enqueue(w, true);
			locked++;
		} else if (step != STEP_DONE) {
			return step;
		}
		if (imap_slice_over(&n->s->cmd))
			return STEP_SLICE;
	}
	if (locked)
		loop_timer_set(n->s->cfg.loop, &n->again, AGAIN_MS, on_again, n);
	return STEP_DONE;
}

/* ---- LIST ---- */

static const struct folder *folder_find(const struct folder *f, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return &f[i];
	return NULL;
}

/* One that is not listed (any more). */
static struct folder folder_gone(const struct imap_session *s, const char *name)
{
	return (struct folder){
		.name = name,
		.flags = FOLDER_NONEXISTENT,
		.separator = imap_args_separator(s, span_str(name)),
		.ns = imap_args_namespace(s, span_str(name)),
	};
}

static void write_name(struct imap_notify *n, const struct named *d, const struct folder *f,
		       size_t count)
{
	const struct folder *there = folder_find(f, count, d->name);
	struct folder now = there ? *there : folder_gone(n->s, d->name);
	struct folder old = folder_gone(n->s, d->old ? d->old : d->name);

	if ((notify_match(&n->spec, &now) | notify_match(&n->spec, &old)) & d->event)
		imap_list_write(n->s, &now, d->old);
	stream_push(n->s->stream);
}

static enum step write_names(struct imap_notify *n)
{
	struct arena *ar;
	struct folder *f;
	size_t count;

	if (!n->names)
		return STEP_DONE;
	ar = arena_new(LIST_ARENA);
	if (!acct_folders(n->s->cfg.acct, ar, &f, &count, NULL)) {
		while (n->names && !imap_out_full(n->s)) {
			write_name(n, n->names, f, count);
			named_free(&n->names, n->names);
			n->names_n--;
		}
	}
	arena_free(&ar);
	return n->names ? STEP_OUTPUT_FULL : STEP_DONE;
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

	note_selected(n);
	if (!s->missed)
		return;
	s->look = true;
	loop_timer_set(s->cfg.loop, &n->again, AGAIN_MS, on_again, n);
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

	if (n->look) {
		n->look = false;
		n->looking = true;
		(void)acct_folders_look(s->cfg.acct, true, NULL);
		n->looking = false;
	}
	if (n->resolve)
		(void)resolve(n);
	if (n->overflow)
		tell_overflow(n);
	note_selected(n);
	step = write_names(n);
	if (step == STEP_DONE)
		step = ask_queue(n);
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
		e = acct_folders_heed(n->s->cfg.acct, on_folders, n, &n->folders, t);
	if (!e)
		e = resolve(n);
	if (!e)
		note_selected(n);
	st->next = n->boxes;
	st->begun = true;
	return e;
}

static enum step set_step(struct imap_cmd *c)
{
	struct setting *st = c->state;
	struct errtext t = { "" };
	enum err e = st->begun ? ERR_OK : begin(st, &t);

	if (e)
		return imap_fail(c, e, t.text);
	if (st->n->overflow)
		return imap_no(c, "NOTIFICATIONOVERFLOW", "Too many mailboxes.");
	for (; st->next; st->next = st->next->hh.next) {
		enum step step;

		if (imap_out_full(c->s))
			return STEP_OUTPUT_FULL;
		if (imap_slice_over(c))
			return STEP_SLICE;
		if (st->next == st->n->selected)
			continue;
		step = ask(st->n, st->next, true);
		if (step != STEP_DONE)
			return step;
	}
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
