/*
 * Folders of mboxes: "a/b" is the file b in the directory a. A file is a mailbox and has no children; a directory is no
 * mailbox. What begins with a dot, lock files, and names that we could not serve are nobody's mailboxes.
 */
#include "file.h"
#include "mbox.h"
#include "special_use.h"

#include "base/mem.h"
#include "base/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
	DEPTH_MAX = 20,
	FOLDERS_MAX = 100000,
	NAME_MAX_ALL = 255,
};

/* --- names -------------------------------------------------------------------------------- */

bool mbox_is_inbox(const struct mbox_root *r, const char *name)
{
	return !r->folders_only && strcmp(name, "INBOX") == 0;
}

static int parent_open(const struct mbox_root *r, int root, const char *name, bool make)
{
	struct file_make how = { r->dir_mode, r->sync != STORE_SYNC_NEVER };

	return file_open_parent(root, name, make ? &how : NULL);
}

enum err mbox_dir_open(struct mbox_root *r, const char *name, int *dir_r, struct errtext *t)
{
	if (!store_name_valid(&store_mbox, name))
		return err_say(t, ERR_NOTFOUND, "no such mailbox");
	*dir_r = parent_open(r, r->root_fd, name, false);
	if (*dir_r < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? err_say(t, ERR_NOTFOUND, "no such mailbox")
			       : err_sys(t, "%s", name);
	return ERR_OK;
}

/* --- list ------------------------------------------------------------------------------------ */

struct listing {
	struct mbox_root *r;
	struct arena *a;
	struct store_folder *f;
	size_t n, cap;
	struct buf use;
};

static enum err add(struct listing *l, const char *name, bool selectable)
{
	if (l->n == FOLDERS_MAX)
		return ERR_LIMIT;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 64;
		struct store_folder *f = arena_array(l->a, cap, sizeof(*f));

		if (!f)
			return ERR_LIMIT;
		if (l->n)
			memcpy(f, l->f, l->n * sizeof(*f));
		l->f = f;
		l->cap = cap;
	}
	struct store_folder *f = &l->f[l->n++];
	f->name = arena_str(l->a, name);
	f->selectable = selectable;
	buf_clear(&l->use);
	if (selectable && l->r->control_fd >= 0)
		special_use_read(l->r->control_fd, name, &l->use);
	f->special_use = l->use.n ? arena_span(l->a, buf_span(&l->use)) : NULL;
	return f->name && (f->special_use || !l->use.n) ? ERR_OK : ERR_LIMIT;
}

/* The file of INBOX, seen from the root, is not a mailbox of its own. */
static bool is_inbox_file(const struct mbox_root *r, const char *name)
{
	size_t n = strlen(r->root);

	return !r->folders_only && strncmp(r->inbox, r->root, n) == 0 && r->inbox[n] == '/' &&
	       strcmp(r->inbox + n + 1, name) == 0;
}

/* In another case, or where INBOX lies elsewhere, a file of that name has none in IMAP. */
static bool takes_inbox_name(const struct mbox_root *r, const char *name)
{
	return strcasecmp(name, "INBOX") == 0 && !(r->folders_only && strcmp(name, "INBOX") == 0);
}

static bool looks_like_mailbox(struct listing *l, const char *name, const char *base)
{
	return !span_ends(span_str(base), SPAN(".lock")) && !is_inbox_file(l->r, name) &&
	       !takes_inbox_name(l->r, name) && store_name_valid(&store_mbox, name);
}

static enum err list_entry(struct listing *l, int fd, const char *prefix, const char *base)
{
	char name[NAME_MAX_ALL + 1];
	struct stat st, link;

