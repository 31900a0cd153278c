/*
 * Maildir++ folders: ".A.B" in the mail root is the mailbox A.B, whether or not ".A" exists.
 *
 * Crash safety. A new folder is built as roost.new.* and renamed into place whole. A removed one is
 * renamed to roost.trash.* and then emptied; whatever a crash leaves is found by a later list or
 * remove. Neither name begins with a dot, so no Maildir++ program takes them for mailboxes. A
 * rename of a tree moves the children first and the folder itself last: a repeated RENAME completes
 * one that was cut short.
 */
#include "file.h"
#include "maildir.h"
#include "special_use.h"

#include "base/clock.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRASH_PREFIX "roost.trash."
#define NEW_PREFIX "roost.new."
enum {
	SWEEP_LIST = 1000,    /* entries removed in passing by a list */
	SWEEP_REMOVE = 50000, /* by a remove */
	NEW_ABANDONED = 3600, /* seconds after which a folder under construction is trash */
};

bool maildir_dirname(const char *name, char out[MAILDIR_NAME_MAX + 2])
{
	out[0] = '\0';
	if (strcmp(name, "INBOX") == 0)
		return true;
	if (!store_name_valid(&store_maildir, name) || strlen(name) >= MAILDIR_NAME_MAX)
		return false;
	snprintf(out, MAILDIR_NAME_MAX + 2, ".%s", name);
	return true;
}

