/* The life of a session and the dispatching of commands. */
#include "test.h"
#include "imap_harness.h"

static const char one[] = "From: Fred <fred@example.org>\r\nSubject: one\r\n\r\nBody.\r\n";

static void test_greeting(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	assert_string_equal(harness_say(&h, 0, "NOOP"), "x OK NOOP completed.\r\n");
	assert_non_null(strstr(harness_say(&h, 0, "CAPABILITY"), "* CAPABILITY IMAP4rev1 SASL-IR LITERAL+ "));
	harness_free(&h);
}

static void test_logout(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	harness_send(&h, 0, "a logout\r\nb NOOP\r\n");
	assert_string_equal(harness_expect(&h, 0, NULL), "* BYE Logging out\r\na OK Logout completed.\r\n");
	assert_int_equal(h.client[0].why, IMAP_END_LOGOUT);
	assert_string_equal(h.client[0].text, "Logged out");
	harness_free(&h);
}

static void test_states(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	assert_string_equal(harness_say(&h, 0, "FETCH 1 FLAGS"), "x BAD No mailbox selected.\r\n");
	assert_string_equal(harness_say(&h, 0, "FROB 1"), "x BAD Error in IMAP command FROB: Unknown command.\r\n");
	assert_string_equal(harness_say(&h, 0, "UID FROB 1"), "x BAD Error in IMAP command UID FROB: Unknown command.\r\n");
	assert_string_equal(harness_say(&h, 0, "NOOP x"), "x BAD Error in IMAP command NOOP: Too many arguments.\r\n");
	harness_free(&h);
}

static void test_bad_commands_end_it(void **state)
{
	struct harness h;
	const char *all;

	harness_init(&h);
	harness_open(&h, 0);
	for (int i = 0; i < 15; i++)
		harness_say(&h, 0, "FROB");
	harness_say(&h, 0, "NOOP");
	for (int i = 0; i < 20; i++)
		harness_send(&h, 0, "b FROB\r\n");
	all = harness_expect(&h, 0, NULL);
	assert_non_null(strstr(all, "* BYE Too many invalid IMAP commands.\r\n"));
	assert_int_equal(h.client[0].why, IMAP_END_BAD);
	harness_free(&h);
}

static void test_pipeline_in_any_cut(void **state)
{
	static const char in[] = "a SELECT INBOX\r\nb FETCH 1 (FLAGS)\r\nc IDLE\r\nDONE\r\nd UID SEARCH ALL\r\n"
				 "e STATUS {6}\r\nDrafts (MESSAGES)\r\nf LOGOUT\r\n";
	char whole[8192];
	struct harness h;

	harness_init(&h);
	fake_add(h.acct, "INBOX", one, 0);
	harness_open(&h, 0);
	harness_send(&h, 0, in);
	snprintf(whole, sizeof(whole), "%s", harness_expect(&h, 0, NULL));
	assert_non_null(strstr(whole, "* 1 FETCH (FLAGS (\\Recent))\r\nb OK Fetch completed.\r\n+ idling\r\nc OK Idle completed.\r\n"
				      "* SEARCH 1\r\nd OK Search completed.\r\n+ OK\r\n* STATUS Drafts (MESSAGES 0)\r\n"
				      "e OK Status completed.\r\n* BYE Logging out\r\nf OK Logout completed.\r\n"));
	harness_free(&h);
	for (size_t cut = 1; cut < 8; cut++) {
		harness_init(&h);
		fake_add(h.acct, "INBOX", one, 0);
		harness_open(&h, 0);
		for (size_t at = 0; at < sizeof(in) - 1; at += cut) {
			harness_send_bytes(&h, 0, span_cut(span_of(in, sizeof(in) - 1), at, cut));
			harness_run(&h, 0);
		}
		assert_string_equal(harness_expect(&h, 0, NULL), whole);
		harness_free(&h);
	}
}

static void test_line_that_cannot_be_followed(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	harness_send_bytes(&h, 0, SPAN("a SELECT \"IN\0BOX\"\r\n"));
	assert_non_null(strstr(harness_expect(&h, 0, NULL), "* BYE "));
	assert_int_equal(h.client[0].why, IMAP_END_BAD);
	harness_free(&h);
}

static void test_client_goes_away(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	harness_send(&h, 0, "a IDLE\r\n");
	harness_expect(&h, 0, "+ idling\r\n");
	harness_free(&h); /* closes, and waits for the end */
	assert_int_equal(h.client[0].why, IMAP_END_CLOSED);
}

