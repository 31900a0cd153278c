#include "base/utf8.h"

#include "tests/unit/test.h"

static void test_validity(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "a\xc3(",
	};
	uint32_t cp;

	assert_true(utf8_valid(SPAN("a\0z \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(utf8_valid(span_str(bad[i])));
	assert_int_equal(utf8_next(SPAN("\xe2\x82\xac"), &cp), 3);
	assert_int_equal(cp, 0x20ac);
	assert_int_equal(utf8_next(SPAN(""), &cp), 0);
}

static void test_put(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	utf8_put(&b, 'A');
	utf8_put(&b, 0x20ac);
	utf8_put(&b, 0xd800); /* no character */
	utf8_put(&b, 0x110000);
	assert_string_equal(buf_cstr(&b), "A\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd");
	buf_free(&b);
}

static void check_same_fold(const char *a, const char *b)
{
	struct buf x, y;

	buf_init(&x, 1000);
	buf_init(&y, 1000);
	utf8_fold(span_str(a), &x);
	utf8_fold(span_str(b), &y);
	assert_string_equal(buf_cstr(&x), buf_cstr(&y));
	buf_free(&x);
	buf_free(&y);
}

static void test_fold(void **state)
{
	check_same_fold("Hello World", "hELLO wORLD");
	check_same_fold("\xc3\xa4", "A\xcc\x88");             /* a umlaut, A + combining diaeresis */
	check_same_fold("\xd0\x9f\xd1\x80", "\xd0\xbf\xd0\xa0"); /* Cyrillic */
	check_same_fold("\xef\xac\x81x", "\xef\xac\x81X");       /* the ligature fi */
	check_same_fold("\xc7\x86", "\xc7\x84");                 /* dz with caron: titlecase differs from uppercase */
	check_same_fold("\xea\xb0\x81", "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8"); /* Hangul */
	check_same_fold("a\xff" "b", "A\xfe" "B");               /* invalid bytes are all alike */
}

static void test_nfc(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_true(utf8_nfc(SPAN("cafe\xcc\x81 \xe1\x84\x80\xe1\x85\xa1"), &b));
	assert_string_equal(buf_cstr(&b), "caf\xc3\xa9 \xea\xb0\x80");
	buf_clear(&b);
	assert_true(utf8_nfc(SPAN("\xef\xac\x81 \xc3\xa9"), &b)); /* no compatibility mapping */
	assert_string_equal(buf_cstr(&b), "\xef\xac\x81 \xc3\xa9");
	buf_clear(&b);
	assert_true(utf8_nfc(SPAN(""), &b));
	assert_false(utf8_nfc(SPAN("a\xff"), &b));
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_validity),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_nfc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
