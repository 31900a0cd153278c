/*
 * Finding one message by its key, and what changes one: flags, expunge.
 *
 * The hint names the file at once. When it proves wrong, the directories are listed into a table
 * (struct names) which is kept for the next such message; it is dropped at the end of the batch.
 * What the table holds is only a better hint. What it lacks is gone only when the listing is
 * proven: cur/ and new/ did not change during it, and not so shortly before that a change could
 * hide behind the same time stamp.
 */
#include "extra.h"
#include "file.h"
#include "maildir.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	FIND_PASSES = 5,
	/* passes in a row without any visible change that count as proof, however young the time */
	FIND_QUIET = 3,
};

struct names {
	struct keytab tab;
	struct where {
		uint32_t listing; /* that met it last */
		char dir;
		struct span rest;
	} *at; /* own; by number in tab */
	size_t cap;
	uint32_t listing; /* the last */
	struct pool pool;
	struct stamp stamp;
	bool proven;
};

static void names_free(struct names *s)
{
	keytab_free(&s->tab);
	free(s->at);
	pool_free(&s->pool);
	free(s);
}

void maildir_names_drop(struct maildir_box *b)
{
	if (b->names)
		names_free(b->names);
	b->names = NULL;
}

static enum err names_take(void *arg, char dir, struct span base, struct span rest)
{
	struct names *s = arg;
	size_t k = keytab_find(&s->tab, base);
	bool fresh;

	if (k == SIZE_MAX) {
		k = keytab_add(&s->tab, pool_copy(&s->pool, base), &fresh);
		if (k >= s->cap) {
			s->cap = s->cap ? s->cap * 2 : 64;
			s->at = mem_grow(s->at, s->cap, sizeof(*s->at));
		}
		s->at[k] = (struct where){ 0 };
	}
	/* new/ is read first: what cur/ has, and what is read later, holds. */
	if (!s->at[k].listing || !span_eq(s->at[k].rest, rest))
		s->at[k].rest = pool_copy(&s->pool, rest);
	s->at[k].dir = dir;
	s->at[k].listing = s->listing;
	return ERR_OK;
}

static enum err names_list(struct maildir_box *b)
{
	struct names *s = b->names ? b->names : mem_alloc(sizeof(*s));
	struct stamp after;
	enum err e = maildir_stamp(b, &s->stamp);

	b->names = s;
	s->listing++;
	if (!e)
		e = maildir_readdir(b, 'n', names_take, s);
	if (!e)
		e = maildir_readdir(b, 'c', names_take, s);
	if (!e)
		e = maildir_stamp(b, &after);
	if (e) {
		maildir_names_drop(b);
		return e;
	}
	s->proven =
		maildir_stamp_same(&s->stamp, &after) && !s->stamp.cur_young && !s->stamp.new_young;
	return ERR_OK;
}

/* As the last listing met it. */
static const struct where *names_at(const struct names *s, struct span base)
{
	size_t k = s ? keytab_find(&s->tab, base) : SIZE_MAX;

	return k == SIZE_MAX || s->at[k].listing != s->listing ? NULL : &s->at[k];
}

static bool names_still_proven(struct maildir_box *b)
{
	struct stamp now;

	return b->names && b->names->proven && maildir_stamp(b, &now) == ERR_OK &&
	       maildir_stamp_same(&b->names->stamp, &now);
}

bool maildir_names_has(const struct maildir_box *b, struct span base)
{
	return keytab_find(&b->names->tab, base) != SIZE_MAX;
}

/* Listings in a row; the last of FIND_QUIET that began with the same times is proof. */
struct passes {
	int n, quiet;
	struct stamp last;
};

static enum err names_pass(struct maildir_box *b, struct passes *p)
{
	enum err e = p->n++ == FIND_PASSES ? ERR_INUSE : names_list(b);

	if (e)
		return e;
	p->quiet =
		p->quiet > 0 && maildir_stamp_same(&p->last, &b->names->stamp) ? p->quiet + 1 : 1;
	p->last = b->names->stamp;
	if (p->quiet == FIND_QUIET)
		b->names->proven = true;
	return ERR_OK;
}

enum err maildir_names_proof(struct maildir_box *b)
{
	struct passes p = { 0 };

