#include "io/loop.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOP_BATCH = 128 }; /* events taken from the kernel at once */

struct loop_io {
	struct loop *loop;
	struct loop_io *next_dead;
	loop_io_fn *fn; /* NULL: removed, waits for the end of the iteration */
	void *ctx;
	int fd;
	unsigned events;
};

struct loop_signal {
	struct loop *loop;
	struct loop_signal *next;
	loop_fn *fn;
	void *ctx;
	int signo;
	bool arrived;
};

struct loop_child {
	struct loop *loop;
	struct loop_child *next;
	loop_child_fn *fn;
	void *ctx;
	pid_t pid;
};

struct loop {
	int epfd;
	bool stop;
	uint64_t now;
	struct loop_timer **heap; /* own array, borrowed timers; the earliest at 0 */
	size_t nheap, heap_cap;
	struct loop_task later, finish; /* heads of rings */
	struct loop_io *dead;
	int sigfd;
	sigset_t sigset;
	struct loop_io *sig_io;
	struct loop_signal *signals;
	struct loop_child *children;
	struct loop_signal *sigchld;
	struct loop_task reap; /* for a child that ended before it was watched */
	char *scratch;
};

/* Rings of tasks. */

static void loop_ring_init(struct loop_task *head)
{
	head->next = head->prev = head;
}

static void loop_ring_add(struct loop_task *head, struct loop_task *t, loop_fn *fn, void *ctx)
{
	if (t->next)
		return;
	t->fn = fn;
	t->ctx = ctx;
	t->next = head;
	t->prev = head->prev;
	head->prev->next = t;
	head->prev = t;
}

void loop_task_stop(struct loop_task *t)
{
	if (!t->next)
		return;
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->next = t->prev = NULL;
}

void loop_later(struct loop *l, struct loop_task *t, loop_fn *fn, void *ctx)
{
	loop_ring_add(&l->later, t, fn, ctx);
}

void loop_finish(struct loop *l, struct loop_task *t, loop_fn *fn, void *ctx)
{
	loop_ring_add(&l->finish, t, fn, ctx);
}

static void loop_ring_run(struct loop_task *head)
{
	while (head->next != head) {
		struct loop_task *t = head->next;

		loop_task_stop(t);
		t->fn(t->ctx);
	}
}

/* Only what is queued now: a task that queues itself again comes after the next events. */
static void loop_run_later(struct loop *l)
{
	struct loop_task now;

	if (l->later.next == &l->later)
		return;
	now.next = l->later.next;
	now.prev = l->later.prev;
	now.next->prev = now.prev->next = &now;
	loop_ring_init(&l->later);
	loop_ring_run(&now);
}

/* Timers: a binary heap, each timer knows its place. */

static void loop_heap_put(struct loop *l, size_t at, struct loop_timer *t)
{
	l->heap[at] = t;
	t->slot = at + 1;
}

static void loop_heap_up(struct loop *l, size_t at, struct loop_timer *t)
{
	while (at > 0 && l->heap[(at - 1) / 2]->due > t->due) {
		loop_heap_put(l, at, l->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	loop_heap_put(l, at, t);
}

static void loop_heap_down(struct loop *l, size_t at, struct loop_timer *t)
{
	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < l->nheap && l->heap[child + 1]->due < l->heap[child]->due)
			child++;
		if (child >= l->nheap || l->heap[child]->due >= t->due)
			break;
		loop_heap_put(l, at, l->heap[child]);
		at = child;
	}
	loop_heap_put(l, at, t);
}

void loop_timer_stop(struct loop *l, struct loop_timer *t)
{
	size_t at = t->slot - 1;
	struct loop_timer *last;

	if (!t->slot)
		return;
	must(at < l->nheap && l->heap[at] == t);
	last = l->heap[--l->nheap];
	t->slot = 0;
	if (last == t)
		return;
	if (at > 0 && l->heap[(at - 1) / 2]->due > last->due)
		loop_heap_up(l, at, last);
	else
		loop_heap_down(l, at, last);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t ms, loop_fn *fn, void *ctx)
{
	loop_timer_stop(l, t);
	if (l->nheap == l->heap_cap) {
		l->heap_cap = l->heap_cap ? l->heap_cap * 2 : 16;
		l->heap = mem_grow(l->heap, l->heap_cap, sizeof(*l->heap));
	}
	t->fn = fn;
	t->ctx = ctx;
	t->due = clock_ms() + (ms ? ms : 1); /* never due within the same round */
	loop_heap_up(l, l->nheap++, t);
}

