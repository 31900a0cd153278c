/*
 * The folder list as clients see it: what the stores hold, the levels above that nobody holds, and
 * what is only subscribed. Also what mailbox {} sections ask for, and subscriptions.
 */
#include "aging.h"
#include "arrive.h"

#include "base/mem.h"

enum {
	LIST_ARENA = 64 << 20,
	DEPTH_MAX = 256, /* levels of a name */
};

/* What is known of an entry before entries of one name are put together. */
enum entry_flag {
	ENTRY_MAILBOX = 0x01,
	ENTRY_LEVEL = 0x02,      /* above something that exists */
	ENTRY_SUBSCRIBED = 0x04,
	ENTRY_CHILDREN = 0x08,
	ENTRY_BELOW = 0x10,      /* something below is subscribed */
};

struct entry {
	char *name;              /* arena */
	struct space *space;
	const char *storage;     /* arena; NULL: not a mailbox */
	const char *use;         /* arena: special uses that it was made with; NULL: none */
	unsigned flags;
	uint64_t id, seen;       /* store_folder's */
};

struct listing {
	struct acct *acct;
	struct arena *ar;
	struct entry *e;         /* own */
	size_t n, cap;
	bool uses;               /* some entry has a use of its own */
	enum err err;
};

static void add(struct listing *l, struct space *s, struct span name, const char *storage, unsigned flags)
{
	char *copy = arena_span(l->ar, name);

	if (!copy) {
		l->err = ERR_LIMIT;
		return;
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->e = mem_grow(l->e, l->cap, sizeof(*l->e));
	}
	l->e[l->n++] = (struct entry){ copy, s, storage, NULL, flags, 0, 0 };
}

/* An entry and the levels above it; those of a mere subscription exist for nobody. */
static void add_with_levels(struct listing *l, struct space *s, const struct store_folder *f, unsigned flags)
{
	struct buf client;
	struct span name;

	buf_init(&client, 4 * NAME_MAX_STORAGE);
	if (flags & ENTRY_SUBSCRIBED)
		name_subscribed(l->acct, s, f->name, &client);
	else
		name_client(s, f->name, &client);
	name = buf_span(&client);
	add(l, s, name, flags & ENTRY_MAILBOX ? f->name : NULL, flags);
	if (!l->err) {
		l->e[l->n - 1].use = f->special_use;
		l->e[l->n - 1].id = f->id;
		l->e[l->n - 1].seen = f->seen;
		l->uses |= f->special_use != NULL;
	}
	for (size_t i = 1; i + 1 < name.n; i++)
		if (name.p[i] == s->sep)
			add(l, s, span_cut(name, 0, i),
			    NULL, flags & (ENTRY_MAILBOX | ENTRY_LEVEL) ? ENTRY_LEVEL : 0);
	buf_free(&client);
}

/* Where clients have another separator than the store a level that holds theirs cannot be named. */
static bool nameable(const struct space *s, const char *storage)
{
	/* INBOX is called so, and nothing else. */
	if (s->twin && s->twin->ns->inbox && strcmp(storage, "INBOX") == 0)
		return false;
	return s->sep == s->ns->ops->separator || !strchr(storage, s->sep);
}

static enum err add_mailboxes(struct listing *l, struct space *s, struct errtext *t)
{
	struct store_folder *f;
	size_t n;
	enum err e = s->ns->ops->list(s->store, l->ar, &f, &n, t);

	for (size_t i = 0; !e && i < n; i++)
		if (nameable(s, f[i].name))
			add_with_levels(l, s, &f[i], f[i].selectable ? ENTRY_MAILBOX : ENTRY_LEVEL);
	return e;
}

static enum err add_subscriptions(struct listing *l, struct space *s, struct errtext *t)
{
	const char **names;
	size_t n;
	enum err e;

	if (!s->ns->subscriptions)
		return ERR_OK;
	e = s->ns->ops->subscriptions(s->store, l->ar, &names, &n, t);
	for (size_t i = 0; !e && i < n; i++)
		add_with_levels(l, s, &(struct store_folder){ .name = names[i] }, ENTRY_SUBSCRIBED);
	return e;
}

/* Are its mailbox {} sections to be seen to? */
static bool makes(const struct space *s)
{
	return !s->twin && !s->share && !s->ns->store.readonly;
}

/* auto = subscribe: whatever the file says. */
static void always_name(const struct acct_ns *ns, const struct acct_mailbox *m, struct buf *out)
{
	buf_clear(out);
	if (!ns->inbox || strcmp(m->name, "INBOX") != 0)
		buf_add_str(out, ns->prefix);
	buf_add_str(out, m->name);
}

