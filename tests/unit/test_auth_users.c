/* Passdb and userdb chains: who may come in, and as whom. */
#include "src/auth/users.h"
#include "auth_conf.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <pwd.h>
#include <unistd.h>

static const char users_text[] = "me:{PLAIN}pass:1000:1001::/home/me::userdb_mail=maildir:~/M "
				 "userdb_quota_rule=*:storage=1G\n"
				 "root:{PLAIN}pass:0:0::/root\n"
				 "low:{PLAIN}pass:33:33::/home/low\n"
				 "off:{PLAIN}pass:1000:1000::/home/off::nologin reason=gone\n"
				 "near:{PLAIN}pass:1000:1000::/home/near::allow_nets=192.0.2.0/24\n"
				 "alias:{PLAIN}pass::::::user=me\n"
				 "far:{PLAIN}pass::::::proxy host=1.2.3.4\n"
				 "odd:{NOPE}pass:1000:1000::/home/odd\n"
				 "bare:{PLAIN}pass\n";

struct fixture {
	char path[32];
	struct arena *a;
	struct conf *c;
	struct users *u;
	struct who w;
};

/* Each '@' in lines stands for the path of the file. */
static void open_users(struct fixture *f, const char *lines)
{
	struct buf text;
	FILE *out;

	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "/tmp/test_users.XXXXXX");
	close(mkstemp(f->path));
	out = fopen(f->path, "w");
	fputs(users_text, out);
	fclose(out);
	buf_init(&text, 10000);
	for (; *lines; lines++)
		buf_add_str(&text, *lines == '@' ? f->path : (char[]){ *lines, 0 });
	f->c = auth_conf(buf_cstr(&text));
	buf_free(&text);
	assert_non_null(f->c);
	f->u = users_new(f->c);
	f->a = arena_new(100000);
}

static void close_users(struct fixture *f)
{
	unlink(f->path);
	users_free(&f->u);
	conf_free(&f->c);
	arena_free(&f->a);
}

static void ask(struct fixture *f, const char *user)
{
	f->w = (struct who){ .a = f->a,
			     .user = user,
			     .service = "imap",
			     .session = "s",
			     .rip = "192.0.2.7",
			     .lip = "192.0.2.1",
			     .mech = "PLAIN",
			     .passdb = { .a = f->a } };
}

static enum verdict verify(struct fixture *f, const char *user, const char *password)
{
	const char *reason;

	ask(f, user);
	return users_verify(f->u, &f->w, span_str(password), &reason);
}

#define FILES                                                                                      \
	"passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n}\n"                             \
	"userdb {\n driver = passwd-file\n args = @\n}\n"

static void test_verify(void **state)
{
	struct fixture f;
	const char *reason;

	open_users(&f, FILES);
	assert_int_equal(verify(&f, "me", "pass"), VERDICT_OK);
	assert_int_equal(verify(&f, "me", "Pass"), VERDICT_BAD);
	assert_int_equal(verify(&f, "nobody-here", "pass"), VERDICT_BAD);
	assert_int_equal(verify(&f, "odd", "pass"), VERDICT_TEMP);
	assert_int_equal(verify(&f, "far", "pass"), VERDICT_TEMP);
	assert_int_equal(verify(&f, "near", "pass"), VERDICT_OK);
	assert_int_equal(verify(&f, "off", "wrong"), VERDICT_BAD);
	ask(&f, "off");
	assert_int_equal(users_verify(f.u, &f.w, SPAN("pass"), &reason), VERDICT_DISABLED);
	assert_string_equal(reason, "gone");
	ask(&f, "near");
	f.w.rip = "198.51.100.1";
	assert_int_equal(users_verify(f.u, &f.w, SPAN("pass"), &reason), VERDICT_BAD);
	close_users(&f);
}

static void test_account(void **state)
{
	struct fixture f;
	struct account a;

	open_users(&f, FILES);
	assert_int_equal(verify(&f, "me", "pass"), VERDICT_OK);
	assert_int_equal(users_account(f.u, &f.w, true, &a), VERDICT_OK);
	assert_string_equal(a.user, "me");
	assert_int_equal(a.uid, 1000);
	assert_int_equal(a.gid, 1001);
	assert_string_equal(a.home, "/home/me");
	assert_string_equal(a.mail, "maildir:~/M");
	assert_true(span_eq(a.extra, SPAN("quota_rule=*:storage=1G\0")));

	assert_int_equal(verify(&f, "alias", "pass"), VERDICT_OK); /* user= names another */
	assert_int_equal(users_account(f.u, &f.w, true, &a), VERDICT_OK);
	assert_string_equal(a.user, "me");

	ask(&f, "unknown");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_UNKNOWN);
	ask(&f, "low"); /* below first_valid_uid */
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_TEMP);
	ask(&f, "root");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_TEMP);
	ask(&f, "bare"); /* no uid anywhere */
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_TEMP);
	close_users(&f);
}

/* The line for the administrator names user, setting and value. */
static void test_low_uid_is_named(void **state)
{
	char path[] = "/tmp/test_users_log.XXXXXX", line[512] = "";
	struct fixture f;
	struct account a;
	FILE *log;

	close(mkstemp(path));
	open_users(&f, FILES);
	assert_true(log_open(path, "", "", NULL));
	ask(&f, "low");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_TEMP);
	log_open("/dev/null", "", "", NULL);
	log = fopen(path, "r");
	assert_non_null(log);
	assert_non_null(fgets(line, sizeof(line), log));
	fclose(log);
	unlink(path);
	assert_non_null(strstr(line, "user low: uid 33 is below first_valid_uid=500 (from passwd-file)"));
	close_users(&f);
}

