/* What other sessions and programs did, told at the right time, in the right order, under the right numbers. */
#include "test.h"
#include "imap_harness.h"

static const char one[] = "Subject: one\r\n\r\nBody.\r\n";

static void begin(struct harness *h, unsigned messages)
{
	harness_init(h);
	for (unsigned i = 0; i < messages; i++)
		fake_add(h->acct, "INBOX", one, 0);
	harness_open(h, 0);
	harness_say(h, 0, "SELECT INBOX");
}

static void test_order(void **state)
{
	struct harness h;

	begin(&h, 5);
	fake_expunge(h.acct, "INBOX", 1);
	fake_expunge(h.acct, "INBOX", 3);
	fake_flags(h.acct, "INBOX", 2, MAIL_SEEN);
	fake_flags(h.acct, "INBOX", 5, MAIL_FLAGGED);
	fake_add(h.acct, "INBOX", one, 0);
	assert_string_equal(harness_say(&h, 0, "NOOP"), "* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n"
							"* 5 FETCH (FLAGS (\\Flagged \\Recent))\r\n"
							"* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n* 4 EXISTS\r\n"
							"* 4 RECENT\r\nx OK NOOP completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "FETCH 1:* UID"), "* 1 FETCH (UID 2)\r\n* 2 FETCH (UID 4)\r\n"
								 "* 3 FETCH (UID 5)\r\n* 4 FETCH (UID 6)\r\n"
								 "x OK Fetch completed.\r\n");
	harness_free(&h);
}

static void test_no_expunge_in_fetch_store_search(void **state)
{
	struct harness h;

	begin(&h, 3);
	fake_expunge(h.acct, "INBOX", 1);
	assert_null(strstr(harness_say(&h, 0, "FETCH 2 UID"), "EXPUNGE"));
	assert_null(strstr(harness_say(&h, 0, "STORE 2 +FLAGS (\\Seen)"), "EXPUNGE"));
	assert_string_equal(harness_say(&h, 0, "SEARCH SEEN"), "* SEARCH 2\r\nx OK Search completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "UID SEARCH SEEN"),
			    "* SEARCH 2\r\n* 1 EXPUNGE\r\n* 2 RECENT\r\nx OK Search completed.\r\n");
	harness_free(&h);
}

/* A message that came and changed since the last time is told as new, not by FETCH of a number nobody knows. */
static void test_new_message_with_changes(void **state)
{
	struct harness h;

	begin(&h, 1);
	fake_add(h.acct, "INBOX", one, 0);
	fake_flags(h.acct, "INBOX", 2, MAIL_SEEN);
	assert_string_equal(harness_say(&h, 0, "NOOP"), "* 2 EXISTS\r\n* 2 RECENT\r\nx OK NOOP completed.\r\n");
	fake_add(h.acct, "INBOX", one, 0);
	fake_expunge(h.acct, "INBOX", 3);
	assert_string_equal(harness_say(&h, 0, "NOOP"), "x OK NOOP completed.\r\n");
	harness_free(&h);
}

static void test_store_tells_all_unless_silent(void **state)
{
	struct harness h;

	begin(&h, 2);
	fake_flags(h.acct, "INBOX", 1, MAIL_SEEN);
	assert_string_equal(harness_say(&h, 0, "STORE 1:2 +FLAGS (\\Seen)"),
			    "* 1 FETCH (FLAGS (\\Seen \\Recent))\r\n* 2 FETCH (FLAGS (\\Seen \\Recent))\r\n"
			    "x OK Store completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "STORE 1:2 FLAGS.SILENT ()"), "x OK Store completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "UID STORE 2 FLAGS \\Draft $Work"),
			    "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)\r\n"
			    "* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] Flags permitted.\r\n"
			    "* 2 FETCH (UID 2 FLAGS (\\Draft \\Recent $Work))\r\nx OK Store completed.\r\n");
	harness_free(&h);
}

static void test_two_sessions(void **state)
{
	struct harness h;

	begin(&h, 2);
	harness_open(&h, 1);
	assert_non_null(strstr(harness_say(&h, 1, "SELECT INBOX"), "* 0 RECENT\r\n"));
	harness_send(&h, 1, "i IDLE\r\n");
	harness_expect(&h, 1, "+ idling\r\n");
	harness_say(&h, 0, "STORE 2 +FLAGS.SILENT (\\Deleted)");
	assert_string_equal(harness_expect(&h, 1, "\n"), "* 2 FETCH (FLAGS (\\Deleted))\r\n");
	assert_string_equal(harness_say(&h, 0, "EXPUNGE"), "* 2 EXPUNGE\r\n* 1 RECENT\r\nx OK Expunge completed.\r\n");
	assert_string_equal(harness_expect(&h, 1, "\n"), "* 2 EXPUNGE\r\n");
	harness_send(&h, 0, "a APPEND INBOX {4+}\r\nA: b\r\n");
	assert_string_equal(harness_expect(&h, 0, "a OK"), "* 2 EXISTS\r\n* 2 RECENT\r\n"
							   "a OK [APPENDUID 1001 3] Append completed.\r\n");
	assert_string_equal(harness_expect(&h, 1, "EXISTS\r\n"), "* 2 EXISTS\r\n");
	harness_send(&h, 1, "DONE\r\n");
	assert_string_equal(harness_expect(&h, 1, "OK"), "i OK Idle completed.\r\n");
	harness_free(&h);
}

