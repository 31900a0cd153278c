/*
 * Who wants to hear of mailboxes without selecting them, and of the folders. What is known of the
 * folders is kept once for all who listen: after a change of ours, or one that the watches tell,
 * the list is read anew and compared. A folder that another program renamed is known by the
 * identity that the store gives it.
 *
 * What the watches tell of our own changes is no news. The kernel counts exactly: when nothing but what we
 * changed was counted between the beginning and the end of a change of ours, nobody else did anything, and a
 * subscription needs no list at all.
 */
#include "room.h"

#include "base/mem.h"
#include "box/heed.h"

#include <utlist.h>

enum {
	WATCHES_MOST = 2000, /* directories */
	LIST_ARENA = 64 << 20,
	LOOKS = 3,           /* until no directory is found that was not watched before */
};

struct heed {
	struct place *place; /* a reference */
	struct heed *prev, *next;
	heed_fn *fn;
	void *ctx;
};

void place_tell(struct place *p, bool found)
{
	struct heed *h;

	DL_FOREACH (p->heeds, h)
		h->fn(h->ctx, found);
}

struct heed *acct_heed(struct acct *a, const char *name, heed_fn *fn, void *ctx)
{
	struct mailbox *mb;
	struct heed *h;
	struct name n;

	if (name_resolve(a, name, &n, NULL))
		return NULL;
	h = mem_alloc(sizeof(*h));
	h->place = place_get(a, n.space, n.storage);
	h->fn = fn;
	h->ctx = ctx;
	DL_APPEND(h->place->heeds, h);
	/* Whoever opens a mailbox that is heeded watches it. */
	if (!h->place->watches && h->place->mb)
		mailbox_watch(h->place->mb);
	else if (!h->place->watches && !mailbox_open_storage(a, n.space, n.storage, &mb, NULL))
		mailbox_close(&mb);
	return h;
}

bool heed_watched(const struct heed *h)
{
	return h->place->watches > 0;
}

void acct_unheed(struct heed **h)
{
	struct heed *c = *h;

	if (!c)
		return;
	*h = NULL;
	DL_DELETE(c->place->heeds, c);
	place_put(c->place);
	free(c);
}

/* --- the folders ---------------------------------------------------------------------- */

struct folder_heed {
	struct acct *acct; /* borrowed */
	struct folder_heed *prev, *next;
	folder_heed_fn *fn;
	void *ctx;
};

/* A folder that exists or is subscribed. */
struct listed {
	const char *name; /* arena */
	unsigned flags;   /* enum folder_flag */
	uint64_t id;
	char sep;
};

struct snapshot {
	struct arena *ar; /* own */
	struct listed *f; /* own, by name */
	size_t n, cap;
};

struct dir_watch {
	void *handle;        /* own: the process's */
	uint64_t base;       /* what it had counted when we began */
	bool fixed;          /* of the store, as long as anybody listens */
	bool kept;           /* its folder is still there */
	UT_hash_handle hh;
	char path[];
};

struct folders {
	struct acct *acct;         /* borrowed */
	struct folder_heed *heeds; /* own */
	struct snapshot now;
	bool stale, blind;         /* blind: not all of it is watched */
	bool unwatchable;          /* nor ever will be */
	uint64_t told;             /* what the watches had counted when those who listen were last told to look, and ours since */
	uint64_t before;           /* and when our change began */
	struct dir_watch *watch;   /* own: by path */
	uint64_t past;             /* what watches had counted that are no more */
};

