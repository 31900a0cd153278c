/* Whole exchanges through the SASL library: PLAIN and LOGIN, with and without initial response, and
 * what is refused. */
#include "src/auth/sasl.h"
#include "src/auth/try.h"
#include "auth_conf.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <unistd.h>

static char users_path[] = "/tmp/test_try.XXXXXX";

struct fixture {
	struct conf *c;
	struct asker k;
	struct try *t;
};

static void open_try(struct fixture *f, const char *more, bool secured)
{
	char lines[2000];
	struct try_conn conn = { SPAN("imap"), SPAN("sess"), SPAN("192.0.2.7"), SPAN("192.0.2.1"),
				 secured };

	snprintf(lines, sizeof(lines),
		 "auth_mechanisms = plain login\npassdb {\n driver = passwd-file\n args = "
		 "scheme=PLAIN %s\n}\n"
		 "userdb {\n driver = static\n args = uid=1000 gid=1000 home=/h/%%u\n}\n%s",
		 users_path, more);
	f->c = auth_conf(lines);
	assert_non_null(f->c);
	f->k = (struct asker){ f->c, users_new(f->c) };
	f->t = try_new(&f->k, &conn);
}

static void close_try(struct fixture *f)
{
	try_free(&f->t);
	users_free(&f->k.users);
	conf_free(&f->c);
}

static enum try_state plain(struct span response, enum verdict *v)
{
	struct fixture f;
	enum try_state s;

	open_try(&f, "", true);
	s = try_start(f.t, SPAN("PLAIN"), true, response);
	*v = try_verdict(f.t);
	if (s == TRY_OK)
		assert_string_equal(try_account(f.t)->user, "me@x");
	close_try(&f);
	return s;
}

static void test_plain(void **state)
{
	enum verdict v;

	assert_int_equal(plain(SPAN("\0Me@x\0pass"), &v), TRY_OK);
	assert_int_equal(plain(SPAN("me@x\0me@x\0pass"), &v), TRY_OK);
	assert_int_equal(plain(SPAN("\0me@x\0wrong"), &v), TRY_FAIL);
	assert_int_equal(v, VERDICT_BAD);
	assert_int_equal(plain(SPAN("other\0me@x\0pass"), &v),
			 TRY_FAIL); /* nobody acts as another */
	assert_int_equal(v, VERDICT_BAD);
	assert_int_equal(plain(SPAN("\0none@x\0pass"), &v), TRY_FAIL);
	assert_int_equal(v, VERDICT_BAD);
	assert_int_equal(plain(SPAN("\0bad%name\0pass"), &v), TRY_FAIL);
	assert_int_equal(v, VERDICT_BAD);
	assert_int_equal(plain(SPAN("\0off@x\0pass"), &v), TRY_FAIL);
	assert_int_equal(v, VERDICT_DISABLED);
	assert_int_equal(plain(SPAN(""), &v), TRY_FAIL);
	assert_int_equal(plain(SPAN("\0"), &v), TRY_FAIL);
	assert_int_equal(plain(SPAN("\0\0"), &v), TRY_FAIL);
	assert_int_equal(plain(SPAN("no separators"), &v), TRY_FAIL);
	assert_int_equal(plain(SPAN("\0me@x\0pass\0more"), &v), TRY_FAIL);
}

static void test_plain_asked(void **state)
{
	struct fixture f;

	open_try(&f, "", true);
	assert_int_equal(try_start(f.t, SPAN("plain"), false, SPAN("")), TRY_CHALLENGE);
	assert_int_equal(try_out(f.t).n, 0);
	assert_int_equal(try_step(f.t, SPAN("\0me@x\0pass")), TRY_OK);
	assert_string_equal(try_account(f.t)->home, "/h/me@x");
	assert_int_equal(try_account(f.t)->uid, 1000);
	close_try(&f);
}

static void test_login(void **state)
{
	struct fixture f;

	open_try(&f, "", true);
	assert_int_equal(try_start(f.t, SPAN("LOGIN"), false, SPAN("")), TRY_CHALLENGE);
	assert_true(try_out(f.t).n > 0);
	assert_int_equal(try_step(f.t, SPAN("me@x")), TRY_CHALLENGE);
	assert_int_equal(try_step(f.t, SPAN("pass")), TRY_OK);
	close_try(&f);
	open_try(&f, "", true);
	assert_int_equal(try_start(f.t, SPAN("LOGIN"), true, SPAN("me@x")), TRY_CHALLENGE);
	assert_int_equal(try_step(f.t, SPAN("wrong")), TRY_FAIL);
	assert_string_equal(try_given(f.t), "me@x");
	close_try(&f);
}

/* Names at which the library's LOGIN would leak the password. */
static void test_login_bad_name(void **state)
{
	struct fixture f;
	char name[1024];

	memset(name, 'a', sizeof(name));
	open_try(&f, "", true);
	assert_int_equal(try_start(f.t, SPAN("LOGIN"), false, SPAN("")), TRY_CHALLENGE);
	assert_int_equal(try_step(f.t, SPAN("")), TRY_FAIL);
	close_try(&f);
	open_try(&f, "", true);
	assert_int_equal(try_start(f.t, SPAN("LOGIN"), true, span_of(name, sizeof(name))),
			 TRY_FAIL);
	close_try(&f);
}

static void test_refused(void **state)
{
	struct fixture f;

	open_try(&f, "", true);
	assert_int_equal(try_start(f.t, SPAN("CRAM-MD5"), false, SPAN("")), TRY_FAIL);
	assert_true(try_mech_refused(f.t));
	close_try(&f);
	open_try(&f, "auth_mechanisms = plain\n", true);
	assert_int_equal(try_start(f.t, SPAN("LOGIN"), false, SPAN("")), TRY_FAIL);
	assert_true(try_mech_refused(f.t));
	close_try(&f);
	open_try(&f, "", false); /* no TLS */
	assert_int_equal(try_start(f.t, SPAN("PLAIN"), true, SPAN("\0me@x\0pass")), TRY_FAIL);
	assert_true(try_mech_refused(f.t));
	close_try(&f);
	open_try(&f, "disable_plaintext_auth = no\n", false);
	assert_int_equal(try_start(f.t, SPAN("PLAIN"), true, SPAN("\0me@x\0pass")), TRY_OK);
	close_try(&f);
}

static void test_lookup(void **state)
{
	struct fixture f;

	open_try(&f, "", false);
	assert_int_equal(try_lookup(f.t, SPAN("ME@x")), TRY_OK);
	assert_string_equal(try_account(f.t)->user, "me@x");
	close_try(&f);
	open_try(&f, "", false);
	assert_int_equal(try_lookup(f.t, SPAN("none@x")), TRY_FAIL);
	assert_int_equal(try_verdict(f.t), VERDICT_UNKNOWN);
	close_try(&f);
	open_try(&f, "", false);
	assert_int_equal(try_lookup(f.t, SPAN("a/b")), TRY_FAIL);
	assert_int_equal(try_verdict(f.t), VERDICT_UNKNOWN);
	close_try(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),   cmocka_unit_test(test_plain_asked),
		cmocka_unit_test(test_login),   cmocka_unit_test(test_login_bad_name),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_lookup),
	};
	struct errtext t;
	FILE *f;
	int failed;

	close(mkstemp(users_path));
	f = fopen(users_path, "w");
	fputs("me@x:pass\noff@x:pass::::::nologin\n", f);
	fclose(f);
	log_open("/dev/null", "", "", NULL);
	if (exchange_init(&t)) {
		fprintf(stderr, "%s\n", t.text);
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	exchange_done();
	unlink(users_path);
	return failed;
}
