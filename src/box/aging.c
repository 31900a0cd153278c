/*
 * autoexpunge: what mailbox {} sections say is too old, or too much, goes when a session has ended. By save date, as
 * in Dovecot: the messages with the lowest UIDs, up to the first that is young enough; so a look costs little
 * where nothing is to be done. One mailbox at a time, in slices (acct_work); what is locked by others waits for the
 * next end of a session.
 */
#include "aging.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
	NAMES_ARENA = 64 << 20,
	AGING_BATCH = 1000,   /* messages that one walk takes */
	PATIENCE_MS = 20000,  /* with a mailbox that is locked */
};

/* A mailbox to look at. */
struct due {
	const char *name;                 /* client name, in the arena */
	const struct acct_mailbox *rules; /* borrowed: acct_config */
};

struct aging {
	struct acct *acct;   /* borrowed */
	struct arena *ar;    /* own */
	struct due *due;     /* in the arena */
	size_t n, at;
	uint64_t since;      /* clock_ms: the mailbox under way was begun, or got on last */
	struct view *v;      /* own: the mailbox under way */
	struct removal *out; /* own */
	bool more;           /* the last walk ended for its size: look once more */
	bool again;          /* another session ended since it was begun */
};

/* --- which mailboxes ------------------------------------------------------------------------- */

bool aging_is_pattern(const char *name)
{
	return strpbrk(name, "*?") != NULL;
}

/* '*': any bytes, '?': one. */
static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			again = name;
		} else if (*pattern == '?' || *pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool asks(const struct acct_mailbox *m)
{
	return m->expunge_after || m->expunge_beyond;
}

/* The client name that a section's name means; NULL at the arena's limit. */
static const char *client_name(struct arena *ar, const struct acct_ns *ns, const char *name)
{
	if (ns->inbox && span_ieq_str(SPAN("INBOX"), name))
		return "INBOX";
	return arena_printf(ar, "%s%s", ns->prefix, name);
}

static enum err add_matching(struct aging *g, const struct acct_ns *ns, const struct acct_mailbox *m,
			     const struct folder *f, size_t folders)
{
	const char *name = client_name(g->ar, ns, m->name);

	if (!name)
		return ERR_LIMIT;
	if (!aging_is_pattern(m->name)) {
		g->due[g->n++] = (struct due){ name, m };
		return ERR_OK;
	}
	for (size_t i = 0; i < folders; i++)
		if (strcmp(f[i].prefix, ns->prefix) == 0 &&
		    !(f[i].flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT)) && matches(name, f[i].name))
			g->due[g->n++] = (struct due){ f[i].name, m };
	return ERR_OK;
}

/* How many entries there may be; the folders are listed when some name is a pattern. */
static enum err count(struct aging *g, struct folder **f_r, size_t *folders_r, size_t *most_r)
{
	const struct acct_config *c = g->acct->config;
	size_t plain = 0, patterns = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; i < c->namespaces; i++)
		for (size_t k = 0; k < c->ns[i].mailboxes; k++)
			if (asks(&c->ns[i].mailbox[k]))
				*(aging_is_pattern(c->ns[i].mailbox[k].name) ? &patterns : &plain) += 1;
	if (patterns)
		e = acct_folders(g->acct, g->ar, f_r, folders_r, NULL);
	*most_r = plain + patterns * *folders_r;
	return e;
}

static enum err find_due(struct aging *g)
{
	const struct acct_config *c = g->acct->config;
	struct folder *f = NULL;
	size_t folders = 0, most = 0;
	enum err e = count(g, &f, &folders, &most);

	if (e || !most)
		return e;
	g->due = arena_array(g->ar, most, sizeof(*g->due));
	if (!g->due)
		return ERR_LIMIT;
	for (size_t i = 0; !e && i < c->namespaces; i++)
		for (size_t k = 0; !e && k < c->ns[i].mailboxes; k++)
			if (asks(&c->ns[i].mailbox[k]))
				e = add_matching(g, &c->ns[i], &c->ns[i].mailbox[k], f, folders);
	return e;
}

