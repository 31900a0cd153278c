/*
 * NOTIFY's other mailboxes (RFC 5465 sections 5.1 to 5.3). Of each that is asked for we keep what the client knows of it
 * (a few numbers) and a heed (box/heed.h), which only says that something may have changed; what, STATUS tells by
 * comparing. So nothing happens while nothing happens, and a burst of changes is one answer.
 */
#include "notify.h"
#include "args.h"
#include "list.h"
#include "modules.h"
#include "status.h"

#include "base/mem.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

enum { BOXES_MAX = 5000 };

/* What the client knows of a mailbox. */
struct told {
	bool any;        /* what follows is true, */
	bool unseen_too; /* this too */
	uint32_t uidvalidity, uidnext, messages, unseen;
	uint64_t highestmodseq;
};

struct watched {
	struct imap_notify *n;
	struct heed *heed; /* own */
	unsigned events;   /* enum notify_event */
	struct told told;  /* its uidvalidity is 0 when the name may mean another mailbox to the client */
	bool queued;
	bool foreign;                /* somebody else changed it, not only the client itself */
	bool wanted;                 /* while the list of mailboxes is read anew */
	struct watched *prev, *next; /* the queue of those to be asked for */
	UT_hash_handle hh;
	char name[];
};

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

void notify_boxes_clear(struct imap_notify *n)
{
	struct watched *w, *next;

	HASH_ITER (hh, n->boxes, w, next)
		watched_free(w);
}

static void enqueue(struct watched *w, bool foreign)
{
	w->foreign |= foreign;
	if (!w->queued)
		DL_APPEND(w->n->queue, w);
	w->queued = true;
}

/* What the client does itself it knows; not so what its command came upon. */
static void on_change(void *ctx, bool found)
{
	struct watched *w = ctx;

	enqueue(w, found || !w->n->s->acting);
	notify_due(w->n);
}

void notify_boxes_poll(struct imap_notify *n)
{
	struct watched *w, *next;

	HASH_ITER (hh, n->boxes, w, next)
		if (!heed_watched(w->heed))
			enqueue(w, true);
}

bool notify_boxes_heeded(struct imap_notify *n)
{
	struct watched *w, *next;

	HASH_ITER (hh, n->boxes, w, next)
		if (!heed_watched(w->heed))
			return false;
	return true;
}

/* ---- which mailboxes ---- */

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
		w->heed = acct_heed(n->s->cfg.acct, name, on_change, w);
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

/*
 * What the client knew of w it knows of the one that w became. If it does not hear of the name (known), it is told at least
 * that this one means another mailbox now.
 */
static void move_one(struct imap_notify *n, const struct watched *w, const struct named *d, bool known)
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
		to->told = w->told;
		if (!known)
			to->told.uidvalidity = 0;
	}
	free(name);
}

static void move_known(struct imap_notify *n, const struct folder *f, size_t count)
{
	struct watched *w, *next;

	for (; n->moved; notify_folders_moved(n)) {
		unsigned before = HASH_COUNT(n->boxes); /* what is added comes behind */
		bool known = !n->moved->event || notify_folders_tells(n, n->moved, f, count);

		HASH_ITER (hh, n->boxes, w, next)
			if (before-- > 0)
				move_one(n, w, n->moved, known);
			else
				break;
	}
}

enum err notify_boxes_resolve(struct imap_notify *n)
{
	struct arena *ar = arena_new(NOTIFY_LIST_ARENA);
	struct watched *w, *next;
	struct folder *f;
	size_t count;
	enum err e = acct_folders(n->s->cfg.acct, ar, &f, &count, NULL);

	if (!e)
		move_known(n, f, count);
	HASH_ITER (hh, n->boxes, w, next)
		w->wanted = false;
	for (size_t i = 0; !e && i < count; i++) {
		unsigned events = notify_match(&n->spec, &f[i]);

		if (events & NOTIFY_MESSAGE && !(f[i].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT | FOLDER_UNLISTED)))
			want(n, f[i].name, events);
	}
	HASH_ITER (hh, n->boxes, w, next)
		if (!e && !w->wanted)
			watched_free(w);
	arena_free(&ar);
	n->resolve = false;
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

