/* The URLs of CATENATE: what they name, and what is refused. */
#include "wire/imap_url.h"

#include "base/must.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* "mailbox|uidvalidity|uid|section|origin.length", without the partial when there is none; "bad". */
static void check(const char *url, const char *expect)
{
	struct arena *arena = arena_new(1 << 16);
	struct imap_url u;
	struct buf b;

	buf_init(&b, 1 << 16);
	if (imap_url_parse(span_str(url), arena, &u)) {
		buf_add_str(&b, "bad");
	} else {
		buf_printf(&b, "%.*s|%u|%u|%.*s", (int)u.mailbox.n, u.mailbox.p, u.uidvalidity, u.uid,
			   (int)u.section.n, u.section.p);
		if (u.partial)
			buf_printf(&b, "|%llu.%llu", (unsigned long long)u.origin, (unsigned long long)u.length);
	}
	assert_string_equal(buf_cstr(&b), expect);
	buf_free(&b);
	arena_free(&arena);
}

static void test_absolute_path(void **state)
{
	check("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME", "Drafts|385759045|20|1.MIME");
	check("/Drafts/;UID=3002", "Drafts|0|3002|");
	check("/foo/bar;uidvalidity=1/;uid=20/;PARTIAL=0.1024", "foo/bar|1|20||0.1024");
	check("/foo/;UID=4294967295/;SECTION=HEADER.FIELDS%20(DATE%20FROM)/;PARTIAL=10",
	      "foo|0|4294967295|HEADER.FIELDS (DATE FROM)|10.0");
	check("/%E6%97%A5%E6%9C%AC%3B%3F/;UID=1", "\xe6\x97\xa5\xe6\x9c\xac;?|0|1|");
	check("/a&b=c:@d/;UID=1", "a&b=c:@d|0|1|");
	check("/a%2Fb/;UID=1", "a/b|0|1|");
	check("/.a/..b/%2E%2E/;UID=1", ".a/..b/..|0|1|");
	check("/a//;UID=1", "a/|0|1|");
}

static void test_relative(void **state)
{
	check(";UID=20", "|0|20|");
	check(";UID=20/;SECTION=1.2/;PARTIAL=5.6", "|0|20|1.2|5.6");
	check(";UID=20/;PARTIAL=9223372036854775807.1", "|0|20||9223372036854775807.1");
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"", "/", ";", "//", "UID=1", "/foo", "/foo/", "/foo;UID=1", "/foo/UID=1", "/foo;/UID=1", "/;UID=1",
		"foo/;UID=1", "..;UIDVALIDITY=385759045/;UID=20", ";UIDVALIDITY=3/;UID=1", "//host/foo/;UID=1",
		"imap://host/foo/;UID=1", "imap://user@host/foo;UIDVALIDITY=1/;UID=1", "/foo?SUBJECT%20x", "/foo/;UID=1?x",
		"/foo/;UID=0", "/foo/;UID=01", "/foo/;UID=", "/foo/;UID=4294967296", "/foo/;UID=1x", "/foo/;UID=1:2",
		"/foo/;UID=1/", "/foo/;UID=1;SECTION=1", "/foo/;UID=1//;SECTION=1", "/foo/;UID=1/;SECTION=",
		"/foo/;UID=1/;UID=2", "/foo/;SECTION=1/;UID=1", "/foo/;UID=1/;UIDVALIDITY=1", "/foo;UIDVALIDITY=1;UID=1",
		"/foo;UIDVALIDITY=0/;UID=1", "/foo/;UID=1/;PARTIAL=", "/foo/;UID=1/;PARTIAL=1.", "/foo/;UID=1/;PARTIAL=1.0",
		"/foo/;UID=1/;PARTIAL=.1", "/foo/;UID=1/;PARTIAL=1.2.3", "/foo/;UID=1/;PARTIAL=-1", "/foo/;UID=1/;X=1",
		"/foo/;UID=1/;PARTIAL=9223372036854775808", "/foo/;UID=1;URLAUTH=anonymous:INTERNAL:00",
		"/foo/;UID=1;EXPIRE=2030-01-01T00:00:00Z", "/./foo/;UID=1", "/foo/../bar/;UID=1", "/foo/;UID=20/..",
		"/foo bar/;UID=1", "/f\"oo/;UID=1", "/f\xc3\xb6/;UID=1", "/f%C3/;UID=1", "/f%00/;UID=1", "/f%/;UID=1",
		"/f%2/;UID=1", "/f%zz/;UID=1", "/f%+1/;UID=1", "/f\\/;UID=1", "/[f]/;UID=1",
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		check(bad[i], "bad");
}

static void test_too_long(void **state)
{
	struct buf b;

	buf_init(&b, IMAP_URL_MAX + 100);
	buf_add_char(&b, '/');
	while (b.n < IMAP_URL_MAX)
		buf_add_char(&b, 'x');
	buf_add_str(&b, "/;UID=1");
	check(buf_cstr(&b), "bad");
	buf_free(&b);
}

static void test_show(void **state)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	imap_url_show(SPAN("/a;UIDVALIDITY=1/;UID=2/;SECTION=x%20y?z"), &b);
	assert_string_equal(buf_cstr(&b), "/a;UIDVALIDITY=1/;UID=2/;SECTION=x%20y?z");
	buf_clear(&b);
	imap_url_show(SPAN("a]b\r\n c\xff\\\""), &b);
	assert_string_equal(buf_cstr(&b), "a%5Db%0D%0A%20c%FF%5C%22");
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_absolute_path), cmocka_unit_test(test_relative), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),      cmocka_unit_test(test_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
