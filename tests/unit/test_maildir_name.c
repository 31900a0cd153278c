#include "src/store/maildir_name.h"

#include "tests/unit/test.h"

#include <time.h>

static void test_split(void **state)
{
	struct span base, rest;

	assert_true(maildir_name_split(SPAN("1.M2P3.h,S=4:2,FS"), &base, &rest));
	assert_true(span_eq(base, SPAN("1.M2P3.h,S=4")));
	assert_true(span_eq(rest, SPAN(":2,FS")));
	assert_true(maildir_name_split(SPAN("plain"), &base, &rest));
	assert_true(span_eq(base, SPAN("plain")) && rest.n == 0);
	assert_false(maildir_name_split(SPAN(""), &base, &rest));
	assert_false(maildir_name_split(SPAN(".hidden"), &base, &rest));
	assert_false(maildir_name_split(SPAN(":2,S"), &base, &rest));
	assert_false(maildir_name_split(SPAN("a\nb"), &base, &rest));
	assert_false(maildir_name_split(SPAN("a/b"), &base, &rest));
	assert_false(maildir_name_split(SPAN("a\0b"), &base, &rest));
	char many[256];
	memset(many, 'x', sizeof(many));
	assert_true(maildir_name_split(span_of(many, 255), &base, &rest));
	assert_false(maildir_name_split(span_of(many, 256), &base, &rest));
}

static void test_flags(void **state)
{
	struct mail_flags f = maildir_name_flags(SPAN(":2,DFRSTaz"));

	assert_int_equal(f.system,
			 MAIL_DRAFT | MAIL_FLAGGED | MAIL_ANSWERED | MAIL_SEEN | MAIL_DELETED);
	assert_true(f.keywords == (1 | 1 << 25));
	f = maildir_name_flags(SPAN(":2,PS,Txyz"));
	assert_int_equal(f.system, MAIL_SEEN);
	assert_true(f.keywords == 0);
	assert_int_equal(maildir_name_flags(SPAN("")).system, 0);
	assert_int_equal(maildir_name_flags(SPAN(":1,S")).system, 0);
	assert_int_equal(maildir_name_flags(SPAN(":2")).system, 0);
}

static void test_sizes(void **state)
{
	assert_true(maildir_name_size(SPAN("1.h,S=12,W=34"), 'S') == 12);
	assert_true(maildir_name_size(SPAN("1.h,S=12,W=34"), 'W') == 34);
	assert_true(maildir_name_size(SPAN("1.h,W=34"), 'S') == UINT64_MAX);
	assert_true(maildir_name_size(SPAN("1.h,S=x"), 'S') == UINT64_MAX);
	assert_true(maildir_name_size(SPAN("1.h,S="), 'S') == UINT64_MAX);
	assert_true(maildir_name_size(SPAN("1.h,S=99999999999999999999999"), 'S') == UINT64_MAX);
}

static void test_guid(void **state)
{
	assert_int_equal(maildir_name_guid(SPAN("1.h,S=12,W=34")).n, 0);
	assert_true(span_eq_str(maildir_name_guid(SPAN("1.h,S=12,W=34,E=0a")), "0a"));
	assert_true(span_eq_str(maildir_name_guid(SPAN("1.h,E=0a,S=12")), "0a"));
}

static void expect_name(struct span base, struct span old, uint8_t system, uint64_t keywords,
			const char *name)
{
	char out[MAILDIR_NAME_MAX + 1];

	assert_true(maildir_name_build(out, base, old, (struct mail_flags){ system, keywords }));
	assert_string_equal(out, name);
}

