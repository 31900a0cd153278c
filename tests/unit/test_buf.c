#include "base/buf.h"

#include "tests/unit/test.h"

static void test_append(void **state)
{
	struct buf b;

	buf_init(&b, 1000);
	assert_string_equal(buf_cstr(&b), "");
	buf_add_str(&b, "one");
	buf_add_char(&b, ' ');
	buf_add_u64(&b, 0);
	buf_add_u64(&b, UINT64_MAX);
	buf_printf(&b, " %s%d", "x", -5);
	assert_string_equal(buf_cstr(&b), "one 018446744073709551615 x-5");
	buf_consume(&b, 4);
	buf_truncate(&b, 1);
	assert_string_equal(buf_cstr(&b), "0");
	for (int i = 0; i < 90; i++)
		buf_printf(&b, "%010d", i);
	assert_int_equal(b.n, 901);
	assert_memory_equal(b.p + 891, "0000000089", 10);
	buf_free(&b);
	buf_free(&b);
	assert_int_equal(b.max, 1000);
}

/* Beyond the limit nothing is added, the failure stays, and exactly the limit fits. */
static void test_limit(void **state)
{
	struct buf b;

	buf_init(&b, 10);
	buf_add_str(&b, "0123456789");
	assert_false(b.failed);
	assert_string_equal(buf_cstr(&b), "0123456789");
	buf_add_char(&b, 'x');
	assert_true(b.failed);
	assert_int_equal(b.n, 10);
	buf_consume(&b, 5);
	buf_add_char(&b, 'x');
	assert_int_equal(b.n, 5);
	buf_clear(&b);
	buf_printf(&b, "%s", "01234567890");
	assert_true(b.failed && b.n == 0);
	buf_clear(&b);
	assert_false(buf_reserve(&b, SIZE_MAX));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
