#include "src/store/uidlist.h"

#include "tests/unit/test.h"

static void test_header(void **state)
{
	struct uidlist_header h;
	struct buf out;

	assert_true(uidlist_parse_header(
		SPAN("3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1"), &h));
	assert_int_equal(h.version, 3);
	assert_int_equal(h.uidvalidity, 1275660208);
	assert_int_equal(h.next, 25022);
	assert_true(h.has_guid && h.guid[0] == 0x30 && h.guid[15] == 0xc1);

	/* Unknown keys stay, wherever they stood. */
	assert_true(uidlist_parse_header(SPAN("3 Pabc V1 N2 Zq Gzz"), &h));
	assert_false(h.has_guid);
	buf_init(&out, 1000);
	uidlist_put_header(&out, &h);
	assert_string_equal(buf_cstr(&out), "3 V1 N2 G00000000000000000000000000000000 Pabc Zq\n");
	buf_free(&out);

	assert_true(uidlist_parse_header(SPAN("1 5 7"), &h));
	assert_true(h.version == 1 && h.uidvalidity == 5 && h.next == 7 && !h.has_guid);
}

static void test_header_damaged(void **state)
{
	static const char *const bad[] = { "",	      "3",	 "3 V1",    "3 N1",
					   "3 V0 N1", "3 V1 N0", "3 V1 Nx", "2 V1 N1",
					   "1 5",     "1 0 1",	 "1 x 1",   "3V1 N1" };
	struct uidlist_header h;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uidlist_parse_header(span_str(bad[i]), &h));
	assert_false(uidlist_parse_header(SPAN("3 V1 N1 G\0"), &h));
}

static void expect_record(const char *line, int version, uint32_t uid, const char *keys,
			  const char *base)
{
	struct uidlist_record r;

	assert_true(uidlist_parse_record(span_str(line), version, &r));
	assert_int_equal(r.uid, uid);
	assert_true(span_eq_str(r.keys, keys));
	assert_true(span_eq_str(r.base, base));
}

static void test_record(void **state)
{
	struct uidlist_record r;
	struct span v;
	struct buf out;

	expect_record("25017 W2481 :1276533073.M242911P3632.kurkku", 3, 25017, "W2481",
		      "1276533073.M242911P3632.kurkku");
	expect_record("1 :a", 3, 1, "", "a");
	expect_record("2 S1 P Q9 :a b:2,S", 3, 2, "S1 P Q9", "a b");
	expect_record("3 name:2,S", 1, 3, "", "name");

	assert_true(uidlist_parse_record(SPAN("2 S1 P Q9 :a b"), 3, &r));
	assert_true(uidlist_record_key(&r, 'S', &v) && span_eq_str(v, "1"));
	assert_true(uidlist_record_key(&r, 'P', &v) && v.n == 0);
	assert_false(uidlist_record_key(&r, 'W', &v));
	buf_init(&out, 1000);
	uidlist_put_record(&out, &r);
	assert_string_equal(buf_cstr(&out), "2 S1 P Q9 :a b\n");
	buf_free(&out);
}

static void test_record_damaged(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1 ",
		"x :a",
		"0 :a",
		"4294967295 :a",
		"4294967294 :a",
		"99999999999 :a",
		"1 :",
		"1 ::2,S",
		"1 :a/b",
		"1 S5",
		"1 5 :a",
		"-1 :a",
	};
	struct uidlist_record r;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(uidlist_parse_record(span_str(bad[i]), 3, &r));
	assert_false(uidlist_parse_record(SPAN("1 :a\0b"), 3, &r));
	char many[400] = "1 :";
	memset(many + 3, 'x', 300);
	assert_false(uidlist_parse_record(span_of(many, 303), 3, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_header_damaged),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_record_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
