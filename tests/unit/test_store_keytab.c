#include "src/store/keytab.h"

#include "tests/unit/test.h"

enum { MANY = 5000 };

static void test_keytab(void **state)
{
	struct keytab t = { 0 };
	struct pool p = { 0 };
	char name[32];
	bool fresh;

	assert_true(keytab_find(&t, SPAN("x")) == SIZE_MAX);
	for (int i = 0; i < MANY; i++) {
		int n = snprintf(name, sizeof(name), "key%d", i);
		assert_int_equal(keytab_add(&t, pool_copy(&p, span_of(name, (size_t)n)), &fresh),
				 i);
		assert_true(fresh);
	}
	for (int i = 0; i < MANY; i++) {
		int n = snprintf(name, sizeof(name), "key%d", i);
		assert_int_equal(keytab_find(&t, span_of(name, (size_t)n)), i);
		assert_int_equal(keytab_add(&t, span_of(name, (size_t)n), &fresh), i);
		assert_false(fresh);
	}
	assert_int_equal(t.n, MANY);
	assert_true(keytab_find(&t, SPAN("key")) == SIZE_MAX);
	keytab_free(&t);
	pool_free(&p);
}

static void test_keymap(void **state)
{
	struct keymap m = { 0 };
	char name[32];
	uint32_t v = 7;

	assert_false(keymap_get(&m, SPAN("x"), &v));
	for (uint32_t i = 0; i < MANY; i++)
		keymap_set(&m, span_of(name, (size_t)snprintf(name, sizeof(name), "key%u", i)), i);
	keymap_set(&m, SPAN("key7"), 0);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_true(keymap_get(
			&m, span_of(name, (size_t)snprintf(name, sizeof(name), "key%u", i)), &v));
		assert_int_equal(v, i == 7 ? 0 : i);
	}
	assert_int_equal(m.n, MANY);
	assert_false(keymap_get(&m, SPAN("none"), &v));
	keymap_free(&m);
	assert_false(keymap_get(&m, SPAN("key7"), &v));
}

static void test_pool(void **state)
{
	struct pool p = { 0 };
	char big[200000];

	memset(big, 'b', sizeof(big));
	struct span one = pool_copy(&p, SPAN("one"));
	struct span large = pool_copy(&p, span_of(big, sizeof(big)));
	struct span two = pool_copy(&p, SPAN("two"));
	assert_true(span_eq_str(one, "one") && span_eq_str(two, "two"));
	assert_true(span_eq(large, span_of(big, sizeof(big))));
	assert_int_equal(p.total, sizeof(big) + 6);
	assert_int_equal(pool_copy(&p, SPAN("")).n, 0);
	pool_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keytab),
		cmocka_unit_test(test_keymap),
		cmocka_unit_test(test_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