static void loop_run_timers(struct loop *l)
{
	while (l->nheap && l->heap[0]->due <= l->now) {
		struct loop_timer *t = l->heap[0];

		loop_timer_stop(l, t);
		t->fn(t->ctx);
	}
}

/* Descriptors. */

static uint32_t loop_epoll_mask(unsigned events)
{
	return (events & LOOP_READ ? (uint32_t)EPOLLIN : 0) |
	       (events & LOOP_WRITE ? (uint32_t)EPOLLOUT : 0) |
	       (events & LOOP_EXCLUSIVE ? (uint32_t)EPOLLEXCLUSIVE : 0);
}

void loop_set(struct loop_io *io, unsigned events)
{
	struct epoll_event ev = { .events = loop_epoll_mask(events), .data.ptr = io };
	int op = !events ? EPOLL_CTL_DEL : io->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (events == io->events)
		return;
	io->events = events;
	if (epoll_ctl(io->loop->epfd, op, io->fd, &ev) == 0)
		return;
	/* The kernel's memory for watches is spent, or a bug of ours. */
	must(errno == ENOMEM || errno == ENOSPC);
	io->events = 0;
}

struct loop_io *loop_add(struct loop *l, int fd, unsigned events, loop_io_fn *fn, void *ctx)
{
	struct loop_io *io = mem_alloc(sizeof(*io));

	*io = (struct loop_io){ .loop = l, .fn = fn, .ctx = ctx, .fd = fd };
	loop_set(io, events);
	return io;
}

void loop_remove(struct loop_io **io)
{
	struct loop *l;

	if (!*io)
		return;
	l = (*io)->loop;
	loop_set(*io, 0);
	(*io)->fn = NULL;
	(*io)->next_dead = l->dead;
	l->dead = *io;
	*io = NULL;
}

static void loop_bury(struct loop *l)
{
	while (l->dead) {
		struct loop_io *io = l->dead;

		l->dead = io->next_dead;
		free(io);
	}
}

static int loop_timeout(const struct loop *l)
{
	uint64_t now, wait;

	if (l->stop || l->later.next != &l->later)
		return 0;
	if (!l->nheap)
		return -1;
	now = clock_ms();
	wait = l->heap[0]->due > now ? l->heap[0]->due - now : 0;
	return wait > INT_MAX ? INT_MAX : (int)wait;
}

