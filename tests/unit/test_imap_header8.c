/* 8-bit octets in a header, however the bytes are cut. */
#include "../../src/imap/header8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void check(const char *message, bool found)
{
	struct span s = span_str(message);

	for (size_t cut = 0; cut <= s.n; cut++) {
		struct imap_header8 h = { .body = false };

		imap_header8_watch(&h, span_cut(s, 0, cut));
		imap_header8_watch(&h, span_from(s, cut));
		assert_int_equal(h.found, found);
	}
}

static void test_header(void **state)
{
	check("Subject: gr\xc3\xbcn\r\n\r\nBody.\r\n", true);
	check("Subject: green\r\nX: \xfc\r\n\r\n", true);
	check("Subject: green\r\nX:\r\n folded \xfc", true);
	check("\xfc", true);
	check("Subject: green\nX: \xfc\n", true);
}

static void test_body(void **state)
{
	check("Subject: green\r\n\r\ngr\xc3\xbcn\r\n", false);
	check("Subject: green\n\ngr\xc3\xbcn\n", false);
	check("\r\ngr\xc3\xbcn", false);
	check("\n\xfc", false);
	check("", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
