#include "src/store/mbox_from.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <time.h>

static void test_taken(void **state)
{
	static const struct {
		const char *line;
		int64_t when;
	} good[] = {
		{ "From joe@example.org Fri Jan  5 12:12:12 1996", 820843932 },
		{ "From joe@example.org Fri Jan 5 12:12 1996", 820843920 },
		{ "From joe Fri Jan  5 12:12:12 EST 1996", 820843932 },
		{ "From joe Fri Jan  5 12:12:12 +0100 1996", 820840332 },
		{ "From joe Fri Jan  5 12:12:12 1996 -0130", 820849332 },
		{ "From joe Fri, 5 Jan 1996 12:12:12 +0000", 820843932 },
		{ "From joe Fri 05 Jan 1996 12:12:12 -0100 (x)", 820847532 },
		{ "From joe Fri Jan  5 12:12:12 1996 remote from host", 820843932 },
		{ "From joe Foo Jan  5 12:12:12 1996, and more", 820843932 },
		{ "From \"joe \\\" doe\"@host Fri Jan  5 12:12:12 1996\r", 820843932 },
		{ "From  Fri Jan  5 12:12:12 1996", 820843932 },
		{ "From joe Fri Jan 42 12:12:12 1996", 824040732 },
		{ "From joe Fri Jan  0 77:12:72 1996", 820732392 },
		{ "From joe Fri Jan  5 12:12:60 1996 +0000", 820843980 },
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int64_t when = 0;

		assert_true(mbox_from_parse(span_str(good[i].line), &when));
		assert_int_equal(when, good[i].when);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"From here on it is prose",
		"From joe Fri Jan  5 12:12:12",
		"From joe Fri Jan 105 12:12:12 1996",
		"From joe Fri Jan 32 12:12:12 1996 +0000",
		"From joe Fri, 5 Jan 1996 25:12:12 +0000",
		"From joe Fri Jan  5 2:12:12 1996",
		"From joe Fri Jan  5 12:12:12 MET DST 1996",
		"From joe doe Fri Jan  5 12:12:12 1996",
		"From \"joe Fri Jan  5 12:12:12 1996",
		"From Fri Jan  5 12:12:12 1996",
		"From joe Fri Jan  5 12:12:12:12 1996",
		"From joe Fri Jan  5 12 1996",
		"From joe Fri Foo  5 12:12:12 1996",
		">From joe Fri Jan  5 12:12:12 1996",
		"from joe Fri Jan  5 12:12:12 1996",
		"From: joe Fri Jan  5 12:12:12 1996",
		"From joe Fri Jan  5 12:12:12 96",
	};
	char long_line[MBOX_FROM_MAX + 64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(mbox_from_parse(span_str(bad[i]), NULL));
	memset(long_line, 'x', sizeof(long_line));
	memcpy(long_line, "From ", 5);
	memcpy(long_line + sizeof(long_line) - 25, " Fri Jan  5 12:12:12 1996", 25);
	assert_false(mbox_from_parse(span_of(long_line, sizeof(long_line)), NULL));
}

static void test_written(void **state)
{
	struct buf out;
	int64_t when;

	buf_init(&out, 1000);
	mbox_from_put(&out, SPAN("\"a b\t@c"), 820843932);
	assert_string_equal(buf_cstr(&out), "From -a-b-@c Fri Jan  5 12:12:12 1996\n");
	assert_true(mbox_from_parse(span_cut(buf_span(&out), 0, out.n - 1), &when));
	assert_int_equal(when, 820843932);
	buf_clear(&out);
	mbox_from_put(&out, SPAN(""), 0);
	assert_string_equal(buf_cstr(&out), "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n");
	buf_free(&out);
}

/* As if by looking for the whole, whatever the letters around it are. */
static void test_search(void **state)
{
	static const char letters[] = "\nFFrom ";
	char text[64];

	srandom(3);
	for (int i = 0; i < 20000; i++) {
		struct span s = span_of(text, (size_t)(random() % (long)sizeof(text)));

		for (size_t k = 0; k < s.n; k++)
			text[k] = letters[random() % 7];
		if (i % 3 && s.n > 8)
			memcpy(text + random() % (long)(s.n - 6), "\nFrom ", 6);
		assert_int_equal(mbox_from_search(s), span_search(s, SPAN("\nFrom ")));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_written),
		cmocka_unit_test(test_search),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
