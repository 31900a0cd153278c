/*
 * Locking an mbox as the settings say. Everything is tried once: a lock that another program holds is ERR_INUSE, what was
 * taken before it is let go, and the caller comes again later, at a time of its own choosing; so programs that lock in the
 * opposite order cannot be deadlocked with.
 *
 * fcntl locks are taken for the open file description: closing another descriptor of the file does not drop them, and
 * they keep out the classic locks of other processes.
 */
#include "file.h"
#include "mbox_journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

/* --- the file --------------------------------------------------------------------------- */

enum err mbox_stamp(struct mbox_box *b, struct mbox_stamp *s_r)
{
	uint64_t now = clock_wall_us();
	struct stat st;

	memset(s_r, 0, sizeof(*s_r));
	if (b->fd < 0)
		return ERR_OK;
	if (fstat(b->fd, &st) < 0)
		return err_from_errno(errno);
	s_r->size = (uint64_t)st.st_size;
	s_r->sec = st.st_mtim.tv_sec;
	s_r->nsec = (uint32_t)st.st_mtim.tv_nsec;
	s_r->ino = st.st_ino;
	int64_t age = (int64_t)now - (s_r->sec * 1000000 + s_r->nsec / 1000);
	s_r->young = age > -10000000 && age < (s_r->nsec == 0 ? 2000000 : 20000);
	return ERR_OK;
}

/*
 * Never back, as long as what was before is ours. A second of the clock has two at most: who looks between two changes of one
 * size in the latter, and never again, misses one. More would set the file ahead of the clock, which says "new mail" to others.
 */
static void time_after(const struct mbox_stamp *before, bool changed, struct timespec *t)
{
	if (before->sec == t->tv_sec + 1 || (changed && before->sec == t->tv_sec))
		t->tv_sec++;
}

enum err mbox_stamp_own(struct mbox_box *b, const struct mbox_stamp *before, bool changed, struct mbox_stamp *s_r)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT } };
	bool set;
	enum err e;

	clock_gettime(CLOCK_REALTIME, &t[1]);
	time_after(before, changed, &t[1]);
	set = b->fd >= 0 && b->writable && futimens(b->fd, t) == 0;
	e = mbox_stamp(b, s_r);
	if (!e && set && t[1].tv_nsec && s_r->sec == t[1].tv_sec && s_r->nsec == t[1].tv_nsec)
		s_r->young = 0;
	return e;
}

/* b's is a stamp of the past; a young one proves nothing. */
bool mbox_stamp_same(const struct mbox_stamp *past, const struct mbox_stamp *now)
{
	return !past->young && past->size == now->size && past->sec == now->sec &&
	       past->nsec == now->nsec && past->ino == now->ino;
}

static bool file_is_open(const struct mbox_box *b)
{
	struct stat at_path, open;

	if (fstatat(b->dir_fd, b->base, &at_path, 0) < 0)
		return b->fd < 0 && errno == ENOENT;
	return b->fd >= 0 && fstat(b->fd, &open) == 0 && open.st_ino == at_path.st_ino &&
	       open.st_dev == at_path.st_dev;
}

/* Opens what the path names; no file is no error. A link to a file elsewhere is an administrator's way. */
static enum err file_open_again(struct mbox_box *b, struct errtext *t)
{
	struct stat st;

