/*
 * The event loop: descriptors (epoll, level-triggered), timers, tasks, signals, children.
 *
 * One iteration: ready descriptors; due timers; tasks of loop_later; tasks of
 * loop_finish until none is left; then sleep. It allocates nothing. Whatever is
 * registered may be removed or changed inside any callback, its own included; after
 * removal its callback is not called again. Times are monotonic milliseconds.
 * Not thread safe. Callbacks never nest: no function here calls one.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_io; /* a registered descriptor */
struct loop_signal;
struct loop_child;

enum loop_events {
	LOOP_READ = 1,      /* reported for data, end of stream and errors */
	LOOP_WRITE = 2,     /* reported for room and for errors */
	LOOP_EXCLUSIVE = 4, /* interest only: wake one of the processes that share the descriptor */
};

typedef void loop_fn(void *ctx);
typedef void loop_io_fn(void *ctx, unsigned events);

/* Never NULL (aborts when the kernel gives no epoll). Ignores SIGPIPE in this process. */
struct loop *loop_new(void);
void loop_free(struct loop **l); /* everything registered must be gone or is forgotten; nulls */

void loop_run(struct loop *l);  /* returns after loop_stop */
void loop_stop(struct loop *l); /* at the end of this iteration */
uint64_t loop_now(const struct loop *l); /* when this iteration began, clock_ms */

/*
 * events 0: nothing is reported, not even a hang-up, and nothing is watched. The
 * descriptor stays the caller's and must be removed here before it is closed.
 */
struct loop_io *loop_add(struct loop *l, int fd, unsigned events, loop_io_fn *fn, void *ctx);
void loop_set(struct loop_io *io, unsigned events); /* cheap when nothing changes */
void loop_remove(struct loop_io **io);              /* NULL allowed; nulls */

/* A one-shot timer, embedded by its owner, zeroed before first use. */
struct loop_timer {
	loop_fn *fn;
	void *ctx;
	uint64_t due;
	size_t slot; /* place in the heap + 1; 0: not armed */
};

/* Arms or re-arms: fn(ctx) once, ms from now. O(log n). */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t ms, loop_fn *fn, void *ctx);
void loop_timer_stop(struct loop *l, struct loop_timer *t); /* armed or not */

static inline bool loop_timer_armed(const struct loop_timer *t)
{
	return t->slot != 0;
}

/* Work for later in this iteration, embedded by its owner, zeroed before first use. */
struct loop_task {
	loop_fn *fn;
	void *ctx;
	struct loop_task *next, *prev; /* in a ring; NULL: not queued */
};

/*
 * loop_later: fn(ctx) once, after the events; what a task queues runs in the next
 * iteration, so that descriptors come between two slices of long work.
 * loop_finish: fn(ctx) once, as the last thing before the loop sleeps (for sending
 * what all others have written). Queued already: nothing happens.
 */
void loop_later(struct loop *l, struct loop_task *t, loop_fn *fn, void *ctx);
void loop_finish(struct loop *l, struct loop_task *t, loop_fn *fn, void *ctx);
void loop_task_stop(struct loop_task *t); /* queued or not */

/* Blocks signo and calls fn(ctx) after it arrived (several arrivals may be one call). */
struct loop_signal *loop_signal_add(struct loop *l, int signo, loop_fn *fn, void *ctx);
void loop_signal_remove(struct loop_signal **s); /* NULL allowed; the signal stays blocked */

/* fn(ctx, pid, status) once when the child has ended; status as of waitpid(2). The watch is gone then. */
typedef void loop_child_fn(void *ctx, pid_t pid, int status);
struct loop_child *loop_child_add(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx);
void loop_child_remove(struct loop_child **c); /* NULL allowed; the child is still reaped */

/*
 * The scratch: LOOP_SCRATCH bytes that a callback may use until it returns, so that
 * an idle connection needs no buffer of its own. Nothing in it survives the callback.
 */
enum { LOOP_SCRATCH = 65536 };
char *loop_scratch(struct loop *l);
void loop_rest(struct loop *l); /* no callback is in progress that uses it: its memory goes back until it is used again */

#endif
