/* SEARCH: the program as a tree, charsets, results. */
#include "test.h"
#include "imap_harness.h"

static void begin(struct harness *h)
{
	harness_init(h);
	fake_add(h->acct, "INBOX", "Subject: alpha\r\n\r\nfirst\r\n", MAIL_SEEN);
	fake_add(h->acct, "INBOX", "Subject: beta\r\n\r\nsecond caf\xc3\xa9\r\n", MAIL_FLAGGED);
	fake_add(h->acct, "INBOX", "Subject: gamma\r\n\r\nthird and longer than the others\r\n", MAIL_SEEN | MAIL_FLAGGED);
	harness_open(h, 0);
	harness_say(h, 0, "SELECT INBOX");
}

static void check(struct harness *h, const char *keys, const char *want)
{
	char command[4096], all[4096];

	snprintf(command, sizeof(command), "SEARCH %s", keys);
	snprintf(all, sizeof(all), "* SEARCH%s\r\nx OK Search completed.\r\n", want);
	if (strcmp(harness_say(h, 0, command), all))
		print_message("%s\n", keys);
	assert_string_equal(harness_say(h, 0, command), all);
}

static void test_keys(void **state)
{
	struct harness h;

	begin(&h);
	check(&h, "ALL", " 1 2 3");
	check(&h, "SEEN", " 1 3");
	check(&h, "UNSEEN", " 2");
	check(&h, "NEW", " 2");
	check(&h, "OLD", "");
	check(&h, "2:3 SEEN", " 3");
	check(&h, "2,*", " 2 3");
	check(&h, "UID 1:2,99", " 1 2");
	check(&h, "LARGER 40", " 3");
	check(&h, "ON 9-Sep-2001", " 1 2 3");
	check(&h, "BEFORE \"9-Sep-2001\"", "");
	check(&h, "BODY SECOND", " 2");
	check(&h, "KEYWORD $Work", "");
	check(&h, "UNKEYWORD $Work", " 1 2 3");
	harness_say(&h, 0, "STORE 2 +FLAGS.SILENT ($Work)");
	check(&h, "KEYWORD $work", " 2");
	harness_free(&h);
}

static void test_tree(void **state)
{
	struct harness h;

	begin(&h);
	check(&h, "NOT SEEN", " 2");
	check(&h, "NOT NOT SEEN", " 1 3");
	check(&h, "NOT NOT NOT SEEN", " 2");
	check(&h, "OR SEEN FLAGGED", " 1 2 3");
	check(&h, "OR 1 OR 2 3", " 1 2 3");
	check(&h, "OR OR 1 2 3 SEEN", " 1 3");
	check(&h, "(SEEN FLAGGED)", " 3");
	check(&h, "((((SEEN)) FLAGGED))", " 3");
	check(&h, "OR (SEEN UNFLAGGED) (UNSEEN FLAGGED)", " 1 2");
	check(&h, "NOT (SEEN FLAGGED)", " 1 2");
	check(&h, "NOT OR 1 2 SEEN", " 3");
	harness_free(&h);
}

/* A chain of thousands of ORs is one flat node; alternating operators are cut off at a depth. */
static void test_depth(void **state)
{
	struct harness h;
	struct buf b;

	begin(&h);
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "SEARCH ");
	for (int i = 0; i < 3000; i++)
		buf_add_str(&b, "OR ");
	for (int i = 0; i <= 3000; i++)
		buf_add_str(&b, "1 ");
	assert_string_equal(harness_say(&h, 0, buf_cstr(&b)), "* SEARCH 1\r\nx OK Search completed.\r\n");
	buf_clear(&b);
	buf_add_str(&b, "SEARCH ");
	for (int i = 0; i < 200; i++)
		buf_add_str(&b, "NOT OR 2 ");
	buf_add_str(&b, "1");
	assert_string_equal(harness_say(&h, 0, buf_cstr(&b)), "x NO [LIMIT] Search program is nested too deeply.\r\n");
	buf_free(&b);
	harness_free(&h);
}

static void test_bad(void **state)
{
	static const char *const bad[] = { "", "FROB", "OR SEEN", "NOT", "()", "4", "0", "UID x", "BEFORE x",
					   "LARGER -1", "HEADER Subject", "BODY", "OR (SEEN) ()", "KEYWORD \\Seen" };
	struct harness h;
	char command[256];

	begin(&h);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(command, sizeof(command), "SEARCH %s", bad[i]);
		assert_memory_equal(harness_say(&h, 0, command), "x BAD Error in IMAP command SEARCH: ", 36);
	}
	harness_free(&h);
}