static bool is_dir(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool is_there(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of a directory, never onto another. 0, or -1 and errno. */
static int dir_rename(int from_fd, const char *from, int to_fd, const char *to)
{
	if (syscall(SYS_renameat2, from_fd, from, to_fd, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (is_there(to_fd, to)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_fd, from, to_fd, to);
}

static DIR *dir_list(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d && copy >= 0)
		close(copy);
	return d;
}

static void own_name(struct maildir *m, const char *prefix, char out[MAILDIR_NAME_MAX + 1])
{
	char unique[200];

	maildir_name_unique(unique, sizeof(unique), m->counter++, m->random, m->host);
	snprintf(out, MAILDIR_NAME_MAX + 1, "%s%s", prefix, unique);
}

/* --- trash --- */

static bool is_trash(int fd, const char *name)
{
	struct stat st;

	if (span_starts(span_str(name), SPAN(TRASH_PREFIX)))
		return true;
	return span_starts(span_str(name), SPAN(NEW_PREFIX)) &&
	       fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ctime < clock_wall() - NEW_ABANDONED;
}

/*
 * Empties one trash directory. Directories in it become trash of their own, so that depth costs no
 * stack.
 */
static void trash_empty(struct maildir *m, int root, const char *name, size_t *budget)
{
	char aside[MAILDIR_NAME_MAX + 1];
	int fd = file_open_dir(root, name);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (*budget > 0 && (de = readdir(d))) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		--*budget;
		if (unlinkat(fd, de->d_name, 0) == 0 || (errno != EISDIR && errno != EPERM))
			continue;
		own_name(m, TRASH_PREFIX, aside);
		if (unlinkat(fd, de->d_name, AT_REMOVEDIR) < 0)
			dir_rename(fd, de->d_name, root, aside);
	}
	closedir(d);
	unlinkat(root, name, AT_REMOVEDIR);
}

static void trash_sweep(struct maildir *m, int root, size_t budget)
{
	bool more = true;

	/* Each round may turn up directories that the one before took out of others. */
	for (int round = 0; more && budget > 0 && round < 8; round++) {
		DIR *d = dir_list(root);
		struct dirent *de;

		more = false;
		while (d && budget > 0 && (de = readdir(d))) {
			if (!is_trash(root, de->d_name))
				continue;
			more = true;
			budget--;
			trash_empty(m, root, de->d_name, &budget);
		}
		if (d)
			closedir(d);
	}
}

static int trash_put(struct maildir *m, int root, const char *dirname)
{
	char aside[MAILDIR_NAME_MAX + 1];

	own_name(m, TRASH_PREFIX, aside);
	return dir_rename(root, dirname, root, aside);
}

/* Control files that an earlier mailbox of this name left behind must not become the new one's. */
static void stale_control_remove(struct maildir *m, const char *dirname)
{
	if (m->control_fd >= 0 && m->control_fd != m->root_fd && is_there(m->control_fd, dirname) &&
	    trash_put(m, m->control_fd, dirname) == 0)
		trash_sweep(m, m->control_fd, SWEEP_REMOVE);
}

static enum err root_sync(struct maildir *m, struct errtext *t)
{
	if (m->sync == STORE_SYNC_NEVER)
		return ERR_OK;
	enum err e = file_sync_dir(m->root_fd);
	if (!e && m->control_fd >= 0 && m->control_fd != m->root_fd)
		e = file_sync_dir(m->control_fd);
	return e ? err_say(t, e, "the mail root cannot be synced") : ERR_OK;
}

/* --- list --- */

struct listed {
	bool selectable;
	uint64_t id;
	struct span use;
};

struct listing {
	struct keytab tab;
	struct listed *folder; /* own; by number in tab; uses in pool */
	size_t cap;
	struct pool pool;
	struct buf use; /* own: scratch */
	bool trash;
};

enum { LIST_FOLDERS_MAX = 200000 };

static void listing_add(struct listing *l, struct span name, struct listed f)
{
	size_t k = keytab_find(&l->tab, name);
	bool fresh = false;

	if (k == SIZE_MAX)
		k = keytab_add(&l->tab, pool_copy(&l->pool, name), &fresh);
	if (k >= l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->folder = mem_grow(l->folder, l->cap, sizeof(*l->folder));
	}
	if (!fresh && !f.selectable)
		return;
	l->folder[k] = f;
	if (f.use.n)
		l->folder[k].use = pool_copy(&l->pool, f.use);
}

/* The folder, and the levels above it. */
static void listing_folder(struct listing *l, const char *name, struct listed f)
{
	struct span all = span_str(name);

	listing_add(l, all, f);
	for (size_t i = 0; i < all.n; i++)
		if (all.p[i] == '.')
			listing_add(l, span_cut(all, 0, i), (struct listed){ .selectable = false });
}

/* A folder is known by its cur/, when that was made and where: it stays what it is when the folder gets another name. */
static bool cur_of(int root, const char *dirname, uint64_t *id_r)
{
	char path[MAILDIR_NAME_MAX + 8];
	struct statx st;

	snprintf(path, sizeof(path), "%s/cur", dirname);
	if (statx(root, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_INO | STATX_BTIME, &st) < 0 ||
	    !S_ISDIR(st.stx_mode))
		return false;
	*id_r = 0;
	if (st.stx_mask & STATX_BTIME)
		*id_r = st.stx_ino ^ (uint64_t)st.stx_btime.tv_sec << 32 ^ (uint64_t)st.stx_btime.tv_nsec << 2;
	return true;
}

static bool has_cur(int root, const char *dirname)
{
	uint64_t id;

	return cur_of(root, dirname, &id);
}

static void listing_dir(struct maildir *m, struct listing *l, const char *dirname)
{
	struct listed f = { .id = 0 };

	f.selectable = cur_of(m->root_fd, dirname, &f.id);
	buf_clear(&l->use);
	if (f.selectable)
		special_use_read(m->root_fd, dirname, &l->use);
	f.use = buf_span(&l->use);
	listing_folder(l, dirname + 1, f);
}

static enum err listing_read(struct maildir *m, struct listing *l, struct errtext *t)
{
	DIR *d = dir_list(m->root_fd);
	struct dirent *de;

	if (!d)
		return err_sys(t, "the mail root cannot be listed");
	while ((de = readdir(d)) && l->tab.n < LIST_FOLDERS_MAX) {
		const char *name = de->d_name;

		if (name[0] == 'r' && is_trash(m->root_fd, name))
			l->trash = true;
		if (name[0] != '.' || !store_name_valid(&store_maildir, name + 1))
			continue;
		if ((de->d_type == DT_DIR || (de->d_type == DT_UNKNOWN && is_dir(m->root_fd, name))) &&
		    strcmp(name, ".INBOX") != 0)
			listing_dir(m, l, name);
	}
	closedir(d);
	if (is_dir(m->inbox_fd, "cur"))
		listing_add(l, SPAN("INBOX"), (struct listed){ .selectable = true });
	return ERR_OK;
}

static enum err listing_give(const struct listing *l, struct arena *a, struct store_folder **f_r,
			     size_t *n_r)
{
	struct store_folder *f = arena_array(a, l->tab.n ? l->tab.n : 1, sizeof(*f));

	for (size_t i = 0; f && i < l->tab.n; i++) {
		f[i].name = arena_span(a, l->tab.key[i]);
		f[i].selectable = l->folder[i].selectable;
		f[i].id = l->folder[i].id;
		if (l->folder[i].use.n)
			f[i].special_use = arena_span(a, l->folder[i].use);
		if (!f[i].name || (l->folder[i].use.n && !f[i].special_use))
			f = NULL;
	}
	if (!f)
		return ERR_LIMIT;
	*f_r = f;
	*n_r = l->tab.n;
	return ERR_OK;
}

enum err maildir_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r,
		      struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	struct listing l = { 0 };
	enum err e;

	buf_init(&l.use, SPECIAL_USE_MAX);
	e = listing_read(m, &l, t);
	if (!e)
		e = listing_give(&l, a, f_r, n_r);
	if (!e && l.trash && !m->readonly)
		trash_sweep(m, m->root_fd, SWEEP_LIST);
	keytab_free(&l.tab);
	free(l.folder);
	buf_free(&l.use);
	pool_free(&l.pool);
	return e;
}

static bool list_cares(const char *name)
{
	return name[0] == '.' || strcmp(name, "subscriptions") == 0;
}

size_t maildir_watch_list(struct store *s, const char *paths[4], bool (**cares_r)(const char *name))
{
	const struct maildir *m = maildir_of(s);
	size_t n = 0;

	paths[n++] = m->root;
	if (m->control && m->control_fd >= 0)
		paths[n++] = m->control;
	*cares_r = list_cares;
	return n;
}

/* --- create --- */

/* cur/ last: with it the directory is a mailbox. */
static enum err message_dirs_make(struct maildir *m, int fd)
{
	enum err e = file_mkdir(fd, "tmp", m->dir_mode);

	e = e ? e : file_mkdir(fd, "new", m->dir_mode);
	e = e ? e : file_mkdir(fd, "cur", m->dir_mode);
	if (!e && m->sync != STORE_SYNC_NEVER)
		e = file_sync_dir(fd);
	return e;
}

static enum err folder_fill(struct maildir *m, int parent, const char *dirname, const char *use,
			    struct errtext *t)
{
	int fd = file_open_dir(parent, dirname);

	if (fd < 0)
		return err_from_errno(errno);
	int mark = file_open(fd, "maildirfolder", O_WRONLY | O_CREAT, m->file_mode);
	enum err e = mark < 0 ? err_from_errno(errno) : ERR_OK;
	if (!e && use)
		e = special_use_write(fd, use, m->file_mode, m->sync != STORE_SYNC_NEVER, t);
	if (!e)
		e = message_dirs_make(m, fd);
	if (mark >= 0)
		close(mark);
	close(fd);
	return e;
}

static enum err folder_make(struct maildir *m, const char *dirname, const char *use,
			    struct errtext *t)
{
	char draft[MAILDIR_NAME_MAX + 1];
	enum err e;

	if (is_dir(m->root_fd, dirname)) /* a level that somebody made by hand, or half a mailbox */
		return has_cur(m->root_fd, dirname) ? ERR_EXISTS
						    : folder_fill(m, m->root_fd, dirname, use, t);
	own_name(m, NEW_PREFIX, draft);
	e = file_mkdir(m->root_fd, draft, m->dir_mode);
	e = e ? e : folder_fill(m, m->root_fd, draft, use, t);
	if (!e)
		stale_control_remove(m, dirname);
	if (!e && dir_rename(m->root_fd, draft, m->root_fd, dirname) < 0)
		e = err_from_errno(errno);
	if (e) {
		size_t budget = 100;
		trash_empty(m, m->root_fd, draft, &budget);
	}
	return e;
}

enum err maildir_create(struct store *s, const char *name, const char *special_use,
			struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char dirname[MAILDIR_NAME_MAX + 2];
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (!maildir_dirname(name, dirname))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	if (*dirname)
		e = folder_make(m, dirname, special_use, t);
	else if (special_use)
		e = ERR_CANNOT;
	else
		e = is_dir(m->inbox_fd, "cur") ? ERR_EXISTS : message_dirs_make(m, m->inbox_fd);
	if (e)
		return err_say(t, e, "%s cannot be created: %s", name, err_name(e));
	return *dirname ? root_sync(m, t) : ERR_OK;
}

/* --- remove --- */

enum err maildir_remove(struct store *s, const char *name, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char dirname[MAILDIR_NAME_MAX + 2];

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (!maildir_dirname(name, dirname))
		return err_say(t, ERR_NOTFOUND, "no such mailbox");
	if (!*dirname)
		return err_say(t, ERR_CANNOT, "INBOX cannot be removed");
	if (!is_dir(m->root_fd, dirname))
		return err_say(t, ERR_NOTFOUND, "%s does not exist", name);
	if (trash_put(m, m->root_fd, dirname) < 0)
		return err_sys(t, "%s cannot be removed", name);
	enum err e = root_sync(m, t);
	if (e)
		return e;
	stale_control_remove(m, dirname);
	trash_sweep(m, m->root_fd, SWEEP_REMOVE);
	return ERR_OK;
}

/* --- rename --- */

struct moves {
	char **from; /* own, and each: directory names */
	size_t n;
};

static void moves_free(struct moves *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->from[i]);
	free(v->from);
}