static void test_root_never(void **state)
{
	struct fixture f;
	struct account a;

	open_users(&f, FILES "first_valid_uid = 0\nfirst_valid_gid = 0\n");
	ask(&f, "root");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_TEMP);
	ask(&f, "low");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	close_users(&f);
}

static void test_static(void **state)
{
	struct fixture f;
	struct account a;

	open_users(&f, "passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n}\n"
		       "userdb {\n driver = static\n args = uid=1000 gid=1000 home=/srv/%d/%n "
		       "mail=maildir:/m/%u\n}\n");
	ask(&f, "me");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	assert_string_equal(a.home, "/srv//me");
	assert_string_equal(a.mail, "maildir:/m/%u"); /* the master expands it */
	assert_int_equal(a.extra.n, 0);
	ask(&f, "unknown"); /* it asks the passdb */
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_UNKNOWN);
	ask(&f, "alias");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	assert_string_equal(a.user, "me");
	ask(&f, "x\x40..");
	assert_int_equal(users_account(f.u, &f.w, true, &a), VERDICT_TEMP);
	unlink(f.path); /* whether he exists cannot be said now */
	ask(&f, "me");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_TEMP);
	close_users(&f);
}

static void test_static_all(void **state)
{
	struct fixture f;
	struct account a;

	open_users(&f, "userdb {\n driver = static\n args = allow_all_users=yes uid=1000 gid=1000\n"
		       " default_fields = home=/d/%Uu\n}\nmail_home = /never");
	ask(&f, "anybody");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	assert_string_equal(a.home, "/d/ANYBODY");
	close_users(&f);
}

static void test_defaults(void **state)
{
	struct fixture f;
	struct account a;

	open_users(&f, FILES "mail_uid = 2000\nmail_gid = 2001\nmail_home = /h/%n\n");
	ask(&f, "bare");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	assert_int_equal(a.uid, 2000);
	assert_int_equal(a.gid, 2001);
	assert_string_equal(a.home, "/h/bare");
	assert_string_equal(a.mail, "");
	close_users(&f);
}

static void test_passwd(void **state)
{
	const struct passwd *pw = getpwnam("daemon");
	struct fixture f;
	struct account a;

	assert_non_null(pw);
	open_users(&f, "userdb {\n driver = passwd\n override_fields = "
		       "home=/o/%u\n}\nfirst_valid_uid = 1");
	assert_true(users_need_nss(f.u));
	ask(&f, "daemon");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	assert_int_equal(a.uid, pw->pw_uid);
	assert_string_equal(a.home, "/o/daemon");
	ask(&f, "no-such-user-here");
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_UNKNOWN);
	close_users(&f);
}

static void test_prefetch(void **state)
{
	struct fixture f;
	struct account a;

	open_users(&f, "passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n"
		       " default_fields = userdb_uid=1234 userdb_gid=1235 userdb_home=/p/%u\n}\n"
		       "userdb {\n driver = prefetch\n}\n"
		       "userdb {\n driver = static\n args = uid=1000 gid=1000 home=/s/%u\n}\n");
	assert_int_equal(verify(&f, "bare", "pass"), VERDICT_OK);
	assert_int_equal(users_account(f.u, &f.w, true, &a), VERDICT_OK);
	assert_int_equal(a.uid, 1234);
	ask(&f, "bare"); /* a lookup has nothing prefetched */
	assert_int_equal(users_account(f.u, &f.w, false, &a), VERDICT_OK);
	assert_int_equal(a.uid, 1000);
	close_users(&f);
}

static void test_chain(void **state)
{
	struct fixture f;

	open_users(&f, "passdb {\n driver = passwd-file\n args = /absent/file\n "
		       "result_internalfail = continue\n}\n"
		       "passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n}\n"
		       "userdb {\n driver = passwd\n}\n");
	assert_int_equal(verify(&f, "me", "pass"), VERDICT_OK);
	assert_int_equal(verify(&f, "me", "bad"), VERDICT_TEMP); /* the first may have known him */
	close_users(&f);

	open_users(&f, "passdb {\n driver = passwd-file\n deny = yes\n args = @\n}\n"
		       "passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n}\n"
		       "userdb {\n driver = passwd\n}\n");
	assert_int_equal(verify(&f, "me", "pass"), VERDICT_BAD);
	close_users(&f);

	open_users(
		&f,
		"passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n mechanisms = login\n}\n"
		"userdb {\n driver = passwd\n}\n");
	assert_int_equal(verify(&f, "me", "pass"), VERDICT_BAD);
	close_users(&f);

	open_users(
		&f,
		"passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n result_success = "
		"continue-ok\n}\n"
		"passdb {\n driver = passwd-file\n args = scheme=PLAIN @\n skip = authenticated\n"
		" result_failure = return-fail\n}\nuserdb {\n driver = passwd\n}\n");
	assert_int_equal(verify(&f, "me", "pass"), VERDICT_OK);
	assert_int_equal(verify(&f, "me", "bad"), VERDICT_BAD);
	close_users(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify),     cmocka_unit_test(test_account),
		cmocka_unit_test(test_low_uid_is_named),
		cmocka_unit_test(test_root_never), cmocka_unit_test(test_static),
		cmocka_unit_test(test_static_all), cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_passwd),     cmocka_unit_test(test_prefetch),
		cmocka_unit_test(test_chain),
	};

	log_open("/dev/null", "", "", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
