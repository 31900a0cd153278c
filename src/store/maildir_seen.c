/*
 * Mailboxes in which \Seen is each user's own: with INDEXPVT= all, with INDEX= alone those that hold a dovecot-shared, as in
 * Dovecot. S in file names then means nothing and is left as it is; what this user has seen is in roost-seen (seen.h). Every
 * other flag is everybody's.
 */
#include "file.h"
#include "maildir.h"
#include "seen.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define SHARED_NAME "dovecot-shared"

static bool is_shared(int fd)
{
	struct stat st;

	return fstatat(fd, SHARED_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void maildir_seen_open(struct maildir *m)
{
	m->seen_root = m->seen && is_shared(m->root_fd);
}

void maildir_seen_begin(struct maildir_box *b)
{
	b->head.own_seen = b->m->seen && (b->m->seen_all || is_shared(b->dir_fd));
	if (b->head.own_seen)
		b->seen = mem_alloc(sizeof(*b->seen));
}

void maildir_seen_end(struct maildir_box *b)
{
	if (b->seen)
		seen_free(b->seen);
	free(b->seen);
}

static const char *dovecot_index(const struct maildir *m)
{
	return m->seen_all ? "dovecot.index.pvt" : "dovecot.index";
}

/* path: where Dovecot keeps the mailbox's index. */
static struct seen_of seen_of(const struct maildir_box *b, char path[MAILDIR_PATH_MAX])
{
	return (struct seen_of){
		.guid = b->list.head.guid,
		.uidvalidity = b->list.head.uidvalidity,
		.path = maildir_control_path(b->m, b->name, path) ? path : NULL,
		.index = dovecot_index(b->m),
	};
}

static bool listed(const struct maildir_box *b)
{
	return b->list.present && !b->list.damaged && b->list.head.has_guid;
}

/*
 * The user's own directory is opened for the moment only: there may be many mailboxes. What came from Dovecot and cannot be
 * written now is taken over again the next time.
 */
enum err maildir_seen_refresh(struct maildir_box *b, struct errtext *t)
{
	char path[MAILDIR_PATH_MAX];
	struct seen_change nothing = { .sync = b->m->sync != STORE_SYNC_NEVER };
	struct seen_of of = seen_of(b, path);
	int fd = -1;
	enum err e;

	if (!b->seen || !listed(b))
		return ERR_OK;
	e = file_root(b->m->seen, false, 0700, &fd, t);
	if (e && e != ERR_NOTFOUND)
		return e;
	e = seen_read(b->seen, fd, &of, t);
	if (!e && b->seen->unsaved && seen_change(b->seen, fd, &of, &nothing, NULL))
		e = seen_read(b->seen, fd, &of, t);
	if (fd >= 0)
		close(fd);
	return e;
}

bool maildir_seen_news(struct maildir_box *b)
{
	char path[MAILDIR_PATH_MAX];
	struct seen_of of;
	bool news;
	int fd;

	if (!b->seen || maildir_uidlist_read(b, false, NULL, NULL, NULL) || !listed(b) ||
	    file_root(b->m->seen, false, 0700, &fd, NULL))
		return false;
	of = seen_of(b, path);
	news = !seen_read(b->seen, fd, &of, NULL) && b->seen->news;
	close(fd);
	return news;
}

void maildir_seen_told(struct maildir_box *b)
{
	if (b->seen)
		b->seen->news = false;
}

bool maildir_seen_elsewhere(struct maildir *m, const char *name)
{
	char path[MAILDIR_PATH_MAX], log[2 * MAILDIR_PATH_MAX];
	struct stat st;
	int fd;
	bool there;

	if (!m->seen || !(m->seen_all || m->seen_root) || !maildir_control_path(m, name, path) ||
	    file_root(m->seen, false, 0700, &fd, NULL))
		return false;
	snprintf(log, sizeof(log), "%s/%s.log", path, dovecot_index(m));
	there = fstatat(fd, log, &st, AT_SYMLINK_NOFOLLOW) == 0;
	close(fd);
	return there;
}

bool maildir_seen_has(const struct maildir_box *b, uint32_t uid)
{
	return uid && set_has(&b->seen->f.d.uids, uid);
}

static enum err change(struct maildir_box *b, const struct seen_change *c, struct errtext *t)
{
	char path[MAILDIR_PATH_MAX];
	struct seen_of of;
	enum err e = maildir_uidlist_read(b, false, NULL, NULL, t);
	int fd;

	if (e)
		return e;
	if (!listed(b))
		return err_say(t, ERR_INUSE, "%s has no list of UIDs", b->name);
	of = seen_of(b, path);
	e = file_root(b->m->seen, true, 0700, &fd, t);
	if (e)
		return e;
	e = seen_change(b->seen, fd, &of, c, t);
	close(fd);
	return e;
}

enum err maildir_set_seen(struct store_box *sb, const struct set *on, const struct set *off, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct seen_change c = { .on = on, .off = off, .sync = b->m->sync != STORE_SYNC_NEVER };

	return b->seen && (on->n || off->n) ? change(b, &c, t) : ERR_OK;
}

uint64_t maildir_seen_floor(const struct maildir_box *b)
{
	return b->seen->f.floor;
}

enum err maildir_seen_raise(struct maildir_box *b, uint64_t floor, struct errtext *t)
{
	struct seen_change c = { .floor = floor, .sync = b->m->sync != STORE_SYNC_NEVER };

	return change(b, &c, t);
}

struct mail_flags maildir_seen_not(const struct maildir_box *b, struct mail_flags flags, struct mail_flags now)
{
	if (b->head.own_seen)
		flags.system = (uint8_t)((flags.system & ~MAIL_SEEN) | (now.system & MAIL_SEEN));
	return flags;
}

enum err maildir_shared_make(struct maildir *m, int fd)
{
	int mark;

	if (!is_shared(m->root_fd))
		return ERR_OK;
	mark = file_open(fd, SHARED_NAME, O_WRONLY | O_CREAT, m->file_mode);
	if (mark < 0)
		return err_from_errno(errno);
	close(mark);
	return ERR_OK;
}
