#include "base/log.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

static void test_quote(void **state)
{
	char out[32];

	assert_string_equal(log_quote(SPAN("joe@x.org"), out, sizeof(out)), "joe@x.org");
	assert_string_equal(log_quote(SPAN("a>, b=\n"), out, sizeof(out)), "a\\x3e\\x2c\\x20b\\x3d\\x0a");
	assert_string_equal(log_quote(SPAN("\\x"), out, sizeof(out)), "\\x5cx");
	assert_string_equal(log_quote(SPAN("ab\xff"), out, 4), "ab"); /* never half an escape */
	assert_string_equal(log_quote(SPAN("ab"), out, 1), "");
}

/* One event is one line, whatever is in it, and never endless. */
static void test_lines(void **state)
{
	static const char begin[] = "T unit: Info: one\\x0atwo \\x1b[0m\\xc3\nT unit: Error: yy";
	const struct log_form form = { "T ", "roost", LOG_MAIL };
	char path[] = "/tmp/test_log.XXXXXX", text[8192], big[5000];
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0);
	log_name("unit");
	assert_false(log_open("/nonexistent/x", "", "", NULL));
	assert_true(log_open(path, "", "", &form));
	log_debug("unseen");
	log_info("one\ntwo %s", "\x1b[0m\xc3");
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_error("%s", big);
	n = read(fd, text, sizeof(text) - 1);
	assert_in_range(n, 1024, 1400);
	text[n] = '\0';
	assert_memory_equal(text, begin, sizeof(begin) - 1);
	assert_int_equal(text[n - 1], '\n');
	assert_true(log_open("", "", "", NULL));
	unlink(path);
	close(fd);
}

static void expect_file(int fd, const char *want)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

/* Each kind of line has its place, in the process that opened the files and in those that got the descriptors. */
static void test_sinks(void **state)
{
	char main_path[] = "/tmp/test_log.XXXXXX", info_path[] = "/tmp/test_log.XXXXXX";
	int main_fd = mkstemp(main_path), info_fd = mkstemp(info_path), fd[LOG_SINKS];

	assert_true(main_fd >= 0 && info_fd >= 0);
	log_name("unit");
	assert_true(log_open(main_path, info_path, "", NULL));
	log_error("a");
	log_info("b");
	log_fds(fd);
	assert_int_equal(fd[1], fd[2]); /* debugging goes where information goes */
	for (int i = 0; i < LOG_SINKS; i++)
		fd[i] = dup(fd[i]);
	log_from_fds(fd, NULL);
	log_debug_enable(true);
	log_warning("c");
	log_info("d");
	log_debug("e");
	log_debug_enable(false);
	expect_file(main_fd, "unit: Error: a\nunit: Warning: c\n");
	expect_file(info_fd, "unit: Info: b\nunit: Info: d\nunit: Debug: e\n");
	assert_true(log_open("", "", "", NULL));
	for (int i = 0; i < LOG_SINKS; i++)
		close(fd[i]);
	unlink(main_path);
	unlink(info_path);
	close(main_fd);
	close(info_fd);
}

/* To the system log: the facility and the name that were given, also where only a descriptor came. */
static void test_syslog(void **state)
{
	const struct log_form form = { "T ", "post", LOG_LOCAL3 };
	int pair[2], fd[LOG_SINKS];
	char text[256], want[256];
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	for (int i = 0; i < LOG_SINKS; i++)
		fd[i] = pair[0];
	log_from_fds(fd, &form);
	log_error("x");
	n = read(pair[1], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	snprintf(want, sizeof(want), "<%d>", LOG_LOCAL3 | LOG_ERR);
	assert_memory_equal(text, want, strlen(want));
	snprintf(want, sizeof(want), " post[%d]: unit: Error: x", (int)getpid());
	assert_non_null(strstr(text, want));
	assert_true(log_open("", "", "", NULL));
	close(pair[0]);
	close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_sinks),
		cmocka_unit_test(test_syslog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
