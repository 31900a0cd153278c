/*
 * Directories that are no mailboxes yet, and those that are none any more: roost.new.* and roost.trash.*. They lie in
 * the mail root (Maildir++, where a mailbox begins with a dot) or in tmp/ (or DIRNAME/) of the place where the folders begin
 * (LAYOUT=fs, where no mailbox can be called so): no program takes them for mailboxes.
 */
#include "maildir_folders.h"

#include "file.h"

#include "base/clock.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRASH_PREFIX "roost.trash."
#define NEW_PREFIX "roost.new."
enum { NEW_ABANDONED = 3600 /* seconds after which a folder under construction is trash */ };

bool folder_is_dir(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

bool folder_is_there(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of a directory, never onto another. 0, or -1 and errno. */
int folder_move(int from_fd, const char *from, int to_fd, const char *to)
{
	if (syscall(SYS_renameat2, from_fd, from, to_fd, to, 1 /* RENAME_NOREPLACE */) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (folder_is_there(to_fd, to)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_fd, from, to_fd, to);
}

DIR *folder_entries(int fd)
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

bool folder_entry_is_dir(int fd, const struct dirent *de)
{
	return de->d_type == DT_DIR || (de->d_type == DT_UNKNOWN && folder_is_dir(fd, de->d_name));
}

void folder_draft_name(struct maildir *m, char out[MAILDIR_NAME_MAX + 1])
{
	own_name(m, NEW_PREFIX, out);
}

static void trash_name(struct maildir *m, char out[MAILDIR_NAME_MAX + 1])
{
	own_name(m, TRASH_PREFIX, out);
}

bool trash_is(int fd, const char *name)
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
void trash_empty(struct maildir *m, int root, const char *name, size_t *budget)
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
		trash_name(m, aside);
		if (unlinkat(fd, de->d_name, AT_REMOVEDIR) < 0)
			folder_move(fd, de->d_name, root, aside);
	}
	closedir(d);
	unlinkat(root, name, AT_REMOVEDIR);
}

void trash_sweep(struct maildir *m, int root, size_t budget)
{
	bool more = true;

	/* Each round may turn up directories that the one before took out of others. */
	for (int round = 0; more && budget > 0 && round < 8; round++) {
		DIR *d = folder_entries(root);
		struct dirent *de;

		more = false;
		while (d && budget > 0 && (de = readdir(d))) {
			if (!trash_is(root, de->d_name))
				continue;
			more = true;
			budget--;
			trash_empty(m, root, de->d_name, &budget);
		}
		if (d)
			closedir(d);
	}
}

int trash_put(struct maildir *m, int from, const char *dirname, int into, char aside[MAILDIR_NAME_MAX + 1])
{
	trash_name(m, aside);
	return folder_move(from, dirname, into, aside);
}

/* With DIRNAME= Dovecot takes tmp for a level; what is called DIRNAME it passes over, and of no mailbox it lies there. */
const char *trash_work_name(const struct maildir *m)
{
	return m->dirname ? m->dirname : "tmp";
}

int trash_work(struct maildir *m)
{
	const char *name = trash_work_name(m);

	if (m->work_fd < 0 && !m->readonly && file_mkdir(m->boxes_fd, name, m->dir_mode) == ERR_OK)
		m->work_fd = file_open_dir(m->boxes_fd, name);
	return m->work_fd;
}

/* The directories of the messages, all or none. 0, or -1 and errno. */
static int move_messages(int from, int to)
{
	static const char *const names[] = { "cur", "new", "tmp" };
	int saved;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (folder_move(from, names[i], to, names[i]) == 0 || errno == ENOENT)
			continue;
		saved = errno;
		while (i-- > 0)
			(void)folder_move(to, names[i], from, names[i]);
		errno = saved;
		return -1;
	}
	return 0;
}

/* Of a mailbox with others below it: all but those. 0, or -1 and errno. */
static int empty_but_children(struct maildir *m, int fd, int into)
{
	char aside[MAILDIR_NAME_MAX + 1];
	struct dirent *de;
	int trash, done;
	DIR *d;

	trash_name(m, aside);
	trash = file_mkdir(into, aside, 0700) ? -1 : file_open_dir(into, aside);
	if (trash < 0)
		return -1;
	done = move_messages(fd, trash);
	d = done ? NULL : folder_entries(fd);
	while (d && (de = readdir(d)))
		if (!folder_is_dir(fd, de->d_name))
			unlinkat(fd, de->d_name, 0);
	if (d)
		closedir(d);
	close(trash);
	return done;
}

int trash_but_children(struct maildir *m, int parent, const char *dirname, int into)
{
	int fd = file_open_dir(parent, dirname), done;

	if (fd < 0)
		return -1;
	done = empty_but_children(m, fd, into);
	if (!done && m->sync != STORE_SYNC_NEVER && file_sync_dir(fd)) {
		errno = EIO;
		done = -1;
	}
	close(fd);
	return done;
}
