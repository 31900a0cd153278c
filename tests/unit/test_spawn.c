/* The program starts itself as a helper and talks with it over the channel. */
#include "ipc/chan.h"
#include "proc/spawn.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* In the helper: says what it found, as one line. */
static int helper_main(int argc, char **argv)
{
	static struct proc_child self;
	struct errtext why;
	char title[64] = "", conf[16] = "", extra[16] = "", line[256];
	sigset_t mask;
	int fd, n;

	if (proc_child_init(argc, argv, &self, &why) != ERR_OK)
		return 1;
	proc_title(&self, "[joe 192.0.2.1]");
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd != CHILD_FD_EXTRA + (int)self.nextra || read(fd, title, sizeof(title) - 1) < 0)
		return 2; /* a descriptor too many was inherited */
	sigprocmask(SIG_BLOCK, NULL, &mask);
	if (sigismember(&mask, SIGUSR1) || read(CHILD_FD_CONF, conf, 15) < 0 || read(CHILD_FD_EXTRA + 1, extra, 15) < 0)
		return 3;
	if (!is_cloexec(CHILD_FD_CHAN) || !is_cloexec(CHILD_FD_LOG) || !is_cloexec(CHILD_FD_EXTRA) || getenv("HOME") ||
	    getenv("ROOST_FDS"))
		return 4;
	n = snprintf(line, sizeof(line), "%s %u %zu %s %s %s", self.name, self.child, self.nextra, title, conf, extra);
	if (write(CHILD_FD_LOG, "l", 1) != 1 || write(CHILD_FD_LOG + 1, "o", 1) != 1 || write(CHILD_FD_LOG + 2, "g", 1) != 1 || write(CHILD_FD_CHAN, line, (size_t)n) != n)
		return 5;
	while (read(CHILD_FD_CHAN, line, sizeof(line)) < 0)
		usleep(1000); /* until the master is gone */
	return 42;
}

static int text_fd(const char *text)
{
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], text, strlen(text)), strlen(text));
	close(fd[1]);
	return fd[0];
}

static void test_spawn(void **state)
{
	int log[2], conf = text_fd("conf"), extra[2] = { text_fd("one"), text_fd("two") }, chan, status;
	struct proc_spawn s = {
		.program = "/proc/self/exe", .name = "imap-login", .child = 7, .conf_fd = conf, .extra = extra, .nextra = 2
	};
	char line[256] = "", byte[4] = "";
	struct errtext why;
	sigset_t usr1;
	pid_t pid;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL); /* must not reach the helper */
	setenv("HOME", "/root", 1);
	assert_int_equal(pipe2(log, O_CLOEXEC), 0);
	for (int i = 0; i < LOG_SINKS; i++)
		s.log_fd[i] = log[1];
	assert_int_equal(proc_spawn(&s, &pid, &chan, &why), ERR_OK);
	assert_true(is_cloexec(chan));
	for (int i = 0; i < 20000 && read(chan, line, sizeof(line) - 1) < 0; i++)
		usleep(1000);
	assert_string_equal(line, "imap-login 7 2 roost/imap-login [joe 192.0.2.1] conf two");
	assert_int_equal(read(log[0], byte, 3), 3);
	assert_string_equal(byte, "log");
	close(chan);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	close(conf);
	close(extra[0]);
	close(extra[1]);
	close(log[0]);
	close(log[1]);
}

static void test_missing_program(void **state)
{
	struct proc_spawn s = { .program = "/nonexistent", .name = "x", .child = 1, .log_fd = { 2, 2, 2 }, .conf_fd = -1 };
	int chan, status;
	pid_t pid;

	assert_int_equal(proc_spawn(&s, &pid, &chan, NULL), ERR_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
	close(chan);
}

static void test_by_hand(void **state)
{
	char *argv[] = { (char[]){ "roost-login" }, NULL };
	struct proc_child self;
	struct errtext why;

	assert_int_equal(proc_child_init(1, argv, &self, &why), ERR_CANNOT);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_missing_program),
		cmocka_unit_test(test_by_hand),
	};

	if (getenv("ROOST_FDS"))
		return helper_main(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
