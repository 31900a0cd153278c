/*
 * LAYOUT=fs: the mailbox A/B is the directory A/B below the place where the folders begin, or with DIRNAME= the
 * directory A/B/DIRNAME. A directory without cur/ is a level. No mailbox is called cur, new, tmp, or as DIRNAME is.
 *
 * A list reads each directory once and looks at one inode of each mailbox. Crash safety: a new folder is renamed into
 * place whole; one that goes is renamed away whole, or, when others lie below it, loses cur/ first. A RENAME is one
 * rename, children included.
 */
#include "maildir_folders.h"

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* --- list --- */

/* One directory on its way into the list. */
struct visit {
	struct maildir *m;
	struct listing *l;
	const char *name; /* storage name; "": where the folders begin */
	int fd;
	bool has_cur, has_dirname, has_use;
};

static bool is_message_dir(const char *name)
{
	return strcmp(name, "cur") == 0 || strcmp(name, "new") == 0 || strcmp(name, "tmp") == 0;
}

static void visit_child(struct visit *v, const char *dirname)
{
	struct buf *b = &v->l->name;

	buf_clear(b);
	if (*v->name)
		buf_printf(b, "%s/", v->name);
	if (!maildir_level(v->m, dirname, b) || !store_name_valid(&store_maildir_fs, buf_cstr(b)))
		return;
	/* In any case it means the one INBOX, which is spelled so. */
	if (span_ieq(buf_span(b), SPAN("INBOX")) && !span_eq(buf_span(b), SPAN("INBOX")))
		return;
	listing_add(v->l, buf_span(b), (struct listed){ .selectable = false });
}

static void visit_entry(struct visit *v, const struct dirent *de)
{
	const char *name = de->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	v->has_use |= strcmp(name, "roost-use") == 0;
	if (is_message_dir(name))
		v->has_cur |= *name == 'c';
	else if (v->m->dirname && strcmp(name, v->m->dirname) == 0)
		v->has_dirname = true;
	else if (v->l->tab.n < LIST_FOLDERS_MAX && folder_entry_is_dir(v->fd, de))
		visit_child(v, name);
}

static void visit_folder(struct visit *v)
{
	const char *messages = v->m->dirname ? v->m->dirname : ".";
	struct listed f = { .id = 0 };

	if (v->m->dirname ? !v->has_dirname : !v->has_cur)
		return;
	if (listing_cur(v->fd, messages, &f) && (v->has_use || v->m->dirname))
		f.use = listing_use(v->m, v->l, v->fd, messages, f.id);
	if (f.selectable)
		listing_add(v->l, span_str(v->name), f);
}

static enum err visit_dir(struct visit *v)
{
	DIR *d = folder_entries(v->fd);
	struct dirent *de;
	enum err e = ERR_OK;

	if (!d)
		return err_from_errno(errno);
	while ((de = file_readdir(d, &e)))
		visit_entry(v, de);
	closedir(d);
	if (*v->name && !maildir_is_inbox(v->m, v->name))
		visit_folder(v);
	return e;
}

/* What may not be looked into is a level without anything below it. */
static enum err visit_below(struct maildir *m, struct listing *l, size_t k)
{
	struct visit v = { .m = m, .l = l };
	char name[MAILDIR_PATH_MAX], path[MAILDIR_PATH_MAX];
	enum err e;

	snprintf(name, sizeof(name), "%.*s", (int)l->tab.key[k].n, l->tab.key[k].p);
	v.name = name;
	errno = ENOENT;
	v.fd = maildir_dir_path(m, name, path) ? file_open_dir(m->boxes_fd, path) : -1;
	if (v.fd < 0)
		return file_unknown(errno) ? err_from_errno(errno) : ERR_OK;
	e = visit_dir(&v);
	close(v.fd);
	return e;
}

static void sweep_once(struct maildir *m)
{
	if (m->swept || m->readonly || !folder_is_dir(m->boxes_fd, trash_work_name(m)) || trash_work(m) < 0)
		return;
	m->swept = true;
	trash_sweep(m, m->work_fd, SWEEP_LIST);
}

enum err maildir_fs_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	struct listing l;
	struct visit root = { .m = m, .l = &l, .name = "", .fd = m->boxes_fd };
	enum err e;

	listing_init(&l);
	if (!m->folders_only && maildir_is_inbox(m, "INBOX") && folder_is_dir(m->inbox_fd, "cur"))
		listing_add(&l, SPAN("INBOX"), (struct listed){ .selectable = true });
	e = visit_dir(&root);
	/* The list is its own queue. */
	for (size_t k = 0; !e && k < l.tab.n; k++)
		e = visit_below(m, &l, k);
	e = e ? err_say(t, e, "the mail directory cannot be listed: %s", err_name(e)) : listing_give(&l, a, f_r, n_r);
	listing_free(&l);
	sweep_once(m);
	return e;
}

const char *maildir_fs_folder_dir(struct store *s, const char *name, struct arena *a)
{
	struct maildir *m = maildir_of(s);
	char path[MAILDIR_PATH_MAX];

	/* That of INBOX is there only when others lie below it. */
	if (!maildir_dir_path(m, name, path) || !folder_is_dir(m->boxes_fd, path))
		return NULL;
	return arena_printf(a, "%s/%s", m->boxes, path);
}

/* --- remove --- */

/* Does the directory hold others that are not of the mailbox itself? -1 and errno. */
static int has_children(const struct maildir *m, int parent, const char *dirname)
{
	int fd = file_open_dir(parent, dirname), found = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	enum err e = ERR_OK;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (!found && (de = file_readdir(d, &e)))
		found = strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0 && !is_message_dir(de->d_name) &&
			!(m->dirname && strcmp(de->d_name, m->dirname) == 0) && folder_entry_is_dir(fd, de);
	closedir(d);
	errno = e ? EIO : 0;
	return e ? -1 : found;
}