/* What is to be told of the changes from what the client knows to st (sections 5.1 to 5.3). */
static unsigned changed_items(const struct imap_session *s, const struct watched *w,
			      const struct acct_status *st)
{
	const struct told *t = &w->told;
	bool modseqs = imap_tells_own(s);
	unsigned items = 0;

	if (t->uidvalidity != st->uidvalidity)
		return ITEM_MESSAGES | ITEM_UIDNEXT | ITEM_UIDVALIDITY |
		       (modseqs ? ITEM_HIGHESTMODSEQ : 0);
	if (t->messages != st->messages || t->uidnext != st->uidnext)
		items |= ITEM_MESSAGES | ITEM_UIDNEXT | (modseqs ? ITEM_HIGHESTMODSEQ : 0);
	if (!(w->events & NOTIFY_FLAGS))
		return items;
	if (t->unseen_too && t->unseen != st->unseen)
		items |= ITEM_UNSEEN;
	if (modseqs && t->highestmodseq != st->highestmodseq)
		items |= ITEM_HIGHESTMODSEQ | ITEM_UIDVALIDITY;
	return items;
}

static struct told told_of(const struct acct_status *st)
{
	return (struct told){
		.any = true,
		.unseen_too = true,
		.uidvalidity = st->uidvalidity,
		.uidnext = st->uidnext,
		.messages = st->messages,
		.unseen = st->unseen,
		.highestmodseq = st->highestmodseq,
	};
}

void notify_boxes_selected(struct imap_notify *n)
{
	const struct imap_session *s = n->s;
	const struct view_state *st = s->view ? view_state(s->view) : NULL;
	struct watched *w = st ? watched_find(n, st->name) : NULL;

	if (n->selected && n->selected != w)
		enqueue(n->selected, true);
	n->selected = w;
	if (!w || (!(n->spec.selected & NOTIFY_MESSAGE) && w->told.any))
		return;
	w->told = (struct told){
		.any = true,
		.uidvalidity = st->uidvalidity,
		.uidnext = st->uidnext,
		.messages = s->told_exists,
		.highestmodseq = st->highestmodseq,
	};
}

static void write_no_access(struct imap_session *s, const char *name)
{
	struct folder f = { .name = name, .separator = imap_args_separator(s, span_str(name)) };

	imap_list_write_as(s, &f, "\\NoAccess");
}

/* n->job is what w is like now. An empty one that the client knows nothing of is told of when something comes. */
static void tell_one(struct imap_notify *n, struct watched *w, bool first, bool foreign)
{
	struct imap_session *s = n->s;
	bool new = !first && !w->told.uidvalidity && !w->told.messages, silent = new && !n->job.messages;

	if (first && n->spec.status)
		write_status(s, first_items(w->events), &n->job);
	else if (!first && foreign && !silent)
		write_status(s, changed_items(s, w, &n->job), &n->job);
	/* With the client's own change the look may have found another's, of which we hear next: nothing is told so far. */
	if (first || foreign || !w->told.any)
		w->told = told_of(&n->job);
	/* Who does not hear of names may have known another by this one. */
	if (silent && !(w->events & NOTIFY_NAME))
		w->told.uidvalidity = 0;
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
	tell_one(n, w, first, foreign);
	return STEP_DONE;
}

enum step notify_boxes_first(struct imap_notify *n, struct watched **at)
{
	for (; *at; *at = (*at)->hh.next) {
		enum step step;

		if (imap_out_full(n->s))
			return STEP_OUTPUT_FULL;
		if (imap_slice_over(&n->s->cmd))
			return STEP_SLICE;
		step = *at == n->selected ? STEP_DONE : ask(n, *at, true);
		if (step != STEP_DONE)
			return step;
	}
	return STEP_DONE;
}

enum step notify_boxes_tell(struct imap_notify *n)
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
		notify_again(n);
	return STEP_DONE;
}
