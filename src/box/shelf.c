/*
 * The index environments of an account: where each namespace's lies, opening, rebuilding a damaged one, and the ways in.
 *
 * What only this user has is in one environment. A root that he shares with others has one that all of them use; where he
 * may not write it, or where other accounts of this process may use it (LMDB opens an environment once a process), his own
 * environment holds what he needs of it, too.
 */
#include "room.h"

#include "base/mem.h"

/* A place that cannot be used, as opposed to one that fails. */
static bool unusable(enum err e)
{
	return e == ERR_CANNOT || e == ERR_READONLY || e == ERR_PERM;
}

static void tell_rebuilt(const struct shelf *s, const char *why)
{
	struct acct *a = s->acct;

	free(a->told);
	a->told = mem_printf("index %s: %s; it is built anew from the folders", s->dir ? s->dir : "in memory", why);
	a->note = a->told;
}

static enum err open_shared(struct shelf *s, bool *rebuilt_r, struct errtext *t)
{
	struct idx_config there = { .dir = s->ns->index_dir, .of = s->ns->store.root, .flat = s->ns->index_flat,
				    .mode = s->ns->index_mode, .cache_max = s->acct->config->index_cache_max,
				    .roll = s->acct->config->index_roll };

	s->dir = there.dir;
	return idx_open(&there, &s->idx, rebuilt_r, t);
}

static const char *inbox_root(const struct acct_config *c)
{
	size_t i = 0;

	while (!c->ns[i].inbox)
		i++;
	return c->ns[i].store.root;
}

/* The index where it belongs, else where one can be. */
static enum err open_own(struct shelf *s, bool *rebuilt_r, struct errtext *t)
{
	const struct acct_config *c = s->acct->config;
	const char *root = inbox_root(c);
	struct idx_config there = { .dir = c->index_dir, .of = root, .memory = c->index_memory, .flat = c->index_flat,
				    .cache_max = c->index_cache_max, .roll = c->index_roll };
	struct idx_config instead = { .dir = c->index_fallback, .of = root, .cache_max = c->index_cache_max,
				      .roll = c->index_roll };
	enum err e = idx_open(&there, &s->idx, rebuilt_r, t);

	s->dir = c->index_memory ? NULL : c->index_dir;
	if (!c->index_fallback || !unusable(e))
		return e;
	s->acct->note = "the index directory is read-only or on a network file system: mail_index_fallback is used";
	s->dir = instead.dir;
	return idx_open(&instead, &s->idx, rebuilt_r, t);
}

enum err shelf_open(struct shelf *s, struct errtext *t)
{
	bool rebuilt;
	enum err e;

	if (s->idx)
		return ERR_OK;
	e = s->ns ? open_shared(s, &rebuilt, t) : open_own(s, &rebuilt, t);
	if (e)
		return e;
	if (idx_discarded(s->idx))
		tell_rebuilt(s, idx_discarded(s->idx));
	/* Whoever was open knew another environment. */
	for (struct mailbox *mb = s->acct->boxes; mb; mb = mb->next) {
		if (mb->space->shelf != s)
			continue;
		mb->id = 0;
		place_knows(mb->place, KNOWN_NOT);
	}
	s->opened++;
	s->todo = !rebuilt;
	s->todo_after = 0;
	return ERR_OK;
}

enum err shelf_repair(struct shelf *s, struct errtext *t)
{
	acct_pause_walks(s->acct);
	if (s->idx) {
		/* When its files cannot be removed, opening again says what is wrong. */
		(void)idx_destroy(s->idx, NULL);
		idx_close(&s->idx);
	}
	tell_rebuilt(s, "it was damaged or removed");
	for (struct mailbox *mb = s->acct->boxes; mb; mb = mb->next) {
		if (mb->space->shelf != s)
			continue;
		mb->id = 0;
		place_knows(mb->place, KNOWN_NOT);
		mb->epoch++;
		sync_free(&mb->sync);
		if (!mb->owing.n)
			continue;
		mb->owing.lost = true;
		mailbox_look_again(mb);
	}
	return shelf_open(s, t);
}

void shelf_owe(struct shelf *s)
{
	s->todo = true;
}

struct shelf *shelf_owing(const struct acct *a, uint64_t now)
{
	for (size_t i = 0; i < a->shelves; i++)
		if (a->shelf[i].todo && a->shelf[i].idx && a->shelf[i].todo_at <= now)
			return &a->shelf[i];
	return NULL;
}

enum err shelf_update(struct shelf *s, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		      struct errtext *t)
{
	enum err e = shelf_open(s, t);

