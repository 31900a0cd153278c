/*
 * Maildir++ folders: ".A.B" in the mail root is the mailbox A.B, whether or not ".A" exists.
 *
 * Crash safety. A new folder is built as roost.new.* and renamed into place whole. A removed one is
 * renamed to roost.trash.* and then emptied; whatever a crash leaves is found by a later list or
 * remove. Neither name begins with a dot, so no Maildir++ program takes them for mailboxes. A
 * rename of a tree moves the children first and the folder itself last: a repeated RENAME completes
 * one that was cut short.
 */
#include "maildir_folders.h"

#include "file.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <unistd.h>

/* --- list --- */

/* The folder, and the levels above it. */
static void listing_folder(struct listing *l, const char *name, struct listed f)
{
	struct span all = span_str(name);

	listing_add(l, all, f);
	for (size_t i = 0; i < all.n; i++)
		if (all.p[i] == '.')
			listing_add(l, span_cut(all, 0, i), (struct listed){ .selectable = false });
}

static void listing_dir(struct maildir *m, struct listing *l, const char *dirname)
{
	struct listed f = { .id = 0 };

	if (listing_cur(m->root_fd, dirname, &f))
		f.use = listing_use(m, l, m->root_fd, dirname, f.id);
	buf_clear(&l->name);
	if (maildir_level(m, dirname, &l->name) && store_name_valid(&store_maildir, buf_cstr(&l->name)))
		listing_folder(l, buf_cstr(&l->name), f);
}

static enum err listing_read(struct maildir *m, struct listing *l, struct errtext *t)
{
	DIR *d = folder_entries(m->root_fd);
	struct dirent *de;
	enum err e = ERR_OK;

	if (!d)
		return err_sys(t, "the mail root cannot be listed");
	while ((de = file_readdir(d, &e)) && l->tab.n < LIST_FOLDERS_MAX) {
		const char *name = de->d_name;

		if (name[0] == 'r' && trash_is(m->root_fd, name))
			l->trash = true;
		if (name[0] == '.' && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		    folder_entry_is_dir(m->root_fd, de) && (m->folders_only || strcmp(name, ".INBOX") != 0))
			listing_dir(m, l, name);
	}
	closedir(d);
	if (!m->folders_only && folder_is_dir(m->inbox_fd, "cur"))
		listing_add(l, SPAN("INBOX"), (struct listed){ .selectable = true });
	return e ? err_say(t, e, "the mail root cannot be listed") : ERR_OK;
}

enum err maildir_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r,
		      struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	struct listing l;
	enum err e;

	listing_init(&l);
	e = listing_read(m, &l, t);
	if (!e)
		e = listing_give(&l, a, f_r, n_r);
	if (!e && l.trash && !m->readonly)
		trash_sweep(m, m->root_fd, SWEEP_LIST);
	listing_free(&l);
	return e;
}

static bool list_cares(const char *name, bool dir)
{
	return name[0] == '.' || strcmp(name, "subscriptions") == 0;
}

/* Where SUBSCRIPTIONS= calls that file otherwise it may be any but those that lie beside it anyway; so may folders. */
static bool list_may_care(const char *name, bool dir)
{
	static const struct span ours[] = { SPAN_INIT("dovecot."), SPAN_INIT("dovecot-"), SPAN_INIT("roost."),
					    SPAN_INIT("roost-") };
	struct span s = span_str(name);

	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (span_starts(s, ours[i]))
			return false;
	return !span_ends(s, SPAN(".lock"));
}

/* LAYOUT=fs: a directory of any name is a folder. */
static bool list_fs_cares(const char *name, bool dir)
{
	return dir || list_may_care(name, dir);
}

size_t maildir_watch_list(struct store *s, const char *paths[4], bool (**cares_r)(const char *name, bool dir))
{
	const struct maildir *m = maildir_of(s);
	size_t n = 0;

	if (m->control && m->control_fd < 0) /* where the subscriptions will be */
		return 0;
	paths[n++] = m->boxes;
	if (m->control)
		paths[n++] = m->control;
	else if (m->boxes_fd != m->root_fd) /* where the subscriptions are */
		paths[n++] = m->root;
	*cares_r = m->fs ? list_fs_cares : strcmp(m->subscriptions, "subscriptions") == 0 ? list_cares : list_may_care;
	return n;
}