	maildir_names_drop(b);
	while (!names_still_proven(b)) {
		enum err e = names_pass(b, &p);
		if (e)
			return e;
	}
	return ERR_OK;
}

static bool found_set(struct found *f, char dir, struct span key, struct span rest)
{
	if (key.n == 0 || key.n + rest.n > MAILDIR_NAME_MAX)
		return false;
	memcpy(f->file, key.p, key.n);
	if (rest.n)
		memcpy(f->file + key.n, rest.p, rest.n);
	f->file[key.n + rest.n] = '\0';
	f->base_n = key.n;
	f->dir = dir;
	return true;
}

static struct span found_rest(const struct found *f)
{
	return span_str(f->file + f->base_n);
}

bool maildir_found_hint(struct span key, struct span hint, struct found *f_r)
{
	struct span base, rest;

	f_r->dir = 0;
	f_r->base_n = 0;
	if (hint.n == 0 || (hint.p[0] != 'c' && hint.p[0] != 'n') ||
	    !found_set(f_r, hint.p[0], key, span_from(hint, 1)))
		return false;
	/*
	 * Both come from an index file that may be damaged: together they must be a message name
	 * again.
	 */
	if (!maildir_name_split(span_of(f_r->file, key.n + hint.n - 1), &base, &rest) ||
	    base.n != key.n) {
		f_r->dir = 0;
		return false;
	}
	return true;
}

static bool find_in_names(const struct maildir_box *b, struct span key, const struct found *wrong,
			  struct found *f)
{
	const struct where *at = names_at(b->names, key);
	struct found old = *wrong;

	if (!at || !found_set(f, at->dir, key, at->rest))
		return false;
	/* A table that says what has just proved wrong is no help. */
	return old.dir != f->dir || old.base_n != key.n || strcmp(old.file, f->file) != 0;
}

/* Looks for key anew, after *f (may have dir 0) proved wrong. ERR_EXPUNGED: not there; ERR_INUSE: cannot tell. */
static enum err find(struct maildir_box *b, struct span key, struct found *f)
{
	struct found wrong = *f, none = { .dir = 0 };
	struct passes p = { 0 };

	if (find_in_names(b, key, &wrong, f))
		return ERR_OK;
	if (names_still_proven(b) && !names_at(b->names, key))
		return ERR_EXPUNGED;
	do {
		enum err e = names_pass(b, &p);
		if (e)
			return e;
		if (find_in_names(b, key, &none, f))
			return ERR_OK;
	} while (!b->names->proven);
	return ERR_EXPUNGED;
}

static enum err give_hint(const struct found *f, struct arena *a, struct span *hint_r)
{
	struct span rest = found_rest(f);

	if (!hint_r || !a)
		return ERR_OK;
	char *p = arena_alloc(a, 1 + rest.n);
	if (!p)
		return ERR_LIMIT;
	p[0] = f->dir;
	if (rest.n)
		memcpy(p + 1, rest.p, rest.n);
	*hint_r = span_of(p, 1 + rest.n);
	return ERR_OK;
}

/* Where to try first: the hint, else the commonest place. */
static void first_guess(struct span key, struct span hint, struct found *f)
{
	struct span base, rest;

	if (maildir_found_hint(key, hint, f))
		return;
	if (maildir_name_split(key, &base, &rest) && rest.n == 0)
		found_set(f, 'n', key, SPAN(""));
}

/*
 * Runs one try on the file that f names, and again on where it is found when the try says
 * ERR_NOTFOUND. Renames by others may outrun us a few times.
 */
typedef enum err file_try(struct maildir_box *b, struct found *f, void *arg);

static enum err with_file(struct maildir_box *b, struct span key, struct span hint, struct found *f,
			  file_try *fn, void *arg)
{
	enum err e = ERR_NOTFOUND;

	first_guess(key, hint, f);
	for (int i = 0; i < FIND_PASSES && e == ERR_NOTFOUND; i++) {
		if (i > 0 || f->dir == 0) {
			e = find(b, key, f);
			if (e)
				return e;
		}
		e = fn(b, f, arg);
	}
	return e == ERR_NOTFOUND ? ERR_INUSE : e;
}

static enum err say(struct maildir_box *b, enum err e, const char *what, struct errtext *t)
{
	if (e == ERR_EXPUNGED)
		return err_say(t, e, "the message is gone from %s", b->name);
	return e == ERR_INUSE ? err_say(t, e, "%s changes too fast", b->name)
			      : err_say(t, e, "%s: a message cannot be %s: %s", b->name, what,
					err_name(e));
}

