/* Sequence sets from text and back. */
#include "base/buf.h"
#include "wire/imap_set.h"
#include "wire/imap_write.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void check(const char *text, uint32_t star, const char *expect)
{
	struct set s = SET_EMPTY;
	struct buf b;

	buf_init(&b, 1 << 16);
	assert_true(imap_set_parse(span_str(text), star, &s));
	imap_write_set(&b, &s);
	assert_string_equal(buf_cstr(&b), expect);
	buf_free(&b);
	set_free(&s);
}

static void test_good(void **state)
{
	check("1", 9, "1");
	check("1:*", 9, "1:9");
	check("*", 9, "9");
	check("*:7", 9, "7:9");
	check("12:*", 9, "9:12");
	check("5,3,1:2,7:6", 9, "1:3,5:7");
	check("1:3,2:5,5", 9, "1:5");
	check("4294967295,1", 9, "1,4294967295");
	check("1:4294967295", 9, "1:4294967295");
	check("9,8,7,6,5,4,3,2,1", 9, "1:9");
	check("*", 0, "");
	check("3:*,5", 0, "5");
}

static void test_bad(void **state)
{
	static const char *const bad[] = { "", "0", "1,", ",1", "1,,2", "a", "1:", ":1", "1:2:3", "01", "1 ", " 1", "-1",
					   "4294967296", "1:0", "**", "1:*a", "$", "+1" };
	struct set s = SET_EMPTY;

	set_add(&s, 42);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(imap_set_parse(span_str(bad[i]), 9, &s));
	assert_true(set_has(&s, 42) && set_count(&s) == 1);
	set_free(&s);
}

static void test_looks(void **state)
{
	assert_true(imap_set_looks(SPAN("1:*,4")));
	assert_true(imap_set_looks(SPAN("$")));
	assert_true(imap_set_looks(SPAN("*")));
	assert_false(imap_set_looks(SPAN("ALL")));
	assert_false(imap_set_looks(SPAN("")));
}

/* Descending and shuffled sets must not cost the square of their length. */
static void test_large_descending(void **state)
{
	struct set s = SET_EMPTY;
	struct buf b;

	buf_init(&b, 1 << 22);
	for (uint32_t v = 300000; v > 1; v -= 2)
		buf_printf(&b, "%u,", v);
	buf_add_char(&b, '1');
	assert_true(imap_set_parse(buf_span(&b), 1, &s));
	assert_int_equal(set_count(&s), 150001);
	buf_free(&b);
	set_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_large_descending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