	if (base[0] == '.' || snprintf(name, sizeof(name), "%s%s", prefix, base) >= (int)sizeof(name) ||
	    !looks_like_mailbox(l, name, base) || fstatat(fd, base, &st, 0) < 0 ||
	    (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return ERR_OK;
	if (S_ISDIR(st.st_mode) && (fstatat(fd, base, &link, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(link.st_mode)))
		return ERR_OK;
	return add(l, name, S_ISREG(st.st_mode));
}

static enum err list_dir(struct listing *l, const char *dir)
{
	char *prefix = *dir ? mem_printf("%s/", dir) : mem_str("");
	int fd = *dir ? file_open_dir(l->r->root_fd, dir) : openat(l->r->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	enum err e = !d && file_unknown(errno) ? err_from_errno(errno) : ERR_OK;

	while (d && !e && (de = file_readdir(d, &e)))
		e = list_entry(l, fd, prefix, de->d_name);
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
	free(prefix);
	return e;
}

static size_t depth_of(const char *name)
{
	size_t n = 1;

	for (; *name; name++)
		n += *name == '/';
	return n;
}

enum err mbox_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r, struct errtext *t)
{
	struct listing l = { .r = mbox_root_of(s), .a = a };
	enum err e;

	buf_init(&l.use, SPECIAL_USE_MAX);
	e = l.r->folders_only ? ERR_OK : add(&l, "INBOX", true);
	if (!e)
		e = list_dir(&l, "");
	/* Directories found are looked into in turn: the list is its own queue. */
	for (size_t i = 0; !e && i < l.n; i++)
		if (!l.f[i].selectable && depth_of(l.f[i].name) < DEPTH_MAX)
			e = list_dir(&l, l.f[i].name);
	buf_free(&l.use);
	if (e)
		return err_say(t, e, "there are too many folders");
	*f_r = l.f;
	*n_r = l.n;
	return ERR_OK;
}

/* --- changes ------------------------------------------------------------------------------------ */

static enum err synced(const struct mbox_root *r, int dir, struct errtext *t)
{
	if (r->sync == STORE_SYNC_NEVER || file_sync_dir(dir) == ERR_OK)
		return ERR_OK;
	return err_say(t, ERR_IO, "a directory of the mail cannot be synced");
}

static enum err may_change(const struct mbox_root *r, const char *name, struct errtext *t)
{
	if (r->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (!store_name_valid(&store_mbox, name) || span_ends(span_str(name), SPAN(".lock")) ||
	    is_inbox_file(r, name))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	return ERR_OK;
}

static enum err parent_make(struct mbox_root *r, const char *name, int *dir_r, struct errtext *t)
{
	*dir_r = parent_open(r, r->root_fd, name, true);
	if (*dir_r >= 0)
		return ERR_OK;
	if (errno == ENOTDIR || errno == ELOOP)
		return err_say(t, ERR_CANNOT, "%s: a level above it is a mailbox, and an mbox has no children", name);
	return err_sys(t, "%s", name);
}

static enum err file_create(struct mbox_root *r, int dir, const char *base, struct errtext *t)
{
	int fd = file_open(dir, base, O_WRONLY | O_CREAT | O_EXCL, r->file_mode);

	if (fd < 0)
		return errno == EEXIST ? err_say(t, ERR_EXISTS, "it exists") : err_sys(t, "%s", base);
	close(fd);
	return synced(r, dir, t);
}

/* What we keep beside a mailbox, in a directory where Dovecot keeps its index. */
static const char *const control_files[] = { "roost-extra", "roost-extra.tmp", "roost-journal", "roost-use",
					     "roost-uids", "roost-uids.tmp" };

static void control_remove(struct mbox_root *r, const char *name)
{
	int dir = r->control_fd < 0 ? -1 : file_open_dir(r->control_fd, name), parent;

	if (dir < 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(control_files); i++)
		unlinkat(dir, control_files[i], 0);
	close(dir);
	parent = parent_open(r, r->control_fd, name, false);
	if (parent < 0)
		return;
	unlinkat(parent, file_last(name), AT_REMOVEDIR);
	close(parent);
}

static bool file_exists(struct mbox_root *r, const char *name)
{
	struct stat st;

	return fstatat(r->root_fd, name, &st, 0) == 0;
}

/* Whatever an earlier mailbox of the name left beside goes. */
static enum err use_write(struct mbox_root *r, const char *name, const char *special_use, struct errtext *t)
{
	int parent, dir = -1;
	enum err e;

	if (file_exists(r, name))
		return err_say(t, ERR_EXISTS, "it exists");
	control_remove(r, name);
	if (!special_use)
		return ERR_OK;
	parent = parent_open(r, r->control_fd, name, true);
	if (parent >= 0 && (mkdirat(parent, file_last(name), r->dir_mode) == 0 || errno == EEXIST))
		dir = file_open_dir(parent, file_last(name));
	e = dir < 0 ? err_sys(t, "%s", name)
		    : special_use_write(dir, special_use, r->file_mode, r->sync != STORE_SYNC_NEVER, t);
	if (dir >= 0)
		close(dir);
	if (parent >= 0)
		close(parent);
	return e;
}

/* INBOX is there from the beginning: a file that is missing is an empty one. */
enum err mbox_create(struct store *s, const char *name, const char *special_use, struct errtext *t)
{
	struct mbox_root *r = mbox_root_of(s);
	int dir;
	enum err e;

	if (mbox_is_inbox(r, name) && special_use)
		return err_say(t, ERR_CANNOT, "INBOX cannot be made with a special use");
	if (mbox_is_inbox(r, name))
		return access(r->inbox, F_OK) == 0 ? err_say(t, ERR_EXISTS, "it exists") : ERR_OK;
	e = may_change(r, name, t);
	if (!e)
		e = use_write(r, name, special_use, t);
	if (!e)
		e = parent_make(r, name, &dir, t);
	if (e)
		return e;
	e = file_create(r, dir, file_last(name), t);
	close(dir);
	return e;
}

enum err mbox_remove(struct store *s, const char *name, struct errtext *t)
{
	struct mbox_root *r = mbox_root_of(s);
	struct stat st;
	int dir;
	enum err e = may_change(r, name, t);

	if (!e)
		e = mbox_dir_open(r, name, &dir, t);
	if (e)
		return e;
	if (fstatat(dir, file_last(name), &st, AT_SYMLINK_NOFOLLOW) < 0)
		e = errno == ENOENT ? err_say(t, ERR_NOTFOUND, "no such mailbox") : err_sys(t, "%s", name);
	else if (unlinkat(dir, file_last(name), S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		e = errno == ENOTEMPTY || errno == EEXIST ? err_say(t, ERR_CANNOT, "%s has mailboxes below it", name)
							  : err_sys(t, "%s", name);
	/* Were the file back after a power cut, and what lies beside it not, its modseqs would begin anew. */
	if (!e)
		e = synced(r, dir, t);
	if (!e)
		control_remove(r, name);
	close(dir);
	return e;
}

/* 0, or -1 and errno: never onto another. */
static int move(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat st;

	if (syscall(SYS_renameat2, from_dir, from, to_dir, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(to_dir, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_dir, from, to_dir, to);
}

/* Into a directory of that name that Dovecot left behind, of a mailbox that it removed. */
static void control_files_move(struct mbox_root *r, const char *from, const char *to)
{
	int old = file_open_dir(r->control_fd, from), new = old < 0 ? -1 : file_open_dir(r->control_fd, to);

	for (size_t i = 0; new >= 0 && i < ARRAY_LEN(control_files); i++)
		(void)renameat(old, control_files[i], new, control_files[i]);
	if (new >= 0) {
		(void)synced(r, new, NULL);
		close(new);
	}
	if (old >= 0)
		close(old);
}

/* What the mailbox could not carry itself goes with it. */
static void control_move(struct mbox_root *r, const char *from, const char *to)
{
	int old = r->control_fd < 0 ? -1 : parent_open(r, r->control_fd, from, false);
	int new = old < 0 ? -1 : parent_open(r, r->control_fd, to, true);

	if (new >= 0) {
		control_remove(r, to); /* of a mailbox that another program removed */
		if (move(old, file_last(from), new, file_last(to)) < 0 && errno == EEXIST)
			control_files_move(r, from, to);
		(void)synced(r, new, NULL);
		close(new);
	}
	if (old >= 0)
		close(old);
}

static enum err move_named(struct mbox_root *r, const char *from, const char *to, int new, struct errtext *t)
{
	int old;
	enum err e = mbox_dir_open(r, from, &old, t);

	if (e)
		return e;
	if (move(old, file_last(from), new, file_last(to)) < 0)
		e = errno == EEXIST   ? err_say(t, ERR_EXISTS, "it exists")
		    : errno == ENOENT ? err_say(t, ERR_NOTFOUND, "no such mailbox")
				      : err_sys(t, "%s", from);
	if (!e)
		control_move(r, from, to);
	if (!e)
		e = synced(r, new, t);
	if (!e)
		e = synced(r, old, t);
	close(old);
	return e;
}

enum err mbox_rename(struct store *s, const char *from, const char *to, struct errtext *t)
{
	struct mbox_root *r = mbox_root_of(s);
	struct store_box *sb;
	int new;
	enum err e = may_change(r, from, t);

	if (!e)
		e = may_change(r, to, t);
	/* Its GUID was made from its name, perhaps: it is noted before that changes. */
	if (!e && mbox_box_open(s, from, &sb, NULL) == ERR_OK) {
		e = mbox_guid_keep(sb, t);
		mbox_box_close(sb);
	}
	if (!e)
		e = parent_make(r, to, &new, t);
	if (e)
		return e;
	e = move_named(r, from, to, new, t);
	close(new);
	return e;
}
