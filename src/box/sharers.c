/*
 * Namespaces for each user who shares (acct_share): made when one of his mailboxes is named or subscribed, kept until there is no
 * more room and nobody uses them. LIST shows those that are there; who else shares nobody says.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

enum {
	SHARER_MAX = 120, /* of a name: with a mailbox's it must fit into NAME_MAX_STORAGE */
	NS_ARENA = 1 << 20,
	MISSED_MOST = 32,
	MISSED_MS = 2000, /* so long nobody looks again whether somebody begins to share */
};

/* What name_index writes. */
_Static_assert(1 + SHARER_MAX + 1 + STORE_NAME_MAX <= NAME_MAX_STORAGE + 1, "sharers' names");

static const struct acct_share *share_of(const struct acct *a, struct span name, struct buf *user)
{
	const struct acct_config *c = a->config;

	for (size_t i = 0; i < c->shares; i++)
		if (c->share[i].match(c->share[i].ctx, &c->share[i], name, user))
			return &c->share[i];
	return NULL;
}

static struct space *find(const struct acct *a, const struct acct_share *share, struct span user)
{
	for (size_t i = 0; i < a->spaces; i++)
		if (a->space[i].share == share && span_eq_str(user, a->space[i].sharer))
			return &a->space[i];
	return NULL;
}

static enum err store_begin(struct space *s, struct span user, struct errtext *t)
{
	enum err e = s->share->make(s->share->ctx, s->share, user, s->arena, &s->ns, t);

	/* Nobody's mail is begun by others. */
	if (!e)
		e = s->ns->ops->probe(&s->ns->store);
	return e ? e : s->ns->ops->open(&s->ns->store, &s->store, t);
}

static void space_drop(struct space *s)
{
	if (s->store)
		s->ns->ops->close(s->store);
	free(s->sharer);
	arena_free(&s->arena);
}

static enum err space_begin(struct space *s, struct span user, struct errtext *t)
{
	enum err e;

	s->arena = arena_new(NS_ARENA);
	s->sharer = span_dup(user);
	s->number = (uint8_t)(UINT8_MAX - (s->share - s->acct->config->share));
	e = store_begin(s, user, t);
	if (!e) {
		s->sep = s->ns->separator ? s->ns->separator : s->ns->ops->separator;
		e = shelf_find(s, t);
	}
	if (e)
		space_drop(s);
	return e;
}

/* --- who shares nothing -------------------------------------------------------------------- */

struct missed {
	struct missed_one {
		const struct acct_share *share; /* NULL: free */
		uint64_t until;                 /* clock_ms */
		char user[SHARER_MAX + 1];
	} one[MISSED_MOST];
	size_t next;
};

static struct missed_one *missed_find(const struct acct *a, const struct acct_share *share, struct span user)
{
	for (size_t i = 0; a->missed && i < MISSED_MOST; i++)
		if (a->missed->one[i].share == share && span_eq_str(user, a->missed->one[i].user))
			return &a->missed->one[i];
	return NULL;
}

static bool missed_lately(const struct acct *a, const struct acct_share *share, struct span user)
{
	const struct missed_one *m = missed_find(a, share, user);

	return m && m->until > clock_ms();
}

static void missed_now(struct acct *a, const struct acct_share *share, struct span user)
{
	struct missed_one *m = missed_find(a, share, user);

	if (!a->missed)
		a->missed = mem_alloc(sizeof(*a->missed));
	if (!m)
		m = &a->missed->one[a->missed->next++ % MISSED_MOST];
	must(user.n <= SHARER_MAX);
	m->share = share;
	m->until = clock_ms() + MISSED_MS;
	memcpy(m->user, user.p, user.n);
	m->user[user.n] = '\0';
}

void sharers_free(struct acct *a)
{
	free(a->missed);
}

/* --- room ------------------------------------------------------------------------------- */

/* Of the configured ones some may have been left out: how many there are of all says nothing. */
static size_t sharers(const struct acct *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->spaces; i++)
		n += a->space[i].share != NULL;
	return n;
}

/* Whose turn it is to go: of those that nobody holds anything of, the one that was not asked for for the longest time. */
static struct space *least_used(struct acct *a)
{
	struct space *least = NULL;

	for (size_t i = 0; i < a->spaces; i++) {
		struct space *s = &a->space[i];

		if (s->share && s->used < a->uses && (!least || s->used < least->used) && shelf_leaves(s) && !place_within(s))
			least = s;
	}
	return least;
}

static void go(struct space *s)
{
	shelf_left(s);
	space_drop(s);
}

static enum err crowded(struct space *new, struct errtext *t)
{
	go(new);
	return err_say(t, ERR_LIMIT, "Mailboxes of too many other users are in use");
}

/*
 * A place for what is there already: its shelf may be the one of whoever goes. Whoever listens to folders watches those of
 * all.
 */
static enum err settle(struct acct *a, struct space *new, struct space **s_r, struct errtext *t)
{
	bool full = sharers(a) >= SHARERS_MOST;
	struct space *last, *s;

	if (full && (a->folders || a->spaces_stay))
		return crowded(new, t);
	last = s = &a->space[a->spaces++];
	*last = *new;
	if (full) {
		s = least_used(a);
		a->spaces--;
		if (!s)
			return crowded(last, t);
		go(s);
		*s = *last;
	}
	folders_space(a, s);
	*s_r = s;
	return ERR_OK;
}

enum err sharer_of(struct acct *a, const struct acct_share *share, struct span user, struct space **s_r, struct errtext *t)
{
	struct space new = { .acct = a, .share = share, .made = true, .used = ++a->uses }, *s = find(a, share, user);
	enum err e = ERR_OK;

	if (!s && (missed_lately(a, share, user) || space_begin(&new, user, NULL))) {
		if (!missed_lately(a, share, user))
			missed_now(a, share, user);
		return err_say(t, ERR_NOTFOUND, "Nobody of this name shares mailboxes");
	}
	if (!s)
		e = settle(a, &new, &s, t);
	if (e)
		return e;
	s->used = a->uses;
	*s_r = s;
	return ERR_OK;
}

enum err sharer_space(struct acct *a, struct span name, struct space **s_r, struct errtext *t)
{
	const struct acct_share *share;
	enum err e = ERR_OK;
	struct buf user;

	*s_r = NULL;
	if (!a->config->shares)
		return ERR_OK;
	buf_init(&user, SHARER_MAX);
	share = share_of(a, name, &user);
	if (share)
		e = sharer_of(a, share, buf_span(&user), s_r, t);
	buf_free(&user);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}
