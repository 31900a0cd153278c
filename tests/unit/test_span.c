#include "base/span.h"

#include "tests/unit/test.h"

static void test_compare(void **state)
{
	assert_true(span_eq(span_str(NULL), SPAN("")));
	assert_true(span_eq_str(SPAN("ab"), "ab") && !span_eq_str(SPAN("ab"), "abc"));
	assert_true(span_ieq_str(SPAN("InBoX"), "INBOX") && !span_ieq_str(SPAN("\xc4"), "\xe4"));
	assert_true(span_starts(SPAN("abc"), SPAN("ab")) && !span_starts(SPAN("a"), SPAN("ab")));
	assert_true(span_istarts(SPAN("ABc"), SPAN("ab")) && span_ends(SPAN("abc"), SPAN("bc")));
	assert_false(span_ends(SPAN("c"), SPAN("bc")));
	assert_true(span_cmp(SPAN("ab"), SPAN("abc")) < 0 && span_cmp(SPAN("b"), SPAN("abc")) > 0);
	assert_int_equal(span_find(SPAN("a\0b"), 'b'), 2);
	assert_true(span_find(span_str(NULL), 'b') == SIZE_MAX);
	assert_int_equal(span_search(SPAN("a\0bc"), SPAN("bc")), 2);
	assert_true(span_search(SPAN("a"), SPAN("ab")) == SIZE_MAX);
}

/* Wherever the one byte stands that is not plain, and whatever it is. */
static void test_plain(void **state)
{
	char text[40];

	assert_true(span_is_plain(span_str(NULL)));
	for (size_t n = 1; n < sizeof(text); n++) {
		memset(text, '~', sizeof(text));
		assert_true(span_is_plain(span_of(text, n)));
		for (size_t i = 0; i < n; i++) {
			for (int c = 0; c < 256; c++) {
				text[i] = (char)c;
				assert_int_equal(span_is_plain(span_of(text, n)),
						 c >= ' ' && c <= '~' && c != '"' && c != '\\');
			}
			text[i] = ' ';
		}
	}
}

static void test_cut(void **state)
{
	struct span rest = SPAN("a,,b,"), word;

	assert_true(span_eq_str(span_cut(SPAN("abcdef"), 2, 3), "cde"));
	assert_int_equal(span_cut(SPAN("abc"), 9, 9).n, 0);
	assert_true(span_eq_str(span_trim(SPAN(" \t a b\r\n")), "a b"));
	assert_int_equal(span_trim(SPAN("  ")).n, 0);
	assert_true(span_split(&rest, ',', &word) && span_eq_str(word, "a"));
	assert_true(span_split(&rest, ',', &word) && word.n == 0);
	assert_true(span_split(&rest, ',', &word) && span_eq_str(word, "b"));
	assert_false(span_split(&rest, ',', &word));
}

static void test_numbers(void **state)
{
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "4294967296", "1e3" };
	uint32_t v = 7;
	uint64_t w = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(span_u32(span_str(bad[i]), &v));
	assert_int_equal(v, 7);
	assert_true(span_u32(SPAN("4294967295"), &v) && v == UINT32_MAX);
	assert_true(span_u64(SPAN("18446744073709551615"), &w) && w == UINT64_MAX);
	assert_false(span_u64(SPAN("18446744073709551616"), &w));
	assert_true(span_hex64(SPAN("DeadBeef00000001"), &w) && w == 0xdeadbeef00000001);
	assert_false(span_hex64(SPAN("10000000000000000"), &w) || span_hex64(SPAN("g"), &w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
