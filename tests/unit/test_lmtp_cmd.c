/* LMTP commands, paths, parameters. */
#include "wire/lmtp_cmd.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct lmtp_command cmd;

static bool good(const char *line)
{
	return lmtp_parse(span_str(line), &cmd) == NULL;
}

static bool bad(const char *line, const char *code)
{
	const char *reply = lmtp_parse(span_str(line), &cmd);

	return reply && strncmp(reply, code, 3) == 0;
}

static void test_verbs(void **state)
{
	assert_true(good("LHLO mail.example.org") && cmd.verb == LMTP_LHLO);
	assert_true(span_eq_str(cmd.arg, "mail.example.org"));
	assert_true(good("lhlo [127.0.0.1]") && good("LHLO [IPv6:::1]"));
	assert_true(bad("LHLO", "501") && bad("LHLO a b", "501") && bad("LHLO a;b", "501"));
	assert_true(good("DATA") && cmd.verb == LMTP_DATA);
	assert_true(good("data ") && cmd.verb == LMTP_DATA);
	assert_true(bad("DATA x", "501") && cmd.verb == LMTP_DATA);
	assert_true(good("NOOP anything") && cmd.verb == LMTP_NOOP);
	assert_true(good("VRFY x") && bad("VRFY", "501"));
	assert_true(good("EHLO x") && cmd.verb == LMTP_HELO);
	assert_true(good("WIZ") && cmd.verb == LMTP_UNKNOWN);
	assert_true(good("") && cmd.verb == LMTP_UNKNOWN);
	assert_true(good("DATAX") && cmd.verb == LMTP_UNKNOWN);
}

static void test_mail(void **state)
{
	assert_true(good("MAIL FROM:<>") && cmd.path.text.n == 0);
	assert_true(good("MAIL FROM:<a@b.c> SIZE=1000 BODY=8BITMIME"));
	assert_true(cmd.has_size && cmd.size == 1000 && cmd.body == LMTP_BODY_8BITMIME);
	assert_true(span_eq_str(cmd.path.text, "a@b.c") && span_eq_str(cmd.path.domain, "b.c"));
	assert_string_equal(cmd.path.local, "a");
	assert_true(good("mail from: <a@b.c> body=7bit") && cmd.body == LMTP_BODY_7BIT);
	assert_true(good("MAIL FROM:a@b.c SIZE=0") && cmd.has_size);
	assert_true(good("MAIL FROM:<a@b> AUTH=<> RET=HDRS ENVID=x"));
	assert_true(bad("MAIL FROM:<a@b> SIZE=x", "501") && bad("MAIL FROM:<a@b> SIZE=1 SIZE=2", "501"));
	assert_true(bad("MAIL FROM:<a@b> SIZE=99999999999999999999", "501"));
	assert_true(bad("MAIL FROM:<a@b> SIZE", "501"));
	assert_true(bad("MAIL FROM:<a@b> BODY=BINARYMIME", "501"));
	assert_true(bad("MAIL FROM:<a@b> FOO", "555"));
	assert_true(bad("MAIL FROM:", "501") && bad("MAIL", "501") && bad("MAIL FROM", "501"));
	assert_true(bad("MAIL FROM:<a@b>x", "501") && bad("MAIL FROM:<a@b", "501"));
}

static void test_rcpt(void **state)
{
	assert_true(good("RCPT TO:<postmaster>") && cmd.path.domain.n == 0);
	assert_true(good("RCPT TO:<@x,@y:u+d@b.c> NOTIFY=NEVER ORCPT=rfc822;u@b.c"));
	assert_true(span_eq_str(cmd.path.text, "u+d@b.c") && span_eq_str(cmd.orcpt, "rfc822;u@b.c"));
	assert_true(good("RCPT TO:<\"a \\\"> b\"@c.d>"));
	assert_string_equal(cmd.path.local, "a \"> b");
	assert_true(good("RCPT TO:<\"a>b\"@c.d>"));
	assert_true(good("RCPT TO:<u@[127.0.0.1]>"));
	assert_true(bad("RCPT TO:<>", "501") && bad("RCPT TO:<\"\">", "501") && bad("RCPT TO:<\"\"@x>", "501"));
	assert_true(bad("RCPT TO:<@x>", "501") && bad("RCPT TO:<@x:>", "501") && bad("RCPT TO:<a@>", "501"));
	assert_true(bad("RCPT TO:<a@b..c>", "501") && bad("RCPT TO:<a@.b>", "501") && bad("RCPT TO:<a@b.>", "501"));
	assert_true(bad("RCPT TO:<a b@c>", "501") && bad("RCPT TO:<\xc3\xa9@c>", "501") && bad("RCPT TO:<a@c@d>", "501"));
	assert_true(bad("RCPT TO:<\"a\\", "501") && bad("RCPT TO:<\"a\\\">", "501") && bad("RCPT TO:<a@[x>", "501"));
	assert_true(bad("RCPT TO:<a@b> SIZE=1", "555"));
}

static void test_long_parts(void **state)
{
	char text[600];
	struct lmtp_path p;

	memset(text, 'a', sizeof(text));
	assert_true(lmtp_path_parse(span_of(text, LMTP_LOCAL_MAX), &p));
	assert_int_equal(p.local_n, LMTP_LOCAL_MAX);
	assert_false(lmtp_path_parse(span_of(text, LMTP_LOCAL_MAX + 1), &p));
	text[1] = '@';
	assert_true(lmtp_path_parse(span_of(text, 2 + LMTP_DOMAIN_MAX), &p));
	assert_false(lmtp_path_parse(span_of(text, 3 + LMTP_DOMAIN_MAX), &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_long_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
