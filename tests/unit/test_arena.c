#include "base/arena.h"

#include "tests/unit/test.h"

static void test_alloc(void **state)
{
	struct arena *a = arena_new(1 << 20);
	size_t before = arena_used(a);
	char *big, *small;
	bool ok;

	for (int i = 1; i < 3000; i++) {
		unsigned char *p = arena_alloc(a, (size_t)i % 100);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (int k = 0; k < i % 100; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, (size_t)i % 100);
	}
	big = arena_alloc(a, 200000);
	small = arena_str(a, "text");
	memset(big, 1, 200000);
	assert_string_equal(small, "text");
	assert_string_equal(arena_printf(a, "%d-%s", 5, "x"), "5-x");
	assert_true(span_eq_str(arena_copy(a, SPAN("a\0b"), &ok), "a") == false && ok);
	assert_null(arena_array(a, SIZE_MAX / 2, 3));
	arena_reset(a);
	assert_true(arena_used(a) < before + 8192);
	arena_free(&a);
	assert_null(a);
	arena_free(&a);
}

static void test_limit(void **state)
{
	struct arena *a = arena_new(10000);
	bool ok = true;
	int n = 0;

	assert_null(arena_alloc(a, 10001));
	while (arena_alloc(a, 100))
		n++;
	assert_in_range(n, 70, 100);
	assert_true(arena_used(a) <= 10000);
	arena_copy(a, SPAN("0123456789012345678901234567890123456789012345678901234567890123456789"
			   "0123456789012345678901234567890123456789"), &ok);
	assert_false(ok);
	arena_reset(a);
	assert_non_null(arena_alloc(a, 5000));
	arena_free(&a);
}

static void note(void *arg)
{
	char **at = arg;

	*(*at)++ = 'x';
}

static void test_cleanup(void **state)
{
	struct arena *a = arena_new(65536);
	char seen[4] = "", *at = seen;

	assert_true(arena_cleanup(a, note, &at));
	assert_true(arena_cleanup(a, note, &at));
	arena_reset(a);
	assert_string_equal(seen, "xx");
	assert_true(arena_cleanup(a, note, &at));
	arena_free(&a);
	assert_string_equal(seen, "xxx");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_cleanup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