static void test_long_announcements_in_pieces(void **state)
{
	struct harness h;
	const char *all;
	char want[64];

	begin(&h, 6000);
	assert_non_null(strstr(harness_say(&h, 0, "STORE 1:* +FLAGS (\\Deleted)"), "* 6000 FETCH (FLAGS (\\Deleted"));
	all = harness_say(&h, 0, "EXPUNGE");
	for (unsigned i = 6000; i; i--) {
		snprintf(want, sizeof(want), "* %u EXPUNGE\r\n", i);
		assert_memory_equal(all, want, strlen(want));
		all += strlen(want);
	}
	assert_string_equal(all, "* 0 RECENT\r\nx OK Expunge completed.\r\n");
	harness_free(&h);
}

static void test_close_tells_nothing(void **state)
{
	struct harness h;

	begin(&h, 2);
	harness_say(&h, 0, "STORE 1 +FLAGS.SILENT (\\Deleted)");
	assert_string_equal(harness_say(&h, 0, "CLOSE"), "x OK Close completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "STATUS INBOX (MESSAGES)"),
			    "* STATUS INBOX (MESSAGES 1)\r\nx OK Status completed.\r\n");
	harness_free(&h);
}

/* ---- modseqs (RFC 7162) ---- */

static void test_modseq_goes_with_changes(void **state)
{
	struct harness h;

	begin(&h, 2);
	assert_string_equal(harness_say(&h, 0, "STORE 1 +FLAGS.SILENT (\\Seen)"), "x OK Store completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "ENABLE CONDSTORE"),
			    "* OK [HIGHESTMODSEQ 4] Highest\r\n* ENABLED CONDSTORE\r\nx OK Enabled.\r\n");
	assert_string_equal(harness_say(&h, 0, "STORE 1 +FLAGS.SILENT (\\Draft)"),
			    "* 1 FETCH (UID 1 MODSEQ (5))\r\nx OK Store completed.\r\n");
	fake_flags(h.acct, "INBOX", 2, MAIL_FLAGGED);
	assert_string_equal(harness_say(&h, 0, "NOOP"),
			    "* 2 FETCH (UID 2 FLAGS (\\Flagged \\Recent) MODSEQ (6))\r\nx OK NOOP completed.\r\n");
	fake_expunge(h.acct, "INBOX", 1);
	assert_string_equal(harness_say(&h, 0, "NOOP"), "* 1 EXPUNGE\r\n* 1 RECENT\r\nx OK NOOP completed.\r\n");
	harness_free(&h);
}

static void test_vanished(void **state)
{
	struct harness h;

	begin(&h, 5);
	harness_say(&h, 0, "ENABLE QRESYNC");
	fake_expunge(h.acct, "INBOX", 2);
	fake_expunge(h.acct, "INBOX", 3);
	fake_expunge(h.acct, "INBOX", 5);
	fake_flags(h.acct, "INBOX", 4, MAIL_SEEN);
	assert_string_equal(harness_say(&h, 0, "FETCH 1 UID"), "* 1 FETCH (UID 1)\r\n"
							       "* 4 FETCH (UID 4 FLAGS (\\Seen \\Recent) MODSEQ (10))\r\n"
							       "x OK Fetch completed.\r\n");
	assert_string_equal(harness_say(&h, 0, "NOOP"), "* VANISHED 2:3,5\r\n* 2 RECENT\r\n"
							"x OK [HIGHESTMODSEQ 10] NOOP completed.\r\n");
	harness_send(&h, 0, "y IDLE\r\n");
	harness_expect(&h, 0, "+ idling\r\n");
	fake_expunge(h.acct, "INBOX", 1);
	fake_notify(h.acct, "INBOX");
	assert_string_equal(harness_expect(&h, 0, "RECENT\r\n"), "* VANISHED 1\r\n* 1 RECENT\r\n");
	harness_send(&h, 0, "DONE\r\n");
	harness_expect(&h, 0, "y OK Idle completed.\r\n");
	harness_free(&h);
}

/* Horde names every UID it knows, in one line of many KB (users.md 3.1); what vanished takes several lines. */
static void test_long_resync(void **state)
{
	enum { MESSAGES = 4000 };
	struct harness h;
	struct buf line;
	const char *got;
	unsigned lines = 0;

	begin(&h, MESSAGES);
	harness_say(&h, 0, "ENABLE QRESYNC");
	for (uint32_t uid = 1; uid <= MESSAGES; uid += 2)
		fake_expunge(h.acct, "INBOX", uid);
	fake_flags(h.acct, "INBOX", 2, MAIL_SEEN);
	buf_init(&line, 1 << 20);
	buf_printf(&line, "EXAMINE INBOX (QRESYNC (1001 %u 1", MESSAGES + 1);
	for (uint32_t uid = 2; uid <= 2 * MESSAGES; uid += 1 + uid % 2)
		buf_printf(&line, ",%u", uid);
	buf_add_str(&line, "))");
	assert_true(line.n > 15000);
	got = harness_say(&h, 0, buf_cstr(&line));
	assert_non_null(strstr(got, "* OK [CLOSED] Previous mailbox closed.\r\n* FLAGS "));
	assert_non_null(strstr(got, "* VANISHED (EARLIER) 1,3,5"));
	assert_non_null(strstr(got, "\r\n* 1 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (6002))\r\nx OK [READ-ONLY] "));
	for (const char *p = strstr(got, "* VANISHED"); p; p = strstr(p + 1, "* VANISHED"))
		lines++;
	assert_int_equal(lines, 4);
	buf_free(&line);
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_expunge_in_fetch_store_search),
		cmocka_unit_test(test_new_message_with_changes),
		cmocka_unit_test(test_store_tells_all_unless_silent),
		cmocka_unit_test(test_two_sessions),
		cmocka_unit_test(test_long_announcements_in_pieces),
		cmocka_unit_test(test_close_tells_nothing),
		cmocka_unit_test(test_modseq_goes_with_changes), cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_long_resync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
