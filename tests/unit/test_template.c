/* The program starts itself as a template and orders copies of it. */
#include "proc/template.h"

#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAIT_MS = 10000 };

/* In the template, then in each copy: says who it is and what it holds, until the master is gone. */
static int template_main(int argc, char **argv)
{
	static struct proc_child self;
	struct errtext why;
	char line[128];
	int before = getpid(), n, fd;
	uint32_t child;

	if (proc_child_init(argc, argv, &self, &why) != ERR_OK)
		return 1;
	close(CHILD_FD_CONF);
	child = template_serve();
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* the conf's place is free, all above is closed */
	n = snprintf(line, sizeof(line), "%s %u %d %d %d", self.name, child, fd, getpid() != before,
		     (fcntl(CHILD_FD_CHAN, F_GETFD) & FD_CLOEXEC) && fcntl(CHILD_FD_EXTRA, F_GETFD) < 0);
	if (write(CHILD_FD_LOG, "l", 1) != 1 || write(CHILD_FD_LOG + 1, "o", 1) != 1 || write(CHILD_FD_LOG + 2, "g", 1) != 1 || write(CHILD_FD_CHAN, line, (size_t)n) != n)
		return 5;
	while (read(CHILD_FD_CHAN, line, sizeof(line)) < 0)
		usleep(1000);
	return 42;
}

static pid_t start(int log_fd, int *orders_r)
{
	struct proc_spawn s = { .program = "/proc/self/exe", .name = CHILD_TEMPLATE, .conf_fd = -1,
				.log_fd = { log_fd, log_fd, log_fd } };
	struct errtext why;
	pid_t pid;

	assert_int_equal(proc_spawn(&s, &pid, orders_r, &why), ERR_OK);
	return pid;
}

static void wait_for_end(pid_t pid, int code)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid); /* ours, though the template made it */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void test_copies(void **state)
{
	int log[2], orders, chan[3];
	pid_t template, pid[3];
	char text[128];
	struct errtext why;

	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	template = start(log[1], &orders);
	for (uint32_t i = 0; i < 3; i++) {
		struct proc_spawn s = { .child = 70 + i, .log_fd = { log[1], log[1], log[1] } };
		char want[64];

		assert_int_equal(template_order(orders, &s, WAIT_MS, &pid[i], &chan[i], &why), ERR_OK);
		assert_int_equal(poll(&(struct pollfd){ .fd = chan[i], .events = POLLIN }, 1, WAIT_MS), 1);
		ssize_t n = read(chan[i], text, sizeof(text) - 1);
		assert_true(n > 0);
		text[n] = '\0';
		snprintf(want, sizeof(want), CHILD_TEMPLATE " %u %d 1 1", s.child, CHILD_FD_CONF);
		assert_string_equal(text, want);
		assert_int_equal(read(log[0], text, 3), 3);
	}
	for (int i = 0; i < 3; i++) {
		close(chan[i]);
		wait_for_end(pid[i], 42);
	}
	close(orders);
	wait_for_end(template, 0);
	close(log[0]);
	close(log[1]);
}

/* Killed, stopped, or talked to in another tongue: an error in bounded time, never a hang. */
static void test_failures(void **state)
{
	struct proc_spawn s = { .child = 1, .log_fd = { 2, 2, 2 } };
	struct errtext why;
	int orders, chan, status;
	pid_t template = start(STDERR_FILENO, &orders), pid;

	assert_int_equal(kill(template, SIGSTOP), 0);
	assert_int_equal(template_order(orders, &s, 50, &pid, &chan, &why), ERR_TEMP);
	assert_int_equal(kill(template, SIGKILL), 0);
	assert_int_equal(waitpid(template, &status, 0), template);
	assert_int_equal(template_order(orders, &s, WAIT_MS, &pid, &chan, &why), ERR_CLOSED);
	close(orders);
	template = start(STDERR_FILENO, &orders);
	assert_int_equal(write(orders, "not an order", 12), 12);
	wait_for_end(template, 0);
	close(orders);
	while (waitpid(-1, &status, WNOHANG) > 0)
		continue;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], CHILD_TEMPLATE) == 0)
		return template_main(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_failures),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