static void test_charset(void **state)
{
	struct harness h;

	begin(&h);
	check(&h, "CHARSET UTF-8 BODY \"CAF\xc3\x89\"", " 2");
	check(&h, "CHARSET ISO-8859-1 BODY \"caf\xe9\"", " 2");
	check(&h, "CHARSET us-ascii ALL", " 1 2 3");
	assert_string_equal(harness_say(&h, 0, "SEARCH CHARSET X-NONE ALL"),
			    "x NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset.\r\n");
	harness_send(&h, 0, "y SEARCH BODY {5+}\r\nfirst\r\n");
	assert_string_equal(harness_expect(&h, 0, "OK"), "* SEARCH 1\r\ny OK Search completed.\r\n");
	harness_free(&h);
}

static void test_large_result(void **state)
{
	struct harness h;
	const char *all;

	begin(&h);
	for (int i = 0; i < 40000; i++)
		fake_add(h.acct, "INBOX", "A: b\r\n\r\n", 0);
	harness_say(&h, 0, "NOOP");
	all = harness_say(&h, 0, "SEARCH ALL");
	assert_memory_equal(all, "* SEARCH 1 2 3 4 5 6", 20);
	assert_non_null(strstr(all, " 1023 1024 1025 "));
	assert_non_null(strstr(all, " 40002 40003\r\nx OK Search completed.\r\n"));
	assert_int_equal(strlen(all), 8 + 2 * 9 + 3 * 90 + 4 * 900 + 5 * 9000 + 6 * 30004 + 2 + strlen("x OK Search completed.\r\n"));
	harness_free(&h);
}

/* A search that used its time is ended, and with it what it would have saved; the session goes on. */
static void test_limit(void **state)
{
	struct harness h;

	harness_init(&h);
	h.settings.search_ms = 0;
	fake_add(h.acct, "INBOX", "Subject: alpha\r\n\r\nfirst\r\n", MAIL_SEEN);
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	check(&h, "ALL", " 1");
	harness_say(&h, 0, "SEARCH RETURN (SAVE) ALL");
	check(&h, "$", " 1");
	for (int i = 0; i < 3; i++) {
		static const char *const commands[] = { "SEARCH RETURN (SAVE) ALL", "SORT (DATE) UTF-8 ALL",
							"THREAD REFS UTF-8 ALL" };

		fake_slow(h.acct, 1);
		assert_string_equal(harness_say(&h, 0, commands[i]), "x NO [LIMIT] The search takes too long.\r\n");
	}
	check(&h, "$", "");
	/* A result that takes too long to be kept up to date is given up. */
	harness_send(&h, 0, "u SEARCH RETURN (UPDATE) UNSEEN\r\n");
	assert_string_equal(harness_expect(&h, 0, "u OK"), "* ESEARCH (TAG \"u\")\r\nu OK Search completed.\r\n");
	fake_slow(h.acct, 1);
	assert_string_equal(harness_say(&h, 0, "STORE 1 -FLAGS.SILENT (\\Seen)"),
			    "* NO [NOUPDATE \"u\"] This result is no longer kept up to date.\r\nx OK Store completed.\r\n");
	fake_slow(h.acct, 0);
	assert_string_equal(harness_say(&h, 0, "CANCELUPDATE \"u\""), "x NO Unknown tag.\r\n");
	harness_free(&h);
}

/* Long commands say how far they are (RFC 9585): between slices, at intervals. */
static void test_progress(void **state)
{
	struct harness h;

	begin(&h);
	fake_slow(h.acct, 2);
	assert_string_equal(harness_say(&h, 0, "SEARCH ALL"), "* SEARCH 1 2 3\r\nx OK Search completed.\r\n");
	harness_free(&h);

	harness_init(&h);
	h.settings.progress_ms = 0;
	for (int i = 0; i < 3; i++)
		fake_add(h.acct, "INBOX", "A: b\r\n\r\n", 0);
	harness_open(&h, 0);
	fake_lock(h.acct, 1);
	harness_send(&h, 0, "a SELECT INBOX\r\n");
	assert_memory_equal(harness_expect(&h, 0, "a OK"), "* OK [INPROGRESS (\"a\" NIL NIL)] Still working on this.\r\n* FLAGS", 63);
	fake_slow(h.acct, 2);
	assert_string_equal(harness_say(&h, 0, "SEARCH ALL"),
			    "* OK [INPROGRESS (\"x\" 1 3)] Still working on this.\r\n"
			    "* OK [INPROGRESS (\"x\" 2 3)] Still working on this.\r\n"
			    "* SEARCH 1 2 3\r\nx OK Search completed.\r\n");
	/* A bracket would end the response code. */
	fake_slow(h.acct, 1);
	harness_send(&h, 0, "b] SEARCH ALL\r\n");
	assert_memory_equal(harness_expect(&h, 0, "OK Search"), "* OK [INPROGRESS (NIL 2 3)] Still", 33);
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_charset),
		cmocka_unit_test(test_large_result),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
