/* FETCH: items, sections, partials, \Seen, messages that vanish, output that does not fit. */
#include "test.h"
#include "imap_harness.h"

#include "base/mem.h"
#include "imap/module.h"
#include "../../src/imap/fetch.h"

#include <time.h>

static const char one[] = "From: Fred <fred@example.org>\r\nSubject: one\r\nX-A: 1\r\nx-a: 2\r\n\r\nBody.\r\nMore.\r\n";

static void begin(struct harness *h)
{
	setenv("TZ", "UTC", 1);
	tzset();
	harness_init(h);
	fake_add(h->acct, "INBOX", one, 0);
	harness_open(h, 0);
	harness_say(h, 0, "SELECT INBOX");
}

static void check(struct harness *h, const char *command, const char *want)
{
	char all[4096];

	snprintf(all, sizeof(all), "%sx OK Fetch completed.\r\n", want);
	assert_string_equal(harness_say(h, 0, command), all);
}

static void test_facts(void **state)
{
	struct harness h;

	begin(&h);
	check(&h, "FETCH 1 FAST",
	      "* 1 FETCH (FLAGS (\\Recent) INTERNALDATE \"09-Sep-2001 01:46:40 +0000\" RFC822.SIZE 77)\r\n");
	check(&h, "UID FETCH 1 (FLAGS FLAGS UID)", "* 1 FETCH (UID 1 FLAGS (\\Recent))\r\n");
	check(&h, "UID FETCH 7 FLAGS", "");
	check(&h, "FETCH 1 ENVELOPE", "* 1 FETCH (ENVELOPE (NIL \"one\" ((\"Fred\" NIL \"fred\" \"example.org\")) "
				      "((\"Fred\" NIL \"fred\" \"example.org\")) ((\"Fred\" NIL \"fred\" \"example.org\")) "
				      "NIL NIL NIL NIL NIL))\r\n");
	check(&h, "FETCH 1 BODY", "* 1 FETCH (BODY (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 14 2))\r\n");
	harness_free(&h);
}

static void test_sections(void **state)
{
	struct harness h;

	begin(&h);
	check(&h, "FETCH 1 (BODY.PEEK[header.fields (Subject X-A)] UID)",
	      "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (Subject X-A)] {32}\r\nSubject: one\r\nX-A: 1\r\nx-a: 2\r\n\r\n)\r\n");
	check(&h, "FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (X-A From)]",
	      "* 1 FETCH (BODY[HEADER.FIELDS.NOT (X-A From)] {16}\r\nSubject: one\r\n\r\n)\r\n");
	check(&h, "FETCH 1 BODY.PEEK[TEXT]<6.4>", "* 1 FETCH (BODY[TEXT]<6> {4}\r\n\nMor)\r\n");
	check(&h, "FETCH 1 BODY.PEEK[TEXT]<10.393216>", "* 1 FETCH (BODY[TEXT]<10> {4}\r\ne.\r\n)\r\n");
	check(&h, "FETCH 1 BODY.PEEK[TEXT]<14.10>", "* 1 FETCH (BODY[TEXT]<14> \"\")\r\n");
	check(&h, "FETCH 1 BODY.PEEK[2]", "* 1 FETCH (BODY[2] NIL)\r\n");
	check(&h, "FETCH 1 BODY.PEEK[1]<0.5>", "* 1 FETCH (BODY[1]<0> {5}\r\nBody.)\r\n");
	check(&h, "FETCH 1 RFC822.HEADER", "* 1 FETCH (RFC822.HEADER {63}\r\nFrom: Fred <fred@example.org>\r\n"
					   "Subject: one\r\nX-A: 1\r\nx-a: 2\r\n\r\n)\r\n");
	check(&h, "FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Recent))\r\n");
	harness_free(&h);
}

static void test_seen(void **state)
{
	struct harness h;

	begin(&h);
	check(&h, "FETCH 1 BODY[TEXT]<0.2>", "* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT]<0> {2}\r\nBo)\r\n");
	check(&h, "FETCH 1 BODY[TEXT]<0.2>", "* 1 FETCH (BODY[TEXT]<0> {2}\r\nBo)\r\n");
	harness_say(&h, 0, "STORE 1 FLAGS.SILENT ()");
	check(&h, "FETCH 1 (RFC822.TEXT FLAGS)", "* 1 FETCH (FLAGS (\\Seen \\Recent) RFC822.TEXT {14}\r\nBody.\r\nMore.\r\n)\r\n");
	harness_say(&h, 0, "STORE 1 FLAGS.SILENT ()");
	harness_say(&h, 0, "EXAMINE INBOX");
	check(&h, "FETCH 1 BODY[TEXT]<0.2>", "* 1 FETCH (BODY[TEXT]<0> {2}\r\nBo)\r\n");
	check(&h, "FETCH 1 FLAGS", "* 1 FETCH (FLAGS ())\r\n");
	harness_free(&h);
}

