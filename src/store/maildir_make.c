/* Making a Maildir's folders, of either layout. */
#include "maildir_folders.h"

#include "file.h"
#include "special_use.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum err folder_sync(struct maildir *m, int parent, struct errtext *t)
{
	if (m->sync == STORE_SYNC_NEVER)
		return ERR_OK;
	enum err e = file_sync_dir(parent);
	if (!e && m->control_fd >= 0 && m->control_fd != m->root_fd)
		e = file_sync_dir(m->control_fd);
	return e ? err_say(t, e, "the mail directory cannot be synced") : ERR_OK;
}

int folder_parent(struct maildir *m, const char *path, bool make)
{
	struct file_make how = { m->dir_mode, m->sync != STORE_SYNC_NEVER };

	return file_open_parent(m->boxes_fd, path, make ? &how : NULL);
}

void control_drop(struct maildir *m, const char *name)
{
	char path[MAILDIR_PATH_MAX];
	int parent;

	if (m->control_fd < 0 || m->control_fd == m->root_fd || !maildir_control_path(m, name, path))
		return;
	parent = file_open_parent(m->control_fd, path, NULL);
	if (parent < 0)
		return;
	if (trash_but_children(m, parent, file_last(path), m->control_fd) == 0)
		unlinkat(parent, file_last(path), AT_REMOVEDIR);
	close(parent);
	trash_sweep(m, m->control_fd, SWEEP_REMOVE);
}

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
	int fd = file_open_dir(parent, dirname), mark = -1;
	enum err e = fd < 0 ? err_from_errno(errno) : ERR_OK;

	if (!e && !m->fs) {
		mark = file_open(fd, "maildirfolder", O_WRONLY | O_CREAT, m->file_mode);
		e = mark < 0 ? err_from_errno(errno) : ERR_OK;
	}
	if (!e)
		e = maildir_shared_make(m, fd);
	if (!e && use)
		e = special_use_write(fd, use, m->file_mode, m->sync != STORE_SYNC_NEVER, t);
	if (!e)
		e = message_dirs_make(m, fd);
	if (mark >= 0)
		close(mark);
	if (fd >= 0)
		close(fd);
	return e;
}

static enum err draft_make(struct maildir *m, int parent, const char *name, const char *path, const char *use,
			   struct errtext *t)
{
	char draft[MAILDIR_NAME_MAX + 1];
	int work = trash_work(m);
	enum err e;

	if (work < 0)
		return err_from_errno(errno);
	folder_draft_name(m, draft);
	e = file_mkdir(work, draft, m->dir_mode);
	e = e ? e : folder_fill(m, work, draft, use, t);
	if (!e)
		control_drop(m, name);
	if (!e && folder_move(work, draft, parent, file_last(path)) < 0)
		e = err_from_errno(errno);
	if (e) {
		size_t budget = 100;
		trash_empty(m, work, draft, &budget);
	}
	return e;
}

/* A directory without cur/ has no messages: whose list of UIDs is in it was removed, and its maker could not finish. */
static enum err leftovers_drop(int parent, const char *dirname)
{
	static const char *const names[] = { "dovecot-uidlist", "dovecot-keywords", "roost-extra", "roost-use" };
	int fd = file_open_dir(parent, dirname);
	enum err e = fd < 0 ? err_from_errno(errno) : ERR_OK;

	/* Made by another process since, or it could not be seen: the list is in use. */
	if (!e && folder_is_there(fd, "cur"))
		e = ERR_EXISTS;
	else if (!e && errno != ENOENT)
		e = err_from_errno(errno);
	for (size_t i = 0; !e && i < ARRAY_LEN(names); i++)
		if (unlinkat(fd, names[i], 0) < 0 && errno != ENOENT)
			e = err_from_errno(errno);
	if (fd >= 0)
		close(fd);
	return e;
}

/* Where there is a level, or half a mailbox. */
static enum err level_fill(struct maildir *m, int parent, const char *name, const char *path, const char *use,
			   struct errtext *t)
{
	enum err e = leftovers_drop(parent, file_last(path));

	if (!e)
		control_drop(m, name);
	return e ? e : folder_fill(m, parent, file_last(path), use, t);
}

static enum err folder_make(struct maildir *m, const char *name, const char *path, const char *use, struct errtext *t)
{
	int parent = folder_parent(m, path, true);
	const char *last = file_last(path);
	struct listed there;
	enum err e;

	if (parent < 0) /* a link or a file in the way: no folder can lie below it */
		return errno == ELOOP || errno == ENOTDIR ? ERR_CANNOT : err_from_errno(errno);
	if (!folder_is_dir(parent, last))
		e = draft_make(m, parent, name, path, use, t);
	else if (listing_cur(parent, last, &there))
		e = ERR_EXISTS;
	else
		e = level_fill(m, parent, name, path, use, t);
	if (!e)
		e = folder_sync(m, parent, t);
	close(parent);
	return e;
}

enum err maildir_create(struct store *s, const char *name, const char *special_use, struct errtext *t)
{
	struct maildir *m = maildir_of(s);
	char path[MAILDIR_PATH_MAX];
	enum err e;

	if (m->readonly)
		return err_say(t, ERR_READONLY, "the mail is read-only");
	if (!maildir_path(m, name, path))
		return err_say(t, ERR_CANNOT, "not a usable mailbox name");
	if (*path)
		e = folder_make(m, name, path, special_use, t);
	else if (special_use)
		e = ERR_CANNOT;
	else
		e = folder_is_dir(m->inbox_fd, "cur") ? ERR_EXISTS : message_dirs_make(m, m->inbox_fd);
	return e ? err_say(t, e, "%s cannot be created: %s", name, err_name(e)) : ERR_OK;
}
