/*
 * Dot locks, as Dovecot takes them: whoever creates NAME.lock with O_EXCL holds the lock.
 *
 * Two kinds. A guard (dovecot-uidlist.lock) holds the text "pid:hostname" and is unlinked in the
 * end. A replacement (dovecot-keywords.lock, subscriptions.lock) is itself the next version of the
 * file and is renamed over it. A lock is tried once: ERR_INUSE. A lock that its holder left behind
 * is broken: at once when its text names a process of this host that is dead, else when it is older
 * than stale seconds.
 */
#ifndef STORE_DOTLOCK_H
#define STORE_DOTLOCK_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct dotlock {
	int dir_fd; /* borrowed */
	int fd;     /* own; -1: not held */
	dev_t dev;
	ino_t ino;
	char name[NAME_MAX + 1];
};

#define DOTLOCK_NONE { .fd = -1 }

struct dotlock_want {
	const char *name; /* NAME.lock */
	const char *host; /* our name for the text of a guard; NULL: a replacement */
	pid_t pid;        /* who a guard says that holds it; 0: we */
	int stale;        /* seconds */
	mode_t mode;
	bool mbox;        /* any program's, perhaps empty; a draft's name begins with a dot: others list all files here */
};

/* dotlock_want.stale: most, but for ever as long as what is locked (NULL: not there) changes oftener than that. */
int dotlock_stale_after(int most, const struct stat *guarded);
/* ERR_INUSE, ERR_CANNOT (too long a name), or what the directory says. */
enum err dotlock_take(struct dotlock *l, int dir_fd, const struct dotlock_want *want, struct errtext *t);
/*
 * Is the lock file still ours? Whoever was held up for long asks again before he writes: others may
 * have taken the lock for a dead one's.
 */
bool dotlock_holds(const struct dotlock *l);
/* Removes the lock file if it is still ours. May be called on one not held. */
void dotlock_drop(struct dotlock *l);
/* Renames the lock file over target; the lock is gone either way. */
enum err dotlock_replace(struct dotlock *l, const char *target);

#endif
