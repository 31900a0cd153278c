/*
 * RENAME where control files lie elsewhere (CONTROL=): two directories must move, and one goes first. So that the list of UIDs
 * is not lost when its maker dies in between, what is going on is noted before in CONTROL/roost-rename, and whoever finds a
 * mailbox without a list finishes it.
 *
 *	note = from LF to LF        paths below the folders' root, and below that in the control root
 */
#include "maildir_folders.h"

#include "file.h"

#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

#define NOTE_NAME "roost-rename"
enum { NOTE_MAX = 16384 };

static bool elsewhere(const struct maildir *m)
{
	return m->control_fd >= 0 && m->control_fd != m->root_fd;
}

static int control_parent(const struct maildir *m, const char *path, const struct file_make *make)
{
	char *place = m->control_boxes ? mem_printf("%s/%s", m->control_boxes, path) : mem_str(path);
	int parent = file_open_parent(m->control_fd, place, make), why = errno;

	free(place);
	errno = why;
	return parent;
}

/* Control files of a mailbox that was once called so. */
static void drop_stale(struct maildir *m, const char *path)
{
	char aside[MAILDIR_NAME_MAX + 1];
	int parent = control_parent(m, path, NULL);

	if (parent < 0)
		return;
	if (trash_put(m, parent, file_last(path), m->control_fd, aside) == 0)
		trash_sweep(m, m->control_fd, SWEEP_REMOVE);
	close(parent);
}

static enum err move_control(struct maildir *m, const char *from, const char *to)
{
	struct file_make make = { m->dir_mode, m->sync != STORE_SYNC_NEVER };
	int old = control_parent(m, from, NULL), new = -1;
	enum err e = ERR_OK;

	/* There is none, or another process was faster. */
	if (old < 0)
		return errno == ENOENT ? ERR_OK : err_from_errno(errno);
	if (folder_is_dir(old, file_last(from))) {
		new = control_parent(m, to, &make);
		if (new < 0 || (folder_move(old, file_last(from), new, file_last(to)) < 0 && errno != ENOENT))
			e = err_from_errno(errno);
		if (!e && make.sync)
			e = file_sync_dir(new);
	}
	if (new >= 0)
		close(new);
	close(old);
	return e;
}

enum err moving_begin(struct maildir *m, const char *from, const char *to)
{
	struct buf note;
	enum err e = ERR_LIMIT;

	if (!elsewhere(m))
		return ERR_OK;
	/* The control files there are no leavings, but in use. */
	if (folder_is_there(m->boxes_fd, to))
		return ERR_EXISTS;
	moving_finish(m);
	drop_stale(m, to);
	buf_init(&note, NOTE_MAX);
	buf_printf(&note, "%s\n%s\n", from, to);
	if (!note.failed)
		e = file_replace(m->control_fd, NOTE_NAME ".tmp", NOTE_NAME, buf_span(&note), m->file_mode,
				 m->sync != STORE_SYNC_NEVER);
	buf_free(&note);
	return e;
}

enum err moving_end(struct maildir *m, const char *from, const char *to, bool moved)
{
	enum err e;

	if (!elsewhere(m))
		return ERR_OK;
	e = moved ? move_control(m, from, to) : ERR_OK;
	if (!e)
		unlinkat(m->control_fd, NOTE_NAME, 0);
	return e;
}

static bool note_read(struct maildir *m, struct buf *note, const char **from_r, const char **to_r)
{
	struct stat st;
	bool ok;
	char *lf;
	int fd;

	if (file_open_read(m->control_fd, NOTE_NAME, &fd, &st))
		return false;
	ok = !file_load(fd, 0, note) && note->n && note->p[note->n - 1] == '\n';
	close(fd);
	if (!ok)
		return false;
	note->p[note->n - 1] = '\0';
	lf = strchr(note->p, '\n');
	if (!lf)
		return false;
	*lf = '\0';
	*from_r = note->p;
	*to_r = lf + 1;
	return **from_r && **to_r;
}

void moving_finish(struct maildir *m)
{
	const char *from, *to;
	struct buf note;
	bool done;

	if (!elsewhere(m) || m->readonly)
		return;
	buf_init(&note, NOTE_MAX);
	if (note_read(m, &note, &from, &to)) {
		done = folder_is_dir(m->boxes_fd, from) || !folder_is_dir(m->boxes_fd, to) || !move_control(m, from, to);
		if (done)
			unlinkat(m->control_fd, NOTE_NAME, 0);
	}
	buf_free(&note);
}