/* What others put into the name survives us. */
static void test_build(void **state)
{
	char out[MAILDIR_NAME_MAX + 1], many[254];

	expect_name(SPAN("1"), SPAN(""), 0, 0, "1:2,");
	expect_name(SPAN("1"), SPAN(":2,"), MAIL_SEEN | MAIL_DRAFT, 5, "1:2,DSac");
	expect_name(SPAN("1"), SPAN(":2,FPSa,x=y,z"), MAIL_DELETED, 2, "1:2,PTb,x=y,z");
	expect_name(SPAN("1"), SPAN(":2,SSS"), MAIL_SEEN, 0, "1:2,S");
	expect_name(SPAN("1"), SPAN(":1,abc"), MAIL_SEEN, UINT64_MAX << 26, "1:2,S");
	memset(many, 'x', sizeof(many));
	assert_false(
		maildir_name_build(out, span_of(many, 254), SPAN(""), (struct mail_flags){ 0 }));
	assert_true(maildir_name_build(out, span_of(many, 251), SPAN(""),
				       (struct mail_flags){ MAIL_SEEN, 0 }));
	assert_int_equal(strlen(out), 255);
}

static void test_order(void **state)
{
	static const char *const in_order[] = {
		"abc",	      "0.h",	   "5.h",
		"10.M1P2.h",  "10.M2P1.h", "10.M10P1.h",
		"10.M10P2.h", "11.h",	   "99999999999999999999.h",
	};

	for (size_t i = 0; i < sizeof(in_order) / sizeof(in_order[0]); i++)
		for (size_t k = 0; k < sizeof(in_order) / sizeof(in_order[0]); k++) {
			int d = maildir_name_cmp(span_str(in_order[i]), span_str(in_order[k]));
			/*
			 * "abc" and "0.h" both count as second 0; bytes decide, and there '0' is
			 * before 'a'.
			 */
			if (i + k == 1)
				assert_true(i ? d < 0 : d > 0);
			else
				assert_int_equal((d > 0) - (d < 0), (i > k) - (i < k));
		}
}

static void test_unique(void **state)
{
	char host[128], a[200], b[200];

	maildir_name_host(host, sizeof(host), "a/b:c,d e");
	assert_string_equal(host, "a\\057b\\072c\\054d\\040e");
	maildir_name_host(host, sizeof(host), NULL);
	assert_string_equal(host, "localhost");
	maildir_name_unique(a, sizeof(a), 1, maildir_name_random(), host);
	maildir_name_unique(b, sizeof(b), 1, maildir_name_random(), host);
	assert_string_not_equal(a, b);
	assert_true(strstr(a, ".localhost") && strchr(a, 'M') && strchr(a, 'R'));
}

static void test_written(void **state)
{
	char ours[250];

	maildir_name_unique(ours, sizeof(ours), 1, maildir_name_random(), "h.example");
	assert_int_equal(maildir_name_written(span_str(ours)), 0);
	snprintf(ours + strlen(ours), sizeof(ours) - strlen(ours), ",S=6");
	assert_in_range(maildir_name_written(span_str(ours)), time(NULL) - 60, time(NULL) + 60);
	assert_int_equal(maildir_name_written(SPAN("12.M3P4Q5R0123456789abcdef.h,S=6,W=6")), 12);
	assert_int_equal(maildir_name_written(SPAN("12.M3P4Q5R0123456789abcdef")), 0);
	assert_int_equal(maildir_name_written(SPAN("12.M3P4Q5R0123456789abcdefg,S=6")), 0);
	assert_int_equal(maildir_name_written(SPAN("12.M3P4Q5R0123456789abcdeg.h,S=6")), 0);
	assert_int_equal(maildir_name_written(SPAN("12.M3P4Q5.h,S=6,W=6")), 0);
	assert_int_equal(maildir_name_written(SPAN("12.MP4Q5R0123456789abcdef.h,S=6")), 0);
	assert_int_equal(maildir_name_written(SPAN("12.M3P4.h,S=6")), 0);
	assert_int_equal(maildir_name_written(SPAN("12,S=6")), 0);
	assert_int_equal(maildir_name_written(SPAN("")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_sizes), cmocka_unit_test(test_guid), cmocka_unit_test(test_build),
		cmocka_unit_test(test_order), cmocka_unit_test(test_unique), cmocka_unit_test(test_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
