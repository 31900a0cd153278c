/* Spelling of responses: the form follows the content. */
#include "wire/imap_write.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct buf b;

static int setup(void **state)
{
	buf_init(&b, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	buf_free(&b);
	return 0;
}

static void expect(const char *text)
{
	assert_string_equal(buf_cstr(&b), text);
	assert_false(b.failed);
	buf_clear(&b);
}

static void test_strings(void **state)
{
	struct span empty = SPAN("");

	imap_write_string(&b, SPAN("abc"));
	expect("\"abc\"");
	imap_write_string(&b, SPAN("a \"b\\"));
	expect("\"a \\\"b\\\\\"");
	imap_write_string(&b, SPAN("a\r\n"));
	expect("{3}\r\na\r\n");
	imap_write_string(&b, SPAN("caf\xc3\xa9"));
	expect("{5}\r\ncaf\xc3\xa9");
	imap_write_string(&b, SPAN("a\0b"));
	expect("{3}\r\na\x80" "b");
	imap_write_string(&b, SPAN("a\tb"));
	expect("{3}\r\na\tb");
	imap_write_nstring(&b, NULL);
	expect("NIL");
	imap_write_nstring(&b, &empty);
	expect("\"\"");
	imap_write_literal8_head(&b, 18446744073709551615U);
	expect("~{18446744073709551615}\r\n");
}

static void test_long_is_literal(void **state)
{
	char text[IMAP_QUOTED_MAX + 1];

	memset(text, 'x', sizeof(text));
	imap_write_string(&b, span_of(text, IMAP_QUOTED_MAX));
	assert_int_equal(b.p[0], '"');
	buf_clear(&b);
	imap_write_astring(&b, span_of(text, sizeof(text)));
	assert_memory_equal(b.p, "{1001}\r\n", 8);
}

static void test_astring(void **state)
{
	imap_write_astring(&b, SPAN("INBOX.a]b[c"));
	expect("INBOX.a]b[c");
	imap_write_astring(&b, SPAN("a b"));
	expect("\"a b\"");
	imap_write_astring(&b, SPAN("nil"));
	expect("\"nil\"");
	imap_write_astring(&b, SPAN(""));
	expect("\"\"");
	imap_write_astring(&b, SPAN("a%b"));
	expect("\"a%b\"");
	imap_write_astring(&b, SPAN("a{1}"));
	expect("\"a{1}\"");
	imap_write_astring(&b, SPAN("a\\b"));
	expect("\"a\\\\b\"");
}

static void test_mailbox(void **state)
{
	imap_write_mailbox(&b, SPAN("INBOX"), false);
	expect("INBOX");
	imap_write_mailbox(&b, SPAN("a b"), false);
	expect("\"a b\"");
	imap_write_mailbox(&b, SPAN("a&b"), false);
	expect("a&-b");
	imap_write_mailbox(&b, SPAN("a&b"), true);
	expect("\"a&b\"");
	imap_write_mailbox(&b, SPAN("\xc3\xa9"), false);
	expect("&AOk-");
	imap_write_mailbox(&b, SPAN("\xc3\xa9"), true);
	expect("\"\xc3\xa9\"");
	imap_write_mailbox(&b, SPAN("\1"), false);
	expect("&AAE-");
}

static void test_flags(void **state)
{
	const struct span names[] = { SPAN("$Forwarded"), SPAN(""), SPAN("x") };
	struct mail_flags f = { MAIL_SEEN | MAIL_RECENT, 1 | 2 | 4 | 8 };

	imap_write_flags(&b, &f, names, 3);
	expect("(\\Seen \\Recent $Forwarded x)");
	f = (struct mail_flags){ 0 };
	imap_write_flags(&b, &f, names, 3);
	expect("()");
	f = (struct mail_flags){ .keywords = 4 };
	imap_write_flags(&b, &f, names, 3);
	expect("(x)");
}

static void test_status(void **state)
{
	imap_write_status(&b, SPAN("a1"), "OK", "READ-WRITE", "Select completed.");
	expect("a1 OK [READ-WRITE] Select completed.\r\n");
	imap_write_status(&b, SPAN(""), "BYE", NULL, "bad\r\na2 OK \xc3\xa9");
	expect("* BYE bad??a2 OK ??\r\n");
	imap_write_status(&b, SPAN("a"), "NO", "", "");
	expect("a NO .\r\n");
}

static void test_full_buffer_is_noticed(void **state)
{
	struct buf small;

	buf_init(&small, 4);
	imap_write_string(&small, SPAN("a\0b"));
	assert_true(small.failed);
	buf_free(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_is_literal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_astring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mailbox, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test(test_full_buffer_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
