/* % variables and mail_location: what a user name may and may not do to a path. */
#include "base/buf.h"
#include "base/must.h"
#include "conf/expand.h"
#include "conf/location.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void expand_is(const char *format, const char *user, const char *want)
{
	struct expand_var vars[EXPAND_USER_VARS];
	struct errtext t;
	struct buf out;

	buf_init(&out, 1000);
	expand_user(vars, span_str(user), SPAN("/home/x"));
	if (expand(format, vars, &out, &t))
		fail_msg("%s", t.text);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static enum err path_error(const char *format, struct span user, char *text, size_t n)
{
	struct expand_var vars[EXPAND_USER_VARS];
	struct errtext t = { "" };
	struct buf out;
	enum err e;

	buf_init(&out, 1000);
	expand_user(vars, user, SPAN("/home/x"));
	e = expand_path(span_str(format), vars, &out, &t);
	if (e)
		assert_int_equal(out.n, 0);
	snprintf(text, n, "%s", t.text);
	buf_free(&out);
	return e;
}

static void test_variables(void **state)
{
	expand_is("%u|%n|%d|%h|%%", "Me@Ex.org", "Me@Ex.org|Me|Ex.org|/home/x|%");
	expand_is("%Lu %Un %Ud", "Me@Ex.org", "me@ex.org ME EX.ORG");
	expand_is("%{user} %L{username} %{domain} %{home}", "Me@Ex.org",
		  "Me@Ex.org me Ex.org /home/x");
	expand_is("%d-%n", "plain", "-plain");
	expand_is("%u", "%h%%{home}", "%h%%{home}"); /* never expanded again */
}

/* Each as Dovecot 2.3.19 expands it. */
static void test_modifiers(void **state)
{
	static const struct {
		const char *format, *user, *want;
	} rows[] = {
		{ "%1u", "alice@example.org", "a" },	  { "%2.1n", "alice", "i" },	 { "%-2.2n", "alice", "ce" },
		{ "%08n", "alice", "000alice" },	  { "%03n", "alice", "alice" },	 { "%1.08n", "alice", "0000lice" },
		{ "%10.2n", "alice", "" },		  { "%5.04n", "alice", "0000" }, { "%-9.04n", "alice", "alice" },
		{ "%-1n", "alice", "a" },		  { "%-3.2n", "alice", "ic" },	 { "%.2n", "alice", "al" },
		{ "%3.n", "alice", "ce" },		  { "%-n", "alice", "alice" },	 { "%0n", "alice", "alice" },
		{ "%1.04n", "12345", "2345" },		  { "%-2.2n", "1234", "34" },	 { "%08.3n", "1234", "" },
		{ "%Hu", "alice@example.org", "249f67" }, { "%256Hu", "alice@example.org", "67" },
		{ "%3RHu", "alice@example.org", "1" },	  { "%1HLu", "alice@example.org", "0" },
		{ "%2.256Hd", "a@example.org", "c7" },	  { "%Nu", "alice@example.org", "c1d4280b" },
		{ "%2.256Nu", "alice@example.org", "0b" }, { "%-2.256Nu", "alice@example.org", "b" }, { "%1000Nu", "alice@example.org", "2b3" },
		{ "%7.1000003Nu", "bob", "005a305" },
		{ "%20.256Nn", "x", "00000000000000000034" },
		{ "%Mn", "alice", "6384e2b2184bcbf58eccf10ca7a6563c" }, { "%2Mn", "alice", "63" },
		{ "%LRn", "Ab", "ba" },			  { "%Xn", "1234", "4d2" },	 { "%08Xn", "1234", "000004d2" },
		{ "%Xn", "alice", "0" },		  { "%Xn", "99999999999999999999999", "0" },
		{ "%Dd", "a@example.org", "example,dc=org" }, { "%En", "a\"b", "a\\\"b" }, { "%Tn", "ab ", "ab" },
		{ "%1{domain}", "a@example.org", "e" },
		{ "%{md5:user}", "alice@example.org", "fbf7c6aec1d4280b7c2704c1c0478bd6" },
		{ "%4{sha1:user}", "alice@example.org", "45a6" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expand_is(rows[i].format, rows[i].user, rows[i].want);
	expand_is("/srv/%Ld/%1Ln/%1.1Ln/%Ln", "Me@Ex.org", "/srv/ex.org/m/e/me");
}

static void test_unknown(void **state)
{
	char t[256];

	assert_int_equal(path_error("/a/%q", SPAN("u"), t, sizeof(t)), ERR_NOTFOUND);
	assert_non_null(strstr(t, "%q"));
	assert_int_equal(path_error("/a/%{nothing}", SPAN("u"), t, sizeof(t)), ERR_NOTFOUND);
	assert_non_null(strstr(t, "%{nothing}"));
	assert_int_equal(path_error("/a/%{user", SPAN("u"), t, sizeof(t)), ERR_SYNTAX);
	assert_int_equal(path_error("/a/%", SPAN("u"), t, sizeof(t)), ERR_SYNTAX);
	assert_int_equal(path_error("/a/%L", SPAN("u"), t, sizeof(t)), ERR_NOTFOUND);
}

static void test_path(void **state)
{
	char t[256];

	assert_int_equal(path_error("/a/%u", SPAN("ok..ok"), t, sizeof(t)), ERR_OK);
	assert_int_equal(path_error("/a/%u", SPAN("../b"), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%u", SPAN(".."), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%d/%n", SPAN("x@.."), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%u", SPAN("a\0b"), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/.%n", SPAN(".@x"), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%n%d", SPAN("@.."), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%1.2n", SPAN("x.."), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%Rn", SPAN("b/a"), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("/a/%256Nn", SPAN("a/b"), t, sizeof(t)), ERR_OK);
	assert_int_equal(path_error("/a/%{crc32:user}", SPAN("u"), t, sizeof(t)), ERR_NOTFOUND);
	assert_int_equal(path_error("/a/../b", SPAN("x"), t, sizeof(t)), ERR_CANNOT);
	assert_int_equal(path_error("%h/b", SPAN("x"), t, sizeof(t)), ERR_OK);
}

static enum err locate(const char *text, const char *user, const char *home, struct arena *a,
		       struct conf_location *l, struct errtext *t)
{
	struct expand_var vars[EXPAND_USER_VARS];

	expand_user(vars, span_str(user), span_str(home));
	return conf_location_parse(text, vars, home, a, l, t);
}

static void test_location(void **state)
{
	struct arena *a = arena_new(100000);
	struct conf_location l;
	struct errtext t;

	assert_int_equal(locate("maildir:~/Maildir/", "me@x", "/srv/me", a, &l, &t), ERR_OK);
	assert_string_equal(l.path, "/srv/me/Maildir");
	assert_int_equal(l.driver, CONF_DRIVER_MAILDIR);
	assert_int_equal(l.layout, CONF_LAYOUT_MAILDIRPP);
	assert_null(l.subscriptions);
	assert_null(l.inbox);
	assert_int_equal(locate("maildir:/m/%d/%n:LAYOUT=fs:INDEX=MEMORY:CONTROL=/c/"
				"%u:SUBSCRIPTIONS=subs:INBOX=~/in",
				"me@x", "/h", a, &l, &t),
			 ERR_OK);
	assert_string_equal(l.path, "/m/x/me");
	assert_string_equal(l.control, "/c/me@x");
	assert_string_equal(l.inbox, "/h/in");
	assert_string_equal(l.subscriptions, "subs");
	assert_true(l.index_memory);
	assert_int_equal(l.layout, CONF_LAYOUT_FS);
	assert_int_equal(
		locate("mbox:~/mail:INBOX=/var/mail/%u:INDEX=/i::x", "me", "/h", a, &l, &t),
		ERR_OK);
	assert_int_equal(l.driver, CONF_DRIVER_MBOX);
	assert_string_equal(l.index, "/i:x");
	assert_int_equal(locate("maildir:~/m:LAYOUT=fs:UTF-8:NO-NOSELECT:FULLDIRNAME=mAil:MAILBOXDIR=boxes/:INDEXPVT=~/p:ALT=/a:"
				"VOLATILEDIR=/v:INDEXCACHE=/x:LISTINDEX=l:ITERINDEX:BROKENCHAR=_",
				"me", "/h", a, &l, &t),
			 ERR_OK);
	assert_true(l.utf8 && l.prune && l.dirname_control && l.broken_names);
	assert_string_equal(l.dirname, "mAil");
	assert_string_equal(l.boxdir, "boxes");
	assert_string_equal(l.index_private, "/h/p");
	assert_null(l.index);
	/* A user name adds neither keys nor directories. */
	assert_int_equal(locate("maildir:/m/%u", "a:INDEX=/etc", "/h", a, &l, &t), ERR_CANNOT);
	assert_int_equal(locate("maildir:/m/%u", "a:INDEX=MEMORY", "/h", a, &l, &t), ERR_OK);
	assert_string_equal(l.path, "/m/a:INDEX=MEMORY");
	assert_false(l.index_memory);
	arena_free(&a);
}

static void test_bad_location(void **state)
{
	static const struct {
		const char *text, *home, *say;
	} rows[] = {
		{ "", "/h", "empty" },
		{ "maildir", "/h", "path" },
		{ "maildir:relative", "/h", "must begin with" },
		{ "maildir:~/M", "", "no home" },
		{ "dbox:~/M", "/h", "dbox" },
		{ "maildir:~/M:INDX=/x", "/h", "INDX" },
		{ "maildir:~/M:ALT", "/h", "ALT needs a value" },
		{ "maildir:~/M:UTF-8=yes", "/h", "UTF-8 takes no value" },
		{ "maildir:~/M:LAYOUT=index", "/h", "LAYOUT=index" },
		{ "maildir:~/M:DIRNAME=x", "/h", "DIRNAME" },
		{ "maildir:~/M:LAYOUT=fs:DIRNAME=a/b", "/h", "DIRNAME" },
		{ "maildir:~/M:LAYOUT=fs:MAILBOXDIR=../b", "/h", "MAILBOXDIR" },
		{ "mbox:~/M:LAYOUT=Maildir++", "/h", "LAYOUT" },
		{ "mbox:~/M:UTF-8", "/h", "UTF-8" },
		{ "maildir:~/M:SUBSCRIPTIONS=a/b", "/h", "SUBSCRIPTIONS" },
		{ "maildir:~/%x", "/h", "%x" },
	};
	struct arena *a = arena_new(100000);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct conf_location l;
		struct errtext t;

		assert_int_not_equal(locate(rows[i].text, "me", rows[i].home, a, &l, &t), ERR_OK);
		if (!strstr(t.text, rows[i].say))
			fail_msg("%s: %s", rows[i].text, t.text);
	}
	arena_free(&a);
}

static const char *sharer(const char *prefix, char sep, const char *name)
{
	static char out[64];
	struct buf user;
	bool found;

	buf_init(&user, sizeof(out) - 1);
	found = conf_sharer_match(span_str(prefix), sep, SPAN("me@here.org"), span_str(name), &user);
	snprintf(out, sizeof(out), "%s", found ? buf_cstr(&user) : "-");
	buf_free(&user);
	return out;
}

static void test_sharer(void **state)
{
	const struct conf_owner who = { "me@here.org", "/home/me", "" };
	struct conf_namespace n = { .prefix = "shared/%%Lu/", .location = "maildir:/v/%%d/%%Un/%d:INDEX=~/x/%%u" };
	struct arena *a = arena_new(100000);
	struct conf_location l;
	struct errtext t = { "" };
	const char *prefix;

	assert_string_equal(sharer("shared/%%u/", '/', "shared/a@b.org/x/y"), "a@b.org");
	assert_string_equal(sharer("shared/%%u/", '/', "shared/a@b.org/"), "a@b.org");
	assert_string_equal(sharer("shared/%%u/", '/', "shared/a@b.org"), "a@b.org");
	assert_string_equal(sharer("shared/%%n/", '/', "shared/a/x"), "a@here.org");
	assert_string_equal(sharer("%%d/%%n/", '/', "b.org/a/x"), "a@b.org");
	assert_string_equal(sharer("%%d/%%n/", '/', "b.org"), "-");
	assert_string_equal(sharer("shared.%%n.", '.', "shared.a.x"), "a@here.org");
	assert_string_equal(sharer("shared/%%u/", '/', "shared//x"), "-");
	assert_string_equal(sharer("shared/%%u/", '/', "shared"), "-");
	assert_string_equal(sharer("shared/%%u/", '/', "other/a"), "-");
	assert_string_equal(sharer("shared/%%u/", '/', "shared/a\001b/x"), "-");
	assert_string_equal(sharer("~%%n-x/", '/', "~a-x"), "-");

	assert_true(conf_has_sharers(&n));
	assert_int_equal(conf_sharer_prefix(&n, SPAN("A@B.org"), a, &prefix, &t), ERR_OK);
	assert_string_equal(prefix, "shared/a@b.org/");
	assert_int_equal(conf_sharer_location(NULL, &n, &who, SPAN("a@b.org"), a, &l, &t), ERR_OK);
	assert_string_equal(l.path, "/v/b.org/A/here.org");
	assert_string_equal(l.index, "/home/me/x/a@b.org");
	/* A name adds no directory, nor a variable. */
	assert_int_equal(conf_sharer_location(NULL, &n, &who, SPAN("../x@b.org"), a, &l, &t), ERR_CANNOT);
	assert_int_equal(conf_sharer_location(NULL, &n, &who, SPAN("%h@%%u"), a, &l, &t), ERR_OK);
	assert_string_equal(l.path, "/v/%%u/%H/here.org");
	n.prefix = "100%%/";
	assert_false(conf_has_sharers(&n));
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_modifiers),    cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_path),         cmocka_unit_test(test_location),
		cmocka_unit_test(test_bad_location), cmocka_unit_test(test_sharer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
