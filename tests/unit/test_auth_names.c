/* One name for a user, however it came; networks of allow_nets. */
#include "src/auth/names.h"
#include "auth_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define USERDB "userdb {\n driver = passwd\n}\n"

static void name_is(const char *lines, struct span given, const char *want)
{
	struct conf *c = auth_conf(lines);
	struct errtext t;
	struct buf out;

	assert_non_null(c);
	buf_init(&out, 1000);
	if (name_normalise(c, given, &out, &t))
		fail_msg("%s", t.text);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
	conf_free(&c);
}

static void refused(const char *lines, struct span given, const char *say)
{
	struct conf *c = auth_conf(lines);
	struct errtext t;
	struct buf out;

	assert_non_null(c);
	buf_init(&out, 1000);
	assert_int_equal(name_normalise(c, given, &out, &t), ERR_SYNTAX);
	if (!strstr(t.text, say))
		fail_msg("%s", t.text);
	assert_int_equal(out.n, 0);
	buf_free(&out);
	conf_free(&c);
}

static void test_names(void **state)
{
	name_is(USERDB, SPAN("Me@Example.ORG"), "me@example.org");
	name_is(USERDB "auth_username_format = %n\n", SPAN("Me@Example.ORG"), "Me");
	name_is(USERDB "auth_username_format =\n", SPAN("Me"), "Me");
	name_is(USERDB "auth_default_realm = x.org\n", SPAN("me"), "me@x.org");
	name_is(USERDB "auth_default_realm = x.org\n", SPAN("me@y"), "me@y");
	name_is(USERDB "auth_username_chars = \"a@#/\"\nauth_username_translation = \"#@/@\"\n",
		SPAN("a#a"), "a@a");
	/* What a name holds is not looked at again. */
	name_is(USERDB "auth_username_chars =\n", SPAN("%d%{home}"), "%d%{home}");
	name_is(USERDB "auth_username_chars =\n", SPAN("J\xc3\xb6"), "j\xc3\xb6");
}

static void test_refused(void **state)
{
	char longest[300];

	memset(longest, 'a', sizeof(longest));
	refused(USERDB, SPAN(""), "empty");
	refused(USERDB, span_of(longest, 257), "too long");
	refused(USERDB, SPAN("a b"), "0x20");
	refused(USERDB, SPAN("a%u"), "0x25");
	refused(USERDB, SPAN("a/../b"), "0x2f");
	refused(USERDB "auth_username_chars =\n", SPAN("a\nb"), "control");
	refused(USERDB "auth_username_chars =\n", SPAN("a\0b"), "control");
	refused(USERDB "auth_username_chars =\n", SPAN("a\xff"), "UTF-8");
	refused(USERDB "auth_username_format = %d\n", SPAN("nodomain"), "empty");
}

static void test_nets(void **state)
{
	assert_true(nets_allow("192.0.2.1", "192.0.2.1"));
	assert_false(nets_allow("192.0.2.1", "192.0.2.2"));
	assert_true(nets_allow("10.0.0.0/8, 192.0.2.0/25", "192.0.2.127"));
	assert_false(nets_allow("10.0.0.0/8,192.0.2.0/25", "192.0.2.128"));
	assert_true(nets_allow("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(nets_allow("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(nets_allow("192.0.2.0/24", "::ffff:192.0.2.9"));
	assert_true(nets_allow("0.0.0.0/0", "8.8.8.8"));
	assert_false(nets_allow("0.0.0.0/0", "2001:db8::1"));
	assert_true(nets_allow("::/0", "8.8.8.8"));
	assert_false(nets_allow("", "8.8.8.8"));
	assert_false(nets_allow("1.2.3.4/33,nonsense", "1.2.3.4"));
	assert_true(nets_allow("local", ""));
	assert_false(nets_allow("0.0.0.0/0,::/0", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