static void test_kick(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	imap_session_kick(h.client[0].s, "Server is shutting down.");
	assert_string_equal(harness_expect(&h, 0, NULL), "* BYE Server is shutting down.\r\n");
	assert_int_equal(h.client[0].why, IMAP_END_KICKED);
	harness_free(&h);
}

static void test_inactivity(void **state)
{
	struct harness h;

	harness_init(&h);
	h.settings.inactivity_ms = 150;
	harness_open(&h, 0);
	harness_open(&h, 1);
	harness_send(&h, 1, "a IDLE\r\n");
	assert_string_equal(harness_expect(&h, 0, NULL), "* BYE Disconnected for inactivity.\r\n");
	assert_int_equal(h.client[0].why, IMAP_END_IDLE);
	harness_run(&h, 300);
	assert_non_null(h.client[1].s); /* IDLE is exempt */
	harness_free(&h);
}

/* A client that asks for much and reads nothing: it is not written for without end, and not kept. */
static void test_stalled(void **state)
{
	struct harness h;
	struct buf big;

	buf_init(&big, 1 << 20);
	buf_add_str(&big, "Subject: big\r\n\r\n");
	while (big.n < 900000)
		buf_add_str(&big, "0123456789012345678901234567890123456789012345678901234567890123456789\r\n");
	harness_init(&h);
	fake_add(h.acct, "INBOX", buf_cstr(&big), 0);
	h.settings.inactivity_ms = 200;
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	loop_remove(&h.client[0].io);
	harness_send(&h, 0, "a FETCH 1 BODY[]\r\nb FETCH 1 BODY[]\r\n");
	harness_run(&h, 600);
	assert_null(h.client[0].s);
	assert_int_equal(h.client[0].why, IMAP_END_STALLED);
	harness_free(&h);
	buf_free(&big);
}

static void test_waits_for_locks(void **state)
{
	struct harness h;

	harness_init(&h);
	fake_add(h.acct, "INBOX", one, 0);
	harness_open(&h, 0);
	fake_lock(h.acct, 2);
	assert_non_null(strstr(harness_say(&h, 0, "SELECT INBOX"), "x OK [READ-WRITE] Select completed.\r\n"));
	fake_lock(h.acct, 2);
	assert_non_null(strstr(harness_say(&h, 0, "STORE 1 +FLAGS (work)"), "x OK Store completed.\r\n"));
	fake_lock(h.acct, 3);
	assert_non_null(strstr(harness_say(&h, 0, "STATUS INBOX (MESSAGES)"), "(MESSAGES 1)"));
	harness_free(&h);
}

static void test_deleted_under_us(void **state)
{
	struct harness h;

	harness_init(&h);
	harness_open(&h, 0);
	harness_open(&h, 1);
	harness_say(&h, 0, "SELECT a/b");
	assert_string_equal(harness_say(&h, 1, "DELETE a/b"), "x OK Delete completed.\r\n");
	harness_send(&h, 0, "a NOOP\r\n");
	assert_string_equal(harness_expect(&h, 0, NULL), "* BYE Mailbox was deleted under us.\r\n");
	assert_int_equal(h.client[0].why, IMAP_END_FAILED);
	harness_free(&h);
}

static void test_counters(void **state)
{
	struct harness h;
	struct buf b;

	harness_init(&h);
	h.settings.logout_format = "in=%i out=%{output} deleted=%{deleted} hdr=%{fetch_hdr_count}/%{fetch_hdr_bytes} "
				   "body=%{fetch_body_count}/%{fetch_body_bytes} 100%% %{nothing}.";
	fake_add(h.acct, "INBOX", one, 0);
	harness_open(&h, 0);
	harness_say(&h, 0, "SELECT INBOX");
	harness_say(&h, 0, "FETCH 1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT])");
	harness_say(&h, 0, "STORE 1 +FLAGS.SILENT (\\Deleted)");
	buf_init(&b, 1000);
	imap_session_logout_text(h.client[0].s, &b);
	assert_non_null(strstr(buf_cstr(&b), "deleted=1 hdr=1/47 body=1/7 100% ."));
	buf_free(&b);
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_logout),
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_bad_commands_end_it),
		cmocka_unit_test(test_pipeline_in_any_cut),
		cmocka_unit_test(test_line_that_cannot_be_followed),
		cmocka_unit_test(test_client_goes_away),
		cmocka_unit_test(test_kick),
		cmocka_unit_test(test_inactivity),
		cmocka_unit_test(test_stalled),
		cmocka_unit_test(test_waits_for_locks),
		cmocka_unit_test(test_deleted_under_us),
		cmocka_unit_test(test_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
