/*
 * Starting helper programs, and what a helper finds when it starts.
 *
 * Descriptors of a child: 0 1 2 as its parent's (0: /dev/null), 3 the channel to the master, 4 to 6 the
 * log (base/log.h), 7 the sealed configuration, from 8 on the extra ones. All others are closed. Arguments: the program,
 * the name of the row, the child's number. Environment: TZ and LANG if set, PATH, ROOST_FDS (how many extra).
 * The master's death is the end of the channel: the child exits when its chan closes.
 */
#ifndef PROC_SPAWN_H
#define PROC_SPAWN_H

#include "base/err.h"
#include "base/log.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Name of a program that only tries its settings: it logs what is wrong and exits with 0 or 1. */
#define CHILD_TRY "config"

enum {
	CHILD_FD_CHAN = 3,
	CHILD_FD_LOG = 4,
	CHILD_FD_CONF = CHILD_FD_LOG + LOG_SINKS,
	CHILD_FD_EXTRA,
	CHILD_EXTRA_MAX = 56,
};

struct proc_spawn {
	const char *program; /* path */
	const char *name;    /* of the row: "imap-login" */
	uint32_t child;      /* the child's number */
	int log_fd[LOG_SINKS]; /* borrowed */
	int conf_fd;         /* borrowed; -1: none */
	const int *extra;    /* borrowed */
	size_t nextra;       /* <= CHILD_EXTRA_MAX */
};

/* chan_fd_r: our end of the channel (non-blocking, close-on-exec). A program that cannot be executed exits with 127. */
enum err proc_spawn(const struct proc_spawn *s, pid_t *pid_r, int *chan_fd_r, struct errtext *why);

struct proc_child {
	const char *name; /* own, for the life of the process */
	uint32_t child;
	size_t nextra;
	char *title;      /* borrowed from argv: the bytes that ps shows */
	size_t title_max;
};

/*
 * First thing in a helper's main. ERR_CANNOT when it was not started by proc_spawn. Marks the
 * descriptors close-on-exec.
 */
enum err proc_child_init(int argc, char **argv, struct proc_child *self_r, struct errtext *why);

/* What ps shows: "roost/name text". Nothing happens where there is no room. */
void proc_title(const struct proc_child *self, const char *text);

#endif