	if (file_is_open(b))
		return ERR_OK;
	if (b->fd >= 0)
		close(b->fd);
	mbox_unpacked_drop(b);
	b->packed = mbox_packed_kind(b->dir_fd, b->base);
	b->writable = !b->r->readonly && !b->packed;
	b->fd = openat(b->dir_fd, b->base, (b->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
	if (b->fd < 0 && b->writable && (errno == EACCES || errno == EROFS)) {
		b->writable = false;
		b->fd = openat(b->dir_fd, b->base, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (b->fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys(t, "%s", b->path);
	if (fstat(b->fd, &st) == 0 && S_ISREG(st.st_mode))
		return ERR_OK;
	close(b->fd);
	b->fd = -1;
	return err_say(t, ERR_CANNOT, "%s is not a regular file", b->path);
}

/* --- kinds of locks ------------------------------------------------------------------------ */

static enum err fcntl_set(struct mbox_box *b, int type, struct errtext *t)
{
	struct flock l = { .l_type = (short)type, .l_whence = SEEK_SET };

	if (b->fd < 0)
		return ERR_OK;
	if (type == F_WRLCK && !b->writable)
		l.l_type = F_RDLCK;
	if (fcntl(b->fd, F_OFD_SETLK, &l) == 0)
		return ERR_OK;
	if (errno == EAGAIN || errno == EACCES)
		return err_say(t, ERR_INUSE, "%s is locked by another program", b->path);
	return err_sys(t, "cannot lock %s", b->path);
}

static enum err flock_set(struct mbox_box *b, int type, struct errtext *t)
{
	int how = type == F_UNLCK ? LOCK_UN : type == F_RDLCK ? LOCK_SH : LOCK_EX;

	if (b->fd < 0 || flock(b->fd, how | LOCK_NB) == 0)
		return ERR_OK;
	if (errno == EWOULDBLOCK)
		return err_say(t, ERR_INUSE, "%s is locked by another program", b->path);
	return err_sys(t, "cannot lock %s", b->path);
}

static void dotlock_let_go(struct mbox_box *b)
{
	dotlock_drop(&b->dotlock);
	if (b->lent)
		b->r->set.locker.drop(b->r->set.locker.ctx, b->path);
	b->lent = false;
}

static enum err dotlock_set(struct mbox_box *b, int type, struct errtext *t)
{
	struct store_locker *locker = &b->r->set.locker;
	struct stat st;
	char *name;
	enum err e;

	if (type == F_UNLCK) {
		dotlock_let_go(b);
		return ERR_OK;
	}
	name = mem_printf("%s.lock", b->base);
	struct dotlock_want want = { .name = name,
				     .host = b->r->host,
				     .stale = dotlock_stale_after(b->r->set.dotlock_change_timeout,
								  b->fd >= 0 && fstat(b->fd, &st) == 0 ? &st : NULL),
				     .mode = 0600,
				     .mbox = true };
	e = dotlock_take(&b->dotlock, b->dir_fd, &want, t);
	free(name);
	if (e == ERR_PERM && locker->take && mbox_is_inbox(b->r, b->name)) {
		e = locker->take(locker->ctx, b->path, t);
		b->lent = e == ERR_OK;
	}
	if (e == ERR_PERM || e == ERR_READONLY)
		return err_say(t, e, "cannot make %s.lock: the directory may not be written to "
			       "(mail_privileged_group, or mbox_write_locks without dotlock)", b->path);
	return e;
}

static enum err one_lock(struct mbox_box *b, enum mbox_lock_kind kind, int type, struct errtext *t)
{
	switch (kind) {
	case MBOX_LOCK_FCNTL:
	case MBOX_LOCK_LOCKF:
		return fcntl_set(b, type, t);
	case MBOX_LOCK_FLOCK:
		return flock_set(b, type, t);
	case MBOX_LOCK_DOTLOCK:
	case MBOX_LOCK_DOTLOCK_TRY:
		return dotlock_set(b, type, t);
	case MBOX_LOCK_NONE:
		break;
	}
	return ERR_OK;
}

/* --- all of them ---------------------------------------------------------------------------- */

static const enum mbox_lock_kind *kinds(const struct mbox_box *b, int type)
{
	return type == F_WRLCK ? b->r->set.write_locks : b->r->set.read_locks;
}

static void unlock_first(struct mbox_box *b, int type, size_t n)
{
	while (n-- > 0)
		(void)one_lock(b, kinds(b, type)[n], F_UNLCK, NULL);
}

static enum err lock_all(struct mbox_box *b, int type, struct errtext *t)
{
	size_t n = 0;
	enum err e = ERR_OK;

	while (!e && kinds(b, type)[n] != MBOX_LOCK_NONE) {
		enum mbox_lock_kind kind = kinds(b, type)[n];

		e = one_lock(b, kind, type, t);
		if (kind == MBOX_LOCK_DOTLOCK_TRY && (e == ERR_PERM || e == ERR_READONLY))
			e = ERR_OK;
		n += e == ERR_OK;
	}
	if (e)
		unlock_first(b, type, n);
	else
		b->locked = type;
	return e;
}

void mbox_unlock(struct mbox_box *b)
{
	size_t n = 0;

	if (b->locked == F_UNLCK)
		return;
	while (kinds(b, b->locked)[n] != MBOX_LOCK_NONE)
		n++;
	unlock_first(b, b->locked, n);
	b->locked = F_UNLCK;
}

/* Until the locked file is the one that the path names. */
static enum err lock_path(struct mbox_box *b, int type, struct errtext *t)
{
	for (int i = 0; i < 5; i++) {
		enum err e = file_open_again(b, t);

		if (!e)
			e = lock_all(b, type, t);
		if (e)
			return e;
		if (file_is_open(b))
			return ERR_OK;
		mbox_unlock(b);
	}
	return err_say(t, ERR_INUSE, "%s is replaced again and again", b->path);
}

enum err mbox_lock_some(struct mbox_box *b, int type, struct errtext *t)
{
	enum err e;

	must(b->locked == F_UNLCK);
	e = lock_path(b, type, t);
	if (!e && b->packed) {
		e = mbox_unpack(b, t);
		if (e)
			mbox_unlock(b);
		return e;
	}
	if (e || b->fd < 0 || !journal_pending(b))
		return e;
	if (type != F_WRLCK && b->writable) {
		mbox_unlock(b);
		e = lock_path(b, F_WRLCK, t);
	}
	if (!e && b->writable)
		e = journal_recover(b, t);
	if (e)
		mbox_unlock(b);
	return e;
}

enum err mbox_lock(struct mbox_box *b, int type, struct errtext *t)
{
	enum err e;

	do {
		e = mbox_lock_some(b, type, t);
	} while (e == ERR_AGAIN);
	return e;
}
