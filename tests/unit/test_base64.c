#include "base/base64.h"

#include "tests/unit/test.h"

/* RFC 4648 section 10. */
static const char *const pairs[][2] = {
	{ "", "" },	      { "f", "Zg==" },	      { "fo", "Zm8=" },	       { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};

static void test_vectors(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		buf_clear(&b);
		base64_encode(span_str(pairs[i][0]), &b);
		assert_string_equal(buf_cstr(&b), pairs[i][1]);
		buf_clear(&b);
		assert_true(base64_decode(span_str(pairs[i][1]), &b));
		assert_string_equal(buf_cstr(&b), pairs[i][0]);
	}
	buf_clear(&b);
	assert_true(base64_decode(SPAN("AHRlc3QA/+8="), &b)); /* NULs and high bytes */
	assert_memory_equal(b.p, "\0test\0\xff\xef", 8);
	buf_free(&b);
}

static void test_strict(void **state)
{
	static const char *const bad[] = { "Zg",   "Zg=",  "Zg==Zg==", "Z===", "====", "Zh==",
					   "Zm9=", "Zm 9", "Zm9v\n",   "Zm-_", "=Zm9", "Zm8=Zm9v" };
	struct buf b;

	buf_init(&b, 100);
	buf_add_str(&b, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(base64_decode(span_str(bad[i]), &b));
	assert_string_equal(buf_cstr(&b), "kept");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