/* --- one mailbox ----------------------------------------------------------------------------- */

static enum err update(struct view *v)
{
	struct view_changes changes = { .expunged = NULL };
	struct arena *ar = arena_new(1 << 20);
	enum err e = view_update(v, true, ar, &changes, NULL);

	view_changes_free(&changes);
	arena_free(&ar);
	return e;
}

/* From the lowest UID on; the first that stays ends it. */
static enum err choose(struct aging *g, const struct acct_mailbox *rules, struct set *old)
{
	uint32_t exists = view_state(g->v)->exists;
	uint64_t too_many = rules->expunge_beyond && exists > rules->expunge_beyond ? exists - rules->expunge_beyond : 0;
	int64_t before = clock_wall() - (int64_t)rules->expunge_after;
	struct message_facts f;
	struct view_walk *w;
	uint64_t n = 0;
	enum err e = view_walk_begin(g->v, view_uids(g->v), WANT_DATES, &w, NULL);

	while (!e && n < AGING_BATCH) {
		e = view_walk_next(w, &f, NULL);
		if (e == ERR_EXPUNGED)
			e = ERR_OK;
		else if (!e && (n < too_many || (rules->expunge_after && f.savedate && f.savedate <= before)))
			set_add(old, f.uid);
		else
			break;
		n++;
	}
	view_walk_end(&w);
	g->more = n == AGING_BATCH;
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static enum err remove_old(struct aging *g)
{
	struct set old = SET_EMPTY;
	enum err e = update(g->v);

	if (!e)
		e = choose(g, g->due[g->at].rules, &old);
	if (!e && old.n)
		g->out = removal_new(g->v->mb, &old, false);
	set_free(&old);
	return e;
}

static void next_mailbox(struct aging *g)
{
	removal_free(&g->out);
	view_close(&g->v);
	g->more = false;
	g->since = clock_ms();
	g->at++;
}

/* STEP_DONE: nothing is left to do in this one. */
static enum step one_mailbox(struct aging *g)
{
	enum step step = STEP_DONE;
	enum err e = ERR_OK;

	if (g->out) {
		step = removal_step(g->out, &e, NULL);
		if (step != STEP_DONE)
			return step;
		removal_free(&g->out);
		return e || !g->more ? STEP_DONE : STEP_SLICE;
	}
	if (!g->v)
		e = view_open(g->acct, g->due[g->at].name, true, &g->v, NULL);
	if (!e && mailbox_readonly(g->v->mb))
		return STEP_DONE;
	if (!e)
		step = view_refresh(g->v, false, &e, NULL);
	if (e || step != STEP_DONE)
		return e ? STEP_DONE : step;
	e = remove_old(g);
	if (e == ERR_INUSE)
		return STEP_WAITING;
	return g->out ? STEP_SLICE : STEP_DONE;
}

/* --- the step -------------------------------------------------------------------------------- */

void acct_autoexpunge(struct acct *a)
{
	struct aging *g = a->aging;

	if (g) {
		g->again = true;
		return;
	}
	g = mem_alloc(sizeof(*g));
	g->acct = a;
	g->ar = arena_new(NAMES_ARENA);
	g->since = clock_ms();
	a->aging = g;
	if (find_due(g) || !g->n)
		aging_end(a);
}

void aging_end(struct acct *a)
{
	struct aging *g = a->aging;

	if (!g)
		return;
	removal_free(&g->out);
	view_close(&g->v);
	arena_free(&g->ar);
	free(g);
	a->aging = NULL;
}

enum step aging_step(struct acct *a)
{
	struct aging *g = a->aging;
	enum step step = one_mailbox(g);

	if (step == STEP_WAITING && clock_ms() - g->since <= PATIENCE_MS)
		return step;
	if (step == STEP_SLICE)
		g->since = clock_ms();
	else
		next_mailbox(g);
	if (g->at == g->n) {
		bool again = g->again;

		aging_end(a);
		if (again)
			acct_autoexpunge(a);
	}
	return STEP_SLICE;
}