static void add_always_subscribed(struct listing *l, struct space *s)
{
	struct buf name;

	buf_init(&name, 4 * NAME_MAX_STORAGE);
	for (size_t i = 0; makes(s) && i < s->ns->mailboxes; i++) {
		if (!s->ns->mailbox[i].subscribe)
			continue;
		always_name(s->ns, &s->ns->mailbox[i], &name);
		add(l, s, buf_span(&name), NULL, ENTRY_SUBSCRIBED);
	}
	buf_free(&name);
}

bool folder_always_subscribed(const struct acct *a, const char *client)
{
	bool found = false;
	struct buf name;

	buf_init(&name, 4 * NAME_MAX_STORAGE);
	for (size_t i = 0; i < a->spaces; i++)
		for (size_t k = 0; makes(&a->space[i]) && k < a->space[i].ns->mailboxes && !found; k++) {
			always_name(a->space[i].ns, &a->space[i].ns->mailbox[k], &name);
			found = a->space[i].ns->mailbox[k].subscribe && strcmp(buf_cstr(&name), client) == 0;
		}
	buf_free(&name);
	return found;
}

/* INBOX first; then by levels: a separator is less than any other byte. */
static int compare_names(const char *a, const char *b, char sep)
{
	for (;; a++, b++) {
		unsigned char x = (unsigned char)*a, y = (unsigned char)*b;

		if (x != y)
			return (x == (unsigned char)sep ? 1 : x + 1 - !x) - (y == (unsigned char)sep ? 1 : y + 1 - !y);
		if (!x)
			return 0;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	bool inbox_x = strcmp(x->name, "INBOX") == 0, inbox_y = strcmp(y->name, "INBOX") == 0;

	if (inbox_x != inbox_y)
		return inbox_x ? -1 : 1;
	return compare_names(x->name, y->name, x->space->sep);
}

static void merge(struct listing *l)
{
	size_t n = 0;

	qsort(l->e, l->n, sizeof(*l->e), by_name);
	for (size_t i = 0; i < l->n; i++) {
		struct entry *last = n ? &l->e[n - 1] : NULL;

		if (!last || strcmp(last->name, l->e[i].name) != 0) {
			l->e[n++] = l->e[i];
			continue;
		}
		last->flags |= l->e[i].flags;
		if (l->e[i].storage) {
			last->storage = l->e[i].storage;
			last->use = l->e[i].use;
			last->space = l->e[i].space;
			last->id = l->e[i].id;
			last->seen = l->e[i].seen;
		}
	}
	l->n = n;
}

static bool below(const struct entry *child, const struct entry *parent)
{
	size_t n = strlen(parent->name);

	return strncmp(child->name, parent->name, n) == 0 && child->name[n] == child->space->sep;
}

/* Tells every level what lies below it. */
static void mark_parents(struct listing *l)
{
	struct entry *stack[DEPTH_MAX];
	size_t depth = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct entry *e = &l->e[i];

		while (depth && !below(e, stack[depth - 1]))
			depth--;
		for (size_t k = 0; k < depth; k++) {
			if (e->space->ns->list == ACCT_LIST_NO && stack[k]->space != e->space)
				continue;
			if (e->flags & (ENTRY_MAILBOX | ENTRY_LEVEL))
				stack[k]->flags |= ENTRY_CHILDREN;
			if (e->flags & ENTRY_SUBSCRIBED)
				stack[k]->flags |= ENTRY_BELOW;
		}
		if (depth < DEPTH_MAX)
			stack[depth++] = e;
	}
}

/* INBOX sorts before its children's place: find them by hand. */
static void mark_inbox(struct listing *l)
{
	if (!l->n || strcmp(l->e[0].name, "INBOX") != 0)
		return;
	for (size_t i = 1; i < l->n; i++) {
		if (!below(&l->e[i], &l->e[0]))
			continue;
		if (l->e[i].flags & (ENTRY_MAILBOX | ENTRY_LEVEL))
			l->e[0].flags |= ENTRY_CHILDREN;
		if (l->e[i].flags & ENTRY_SUBSCRIBED)
			l->e[0].flags |= ENTRY_BELOW;
	}
}

/* --- to what the door promises --------------------------------------------------------- */

static const char *configured_use(const struct entry *e)
{
	const struct acct_ns *ns = e->space->ns;
	size_t prefix = strlen(ns->prefix);

	if (strlen(e->name) <= prefix)
		return NULL;
	for (size_t i = 0; i < ns->mailboxes; i++)
		if (ns->mailbox[i].special_use && strcmp(ns->mailbox[i].name, e->name + prefix) == 0)
			return ns->mailbox[i].special_use;
	return NULL;
}

static bool has_use(const char *uses, struct span use)
{
	struct span rest = span_str(uses), word;

	while (span_split(&rest, ' ', &word))
		if (span_ieq(word, use))
			return true;
	return false;
}