static void loop_dispatch(struct loop *l, const struct epoll_event *ev)
{
	struct loop_io *io = ev->data.ptr;
	unsigned events = 0;

	if (ev->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		events |= LOOP_READ;
	if (ev->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		events |= LOOP_WRITE;
	events &= io->events;
	if (io->fn && events)
		io->fn(io->ctx, events);
}

void loop_run(struct loop *l)
{
	struct epoll_event ev[LOOP_BATCH];

	l->stop = false;
	do {
		int n;

		loop_ring_run(&l->finish);
		n = epoll_wait(l->epfd, ev, LOOP_BATCH, loop_timeout(l));
		must(n >= 0 || errno == EINTR);
		l->now = clock_ms();
		for (int i = 0; i < n; i++)
			loop_dispatch(l, &ev[i]);
		loop_run_timers(l);
		loop_run_later(l);
		loop_ring_run(&l->finish);
		loop_bury(l);
	} while (!l->stop);
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

char *loop_scratch(struct loop *l)
{
	return l->scratch;
}

void loop_rest(struct loop *l)
{
	madvise(l->scratch, LOOP_SCRATCH, MADV_DONTNEED);
}

/* Signals. */

static void loop_call_signals(struct loop *l)
{
	struct loop_signal *s = l->signals;

	while (s) {
		if (!s->arrived) {
			s = s->next;
			continue;
		}
		s->arrived = false;
		s->fn(s->ctx);
		s = l->signals; /* the list may have changed */
	}
}

static void loop_on_signal(void *ctx, unsigned events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo info[16];
	ssize_t n = read(l->sigfd, info, sizeof(info));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(info[0]); i++)
		for (struct loop_signal *s = l->signals; s; s = s->next)
			s->arrived = s->arrived || (uint32_t)s->signo == info[i].ssi_signo;
	loop_call_signals(l);
}

struct loop_signal *loop_signal_add(struct loop *l, int signo, loop_fn *fn, void *ctx)
{
	struct loop_signal *s = mem_alloc(sizeof(*s));

	*s = (struct loop_signal){ .loop = l, .next = l->signals, .fn = fn, .ctx = ctx,
				   .signo = signo };
	l->signals = s;
	sigaddset(&l->sigset, signo);
	must(sigprocmask(SIG_BLOCK, &l->sigset, NULL) == 0);
	l->sigfd = signalfd(l->sigfd, &l->sigset, SFD_NONBLOCK | SFD_CLOEXEC);
	must(l->sigfd >= 0);
	if (!l->sig_io)
		l->sig_io = loop_add(l, l->sigfd, LOOP_READ, loop_on_signal, l);
	return s;
}

void loop_signal_remove(struct loop_signal **s)
{
	struct loop_signal **at;

	if (!*s)
		return;
	for (at = &(*s)->loop->signals; *at != *s; at = &(*at)->next)
		;
	*at = (*s)->next;
	free(*s);
	*s = NULL;
}

/* Children. */

static void loop_child_ended(struct loop *l, pid_t pid, int status)
{
	for (struct loop_child **at = &l->children; *at; at = &(*at)->next) {
		struct loop_child *c = *at;

		if (c->pid != pid)
			continue;
		*at = c->next;
		c->fn(c->ctx, pid, status);
		free(c);
		return;
	}
}

static void loop_reap(void *ctx)
{
	struct loop *l = ctx;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		loop_child_ended(l, pid, status);
}

struct loop_child *loop_child_add(struct loop *l, pid_t pid, loop_child_fn *fn, void *ctx)
{
	struct loop_child *c = mem_alloc(sizeof(*c));

	*c = (struct loop_child){ .loop = l, .next = l->children, .fn = fn, .ctx = ctx, .pid = pid };
	l->children = c;
	if (!l->sigchld)
		l->sigchld = loop_signal_add(l, SIGCHLD, loop_reap, l);
	loop_later(l, &l->reap, loop_reap, l);
	return c;
}

void loop_child_remove(struct loop_child **c)
{
	struct loop_child **at;

	if (!*c)
		return;
	for (at = &(*c)->loop->children; *at && *at != *c; at = &(*at)->next)
		;
	if (*at) {
		*at = (*c)->next;
		free(*c);
	}
	*c = NULL;
}

/* Birth and death. */

struct loop *loop_new(void)
{
	struct loop *l = mem_alloc(sizeof(*l));

	signal(SIGPIPE, SIG_IGN);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	must(l->epfd >= 0);
	l->sigfd = -1;
	sigemptyset(&l->sigset);
	loop_ring_init(&l->later);
	loop_ring_init(&l->finish);
	l->now = clock_ms();
	l->scratch = mmap(NULL, LOOP_SCRATCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	must(l->scratch != MAP_FAILED);
	return l;
}

void loop_free(struct loop **loop)
{
	struct loop *l = *loop;

	if (!l)
		return;
	loop_remove(&l->sig_io);
	loop_bury(l);
	while (l->signals) {
		struct loop_signal *s = l->signals;

		loop_signal_remove(&s);
	}
	while (l->children) {
		struct loop_child *c = l->children;

		loop_child_remove(&c);
	}
	if (l->sigfd >= 0)
		close(l->sigfd);
	close(l->epfd);
	free(l->heap);
	munmap(l->scratch, LOOP_SCRATCH);
	free(l);
	*loop = NULL;
}