	if (e)
		return e;
	acct_pause_walks(s->acct);
	return idx_update(s->idx, fn, arg, t);
}

enum err shelf_read(struct shelf *s, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		    struct errtext *t)
{
	struct idx_txn *x;
	enum err e = shelf_open(s, t);

	if (e)
		return e;
	e = idx_read(s->idx, &x, t);
	if (e)
		return e;
	e = fn(x, arg, t);
	idx_abort(&x);
	return e;
}

/* --- opening all ------------------------------------------------------------------------ */

static enum err shelf_new(struct acct *a, const struct acct_ns *ns, struct shelf **s_r, struct errtext *t)
{
	struct shelf *s = a->shelf;
	enum err e;

	while (s < a->shelf + a->shelves && !s->vacant)
		s++;

	*s = (struct shelf){ .acct = a, .ns = ns };
	e = shelf_open(s, t);
	if (e == ERR_CORRUPT)
		e = shelf_repair(s, t);
	if (e) {
		s->vacant = true;
		return e;
	}
	if (s == a->shelf + a->shelves)
		a->shelves++;
	*s_r = s;
	return ERR_OK;
}

static bool same_place(const struct acct_ns *a, const struct acct_ns *b)
{
	return b->index_dir && strcmp(a->index_dir, b->index_dir) == 0 && a->index_flat == b->index_flat;
}

/* Several roots may have one place for their indexes: each has a number there, which is the same for all users. */
static uint8_t number_there(const struct space *s)
{
	uint8_t n = 1;

	for (const struct acct_ns *ns = s->acct->config->ns; ns < s->ns; ns++)
		n += same_place(s->ns, ns);
	return n;
}

static enum err shelf_of(struct space *s, struct errtext *t)
{
	struct acct *a = s->acct;
	const struct acct_config *c = a->config;

	if (!s->ns->index_dir || c->pooled || (c->index_dir && strcmp(c->index_dir, s->ns->index_dir) == 0))
		return ERR_CANNOT;
	for (size_t i = 1; i < a->shelves; i++)
		if (!a->shelf[i].vacant && same_place(s->ns, a->shelf[i].ns)) {
			s->shelf = &a->shelf[i];
			return ERR_OK;
		}
	return shelf_new(a, s->ns, &s->shelf, t);
}

enum err shelf_find(struct space *s, struct errtext *t)
{
	enum err e = shelf_of(s, t);

	if (!e && s->share)
		return ERR_OK;
	if (!e) {
		s->number = number_there(s);
		return ERR_OK;
	}
	s->shelf = &s->acct->shelf[0];
	return unusable(e) || e == ERR_NOTFOUND ? ERR_OK : e; /* the directory above may be missing, too */
}

static bool alone(const struct space *s)
{
	const struct acct *a = s->acct;

	for (size_t i = 0; i < a->spaces; i++)
		if (&a->space[i] != s && a->space[i].shelf == s->shelf)
			return false;
	return s->shelf != a->shelf;
}

static enum err owes_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct idx_todo first;

	return idx_todo_next(x, 0, 0, &first);
}

bool shelf_leaves(const struct space *s)
{
	if (!alone(s))
		return s->shelf->ns != s->ns;
	return !s->shelf->todo || shelf_read(s->shelf, owes_run, NULL, NULL) == ERR_NOTFOUND;
}

void shelf_left(struct space *s)
{
	if (!alone(s))
		return;
	idx_close(&s->shelf->idx);
	s->shelf->ns = NULL;
	s->shelf->vacant = true;
}

enum err shelves_open(struct acct *a, struct errtext *t)
{
	struct shelf *own;
	enum err e;

	/* Nothing of it ever moves. */
	a->shelf = mem_array(a->spaces + 1 + (a->config->shares ? SHARERS_ROOM : 0), sizeof(*a->shelf));
	e = shelf_new(a, NULL, &own, t);
	for (size_t i = 0; !e && i < a->spaces; i++)
		if (!a->space[i].twin)
			e = shelf_find(&a->space[i], t);
	for (size_t i = 0; !e && i < a->spaces; i++)
		if (a->space[i].twin) {
			a->space[i].shelf = a->space[i].twin->shelf;
			a->space[i].number = a->space[i].twin->number;
		}
	return e;
}

void shelves_close(struct acct *a)
{
	for (size_t i = 0; i < a->shelves; i++)
		idx_close(&a->shelf[i].idx);
	free(a->shelf);
	free(a->told);
}
