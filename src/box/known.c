/*
 * Knowing that a folder holds nothing new without looking at it. Its times cannot tell our own changes from those of
 * others, and two changes within one tick of the clock look like one; so where the process lends watches
 * (acct_watcher) changes are counted instead: what the kernel reports, less what the store says that it did itself, is
 * what others did. The kernel reports a change before the call that made it returns, so the count is exact at any time.
 * As long as it is what it was when a look found nothing new (place.known), there is nothing to look for, whatever
 * the times say.
 *
 * When our own changes have come to rest, or a folder that had just been changed when it was scanned, the record is given
 * a token of the folder as it is now: another process, or the next session, need not look either.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"

#include <unistd.h>
#include <utlist.h>

enum {
	SETTLE_MS = 100,    /* longer than two changes can share a time */
	SETTLE_TRIES = 30,  /* whole seconds only: after two of them */
	TICK_MS = 30,       /* longer than a tick of the clock; one pause of TICK_US is a part of it */
	TICK_US = 3000,
};

/* --- places --------------------------------------------------------------------------- */

struct place *place_get(struct acct *a, struct space *s, const char *storage)
{
	char text[NAME_MAX_STORAGE + 2];
	struct span name = name_index(s, storage, text + 1);
	struct place *p;

	/* Each index has numbers of its own. */
	text[0] = (char)(s->shelf - a->shelf);
	name = span_of(text, name.n + 1);

	HASH_FIND(hh, a->places, name.p, name.n, p);
	if (!p) {
		p = mem_alloc(sizeof(*p) + name.n);
		p->acct = a;
		p->known = KNOWN_NOT;
		memcpy(p->name, name.p, name.n);
		HASH_ADD(hh, a->places, name[0], name.n, p);
	}
	p->refs++;
	return p;
}

bool place_within(const struct space *s)
{
	char text[NAME_MAX_STORAGE + 2];
	size_t n = name_index(s, "", text + 1).n + 1;

	text[0] = (char)(s->shelf - s->acct->shelf);
	for (const struct place *p = s->acct->places; p; p = p->hh.next)
		if (p->hh.keylen >= n && memcmp(p->name, text, n) == 0)
			return true;
	return false;
}

void place_knows(struct place *p, uint64_t count)
{
	if (p->adding)
		p->held = count;
	else
		p->known = count;
}

void place_adding(struct place *p)
{
	if (p->adding++ == 0)
		p->held = p->known;
	p->known = KNOWN_NOT;
}

void place_added(struct place *p, bool indexed)
{
	if (!indexed)
		p->held = KNOWN_NOT;
	if (--p->adding == 0)
		p->known = p->held;
}

static void unwatch(struct place *p)
{
	const struct acct_watcher *w = &p->acct->config->watcher;

	while (p->watches)
		w->remove(w->ctx, p->watch[--p->watches]);
	place_knows(p, KNOWN_NOT);
}

void place_put(struct place *p)
{
	if (--p->refs)
		return;
	unwatch(p);
	HASH_DEL(p->acct->places, p);
	free(p);
}

static uint64_t made(const struct mailbox *mb)
{
	return mb && mb->sb && mb->sb->ops->made ? mb->sb->ops->made(mb->sb) : 0;
}

void place_enter(struct mailbox *mb)
{
	struct place *p = mb->place = place_get(mb->acct, mb->space, mb->name);

	p->mb = mb;
	/* What is watched may have been moved away meanwhile. */
	if (p->watches && (!mb->sb || mb->sb->ops->dirs(mb->sb) != p->dirs))
		unwatch(p);
	if (p->heeds)
		mailbox_watch(mb);
}

void place_leave(struct mailbox *mb)
{
	struct place *p = mb->place;

	p->made += made(mb);
	p->mb = NULL;
	mb->place = NULL;
	place_put(p);
}

/* --- watching ------------------------------------------------------------------------- */

static uint64_t foreign(const struct place *p)
{
	const struct acct_watcher *w = &p->acct->config->watcher;
	uint64_t n = 0;

	if (!p->watches)
		return KNOWN_NOT;
	for (unsigned i = 0; i < p->watches; i++)
		n += w->count(w->ctx, p->watch[i]);
	return n - p->made - made(p->mb);
}

static void on_change(void *arg)
{
	struct place *p = arg;

	if (p->known != KNOWN_NOT && foreign(p) == p->known)
		return;
	place_tell(p, true);
	if (p->mb)
		mailbox_stirred(p->mb);
}

