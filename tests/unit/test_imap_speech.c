/* Where a client is in what it hears. */
#include "wire/imap_speech.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

/* Responses that are whole and what begins behind them, at once and octet by octet. */
static void expect(const char *whole, const char *rest, bool between)
{
	struct imap_speech f = { 0 }, g = { 0 };
	char said[256];
	size_t n = (size_t)snprintf(said, sizeof(said), "%s%s", whole, rest), end = 0;

	assert_int_equal(imap_speech_add(&f, span_of(said, n)), strlen(whole));
	assert_int_equal(imap_speech_between(&f), between);
	for (size_t i = 0; i < n; i++)
		if (imap_speech_add(&g, span_of(said + i, 1)))
			end = i + 1;
	assert_int_equal(end, strlen(whole));
	assert_int_equal(imap_speech_between(&g), between);
}

static void test_lines(void **state)
{
	expect("", "", true);
	expect("* OK x\r\n", "", true);
	expect("", "* OK x\r", false);
	expect("* OK x\r\n", "*", false);
	expect("* OK x\r\n+ go\r\na OK\r\n", "", true);
	expect("", "* B", false);
}

static void test_literals(void **state)
{
	expect("* 1 FETCH (BODY[] {4}\r\n\r\n\r\n)\r\n", "", true);
	expect("", "* 1 FETCH (BODY[] {4}\r\n\r\n\r\n", false);
	expect("", "* 1 FETCH (BODY[] {4}\r\n\r\n\r", false);
	expect("* 1 FETCH (BINARY[] ~{2}\r\n\n\n BODY[1] {3}\r\nx\r\n)\r\n", "", true);
	expect("* 1 FETCH (X {0}\r\n)\r\n", "", true);
	expect("* LIST () \"/\" \"a{3}\"\r\n", "", true);
	expect("* LIST () \"/\" a{3}b\r\n", "", true);
	expect("* LIST () \"/\" a{{2}\r\nxx\r\n", "", true);
	expect("* 1 FETCH (X {99999999999999999999}\r\n", "", true); /* nobody announces so much */
}

static void test_bye(void **state)
{
	expect("", "* BYE x\r\n", false);
	expect("* 1 EXISTS\r\n", "* BYE x\r\na OK\r\n", false);
	expect("* BYEBYE x\r\n", "", true);
	expect("a BYE x\r\n", "", true);
	expect("", IMAP_LAST_WORDS, false);
}

static void test_compressed(void **state)
{
	static const char packed[] = "a OK go\r\n\x12\x00\r\n* OK\r\n";
	struct imap_speech f = { 0 };

	assert_int_equal(imap_speech_add(&f, span_of(packed, sizeof(packed) - 1)), 9);
	assert_false(imap_speech_between(&f));
	assert_int_equal(imap_speech_add(&f, SPAN("a OK\r\n")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_bye),
		cmocka_unit_test(test_compressed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