static void test_bad_arguments(void **state)
{
	static const char *const bad[] = {
		"FETCH", "FETCH 1", "FETCH 1 ()", "FETCH 0 FLAGS", "FETCH 2 FLAGS", "FETCH x FLAGS", "FETCH 1 FROB",
		"FETCH 1 (FLAGS (UID))", "FETCH 1 FLAGS UID", "FETCH 1 BODY[FROB]", "FETCH 1 BODY[HEADER.FIELDS]",
		"FETCH 1 BODY[HEADER.FIELDS ()]", "FETCH 1 BODY[TEXT (a)]", "FETCH 1 BODY[]<0.0>", "FETCH 1 BODY[]<x>",
		"FETCH 1 BODY[MIME]", "FETCH 1 BODY[1", "FETCH 1 (ALL)", "FETCH 1 FLAGS (FROB)",
	};
	struct harness h;

	begin(&h);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *all = harness_say(&h, 0, bad[i]);

		if (strncmp(all, "x BAD Error in IMAP command FETCH: ", 35))
			print_message("%s gives %s", bad[i], all);
		assert_memory_equal(all, "x BAD Error in IMAP command FETCH: ", 35);
		harness_say(&h, 0, "NOOP");
	}
	harness_free(&h);
}

static void test_vanished(void **state)
{
	struct harness h;

	begin(&h);
	fake_add(h.acct, "INBOX", one, 0);
	fake_add(h.acct, "INBOX", one, 0);
	harness_say(&h, 0, "NOOP");
	fake_expunge(h.acct, "INBOX", 2);
	fake_lose_bytes(h.acct, "INBOX", 3);
	assert_string_equal(harness_say(&h, 0, "FETCH 1:3 (UID BODY.PEEK[TEXT]<0.1>)"),
			    "* 1 FETCH (UID 1 BODY[TEXT]<0> {1}\r\nB)\r\n"
			    "x NO [EXPUNGEISSUED] Some of the requested messages no longer exist.\r\n");
	harness_free(&h);
}

static void test_large(void **state)
{
	size_t n = 3 << 20;
	char *bytes = mem_alloc(n + 1), head[64];
	struct harness h;
	const char *all;

	memcpy(bytes, "A: b\r\n\r\n", 8);
	for (size_t i = 8; i < n; i++)
		bytes[i] = i % 77 ? 'a' + (char)(i % 26) : '\n';
	begin(&h);
	fake_add(h.acct, "INBOX", bytes, 0);
	harness_say(&h, 0, "NOOP");
	harness_send(&h, 0, "y FETCH 2 BODY.PEEK[]\r\nz NOOP\r\n");
	all = harness_expect(&h, 0, "z OK NOOP completed.\r\n");
	assert_non_null(strstr(all, ")\r\ny OK Fetch completed.\r\nz OK"));
	snprintf(head, sizeof(head), "* 2 FETCH (BODY[] {%zu}\r\nA: b\r\n\r\n", strlen(all) - strlen("* 2 FETCH (BODY[] {3186477}\r\n)\r\ny OK Fetch completed.\r\nz OK NOOP completed.\r\n"));
	assert_memory_equal(all, head, strlen(head));
	free(bytes);
	harness_free(&h);
}

static void test_many(void **state)
{
	struct harness h;
	const char *all;

	begin(&h);
	for (int i = 0; i < 3000; i++)
		fake_add(h.acct, "INBOX", one, i % 32 & MAIL_SYSTEM);
	harness_say(&h, 0, "NOOP");
	all = harness_say(&h, 0, "FETCH 1:* FULL");
	assert_non_null(strstr(all, "* 3001 FETCH (FLAGS (\\"));
	assert_non_null(strstr(all, "NIL NIL NIL NIL NIL) BODY (\"text\" \"plain\""));
	harness_free(&h);
}

static void test_dates(void **state)
{
	struct imap_emit e = { 0 };
	struct buf b;

	setenv("TZ", "America/St_Johns", 1);
	tzset();
	buf_init(&b, 1000);
	imap_emit_date(&e, "D", 0, &b);
	imap_emit_date(&e, " D", 1, &b);
	imap_emit_date(&e, " D", 86399, &b);
	imap_emit_date(&e, " D", -1, &b);
	imap_emit_date(&e, " D", 1000000000, &b);
	assert_string_equal(buf_cstr(&b), "D \"31-Dec-1969 20:30:00 -0330\" D \"31-Dec-1969 20:30:01 -0330\""
					  " D \"01-Jan-1970 20:29:59 -0330\" D \"31-Dec-1969 20:29:59 -0330\""
					  " D \"08-Sep-2001 23:16:40 -0230\"");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_seen),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_vanished),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