/* Did the user make a mailbox for this? Then what the configuration says of another has no effect. */
static bool use_is_taken(const struct listing *l, struct span use)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->e[i].use && has_use(l->e[i].use, use))
			return true;
	return false;
}

static const char *special_use(const struct listing *l, const struct entry *e)
{
	struct span rest = span_str(configured_use(e)), word;
	const char *uses = e->use;

	if (!l->uses)
		return configured_use(e);
	while (span_split(&rest, ' ', &word))
		if (word.n && !use_is_taken(l, word))
			uses = arena_printf(l->ar, "%s%s%.*s", uses ? uses : "", uses ? " " : "", (int)word.n,
					    word.p);
	return uses;
}

/* What another user's namespace says goes with it. */
static const char *lasting(const struct listing *l, const struct space *s, const char *text)
{
	const char *copy = s->share && text ? arena_str(l->ar, text) : text;

	return copy || !text ? copy : "";
}

static void to_folder(const struct listing *l, const struct entry *e, struct folder *f)
{
	f->name = e->name;
	f->separator = e->space->sep;
	f->prefix = lasting(l, e->space, e->space->ns->prefix);
	f->type = e->space->ns->type;
	f->id = e->id;
	f->seen = e->seen;
	f->special_use = e->flags & ENTRY_MAILBOX ? lasting(l, e->space, special_use(l, e)) : NULL;
	if (!(e->flags & ENTRY_MAILBOX))
		f->flags |= e->flags & ENTRY_LEVEL ? FOLDER_NOSELECT : FOLDER_NONEXISTENT;
	if (e->flags & ENTRY_MAILBOX && e->space->ns->ops->leaves && strcmp(e->name, "INBOX") != 0)
		f->flags |= FOLDER_NOINFERIORS;
	if (e->space->ns->list == ACCT_LIST_NO)
		f->flags |= FOLDER_UNLISTED;
	if (e->flags & ENTRY_CHILDREN)
		f->flags |= FOLDER_CHILDREN;
	if (e->flags & ENTRY_SUBSCRIBED)
		f->flags |= FOLDER_SUBSCRIBED;
	if (e->flags & ENTRY_BELOW)
		f->flags |= FOLDER_SUBSCRIBED_CHILD;
}

struct marking {
	struct listing *l;
	const struct shelf *shelf; /* only those whose index is here */
	struct folder *f;
	const size_t *of; /* folder i is entry of[i] */
	size_t n;
};

/* \Marked as far as the index knows; an index that does not is no error here. */
static enum err mark_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct marking *m = arg;

	for (size_t i = 0; i < m->n; i++) {
		const struct entry *e = &m->l->e[m->of[i]];
		char name[NAME_MAX_STORAGE + 1];
		struct idx_box b;

		if (!e->storage || e->space->shelf != m->shelf || strlen(e->storage) >= NAME_MAX_STORAGE)
			continue;
		if (!idx_box_find(x, name_index(e->space, e->storage, name), &b) && b.messages &&
		    b.recent_from < b.uidnext)
			m->f[i].flags |= FOLDER_MARKED;
	}
	return ERR_OK;
}

static enum err to_folders(struct listing *l, struct folder **f_r, size_t *n_r)
{
	struct folder *f = arena_array(l->ar, l->n, sizeof(*f));
	size_t *of = mem_array(l->n + 1, sizeof(*of)), n = 0;
	struct marking m = { .l = l };

	for (size_t i = 0; f && i < l->n; i++) {
		of[n] = i;
		to_folder(l, &l->e[i], &f[n++]);
	}
	m.f = f;
	m.of = of;
	m.n = n;
	for (size_t i = 0; f && i < l->acct->shelves; i++) {
		m.shelf = &l->acct->shelf[i];
		if (!m.shelf->vacant)
			(void)shelf_read(&l->acct->shelf[i], mark_run, &m, NULL);
	}
	free(of);
	if (!f)
		return ERR_LIMIT;
	*f_r = f;
	*n_r = n;
	return ERR_OK;
}

/* A prefix that is itself to be listed (list = yes), as a level. */
static void add_prefix(struct listing *l, struct space *s)
{
	struct span prefix = span_str(s->ns->prefix);

	if (s->ns->list != ACCT_LIST_YES || s->ns->inbox || s->share || prefix.n < 2)
		return;
	if (prefix.p[prefix.n - 1] == s->sep)
		prefix.n--;
	add(l, s, prefix, NULL, ENTRY_LEVEL);
}

/* What all sharers are below, where that is always listed. */
static void add_shares(struct listing *l)
{
	const struct acct_config *c = l->acct->config;

	for (size_t i = 0; i < c->shares; i++) {
		struct span prefix = span_str(c->share[i].prefix);

		if (c->share[i].list == ACCT_LIST_YES && prefix.n > 1)
			add(l, &l->acct->space[0], span_cut(prefix, 0, prefix.n - 1), NULL, ENTRY_LEVEL);
	}
}