/* All of it, unless something came to lie below it. 1: something did. */
static int put_whole(struct maildir *m, int parent, const char *last, int work)
{
	char aside[MAILDIR_NAME_MAX + 1];
	int children = has_children(m, parent, last);

	if (children)
		return children;
	if (trash_put(m, parent, last, work, aside) < 0)
		return -1;
	children = has_children(m, work, aside);
	if (children && folder_move(work, aside, parent, last) < 0)
		return -1;
	return children;
}

/* dirname: of the messages, in parent. */
static enum err take_away(struct maildir *m, int parent, const char *last, bool mailbox)
{
	int work = trash_work(m), left;

	if (work < 0)
		return err_from_errno(errno);
	left = put_whole(m, parent, last, work);
	if (left == 1 && !mailbox)
		return ERR_CANNOT;
	if (left == 1)
		left = trash_but_children(m, parent, last, work);
	return left < 0 ? err_from_errno(errno) : ERR_OK;
}

/* Levels above the name that hold nothing, when they shall not stay. */
static void prune(struct maildir *m, const char *name)
{
	char path[MAILDIR_PATH_MAX];
	char *slash;

	if (!m->prune || !maildir_dir_path(m, name, path))
		return;
	while ((slash = strrchr(path, '/'))) {
		int parent;

		*slash = '\0';
		parent = folder_parent(m, path, false);
		if (parent < 0 || unlinkat(parent, file_last(path), AT_REMOVEDIR) < 0)
			slash = NULL;
		if (parent >= 0)
			close(parent);
		if (!slash)
			return;
	}
}

static enum err remove_folder(struct maildir *m, const char *name, struct errtext *t)
{
	char path[MAILDIR_PATH_MAX], dir[MAILDIR_PATH_MAX];
	int parent, above;
	struct listed there;
	bool mailbox;
	enum err e;

	if (!maildir_path(m, name, path) || !maildir_dir_path(m, name, dir))
		return err_say(t, ERR_NOTFOUND, "no such mailbox");
	above = folder_parent(m, dir, false);
	if (above < 0 || !folder_is_dir(above, file_last(dir))) {
		if (above >= 0)
			close(above);
		return err_say(t, ERR_NOTFOUND, "%s does not exist", name);
	}
	parent = folder_parent(m, path, false);
	mailbox = parent >= 0 && listing_cur(parent, file_last(path), &there);
	/* With DIRNAME a level has nothing of its own. */
	e = parent < 0		  ? err_from_errno(errno)
	    : mailbox || !m->dirname ? take_away(m, parent, file_last(path), mailbox)
				  : ERR_OK;
	if (!e && m->dirname && unlinkat(above, file_last(dir), AT_REMOVEDIR) < 0 && !mailbox)
		e = errno == ENOTEMPTY || errno == EEXIST ? ERR_CANNOT : err_from_errno(errno);
	if (e == ERR_CANNOT)
		err_say(t, e, "%s has mailboxes below it, delete them first", name);
	else if (e)
		err_say(t, e, "%s cannot be removed: %s", name, err_name(e));
	else
		e = folder_sync(m, m->dirname ? parent : above, t);
	if (parent >= 0)
		close(parent);
	close(above);
	return e;
}

enum err maildir_fs_remove(struct store *s, const char *name, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (maildir_is_inbox(m, name))
		return err_say(t, ERR_CANNOT, "INBOX cannot be removed");
	e = remove_folder(m, name, t);
	if (e)
		return e;
	control_drop(m, name);
	prune(m, name);
	trash_sweep(m, m->work_fd, SWEEP_REMOVE);
	return ERR_OK;
}

/* --- rename --- */

static enum err move_dir(struct maildir *m, const char *from, const char *to, struct errtext *t)
{
	int old = folder_parent(m, from, false), new;
	enum err e, control;
	bool moved;

	if (old < 0 || !folder_is_dir(old, file_last(from))) {
		if (old >= 0)
			close(old);
		return ERR_NOTFOUND;
	}
	new = folder_parent(m, to, true);
	e = new < 0 ? err_from_errno(errno) : moving_begin(m, from, to);
	if (!e && folder_move(old, file_last(from), new, file_last(to)) < 0) {
		e = err_from_errno(errno);
		(void)moving_end(m, from, to, false);
	}
	moved = !e;
	if (!e)
		e = folder_sync(m, new, t);
	if (!e)
		e = folder_sync(m, old, t);
	if (new >= 0)
		close(new);
	close(old);
	control = moved ? moving_end(m, from, to, true) : ERR_OK;
	return e ? e : control;
}

enum err maildir_fs_rename(struct store *s, const char *from, const char *to, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char old[MAILDIR_PATH_MAX], new[MAILDIR_PATH_MAX];
	size_t n = strlen(from);
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (maildir_is_inbox(m, from))
		return err_say(t, ERR_CANNOT, "%s cannot be renamed here", from);
	if (!maildir_dir_path(m, from, old))
		return err_say(t, ERR_NOTFOUND, "%s does not exist", from);
	if (!maildir_dir_path(m, to, new) || maildir_is_inbox(m, to))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	if (strncmp(to, from, n) == 0 && to[n] == '/')
		return err_say(t, ERR_CANNOT, "a mailbox cannot become its own child");
	e = move_dir(m, old, new, t);
	if (e)
		return err_say(t, e, "%s cannot be renamed to %s: %s", from, to, err_name(e));
	prune(m, from);
	return ERR_OK;
}