/* The folder's children, and last the folder itself. */
static enum err moves_find(struct maildir *m, const char *dirname, struct moves *v)
{
	DIR *d = dir_list(m->root_fd);
	size_t len = strlen(dirname);
	struct dirent *de;

	if (!d)
		return err_from_errno(errno);
	while ((de = readdir(d))) {
		if (strncmp(de->d_name, dirname, len) != 0 || de->d_name[len] != '.' ||
		    !is_dir(m->root_fd, de->d_name))
			continue;
		v->from = mem_grow(v->from, v->n + 2, sizeof(*v->from));
		v->from[v->n++] = mem_str(de->d_name);
	}
	closedir(d);
	if (is_dir(m->root_fd, dirname)) {
		v->from = mem_grow(v->from, v->n + 1, sizeof(*v->from));
		v->from[v->n++] = mem_str(dirname);
	}
	return v->n ? ERR_OK : ERR_NOTFOUND;
}

static bool move_target(const char *from, size_t from_n, const char *to,
			char out[MAILDIR_NAME_MAX + 2])
{
	return snprintf(out, MAILDIR_NAME_MAX + 2, "%s%s", to, from + from_n) <= MAILDIR_NAME_MAX;
}

static enum err moves_check(struct maildir *m, const struct moves *v, size_t from_n, const char *to)
{
	char target[MAILDIR_NAME_MAX + 2];

