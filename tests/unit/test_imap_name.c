/* Modified UTF-7, valid names, LIST patterns. */
#include "base/mutf7.h"
#include "wire/imap_name.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void both_ways(const char *wire, const char *utf8)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_true(mutf7_to_utf8(span_str(wire), &b));
	assert_string_equal(buf_cstr(&b), utf8);
	buf_clear(&b);
	assert_true(mutf7_from_utf8(span_str(utf8), &b));
	assert_string_equal(buf_cstr(&b), wire);
	buf_free(&b);
}

static void test_utf7(void **state)
{
	both_ways("INBOX", "INBOX");
	both_ways("", "");
	both_ways("a&-b", "a&b");
	both_ways("&-&-", "&&");
	both_ways("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
	both_ways("Entw&APw-rfe", "Entw\xc3\xbcrfe");
	both_ways("&2D3eAA-", "\xf0\x9f\x98\x80");
	both_ways("&AOkA6Q-x&AOk-", "\xc3\xa9\xc3\xa9x\xc3\xa9");
	both_ways("&AOk-&-", "\xc3\xa9&");
}

static void test_utf7_strict(void **state)
{
	static const char *const bad[] = {
		"&", "a&", "&A", "&AO-", "&AOk", "&AGE-" /* "a" in base64 */, "&ACY-" /* "&" */, "&AC8-" /* "/" */,
		"&AOk-&AOk-" /* superfluous shift */, "&AOl-" /* padding bits set */, "&AOkA-" /* half a unit left */,
		"&2D0-" /* lone high */, "&3gA-" /* lone low */, "&2D3YPQ-", "caf\xc3\xa9", "a\tb", "a\x7f", "&A/k-", "&AOk=-",
		"&AOkAQ-", "&AOkAYQ-",
	};
	struct buf b;

	buf_init(&b, 4096);
	buf_add_str(&b, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (mutf7_to_utf8(span_str(bad[i]), &b))
			fail_msg("accepted %s", bad[i]);
		assert_string_equal(buf_cstr(&b), "kept");
	}
	assert_false(mutf7_from_utf8(SPAN("\xff"), &b));
	assert_false(mutf7_from_utf8(SPAN("a\xed\xa0\x80"), &b));
	assert_string_equal(buf_cstr(&b), "kept");
	buf_free(&b);
}

static void test_valid(void **state)
{
	assert_true(imap_name_valid(SPAN("a/\xc3\xa9 &*%\"\\")));
	assert_false(imap_name_valid(SPAN("")));
	assert_false(imap_name_valid(SPAN("a\0b")));
	assert_false(imap_name_valid(SPAN("a\r")));
	assert_false(imap_name_valid(SPAN("a\x7f")));
	assert_false(imap_name_valid(SPAN("\xc2\x85")));     /* C1 */
	assert_false(imap_name_valid(SPAN("\xc0\xaf")));     /* overlong slash */
	assert_false(imap_name_valid(SPAN("\xe2\x80\xa8"))); /* U+2028 */
	assert_false(imap_name_valid(SPAN("\xef\xbf\xbf"))); /* U+FFFF */
	assert_false(imap_name_valid(SPAN("\xed\xa0\x80"))); /* surrogate */
}

static bool match(const char *pattern, const char *name)
{
	return imap_name_match(span_str(pattern), span_str(name), '/');
}

static bool below(const char *pattern, const char *name)
{
	return imap_name_match_below(span_str(pattern), span_str(name), '/');
}

static void test_match(void **state)
{
	assert_true(match("*", "a/b/c"));
	assert_true(match("*", ""));
	assert_true(match("%", "a"));
	assert_false(match("%", "a/b"));
	assert_true(match("%/%", "a/b"));
	assert_false(match("%/%", "a/b/c"));
	assert_true(match("a*c", "a/b/c"));
	assert_true(match("a%c", "abc"));
	assert_false(match("a%c", "a/c"));
	assert_true(match("%*", "a/b"));
	assert_true(match("*%", "a/b"));
	assert_true(match("", ""));
	assert_false(match("", "a"));
	assert_false(match("a", "ab"));
	assert_false(match("ab", "a"));
	assert_true(match("*b*", "abab"));
	assert_true(match("%a%b%", "xaxbx"));
	assert_true(match("a/%", "a/"));
	assert_true(imap_name_match(SPAN("%"), SPAN("a/b"), '\0'));
	assert_true(imap_name_match(SPAN("%"), SPAN("a/b"), '.'));
}

static void test_match_inbox(void **state)
{
	assert_true(match("inbox", "INBOX"));
	assert_true(match("iNb*", "INBOX"));
	assert_true(match("inbox/%", "INBOX/x"));
	assert_false(match("inbox/X", "INBOX/x"));
	assert_false(match("inboxes", "INBOXES"));
	assert_false(match("sent", "Sent"));
}

static void test_match_below(void **state)
{
	assert_true(below("*", "a"));
	assert_false(below("%", "a"));
	assert_true(below("%/%", "a"));
	assert_false(below("%/%", "a/b"));
	assert_true(below("a/b/c", "a/b"));
	assert_true(below("a/b/c", "a"));
	assert_false(below("a/b/c", "a/c"));
	assert_false(below("a/", "a")); /* only the name with an empty last level */
	assert_true(below("a*", "a/b"));
}

/* Many wildcards against a long name: bounded by n * m, not exponential. */
static void test_match_cost(void **state)
{
	char pattern[IMAP_PATTERN_MAX], name[4096];

	for (size_t i = 0; i < sizeof(pattern); i += 2) {
		pattern[i] = i % 4 ? '%' : '*';
		pattern[i + 1] = 'a';
	}
	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = 'b';
	assert_false(imap_name_match(span_of(pattern, sizeof(pattern)), span_of(name, sizeof(name)), '/'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf7),
		cmocka_unit_test(test_utf7_strict),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_match_inbox),
		cmocka_unit_test(test_match_below),
		cmocka_unit_test(test_match_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
