/* imap_capability: replaces, adds, takes away. */
#include "wire/imap_words.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expect(const char *ours, const char *setting, const char *result)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_add_str(&b, "> ");
	imap_words_apply(span_str(ours), span_str(setting), &b);
	assert_string_equal(buf_cstr(&b) + 2, result);
	buf_free(&b);
}

static void test_apply(void **state)
{
	expect("A B", "", "A B");
	expect("A B", "  ", "A B");
	expect("", "", "");
	expect("A B", "+C", "A B C");
	expect("A B", "+ C  D", "A B C D");
	expect("A B", "+C +D", "A B C D");
	expect("A B C", "-B", "A C");
	expect("A B C", "-a", "B C");
	expect("A B C", "-A -B -C", "");
	expect("A B=1 B", "-B", "A B=1");
	expect("A B", "-B +B", "A B");
	expect("A B", "+A b", "A B");
	expect("A B", "+", "A B");
	expect("A B", "- -- -C", "A B");
	expect("A B", "C D", "C D");
	expect("A B", "C  -D D", "C -D D");
	expect("", "+X", "X");
	expect("A LITERAL+ B", "+LITERAL-", "A B LITERAL-");
	expect("A", "LITERAL- LITERAL+", "LITERAL-");
}

static void test_ask(void **state)
{
	assert_true(imap_words_has(SPAN("A BC D"), SPAN("bc")));
	assert_false(imap_words_has(SPAN("A BC D"), SPAN("B")));
	assert_false(imap_words_has(SPAN(""), SPAN("B")));
	assert_true(imap_words_replaced(SPAN(" IMAP4rev1")));
	assert_false(imap_words_replaced(SPAN(" +X")));
	assert_false(imap_words_replaced(SPAN("-X")));
	assert_false(imap_words_replaced(SPAN(" ")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_ask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