	if (is_there(m->root_fd, to))
		return ERR_EXISTS;
	for (size_t i = 0; i < v->n; i++) {
		if (!move_target(v->from[i], from_n, to, target))
			return ERR_CANNOT;
		if (is_there(m->root_fd, target))
			return ERR_EXISTS;
	}
	return ERR_OK;
}

static enum err moves_do(struct maildir *m, const struct moves *v, size_t from_n, const char *to)
{
	char target[MAILDIR_NAME_MAX + 2];
	bool control = m->control_fd >= 0 && m->control_fd != m->root_fd;

	for (size_t i = 0; i < v->n; i++) {
		move_target(v->from[i], from_n, to, target);
		stale_control_remove(m, target);
		if (dir_rename(m->root_fd, v->from[i], m->root_fd, target) < 0)
			return err_from_errno(errno);
		if (control && dir_rename(m->control_fd, v->from[i], m->control_fd, target) < 0 &&
		    errno != ENOENT)
			return err_from_errno(errno);
	}
	return ERR_OK;
}

enum err maildir_rename(struct store *s, const char *from, const char *to, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char old[MAILDIR_NAME_MAX + 2], new[MAILDIR_NAME_MAX + 2];
	struct moves v = { 0 };
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (!maildir_dirname(from, old) || !*old)
		return err_say(t, *old ? ERR_NOTFOUND : ERR_CANNOT, "%s cannot be renamed here",
			       from);
	if (!maildir_dirname(to, new) || !*new)
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	size_t n = strlen(old);
	if (strncmp(new, old, n) == 0 && new[n] == '.')
		return err_say(t, ERR_CANNOT, "a mailbox cannot become its own child");
	e = moves_find(m, old, &v);
	e = e ? e : moves_check(m, &v, n, new);
	e = e ? e : moves_do(m, &v, n, new);
	moves_free(&v);
	return e ? err_say(t, e, "%s cannot be renamed to %s: %s", from, to, err_name(e))
		 : root_sync(m, t);
}