static bool exists(const struct listed *f)
{
	return !(f->flags & (FOLDER_NOSELECT | FOLDER_NONEXISTENT));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static const struct listed *find(const struct snapshot *s, const char *name)
{
	struct listed key = { .name = name };

	return s->n ? bsearch(&key, s->f, s->n, sizeof(*s->f), by_name) : NULL;
}

static void snapshot_free(struct snapshot *s)
{
	arena_free(&s->ar);
	free(s->f);
}

/* --- watching ---------------------------------------------------------------------------- */

static void on_change(void *arg);

static uint64_t counted(const struct folders *l)
{
	const struct acct_watcher *w = &l->acct->config->watcher;
	uint64_t n = l->past;

	for (struct dir_watch *d = l->watch; !l->blind && d; d = d->hh.next)
		n += w->count(w->ctx, d->handle) - d->base;
	return n;
}

/* NULL: cannot. */
static struct dir_watch *watch_dir(struct folders *l, const char *path, bool (*cares)(const char *name, bool dir), bool *new_r)
{
	const struct acct_watcher *w = &l->acct->config->watcher;
	struct dir_watch *d;

	HASH_FIND_STR(l->watch, path, d);
	if (d || HASH_COUNT(l->watch) == WATCHES_MOST)
		return d;
	*new_r = true;
	d = mem_alloc(sizeof(*d) + strlen(path) + 1);
	d->handle = w->add(w->ctx, path, cares, on_change, l);
	if (!d->handle) {
		free(d);
		return NULL;
	}
	memcpy(d->path, path, strlen(path) + 1);
	d->base = w->count(w->ctx, d->handle);
	HASH_ADD_STR(l->watch, path, d);
	return d;
}

static void unwatch(struct folders *l, struct dir_watch *d)
{
	const struct acct_watcher *w = &l->acct->config->watcher;

	l->past += w->count(w->ctx, d->handle) - d->base;
	w->remove(w->ctx, d->handle);
	HASH_DEL(l->watch, d);
	free(d);
}

static bool watch_folder(struct folders *l, const struct folder *f, struct arena *ar, bool *new_r)
{
	bool (*cares)(const char *name, bool dir) = NULL;
	const char *paths[4], *path;
	struct dir_watch *d;
	struct name n;

	if (f->flags & FOLDER_NONEXISTENT || name_resolve(l->acct, f->name, &n, NULL) || !n.space->ns->ops->folder_dir)
		return true;
	if (!n.space->ns->ops->watch_list(n.space->store, paths, &cares))
		return false;
	path = n.space->ns->ops->folder_dir(n.space->store, n.storage, ar);
	if (!path)
		return true;
	d = watch_dir(l, path, cares, new_r);
	if (d)
		d->kept = true;
	return d;
}

/* Each folder is watched that others may lie in. True: some were not before, and what came into them meanwhile is not known. */
static bool follow(struct folders *l, const struct folder *f, size_t n, struct arena *ar)
{
	bool blind = l->unwatchable, new = false;

	for (struct dir_watch *d = l->watch; d; d = d->hh.next)
		d->kept = d->fixed;
	for (size_t i = 0; !blind && i < n; i++)
		blind = !watch_folder(l, &f[i], ar, &new);
	for (struct dir_watch *d = l->watch, *next; d; d = next) {
		next = d->hh.next;
		if (!d->kept)
			unwatch(l, d);
	}
	new |= l->blind && !blind;
	l->blind = blind;
	if (new && !blind)
		l->told = counted(l);
	return new && !blind;
}

static enum err take_snapshot(struct acct *a, bool *more_r, struct snapshot *s_r, struct errtext *t)
{
	struct snapshot s = { .ar = arena_new(LIST_ARENA) };
	struct folder *f;
	size_t n;
	enum err e = acct_folders(a, s.ar, &f, &n, t);

	if (e) {
		arena_free(&s.ar);
		return e;
	}
	*more_r = follow(a->folders, f, n, s.ar);
	s.cap = n;
	s.f = mem_array(n + 1, sizeof(*s.f));
	for (size_t i = 0; i < n; i++)
		if (!(f[i].flags & FOLDER_UNLISTED))
			s.f[s.n++] = (struct listed){ f[i].name, f[i].flags, f[i].id, f[i].separator };
	qsort(s.f, s.n, sizeof(*s.f), by_name);
	*s_r = s;
	return ERR_OK;
}

/* The folders as they are, and watched as they are. */
static enum err look_around(struct acct *a, struct snapshot *s_r, struct errtext *t)
{
	bool more = true;
	enum err e = ERR_OK;

	for (int i = 0; !e && more && i < LOOKS; i++) {
		if (i)
			snapshot_free(s_r);
		*s_r = (struct snapshot){ .f = NULL };
		e = take_snapshot(a, &more, s_r, t);
	}
	if (!e)
		a->folders->stale = more;
	return e;
}

static void tell(struct folders *l, enum folder_news_kind kind, const char *name, const char *old)
{
	struct folder_news news = { kind, name, old };
	struct folder_heed *h;

	DL_FOREACH (l->heeds, h)
		h->fn(h->ctx, &news);
}

/* --- comparing ------------------------------------------------------------------------- */

struct compare {
	struct snapshot *was, *is;
	const char *from, *to;     /* a rename of ours, or NULL */
	const struct listed **old; /* own: for each of is what it was called, if it was renamed */
	bool *moved;               /* own: for each of was whether it lives on under another name */
};

/* "A.x" when name is below from as in from "B", name "B.x", to "A". */
static const struct listed *counterpart(const struct compare *c, const struct listed *f)
{
	size_t n = strlen(c->to);
	struct buf name;
	const struct listed *was;

	if (strncmp(f->name, c->to, n) != 0 || (f->name[n] && f->name[n] != f->sep))
		return NULL;
	buf_init(&name, 4 * NAME_MAX_STORAGE);
	buf_printf(&name, "%s%s", c->from, f->name + n);
	was = find(c->was, buf_cstr(&name));
	buf_free(&name);
	return was;
}

struct by_id {
	uint64_t id;
	const struct listed *f;
};

static int by_id(const void *a, const void *b)
{
	const struct by_id *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* What has gone, by its identity. */
static struct by_id *gone_by_id(const struct compare *c, size_t *n_r)
{
	struct by_id *gone = mem_array(c->was->n + 1, sizeof(*gone));
	size_t n = 0;

	for (size_t i = 0; i < c->was->n; i++) {
		const struct listed *f = &c->was->f[i], *is = find(c->is, f->name);

		if (f->id && exists(f) && !(is && exists(is)))
			gone[n++] = (struct by_id){ f->id, f };
	}
	qsort(gone, n, sizeof(*gone), by_id);
	*n_r = n;
	return gone;
}

static void pair(struct compare *c)
{
	size_t n;
	struct by_id *gone = gone_by_id(c, &n);

	for (size_t i = 0; i < c->is->n; i++) {
		const struct listed *f = &c->is->f[i], *was = find(c->was, f->name), *old = NULL;
		struct by_id key = { f->id, NULL }, *hit;

		if (!exists(f) || (was && exists(was)))
			continue;
		if (c->from)
			old = counterpart(c, f);
		hit = f->id && n && !c->from ? bsearch(&key, gone, n, sizeof(*gone), by_id) : NULL;
		if (hit)
			old = hit->f;
		if (!old)
			continue;
		c->old[i] = old;
		c->moved[old - c->was->f] = true;
	}
	free(gone);
}

/* Is a folder above it renamed with it? */
static bool goes_along(const struct compare *c, const struct listed *f, const struct listed *old)
{
	for (size_t n = strlen(f->name); n-- > 0;) {
		size_t below = strlen(f->name) - n, old_n = strlen(old->name);
		const struct listed *above;
		char name[4 * NAME_MAX_STORAGE];

		if (f->name[n] != f->sep || n >= sizeof(name) || old_n < below ||
		    strcmp(f->name + n, old->name + old_n - below) != 0)
			continue;
		memcpy(name, f->name, n);
		name[n] = '\0';
		above = find(c->is, name);
		if (above && c->old[above - c->is->f] &&
		    strlen(c->old[above - c->is->f]->name) == old_n - below &&
		    strncmp(c->old[above - c->is->f]->name, old->name, old_n - below) == 0)
			return true;
	}
	return false;
}

static void tell_gone(struct folders *l, const struct compare *c)
{
	for (size_t i = 0; i < c->was->n; i++) {
		const struct listed *f = &c->was->f[i], *is = find(c->is, f->name);

		if (exists(f) && !(is && exists(is)) && !c->moved[i])
			tell(l, NEWS_DELETED, f->name, NULL);
		if (f->flags & FOLDER_SUBSCRIBED && !(is && is->flags & FOLDER_SUBSCRIBED))
			tell(l, NEWS_UNSUBSCRIBED, f->name, NULL);
	}
}

static void tell_come(struct folders *l, const struct compare *c)
{
	for (size_t i = 0; i < c->is->n; i++) {
		const struct listed *f = &c->is->f[i], *was = find(c->was, f->name);

		if (c->old[i] && !c->from && !goes_along(c, f, c->old[i]))
			tell(l, NEWS_RENAMED, f->name, c->old[i]->name);
		else if (!c->old[i] && exists(f) && !(was && exists(was)) &&
			 !(c->from && !strcmp(c->to, f->name)))
			tell(l, NEWS_CREATED, f->name, NULL);
		if (f->flags & FOLDER_SUBSCRIBED && !(was && was->flags & FOLDER_SUBSCRIBED))
			tell(l, NEWS_SUBSCRIBED, f->name, NULL);
	}
}

static enum err look(struct acct *a, const char *from, const char *to, struct errtext *t)
{
	struct folders *l = a->folders;
	struct snapshot was = l->now, is;
	struct compare c = { .was = &was, .is = &is, .from = from, .to = to };
	enum err e = look_around(a, &is, t);

	if (e)
		return e;
	l->now = is;
	c.old = mem_array(is.n + 1, sizeof(struct listed *));
	c.moved = mem_array(was.n + 1, sizeof(*c.moved));
	pair(&c);
	if (from)
		tell(l, NEWS_RENAMED, to, from);
	tell_gone(l, &c);
	tell_come(l, &c);
	free(c.old);
	free(c.moved);
	snapshot_free(&was);
	return ERR_OK;
}

enum err acct_folders_look(struct acct *a, bool force, struct errtext *t)
{
	return a->folders && (force || a->folders->stale) ? look(a, NULL, NULL, t) : ERR_OK;
}

/* --- what we do ourselves ------------------------------------------------------------------ */

void folders_changing(struct acct *a)
{
	if (a->folders)
		a->folders->before = counted(a->folders);
}

/* Did nobody but us change anything since we began, and we this many names (0: who knows how many)? */
static bool only_ours(const struct folders *l, unsigned names)
{
	return names && !l->blind && !l->stale && l->before == l->told && counted(l) == l->before + names;
}

void folders_changed(struct acct *a, const char *from, const char *to)
{
	struct folders *l = a->folders;
	unsigned names = 0;
	bool ours;

	if (!l)
		return;
	/* A folder that was there as a level only may have been made in its place, unseen. */
	if (!from != !to)
		names = from || !find(&l->now, to);
	ours = only_ours(l, names);
	if (look(a, to ? from : NULL, to, NULL))
		l->stale = true;
	else if (ours)
		l->told = l->before + names;
}

/* The one of this name, made when it is not there; NULL: there are too many. */
static struct listed *listed_get(struct snapshot *s, const char *name, char sep)
{
	size_t low = 0, high = s->n;
	char *copy;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int d = strcmp(s->f[mid].name, name);

		if (!d)
			return &s->f[mid];
		*(d < 0 ? &low : &high) = d < 0 ? mid + 1 : mid;
	}
	copy = arena_str(s->ar, name);
	if (!copy)
		return NULL;
	if (s->n == s->cap) {
		s->cap = s->cap * 2 + 16;
		s->f = mem_grow(s->f, s->cap, sizeof(*s->f));
	}
	memmove(s->f + low + 1, s->f + low, (s->n++ - low) * sizeof(*s->f));
	s->f[low] = (struct listed){ copy, FOLDER_NONEXISTENT, 0, sep };
	return &s->f[low];
}

/* False: it takes a list to know. */
static bool subscribed(struct folders *l, const char *name, char sep, bool on)
{
	const struct listed *was = find(&l->now, name);
	bool had = was && was->flags & FOLDER_SUBSCRIBED;
	struct listed *f;

	if (had == on)
		return !l->blind && !l->stale && l->before == l->told && counted(l) == l->before;
	if (!only_ours(l, 1))
		return false;
	f = listed_get(&l->now, name, sep);
	if (!f)
		return false;
	l->told = l->before + 1;
	f->flags ^= FOLDER_SUBSCRIBED;
	tell(l, on ? NEWS_SUBSCRIBED : NEWS_UNSUBSCRIBED, name, NULL);
	return true;
}

void folders_subscribed(struct acct *a, const struct space *s, const char *storage, bool on)
{
	struct buf name;

	if (!a->folders)
		return;
	buf_init(&name, 4 * NAME_MAX_STORAGE);
	name_subscribed(a, s, storage, &name);
	if (s->ns->list != ACCT_LIST_NO &&
	    (folder_always_subscribed(a, buf_cstr(&name)) || !subscribed(a->folders, buf_cstr(&name), s->sep, on)))
		folders_changed(a, NULL, NULL);
	buf_free(&name);
}

/* --- listening -------------------------------------------------------------------------- */

static void on_change(void *arg)
{
	struct folders *l = arg;
	struct folder_heed *h;
	uint64_t n = counted(l);

	if (!l->blind && n == l->told)
		return;
	l->told = n;
	l->stale = true;
	DL_FOREACH (l->heeds, h)
		h->fn(h->ctx, NULL);
}

static void watch_space(struct acct *a, struct folders *l, const struct space *s)
{
	const struct acct_watcher *w = &a->config->watcher;
	bool (*cares)(const char *name, bool dir) = NULL;
	const char *paths[4];
	bool new;
	size_t n;

	if (s->twin) /* the same place twice would be counted twice */
		return;
	n = w->add && s->ns->ops->watch_list ? s->ns->ops->watch_list(s->store, paths, &cares) : 0;
	l->unwatchable |= n == 0;
	for (size_t i = 0; i < n; i++) {
		struct dir_watch *d = watch_dir(l, paths[i], cares, &new);

		l->unwatchable |= !d;
		if (d)
			d->fixed = true;
	}
	l->blind = l->unwatchable;
}

void folders_space(struct acct *a, const struct space *s)
{
	if (!a->folders)
		return;
	watch_space(a, a->folders, s);
	a->folders->stale = true;
}

static void folders_free(struct acct *a)
{
	struct folders *l = a->folders;

	for (struct dir_watch *d = l->watch, *next; d; d = next) {
		next = d->hh.next;
		unwatch(l, d);
	}
	snapshot_free(&l->now);
	free(l);
	a->folders = NULL;
}

enum err acct_folders_heed(struct acct *a, folder_heed_fn *fn, void *ctx, struct folder_heed **h_r,
			   struct errtext *t)
{
	struct folder_heed *h;
	enum err e;

	if (!a->folders) {
		a->folders = mem_alloc(sizeof(*a->folders));
		a->folders->acct = a;
		for (size_t i = 0; i < a->spaces; i++)
			watch_space(a, a->folders, &a->space[i]);
		a->folders->told = counted(a->folders);
		e = look_around(a, &a->folders->now, t);
		if (e) {
			folders_free(a);
			return e;
		}
	}
	h = mem_alloc(sizeof(*h));
	h->acct = a;
	h->fn = fn;
	h->ctx = ctx;
	DL_APPEND(a->folders->heeds, h);
	*h_r = h;
	return ERR_OK;
}

bool folder_heed_watched(const struct folder_heed *h)
{
	return !h->acct->folders->blind;
}

void acct_folders_unheed(struct folder_heed **h)
{
	struct folder_heed *c = *h;

	if (!c)
		return;
	*h = NULL;
	DL_DELETE(c->acct->folders->heeds, c);
	if (!c->acct->folders->heeds)
		folders_free(c->acct);
	free(c);
}