static enum err try_open(struct maildir_box *b, struct found *f, void *arg)
{
	struct store_object *o = arg;
	struct stat st;
	enum err e = file_open_read(maildir_dir_fd(b, f->dir), f->file, &o->fd, &st);

	if (e)
		return e;
	o->offset = 0;
	o->length = (uint64_t)st.st_size;
	o->mtime = st.st_mtime;
	o->ctime = st.st_ctime;
	o->maybe_packed = true;
	return ERR_OK;
}

enum err maildir_locate(struct store_box *sb, struct span key, struct span hint,
			struct store_object *o_r, struct arena *a, struct span *hint_r,
			struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct store_object o;
	struct found f;
	enum err e = with_file(b, key, hint, &f, try_open, &o);

	if (e)
		return say(b, e, "read", t);
	e = give_hint(&f, a, hint_r);
	if (e) {
		close(o.fd);
		return e;
	}
	*o_r = o;
	return ERR_OK;
}

static enum err try_look(struct maildir_box *b, struct found *f, void *arg)
{
	struct statx *st = arg;

	if (statx(maildir_dir_fd(b, f->dir), f->file, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		  STATX_BASIC_STATS | STATX_BTIME, st) < 0)
		return err_from_errno(errno);
	return S_ISREG(st->stx_mode) ? ERR_OK : ERR_NOTFOUND;
}

enum err maildir_look(struct maildir_box *b, struct span key, struct span hint, struct found *f_r,
		      struct statx *st_r, struct errtext *t)
{
	enum err e = with_file(b, key, hint, f_r, try_look, st_r);

	return e ? say(b, e, "found", t) : ERR_OK;
}

struct link_to {
	int dir_fd;
	const char *name;
};

static enum err try_link(struct maildir_box *b, struct found *f, void *arg)
{
	const struct link_to *l = arg;

	if (linkat(maildir_dir_fd(b, f->dir), f->file, l->dir_fd, l->name, 0) == 0)
		return ERR_OK;
	return errno == EXDEV || errno == EMLINK || errno == EPERM || errno == EOPNOTSUPP
		       ? ERR_CANNOT
		       : err_from_errno(errno);
}

enum err maildir_link_to(struct maildir_box *b, const struct found *f, int dir_fd, const char *name)
{
	struct link_to l = { dir_fd, name };
	char hint[MAILDIR_NAME_MAX + 2];
	struct span rest = found_rest(f);
	struct found at;

	hint[0] = f->dir;
	memcpy(hint + 1, rest.p, rest.n);
	return with_file(b, span_of(f->file, f->base_n), span_of(hint, 1 + rest.n), &at, try_link, &l);
}

static enum err try_unlink(struct maildir_box *b, struct found *f, void *arg)
{
	if (unlinkat(maildir_dir_fd(b, f->dir), f->file, 0) < 0)
		return err_from_errno(errno);
	if (f->dir == 'n')
		b->new_dirty = true;
	else
		b->cur_dirty = true;
	b->made++;
	b->missing++;
	return ERR_OK;
}

enum err maildir_expunge(struct store_box *sb, struct span key, struct span hint, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct found f;
	enum err e;

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	e = with_file(b, key, hint, &f, try_unlink, NULL);
	if (e && e != ERR_EXPUNGED)
		return say(b, e, "removed", t);
	/* An orphaned keyword line costs nothing but room: told when convenient. */
	if (b->extra && extra_keywords_of(b->extra, key))
		extra_set_keywords_of(b->extra, key, 0);
	return ERR_OK;
}

static enum err sync_dirs(struct maildir_box *b, bool wanted, struct errtext *t)
{
	enum err e = ERR_OK;

	if (wanted && b->cur_dirty)
		e = file_sync_dir(b->cur_fd);
	if (!e && wanted && b->new_dirty)
		e = file_sync_dir(b->new_fd);
	b->cur_dirty = b->new_dirty = false;
	return e ? err_say(t, e, "%s cannot be synced", b->name) : ERR_OK;
}

