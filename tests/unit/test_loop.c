#include "io/loop.h"
#include "base/clock.h"

#include "tests/unit/test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/* What happened, as letters in order. */
struct diary {
	struct loop *l;
	char text[64];
	size_t n;
	struct loop_io *io[2];
	struct loop_task task[2];
	struct loop_timer timer[2];
};

static void write_down(struct diary *d, char c)
{
	d->text[d->n++] = c;
}

static void on_timer(void *ctx)
{
	write_down(ctx, 't');
}

static void on_finish(void *ctx)
{
	write_down(ctx, 'f');
}

static void on_task(void *ctx)
{
	struct diary *d = ctx;

	write_down(d, 'l');
	loop_finish(d->l, &d->task[1], on_finish, d);
	if (d->n < 6)
		loop_later(d->l, &d->task[0], on_task, d);
	else
		loop_stop(d->l);
}

static void test_order(void **state)
{
	struct diary d = { loop_new() };
	struct loop_task unwanted = { 0 };

	loop_later(d.l, &d.task[0], on_task, &d);
	loop_later(d.l, &d.task[0], on_task, &d); /* queued already */
	loop_later(d.l, &unwanted, on_timer, &d);
	loop_task_stop(&unwanted);
	loop_run(d.l);
	assert_string_equal(d.text, "lflflflf");
	loop_free(&d.l);
}

/* Both descriptors are ready; whoever comes first removes both. */
static void on_pair(void *ctx, unsigned events)
{
	struct diary *d = ctx;

	write_down(d, events & LOOP_READ ? 'r' : '?');
	loop_remove(&d->io[0]);
	loop_remove(&d->io[1]);
	loop_stop(d->l);
}

static void test_remove_inside(void **state)
{
	struct diary d = { loop_new() };
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(write(fd[0], "x", 1) + write(fd[1], "x", 1), 2);
	for (int i = 0; i < 2; i++)
		d.io[i] = loop_add(d.l, fd[i], LOOP_READ, on_pair, &d);
	loop_run(d.l);
	assert_string_equal(d.text, "r");
	loop_free(&d.l);
	close(fd[0]);
	close(fd[1]);
}

static void on_hup(void *ctx, unsigned events)
{
	struct diary *d = ctx;

	write_down(d, events == LOOP_WRITE ? 'w' : '?');
	loop_set(d->io[0], 0);
	loop_timer_set(d->l, &d->timer[0], 5, stop, d->l);
}

/* A hang-up is reported as what was asked for, and not at all when nothing is watched. */
static void test_hangup(void **state)
{
	struct diary d = { loop_new() };
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	close(fd[1]);
	d.io[0] = loop_add(d.l, fd[0], LOOP_WRITE, on_hup, &d);
	loop_run(d.l);
	assert_string_equal(d.text, "w");
	loop_remove(&d.io[0]);
	loop_free(&d.l);
	close(fd[0]);
}

enum { TIMERS = 10000 };

struct clockwork {
	struct loop *l;
	struct loop_timer t[TIMERS];
	uint64_t last;
	int rung;
};

static void ring(void *ctx)
{
	struct clockwork *c = ctx;

	c->rung++;
}

/* Ten thousand timers, half of them stopped: the others ring, in order of their heap. */
static void test_timers(void **state)
{
	static struct clockwork c;
	struct loop_timer end = { 0 };
	unsigned seed = 1;
	uint64_t began = clock_ms();

	c.l = loop_new();
	for (int i = 0; i < TIMERS; i++)
		loop_timer_set(c.l, &c.t[i], (uint64_t)(rand_r(&seed) % 20), ring, &c);
	for (int i = 0; i < TIMERS; i += 2)
		loop_timer_set(c.l, &c.t[i], 100000, ring, &c); /* later than the end */
	for (int i = 0; i < TIMERS; i += 4)
		loop_timer_stop(c.l, &c.t[i]);
	loop_timer_set(c.l, &end, 40, stop, c.l);
	loop_run(c.l);
	assert_int_equal(c.rung, TIMERS / 2);
	assert_in_range(clock_ms() - began, 40, 5000);
	assert_true(loop_timer_armed(&c.t[2]) && !loop_timer_armed(&c.t[1]) && !loop_timer_armed(&c.t[4]));
	loop_free(&c.l);
}

static void on_child(void *ctx, pid_t pid, int status)
{
	struct diary *d = ctx;

	write_down(d, (char)('0' + WEXITSTATUS(status)));
	if (d->n == 3)
		loop_stop(d->l);
}

static void on_usr1(void *ctx)
{
	write_down(ctx, 's');
}

static void test_children_and_signals(void **state)
{
	struct diary d = { loop_new() };
	struct loop_signal *usr1 = loop_signal_add(d.l, SIGUSR1, on_usr1, &d);
	struct loop_child *forgotten;
	pid_t pid[3];

	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			_exit(i + 1);
	}
	usleep(20000); /* so that all have ended before they are watched */
	loop_child_add(d.l, pid[0], on_child, &d);
	forgotten = loop_child_add(d.l, pid[1], on_child, &d);
	loop_child_remove(&forgotten);
	loop_child_add(d.l, pid[2], on_child, &d);
	loop_run(d.l);
	assert_int_equal(d.text[0], 's');
	assert_true(strchr(d.text, '1') && strchr(d.text, '3') && !strchr(d.text, '2'));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	loop_signal_remove(&usr1);
	loop_free(&d.l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),       cmocka_unit_test(test_remove_inside),
		cmocka_unit_test(test_hangup),      cmocka_unit_test(test_timers),
		cmocka_unit_test(test_children_and_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
