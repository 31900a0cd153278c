/* Dot locks. */
#include "store/dotlock.h"
#include "file.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
	/*
	 * Who asks for a lock has none from before: his pid in an old one is a dead namesake's, or of a lock that he
	 * could not remove.
	 */
	OWN_PID_GRACE = 2,
	/* A guard of Dovecot's is without its pid for an instant only, or its maker was killed. */
	EMPTY_GRACE = 10,
	STEM_MAX = 200, /* bytes of a lock's name in that of a file beside it */
};

static pid_t holder(const struct dotlock_want *want)
{
	return want->pid ? want->pid : getpid();
}

static bool holder_is_dead(const char *text, const struct dotlock_want *want, time_t age)
{
	struct span rest = span_str(text), pid_text;
	uint32_t pid;

	if (!span_split(&rest, ':', &pid_text) || !span_u32(pid_text, &pid) || pid == 0 ||
	    pid > INT32_MAX)
		return false;
	if (!want->host || !span_eq_str(rest, want->host))
		return false;
	if ((pid_t)pid == holder(want))
		return age > OWN_PID_GRACE;
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

static bool lock_is_stale(int dir_fd, const struct dotlock_want *want, struct stat *st_r)
{
	char text[300];
	int fd;

	if (file_open_read(dir_fd, want->name, &fd, st_r))
		return false;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	time_t age =
		time(NULL) - (st_r->st_mtime > st_r->st_ctime ? st_r->st_mtime : st_r->st_ctime);
	return age > want->stale || (want->host && !want->mbox && n == 0 && age > EMPTY_GRACE) ||
	       holder_is_dead(text, want, age);
}

/*
 * Takes the stale file out of the way. Between judging and moving, another process may have broken
 * it and locked anew: then what we moved is a live lock, and we put it back.
 */
static bool break_stale(int dir_fd, const char *name, const struct stat *judged)
{
	char aside[NAME_MAX + 1];
	struct stat st;

	snprintf(aside, sizeof(aside), ".%.*s.%ld.%lx", STEM_MAX, name, (long)getpid(), (unsigned long)judged->st_ino);
	if (renameat(dir_fd, name, dir_fd, aside) < 0)
		return errno == ENOENT;
	bool same = fstatat(dir_fd, aside, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ino == judged->st_ino && st.st_dev == judged->st_dev &&
		    st.st_mtime == judged->st_mtime;
	if (!same && linkat(dir_fd, aside, dir_fd, name, 0) < 0)
		same = false; /* a third has locked meanwhile: it stays theirs */
	unlinkat(dir_fd, aside, 0);
	return same;
}

/*
 * A guard is written under a draft name and then renamed, so that it is never seen without its pid:
 * who finds a guard of ours knows at once whether its maker lives. -1 and errno.
 */
static int guard_create(int dir_fd, const struct dotlock_want *want)
{
	char draft[NAME_MAX + 1], text[320];

	snprintf(draft, sizeof(draft), "%s%.*s.%ld.%llx", want->mbox ? "." : "", STEM_MAX, want->name, (long)getpid(),
		 (unsigned long long)clock_wall_us());
	int n = snprintf(text, sizeof(text), "%ld:%s", (long)holder(want), want->host);
	size_t len = n < (int)sizeof(text) ? (size_t)n : sizeof(text) - 1;
	int fd = file_open(dir_fd, draft, O_RDWR | O_CREAT | O_EXCL, want->mode);
	if (fd < 0)
		return -1;
	if (file_write(fd, text, len) == ERR_OK &&
	    file_rename_new(dir_fd, draft, dir_fd, want->name) == 0)
		return fd;
	int saved = errno;
	unlinkat(dir_fd, draft, 0);
	close(fd);
	errno = saved;
	return -1;
}

static int lock_create(int dir_fd, const struct dotlock_want *want)
{
	if (want->host)
		return guard_create(dir_fd, want);
	return file_open(dir_fd, want->name, O_RDWR | O_CREAT | O_EXCL, want->mode);
}

enum err dotlock_take(struct dotlock *l, int dir_fd, const struct dotlock_want *want, struct errtext *t)
{
	struct stat st;

	*l = (struct dotlock){ .dir_fd = dir_fd, .fd = -1 };
	if (snprintf(l->name, sizeof(l->name), "%s", want->name) >= (int)sizeof(l->name))
		return err_say(t, ERR_CANNOT, "%s: too long a name for a lock file", want->name);
	int fd = lock_create(dir_fd, want);
	if (fd < 0 && errno != EEXIST)
		return err_sys(t, "%s", want->name);
	if (fd < 0 && lock_is_stale(dir_fd, want, &st) && break_stale(dir_fd, want->name, &st))
		fd = lock_create(dir_fd, want);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		return err_say(t, ERR_INUSE, "%s is held by another process", want->name);
	}
	l->fd = fd;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return ERR_OK;
}

int dotlock_stale_after(int most, const struct stat *guarded)
{
	return guarded && clock_wall() - guarded->st_mtime < most ? INT32_MAX : most;
}

bool dotlock_holds(const struct dotlock *l)
{
	struct stat st;

	return l->fd >= 0 && fstatat(l->dir_fd, l->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == l->ino && st.st_dev == l->dev;
}

void dotlock_drop(struct dotlock *l)
{
	if (l->fd < 0)
		return;
	if (dotlock_holds(l))
		unlinkat(l->dir_fd, l->name, 0);
	close(l->fd);
	l->fd = -1;
}

enum err dotlock_replace(struct dotlock *l, const char *target)
{
	enum err e = ERR_OK;

	if (!dotlock_holds(l))
		e = ERR_INUSE;
	else if (renameat(l->dir_fd, l->name, l->dir_fd, target) < 0)
		e = err_from_errno(errno);
	if (e)
		dotlock_drop(l);
	else
		close(l->fd);
	l->fd = -1;
	return e;
}
