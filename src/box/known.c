/*
 * Knowing that a folder holds nothing new without looking at it. Its times cannot tell our own changes from those of
 * others, and two changes within one tick of the clock look like one; so where the process lends watches
 * (acct_watcher) changes are counted instead: what the kernel reports, less what the store says that it did itself, is
 * what others did. The kernel reports a change before the call that made it returns, so the count is exact at any time.
 * As long as it is what it was when a look found nothing new (mailbox.known), there is nothing to look for, whatever
 * the times say.
 *
 * When our own changes have come to rest, the record is given a token of the folder as it is now: another
 * process, or the next session, need not look either.
 */
#include "room.h"

#include "base/clock.h"

enum {
	SETTLE_MS = 100,    /* longer than two changes can share a time */
	SETTLE_TRIES = 30,  /* whole seconds only: after two of them */
};

static const struct acct_watcher *watcher(const struct mailbox *mb)
{
	return &mb->acct->config->watcher;
}

static void on_change(void *arg)
{
	struct mailbox *mb = arg;

	if (mailbox_foreign(mb) != mb->known)
		mailbox_stirred(mb);
}

uint64_t mailbox_foreign(struct mailbox *mb)
{
	const struct acct_watcher *w = watcher(mb);
	uint64_t n = 0;

	if (!mb->watches || !mb->sb || !mb->sb->ops->made)
		return KNOWN_NOT;
	for (unsigned i = 0; i < mb->watches; i++)
		n += w->count(w->ctx, mb->watch[i]);
	return n - mb->sb->ops->made(mb->sb);
}

bool mailbox_watch(struct mailbox *mb)
{
	const struct acct_watcher *w = watcher(mb);
	const char *paths[4];
	struct store_box *sb;
	size_t n;

	if (mb->watches)
		return true;
	if (!w->add || mailbox_store(mb, &sb, NULL) || !sb->ops->watch)
		return false;
	mb->known = KNOWN_NOT;
	n = sb->ops->watch(sb, paths);
	for (; mb->watches < n; mb->watches++) {
		mb->watch[mb->watches] = w->add(w->ctx, paths[mb->watches], on_change, mb);
		if (!mb->watch[mb->watches]) {
			mailbox_unwatch(mb);
			return false;
		}
	}
	if (mb->watches && sb->ops->watch(sb, paths) != n)
		mailbox_unwatch(mb);
	return mb->watches > 0;
}

void mailbox_unwatch(struct mailbox *mb)
{
	const struct acct_watcher *w = watcher(mb);

	while (mb->watches)
		w->remove(w->ctx, mb->watch[--mb->watches]);
	mb->known = KNOWN_NOT;
}

/* --- our own changes ---------------------------------------------------------------- */

void mailbox_guard(struct mailbox *mb)
{
	if (mb->known == KNOWN_NOT && !mb->sync && mailbox_watch(mb))
		mailbox_compare(mb);
}

void mailbox_guarded(struct mailbox *mb)
{
	if (mb->known == KNOWN_NOT)
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

static enum err token_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	r->b.token = *(struct span *)arg;
	return idx_box_put(x, &r->b);
}

/* False: it is too early. */
static bool settle(struct mailbox *mb)
{
	struct arena *ar = arena_new(REC_TEXT);
	struct store_box *sb = NULL;
	struct span token;
	enum err e = ERR_CANNOT;

	if (mb->known != KNOWN_NOT && mb->id && !mb->sync && !mb->missing.n && !mailbox_store(mb, &sb, NULL))
		e = sb->ops->token(sb, ar, &token);
	if (!e && mailbox_foreign(mb) == mb->known)
		(void)rec_update(mb, REC_NOTES, token_run, &token, NULL);
	arena_free(&ar);
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
