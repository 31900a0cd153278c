#include "base/guid.h"

#include "tests/unit/test.h"

static void test_both_ways(void **state)
{
	static const char good[] = "00ff102030405060708090a0b0c0d0ef";
	char text[GUID_TEXT + 1];
	uint8_t guid[16] = { 0 };

	assert_true(guid_read(span_str(good), guid));
	assert_true(guid[0] == 0 && guid[1] == 0xff && guid[2] == 0x10 && guid[15] == 0xef);
	guid_text(guid, text);
	assert_string_equal(text, good);
}

static void test_not_such(void **state)
{
	uint8_t guid[16] = { 7 };

	assert_false(guid_read(SPAN(""), guid));
	assert_false(guid_read(SPAN("00ff102030405060708090a0b0c0d0e"), guid));
	assert_false(guid_read(SPAN("00ff102030405060708090a0b0c0d0eff"), guid));
	assert_false(guid_read(SPAN("00FF102030405060708090a0b0c0d0ef"), guid));
	assert_false(guid_read(SPAN("00ff102030405060708090a0b0c0d0eg"), guid));
	assert_int_equal(guid[0], 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_not_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