static enum err add_space(struct listing *l, struct space *s, struct errtext *t)
{
	enum err e = space_make(l->acct, s, t);

	if (!e)
		e = add_mailboxes(l, s, t);
	if (!e)
		e = add_subscriptions(l, s, t);
	add_always_subscribed(l, s);
	add_prefix(l, s);
	return e;
}

enum err acct_folders(struct acct *a, struct arena *ar, struct folder **f_r, size_t *n_r, struct errtext *t)
{
	struct listing l = { .acct = a, .ar = ar };
	enum err e = ERR_OK;

	a->spaces_stay = true;
	arrivals_flush_all(a); /* they mark their mailboxes */
	add_shares(&l);
	for (size_t i = 0; !e && i < a->spaces; i++) {
		e = add_space(&l, &a->space[i], t);
		if (a->space[i].ns->optional)
			e = ERR_OK;
	}
	if (!e && l.err)
		e = err_say(t, ERR_LIMIT, "Too many folders");
	if (!e) {
		merge(&l);
		mark_parents(&l);
		mark_inbox(&l);
		e = to_folders(&l, f_r, n_r);
	}
	free(l.e);
	a->spaces_stay = false;
	return e;
}

/* --- mailbox {} sections ------------------------------------------------------------------ */

static bool is_mailbox(const struct store_folder *f, size_t n, const char *storage)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].selectable && strcmp(f[i].name, storage) == 0)
			return true;
	return false;
}

static bool is_subscribed(const char **names, size_t n, const char *storage)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], storage) == 0)
			return true;
	return false;
}

struct present {
	struct store_folder *f;
	const char **sub;
	size_t folders, subs;
};

static enum err make_one(struct acct *a, struct space *s, const struct acct_mailbox *m, const struct present *p,
			 struct errtext *t)
{
	const struct store_ops *ops = s->ns->ops;
	struct name n, subscribed; /* and where that is noted */
	struct buf client;
	bool subscribe;
	enum err e;

	buf_init(&client, 4 * NAME_MAX_STORAGE);
	buf_add_str(&client, s->ns->prefix);
	buf_add_str(&client, m->name);
	e = name_resolve(a, buf_cstr(&client), &n, t);
	/* Perhaps nobody keeps it. */
	subscribe = !e && m->subscribe && !name_subscription(a, buf_cstr(&client), &subscribed, NULL);
	buf_free(&client);
	if (e)
		return e;
	if (m->create && !is_mailbox(p->f, p->folders, n.storage))
		e = ops->create(s->store, n.storage, NULL, t);
	if (e && e != ERR_EXISTS)
		return e;
	if (!subscribe || (subscribed.space == s && is_subscribed(p->sub, p->subs, n.storage)))
		return ERR_OK;
	return subscribed.space->ns->ops->subscribe(subscribed.space->store, subscribed.storage, true, t);
}

static bool anything_asked(const struct acct_ns *ns)
{
	for (size_t i = 0; i < ns->mailboxes; i++)
		if (ns->mailbox[i].create || ns->mailbox[i].subscribe)
			return true;
	return false;
}

/* INBOX always exists; it is made with the rest so that a new user's first LIST shows it. */
static enum err make_inbox(struct space *s, const struct present *p, struct errtext *t)
{
	enum err e;

	if (!s->ns->inbox || is_mailbox(p->f, p->folders, "INBOX"))
		return ERR_OK;
	e = s->ns->ops->create(s->store, "INBOX", NULL, t);
	return e == ERR_EXISTS ? ERR_OK : e;
}

enum err space_make(struct acct *a, struct space *s, struct errtext *t)
{
	struct arena *ar;
	struct present p = { .f = NULL };
	enum err e;

	if (s->made || a->passive || !makes(s) || (!anything_asked(s->ns) && !s->ns->inbox))
		return ERR_OK;
	ar = arena_new(LIST_ARENA);
	e = s->ns->ops->list(s->store, ar, &p.f, &p.folders, t);
	if (!e)
		e = s->ns->ops->subscriptions(s->store, ar, &p.sub, &p.subs, t);
	if (!e)
		e = make_inbox(s, &p, t);
	for (size_t i = 0; !e && i < s->ns->mailboxes; i++)
		if (!aging_is_pattern(s->ns->mailbox[i].name))
			e = make_one(a, s, &s->ns->mailbox[i], &p, t);
	/* The subscriptions file locked by another: next time. */
	s->made = !e;
	arena_free(&ar);
	return e == ERR_INUSE ? ERR_OK : e;
}
