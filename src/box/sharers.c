/*
 * Namespaces for each user who shares (acct_share): made when one of his mailboxes is named or subscribed, kept as long as the
 * account is open. LIST shows those that are there; who else shares nobody says.
 */
#include "room.h"

#include "base/mem.h"
#include "base/must.h"

enum {
	SHARER_MAX = 120, /* of a name: with a mailbox's it must fit into NAME_MAX_STORAGE */
	NS_ARENA = 1 << 20,
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

/* Of the configured ones some may have been left out: how many there are of all says nothing. */
static bool is_full(const struct acct *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->spaces; i++)
		n += a->space[i].share != NULL;
	return n >= SHARERS_MOST;
}

struct space *sharer_of(struct acct *a, const struct acct_share *share, struct span user)
{
	struct space new = { .acct = a, .share = share, .made = true }, *s = find(a, share, user);

	if (s || is_full(a) || space_begin(&new, user, NULL))
		return s;
	s = &a->space[a->spaces++];
	*s = new;
	folders_space(a, s);
	return s;
}

struct space *sharer_space(struct acct *a, struct span name)
{
	const struct acct_share *share;
	struct space *s = NULL;
	struct buf user;

	if (!a->config->shares)
		return NULL;
	buf_init(&user, SHARER_MAX);
	share = share_of(a, name, &user);
	if (share)
		s = sharer_of(a, share, buf_span(&user));
	buf_free(&user);
	return s;
}