uint64_t mailbox_foreign(struct mailbox *mb)
{
	return foreign(mb->place);
}

static bool watch(struct place *p, struct store_box *sb)
{
	const struct acct_watcher *w = &p->acct->config->watcher;
	const char *paths[4];
	size_t n = sb->ops->watch(sb, paths);

	for (; p->watches < n; p->watches++) {
		p->watch[p->watches] = w->add(w->ctx, paths[p->watches], NULL, on_change, p);
		if (!p->watch[p->watches])
			return false;
	}
	/* The names must still lead where they did. */
	p->dirs = n ? sb->ops->dirs(sb) : 0;
	return n && sb->ops->watch(sb, paths) == n;
}

bool mailbox_watch(struct mailbox *mb)
{
	struct place *p = mb->place;
	struct store_box *sb;

	if (p->watches)
		return true;
	if (!p->acct->config->watcher.add || mailbox_store(mb, &sb, NULL) || !sb->ops->made)
		return false;
	if (!watch(p, sb))
		unwatch(p);
	return p->watches > 0;
}

/* --- our own changes, and what is too young to be proof ------------------------------- */

void mailbox_guard(struct mailbox *mb)
{
	if (mb->place->known == KNOWN_NOT && !mb->sync && mailbox_watch(mb))
		mailbox_compare(mb);
}

bool mailbox_guard_young(struct mailbox *mb, struct store_box *sb)
{
	struct arena *ar = arena_new(REC_TEXT);
	struct span token;
	bool young = sb->ops->token && sb->ops->token(sb, SPAN(""), ar, &token) == ERR_INUSE && mailbox_watch(mb);

	arena_free(&ar);
	return young;
}

void mailbox_guarded(struct mailbox *mb)
{
	if (mb->place->known == KNOWN_NOT)
		return;
	if (!mb->settle_at)
		mb->refs++;
	mb->settle_at = clock_ms() + SETTLE_MS;
	mb->settle_tries = 0;
}

bool mailbox_settles(const struct acct *a, uint64_t now, struct mailbox **mb_r)
{
	for (struct mailbox *mb = a->boxes; mb; mb = mb->next) {
		if (!mb->settle_at || mb->settle_at > now)
			continue;
		*mb_r = mb;
		return true;
	}
	return false;
}

struct rest {
	struct mailbox *mb;
	struct store_box *sb;
	struct arena *arena;
};

/* What came after the token was taken is news. */
static enum err token_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct rest *s = arg;
	struct span token;
	enum err e = s->sb->ops->token(s->sb, r->b.token, s->arena, &token);

	if (e || mailbox_foreign(s->mb) != s->mb->place->known)
		return e;
	r->b.token = token;
	return idx_box_put(x, &r->b);
}

/* False: it is too early. */
static bool settle(struct mailbox *mb)
{
	struct rest s = { .mb = mb };
	struct span token;
	enum err e;

	if (mb->place->known == KNOWN_NOT || !mb->id || mb->sync || mb->missing.n || mailbox_store(mb, &s.sb, NULL))
		return true;
	s.arena = arena_new(REC_TEXT);
	e = s.sb->ops->token(s.sb, SPAN(""), s.arena, &token); /* nothing is written only to find that it is too early */
	if (!e && mailbox_foreign(mb) == mb->place->known)
		(void)rec_update(mb, REC_NOTES, token_run, &s, NULL);
	arena_free(&s.arena);
	return e != ERR_INUSE;
}

void mailbox_settle(struct mailbox *mb)
{
	if (!settle(mb) && ++mb->settle_tries < SETTLE_TRIES) {
		mb->settle_at = clock_ms() + SETTLE_MS;
		return;
	}
	mailbox_settle_not(mb);
}

void mailbox_settle_not(struct mailbox *mb)
{
	if (!mb->settle_at)
		return;
	mb->settle_at = 0;
	mailbox_close(&mb);
}

void mailboxes_settle_now(struct acct *a)
{
	uint64_t end = clock_ms() + TICK_MS;
	struct mailbox *mb;

	while (mailbox_settles(a, UINT64_MAX, &mb)) {
		if (shelf_owing(a, UINT64_MAX) || settle(mb) || clock_ms() > end)
			mailbox_settle_not(mb);
		else
			usleep(TICK_US);
	}
}
