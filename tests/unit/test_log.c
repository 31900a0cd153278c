#include "base/log.h"

#include "tests/unit/test.h"

#include <fcntl.h>
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
	char path[] = "/tmp/test_log.XXXXXX", text[8192], big[5000];
	int fd = mkstemp(path);
	ssize_t n;

	assert_true(fd >= 0);
	log_name("unit");
	assert_false(log_open("/nonexistent/x", "", "", "", "roost", 16));
	assert_true(log_open(path, "", "", "T ", "roost", 16));
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
	assert_true(log_open("", "", "", "", "roost", 16));
	unlink(path);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
