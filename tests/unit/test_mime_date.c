#include "mime/date.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static const struct {
	const char *in;
	int64_t utc;
	int zone;
} mail_dates[] = {
	{ "Wed, 17 Jul 1996 02:44:25 -0700", 837596665, -420 },
	{ "17 Jul 1996 02:44:25 -0700", 837596665, -420 },
	{ "Wed, 17 Jul 1996 09:44 +0000", 837596640, 0 },
	{ "Wednesday,  17 July 96 02:44:25 PDT", 837596665, -420 },
	{ "Wed, 17 Jul 1996 (comment (nested))\r\n 02 : 44 : 25 (x) -0700 (PDT)", 837596665, -420 },
	{ "Wed 17-Jul-1996 09:44:25 GMT", 837596665, 0 },
	{ "17 Jul 1996 09:44:25", 837596665, 0 },
	{ "17 Jul 1996 09:44:25 XYZ", 837596665, 0 },
	{ "Thu, 1 Jan 1970 00:00:00 +0000", 0, 0 },
	{ "Wed, 31 Dec 1969 23:59:59 +0000", -1, 0 },
	{ "29 Feb 2000 12:00:00 +0530", 951805800, 330 },
	{ "31 Dec 2016 23:59:60 +0000", 1483228800, 0 },
	{ "1 Jan 49 00:00:00 +0000", 2493072000, 0 },
	{ "1 Jan 102 00:00:00 +0000", 1009843200, 0 },
	{ "Tue, 19 Jan 2038 03:14:08 +0000", 2147483648, 0 },
	{ "17 Jul 1996 09:44:25 +9999", 837596665, 0 },
};

static const char *const no_mail_dates[] = {
	"",
	"Wed",
	"Wed,",
	"17",
	"17 Jul",
	"17 Jul 1996",
	"17 Jul 1996 25:00:00",
	"17 Jul 1996 10:60:00",
	"32 Jul 1996 10:00:00",
	"29 Feb 1999 10:00:00",
	"17 Foo 1996 10:00:00",
	"0 Jul 1996 10:00:00",
	"17 Jul 19960 10:00:00",
	"17 Jul 1 10:00:00",
	"99999999999999999999 Jul 1996 10:00:00",
	"17 Jul 1850 10:00:00",
	"2003-07-11T21:00:37Z",
};

static void test_mail_dates(void **state)
{
	struct mime_date d;

	for (size_t i = 0; i < sizeof(mail_dates) / sizeof(mail_dates[0]); i++) {
		assert_true(mime_date_parse(span_str(mail_dates[i].in), &d));
		assert_int_equal(d.utc, mail_dates[i].utc);
		assert_int_equal(d.zone, mail_dates[i].zone);
	}
	for (size_t i = 0; i < sizeof(no_mail_dates) / sizeof(no_mail_dates[0]); i++)
		assert_false(mime_date_parse(span_str(no_mail_dates[i]), &d));
}

static const char *const imap_dates[] = {
	"17-Jul-1996 02:44:25 -0700", "01-Jan-1970 00:00:00 +0000", "31-Dec-1999 23:59:59 +1400",
	"29-Feb-2000 00:00:00 -1200", "31-Dec-9998 23:59:59 +0000", "01-Jan-1900 00:00:00 +0000",
};

static const char *const no_imap_dates[] = {
	"",
	"17-Jul-1996",
	"17-Jul-1996 02:44:25",
	"17-Jul-1996 02:44:25 0700",
	"17-Jul-1996 2:44:25 -0700",
	"17-Jul-96 02:44:25 -0700",
	"17-Jux-1996 02:44:25 -0700",
	"117-Jul-1996 02:44:25 -0700",
	"17-Jul-1996 02:44:25 -07000",
	"17-Jul-1996 24:44:25 -0700",
	"30-Feb-1996 02:44:25 -0700",
	"17-Jul-1996 02:44:25 -2400",
	"17-Jul-1996 02:44:25 -0700 ",
	"\"17-Jul-1996 02:44:25 -0700\"",
	"17-Ju",
	"17-",
};

static void test_imap_dates(void **state)
{
	struct mime_date d;
	struct buf out;

	buf_init(&out, 100);
	for (size_t i = 0; i < sizeof(imap_dates) / sizeof(imap_dates[0]); i++) {
		assert_true(mime_date_parse_imap(span_str(imap_dates[i]), &d));
		buf_clear(&out);
		mime_date_add_imap(d, &out);
		assert_string_equal(buf_cstr(&out), imap_dates[i]);
	}
	for (size_t i = 0; i < sizeof(no_imap_dates) / sizeof(no_imap_dates[0]); i++)
		assert_false(mime_date_parse_imap(span_str(no_imap_dates[i]), &d));
	assert_true(mime_date_parse_imap(SPAN(" 7-jul-1996 02:44:25 +0000"), &d));
	assert_true(mime_date_parse_imap(SPAN("7-Jul-1996 02:44:25 +0000"), &d));
	buf_free(&out);
}

static void test_extremes(void **state)
{
	struct buf out;

	buf_init(&out, 100);
	mime_date_add_imap((struct mime_date){ INT64_MAX, 1439 }, &out);
	assert_string_equal(buf_cstr(&out), "31-Dec-9999 23:59:59 +2359");
	buf_clear(&out);
	mime_date_add_imap((struct mime_date){ INT64_MIN, -1439 }, &out);
	assert_string_equal(buf_cstr(&out), "01-Jan-0000 00:00:00 -2359");
	buf_free(&out);
}

static void test_days(void **state)
{
	/* Half an hour before midnight in its own zone, although the next day has begun in UTC. */
	assert_int_equal(mime_date_day((struct mime_date){ 8798 * 86400 + 1800, -60 }), 8797);
	assert_int_equal(mime_date_day((struct mime_date){ -1, 0 }), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail_dates),
		cmocka_unit_test(test_imap_dates),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
