/*
 * A template: a helper that has read its settings and then waits. Each order makes a copy of it by fork(2), which goes on
 * as a helper: no exec, no loader, no reading of settings, and the pages of all that are shared by all copies until
 * they write there.
 *
 * A copy finds the descriptors that proc/spawn.h promises. It is no child of the template but of the nearest reaper above
 * (the master, which has asked for that with PR_SET_CHILD_SUBREAPER): the process between the two ends at once.
 *
 * A template has the powers of the master that started it, and does nothing but this: it must hold nothing that two
 * processes may not share (epoll, inotify, an index). All its copies have one layout of addresses and one stack canary:
 * after a crash of one the master takes a new template, so that nobody can try twice against the same secret.
 *
 *	order:  uint32_t number of the child; descriptors: its channel, its log
 *	answer: int32_t pid, from the copy itself; 0: no copy could be made
 */
#ifndef PROC_TEMPLATE_H
#define PROC_TEMPLATE_H

#include "proc/spawn.h"

/* The name under which proc_spawn starts one; the channel that it gives is the one for orders. */
#define CHILD_TEMPLATE "template"

/*
 * The master's side, waits for the answer, at most wait_ms. s: child and log_fd count. As proc_spawn otherwise. After
 * any error the template is of no more use. ERR_CLOSED: it is dead.
 */
enum err template_order(int fd, const struct proc_spawn *s, int wait_ms, pid_t *pid_r, int *chan_fd_r,
			struct errtext *why);

/* The template's side: returns in each copy, with its number. Exits when the master closes the channel. */
uint32_t template_serve(void);

#endif