/* --- remove --- */

enum err maildir_remove(struct store *s, const char *name, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char dirname[MAILDIR_PATH_MAX], aside[MAILDIR_NAME_MAX + 1];

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (!maildir_path(m, name, dirname))
		return err_say(t, ERR_NOTFOUND, "no such mailbox");
	if (!*dirname)
		return err_say(t, ERR_CANNOT, "INBOX cannot be removed");
	if (!folder_is_dir(m->root_fd, dirname))
		return err_say(t, ERR_NOTFOUND, "%s does not exist", name);
	if (trash_put(m, m->root_fd, dirname, m->root_fd, aside) < 0)
		return err_sys(t, "%s cannot be removed", name);
	enum err e = folder_sync(m, m->root_fd, t);
	if (e)
		return e;
	control_drop(m, name);
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
	DIR *d = folder_entries(m->root_fd);
	size_t len = strlen(dirname);
	struct dirent *de;
	enum err e = ERR_OK;

	if (!d)
		return err_from_errno(errno);
	while ((de = file_readdir(d, &e))) {
		if (strncmp(de->d_name, dirname, len) != 0 || de->d_name[len] != '.' ||
		    !folder_is_dir(m->root_fd, de->d_name))
			continue;
		v->from = mem_grow(v->from, v->n + 2, sizeof(*v->from));
		v->from[v->n++] = mem_str(de->d_name);
	}
	closedir(d);
	if (folder_is_dir(m->root_fd, dirname)) {
		v->from = mem_grow(v->from, v->n + 1, sizeof(*v->from));
		v->from[v->n++] = mem_str(dirname);
	}
	return e || v->n ? e : ERR_NOTFOUND;
}

static bool move_target(const char *from, size_t from_n, const char *to,
			char out[MAILDIR_NAME_MAX + 2])
{
	return snprintf(out, MAILDIR_NAME_MAX + 2, "%s%s", to, from + from_n) <= MAILDIR_NAME_MAX;
}

static enum err moves_check(struct maildir *m, const struct moves *v, size_t from_n, const char *to)
{
	char target[MAILDIR_NAME_MAX + 2];

	if (folder_is_there(m->root_fd, to))
		return ERR_EXISTS;
	for (size_t i = 0; i < v->n; i++) {
		if (!move_target(v->from[i], from_n, to, target))
			return ERR_CANNOT;
		if (folder_is_there(m->root_fd, target))
			return ERR_EXISTS;
	}
	return ERR_OK;
}

static enum err moves_do(struct maildir *m, const struct moves *v, size_t from_n, const char *to)
{
	char target[MAILDIR_NAME_MAX + 2];
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < v->n; i++) {
		if (!move_target(v->from[i], from_n, to, target))
			return ERR_CANNOT;
		e = moving_begin(m, v->from[i], target);
		if (!e && folder_move(m->root_fd, v->from[i], m->root_fd, target) < 0) {
			e = err_from_errno(errno);
			(void)moving_end(m, v->from[i], target, false);
		} else if (!e) {
			e = moving_end(m, v->from[i], target, true);
		}
	}
	return e;
}

enum err maildir_rename(struct store *s, const char *from, const char *to, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char old[MAILDIR_PATH_MAX], new[MAILDIR_PATH_MAX];
	struct moves v = { 0 };
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (maildir_is_inbox(m, from))
		return err_say(t, ERR_CANNOT, "%s cannot be renamed here", from);
	if (!maildir_path(m, from, old))
		return err_say(t, ERR_NOTFOUND, "%s cannot be renamed here", from);
	if (!maildir_path(m, to, new) || !*new)
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	size_t n = strlen(old);
	if (strncmp(new, old, n) == 0 && new[n] == '.')
		return err_say(t, ERR_CANNOT, "a mailbox cannot become its own child");
	e = moves_find(m, old, &v);
	e = e ? e : moves_check(m, &v, n, new);
	e = e ? e : moves_do(m, &v, n, new);
	moves_free(&v);
	return e ? err_say(t, e, "%s cannot be renamed to %s: %s", from, to, err_name(e))
		 : folder_sync(m, m->root_fd, t);
}
