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
#include <unistd.h>

#define SHARED_NAME "dovecot-shared"

static bool is_shared(int fd)
{
	struct stat st;

	return fstatat(fd, SHARED_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
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

static struct seen_of seen_of(const struct maildir_box *b)
{
	return (struct seen_of){ b->list.head.guid, b->list.head.uidvalidity };
}

static bool listed(const struct maildir_box *b)
{
	return b->list.present && !b->list.damaged && b->list.head.has_guid;
}

/* The user's own directory is opened for the moment only: there may be many mailboxes. */
enum err maildir_seen_refresh(struct maildir_box *b, struct errtext *t)
{
	struct seen_of of = seen_of(b);
	int fd = -1;
	enum err e;

	if (!b->seen || !listed(b))
		return ERR_OK;
	e = file_root(b->m->seen, false, 0700, &fd, t);
	if (e && e != ERR_NOTFOUND)
		return e;
	e = seen_read(b->seen, fd, &of, t);
	if (fd >= 0)
		close(fd);
	return e;
}

bool maildir_seen_has(const struct maildir_box *b, uint32_t uid)
{
	return uid && set_has(&b->seen->uids, uid);
}

enum err maildir_set_seen(struct store_box *sb, const struct set *on, const struct set *off, struct errtext *t)
{
	struct maildir_box *b = maildir_box_of(sb);
	struct seen_of of;
	enum err e;
	int fd;

	if (!b->seen || (!on->n && !off->n))
		return ERR_OK;
	e = maildir_uidlist_read(b, false, NULL, NULL, t);
	if (e)
		return e;
	if (!listed(b))
		return err_say(t, ERR_INUSE, "%s has no list of UIDs", b->name);
	of = seen_of(b);
	e = file_root(b->m->seen, true, 0700, &fd, t);
	if (e)
		return e;
	e = seen_change(b->seen, fd, &of, on, off, b->m->sync != STORE_SYNC_NEVER, t);
	close(fd);
	return e;
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
