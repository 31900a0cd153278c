/*
 * The start-up ritual: becoming a process that may do only its work.
 *
 * One function, in this order: what libraries open late (time zone, character sets, name
 * service) is opened; limits; chroot; groups, gid, uid, capabilities; no new privileges, no core dumps; Landlock; seccomp.
 * Without root the chroot and the change of ids are left out. What the kernel cannot do (Landlock
 * absent or old) is left out too and told in a note, which the caller logs once.
 */
#ifndef PROC_CONFINE_H
#define PROC_CONFINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* System calls that a kind of process may use; sets add up. execve kills, others give EPERM. */
enum confine_calls {
	CALLS_ANY = 0,       /* no filter (master; authentication modules that we did not write) */
	CALLS_BASE = 1,      /* memory, time, loop, read and write on what is open, messages with descriptors */
	CALLS_SOCKET = 2,    /* accept, addresses, socket pairs, shutdown */
	CALLS_FILE_READ = 4, /* open, stat, readdir, mmap of files */
	CALLS_FILE_WRITE = 8, /* create, link, rename, unlink, lock, sync */
	CALLS_WATCH = 16,    /* inotify */
	CALLS_CONNECT = 32,  /* new sockets to elsewhere (databases, name service) */
};

/* A directory tree (or file) that stays reachable. One that does not exist is left out. */
struct confine_path {
	const char *path;
	bool write;
};

struct confine {
	uid_t uid;                 /* (uid_t)-1: stay who we are; 0 is refused with ERR_PERM unless stay_root */
	gid_t gid;                 /* (gid_t)-1: stay */
	const gid_t *groups;
	size_t ngroups;
	bool stay_root;            /* uid 0 may stay, with no power but to read every file */
	const char *chroot;        /* NULL: none */
	void (*prepare)(void *ctx); /* runs as the new owner, before Landlock and seccomp; may be NULL */
	void *prepare_ctx;
	bool landlock;             /* restrict files to paths (none: nothing can be opened) and forbid TCP bind and connect */
	const struct confine_path *paths;
	size_t npaths;
	unsigned calls;            /* enum confine_calls */
	const struct confine_filter *filter; /* borrowed; of these calls, made in advance; NULL: it is made now */
	unsigned files_max;        /* RLIMIT_NOFILE, 0: as it is; lowered to the hard limit */
	uint64_t memory_max;       /* RLIMIT_AS in bytes, 0: as it is; ignored under sanitizers */
};

struct confine_note {
	char text[256]; /* what was left out and why; "" when nothing */
};

/* The filter of a set of calls, for confine.filter: making one costs more than all the rest. */
struct confine_filter;
enum err confine_compile(unsigned calls, struct confine_filter **f_r, struct errtext *why);
void confine_filter_free(struct confine_filter **f); /* NULL allowed; nulls */

/* Opens what libraries open late; confine_self does it too. */
void confine_preload(void);

/* Any error leaves the process half confined: the caller exits. */
enum err confine_self(const struct confine *c, struct confine_note *note_r, struct errtext *why);

#endif