enum err maildir_expunge_done(struct store_box *sb, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	enum err e = sync_dirs(b, b->m->sync == STORE_SYNC_ALWAYS, t);

	if (!e && b->extra && extra_pending(b->extra) && b->control_fd >= 0)
		extra_write(b->extra, b->control_fd, b->m->file_mode, false, NULL);
	if (!e) {
		enum err c = maildir_uidlist_compact(b, t);
		/*
		 * Compacting can wait for a better moment; a full disk must not fail what is
		 * already done.
		 */
		e = c == ERR_IO ? c : ERR_OK;
	}
	maildir_names_drop(b);
	return e;
}

struct flagging {
	struct mail_flags flags;
	struct span key;
	bool claim; /* it is only to leave the arrivals, with the flags that it has, */
	bool done;  /* and another program has seen to that */
};

static struct mail_flags flags_wanted(const struct maildir_box *b, const struct flagging *w, const struct found *f)
{
	struct mail_flags now = maildir_name_flags(found_rest(f));

	return w->claim ? now : maildir_seen_not(b, w->flags, now);
}

static enum err try_flag(struct maildir_box *b, struct found *f, void *arg)
{
	struct flagging *w = arg;
	char name[MAILDIR_NAME_MAX + 1];
	struct stat st;

	w->done = w->claim && f->dir == 'c';
	if (w->done)
		return ERR_OK;
	if (!maildir_name_build(name, w->key, found_rest(f), flags_wanted(b, w, f)))
		return ERR_LIMIT;
	if (f->dir == 'c' && strcmp(name, f->file) == 0) {
		if (fstatat(b->cur_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_from_errno(errno);
		return S_ISREG(st.st_mode) ? ERR_OK : ERR_NOTFOUND;
	}
	if (file_rename_new(maildir_dir_fd(b, f->dir), f->file, b->cur_fd, name) < 0)
		return err_from_errno(errno);
	b->made += 2;
	if (f->dir == 'n')
		b->new_dirty = true;
	b->cur_dirty = true;
	f->dir = 'c';
	memcpy(f->file, name, sizeof(name));
	return ERR_OK;
}

/*
 * Keywords that the name cannot carry; told before the rename, so that a crash between leaves them
 * right.
 */
static enum err set_extra_keywords(struct maildir_box *b, struct span key, uint64_t keywords,
				   struct errtext *t)
{
	uint64_t high = keywords & ~MAILDIR_LETTER_MASK;
	enum err e = b->extra_fresh ? ERR_OK : maildir_extra(b, t);

	b->extra_fresh = !e; /* once a batch */
	if (e || extra_keywords_of(b->extra, key) == high)
		return e;
	e = maildir_control_make(b, t);
	if (e)
		return e;
	extra_set_keywords_of(b->extra, key, high);
	return extra_write(b->extra, b->control_fd, b->m->file_mode,
			   b->m->sync == STORE_SYNC_ALWAYS, t);
}

static enum err rename_flagged(struct maildir_box *b, struct flagging *w, struct span hint, struct arena *a,
			       struct span *hint_r, struct errtext *t)
{
	struct found f;
	enum err e = with_file(b, w->key, hint, &f, try_flag, w);

	if (e == ERR_EXISTS) /* a second file of this name with these flags: the scan parts them */
		e = ERR_INUSE;
	if (e)
		return say(b, e, "flagged", t);
	if (w->done)
		return err_say(t, ERR_NOTFOUND, "another program took a message out of the arrivals of %s", b->name);
	return give_hint(&f, a, hint_r);
}

enum err maildir_set_flags(struct store_box *sb, struct span key, struct span hint,
			   struct mail_flags flags, struct arena *a, struct span *hint_r,
			   struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct flagging w = { .flags = flags, .key = key };
	enum err e;

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	e = set_extra_keywords(b, key, flags.keywords, t);
	return e ? e : rename_flagged(b, &w, hint, a, hint_r, t);
}

enum err maildir_claim(struct store_box *sb, struct span key, struct span hint, struct arena *a, struct span *hint_r,
		       struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct flagging w = { .key = key, .claim = true };

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	return rename_flagged(b, &w, hint, a, hint_r, t);
}

enum err maildir_flags_done(struct store_box *sb, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	enum err e = sync_dirs(b, b->m->sync == STORE_SYNC_ALWAYS, t);

	maildir_names_drop(b);
	b->extra_fresh = false;
	return e;
}
