/* passwd-file lines, stored passwords of all schemes, and a file that changes under us. */
#include "src/auth/pwfile.h"
#include "src/auth/scheme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

static void is(struct span s, const char *want)
{
	if (!span_eq_str(s, want))
		fail_msg("\"%.*s\" is not \"%s\"", (int)s.n, s.p, want);
}

static void test_parse(void **state)
{
	struct pw_entry e;

	assert_true(pw_parse(SPAN("me@x:{PLAIN}a b:1000:100:Me, Myself:/home/me:/bin/sh:nologin "
				  "userdb_mail=maildir:~/M\r"),
			     &e));
	is(e.user, "me@x");
	is(e.password, "{PLAIN}a b");
	is(e.uid, "1000");
	is(e.gid, "100");
	is(e.home, "/home/me");
	is(e.extra, "nologin userdb_mail=maildir:~/M");
	assert_true(pw_parse(SPAN("me"), &e));
	is(e.user, "me");
	is(e.password, "");
	assert_true(pw_parse(SPAN("me:x:::::"), &e));
	is(e.home, "");
	is(e.extra, "");
	assert_false(pw_parse(SPAN(""), &e));
	assert_false(pw_parse(SPAN("\r"), &e));
	assert_false(pw_parse(SPAN("# me:x"), &e));
	assert_false(pw_parse(SPAN(":x:1:1"), &e));
	assert_false(pw_parse(SPAN("a\0b:x"), &e));
}

static bool matches(const char *stored, const char *scheme, struct span password)
{
	bool match = false;
	struct errtext t;

	if (scheme_verify(span_str(stored), scheme, password, &match, &t))
		fail_msg("%s", t.text);
	return match;
}

static void test_schemes(void **state)
{
	static const char *const stored[] = { "{PLAIN}pass", "{clear}pass", "{CLEARTEXT}pass",
					      "pass" };

	for (size_t i = 0; i < sizeof(stored) / sizeof(*stored); i++) {
		assert_true(matches(stored[i], "PLAIN", SPAN("pass")));
		assert_false(matches(stored[i], "PLAIN", SPAN("Pass")));
		assert_false(matches(stored[i], "PLAIN", SPAN("pas")));
		assert_false(matches(stored[i], "PLAIN", SPAN("passpass")));
		assert_false(matches(stored[i], "PLAIN", SPAN("")));
	}
	assert_false(matches("", "PLAIN", SPAN("")));
	assert_false(matches("{PLAIN}", "PLAIN", SPAN("")));
	assert_false(matches("{PLAIN}a", "PLAIN", SPAN("a\0b")));
}

/* What libcrypt makes, it verifies: every kind that this machine has. */
char *crypt(const char *phrase, const char *setting);

static void test_crypt(void **state)
{
	static const struct {
		const char *scheme, *setting;
	} kinds[] = {
		{ "{CRYPT}", "ab" },
		{ "{DES-CRYPT}", "ab" },
		{ "{MD5-CRYPT}", "$1$salt$" },
		{ "{MD5}", "$1$salt$" },
		{ "{SHA256-CRYPT}", "$5$rounds=1000$salt$" },
		{ "{SHA512-CRYPT}", "$6$rounds=1000$salt$" },
		{ "{BLF-CRYPT}", "$2y$04$abcdefghijklmnopqrstuu" },
		{ "{CRYPT}", "$y$j75$salt$" },
		{ "", "$6$rounds=1000$salt$" },
	};
	size_t tried = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const char *made = crypt("pass", kinds[i].setting);
		char stored[300];

		if (!made || *made == '*')
			continue;
		tried++;
		snprintf(stored, sizeof(stored), "%s%s", kinds[i].scheme, made);
		assert_true(matches(stored, "CRYPT", SPAN("pass")));
		assert_false(matches(stored, "CRYPT", SPAN("Pass")));
		assert_false(matches(stored, "CRYPT", SPAN("")));
	}
	assert_true(tried >= 6);
	assert_false(matches("{SHA512-CRYPT}$1$salt$", "CRYPT",
			     SPAN("pass"))); /* another kind than it says */
	assert_false(matches("!", "CRYPT", SPAN("pass")));
	assert_false(matches("*", "CRYPT", SPAN("*")));
	assert_false(matches("*0", "CRYPT", SPAN("pass")));
}

/* As `doveadm pw -p pass` of Dovecot 2.3 wrote them. */
static void test_dovecot_made(void **state)
{
	static const char *const stored[] = {
		"{MD5-CRYPT}$1$i5ZsFS.U$VFhRWHplVyIwOCn3Sux1m/",
		"{SHA256-CRYPT}$5$WOXtdmqwk/uoMmIX$TkG/4QavWOLqjJDOCgj5zeurZKcZOhLDwnL7Pe8wBr9",
		"{SHA512-CRYPT}$6$qitoUyLnahY7FNBL$evvKRNCW7Y5rqmdjI6G.QTxh6iypt09I2Pmr"
		"yb.DxUV5DswTnSNWYt89j6qaxAy5EdVXbY1MMKpf7VwwuAEHO/",
		"{BLF-CRYPT}$2y$05$36J54qWB9j4ePzkMTopoPeGtfzS3OLFY5.pNw7Y0q8URh/s8l1Bhu",
		"{CRYPT}$2y$05$ly0WO2NHIdL5gWrFHvl4XeTEouqb6RpL9hZqHETSUsUntx4sWI6H.",
	};

	for (size_t i = 0; i < sizeof(stored) / sizeof(*stored); i++) {
		assert_true(matches(stored[i], "PLAIN", SPAN("pass")));
		assert_false(matches(stored[i], "PLAIN", SPAN("past")));
	}
}

static void test_unknown_scheme(void **state)
{
	struct errtext t;
	bool match;

	assert_int_equal(scheme_verify(SPAN("{ARGON2ID}x"), "CRYPT", SPAN("p"), &match, &t),
			 ERR_CANNOT);
	assert_non_null(strstr(t.text, "ARGON2ID"));
	scheme_pretend(SPAN("{ARGON2ID}x"), "CRYPT", SPAN("p"));
	scheme_pretend(SPAN(""), "CRYPT", SPAN("p"));
	scheme_pretend(SPAN("{PLAIN}x"), "CRYPT", SPAN("p"));
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_file(void **state)
{
	char path[] = "/tmp/test_pwfile.XXXXXX";
	struct pw_entry e;
	struct pwfile *f;
	struct errtext t;

	close(mkstemp(path));
	write_file(path, "# users\na:1\nb:2:5\na:3\n\nlast:4");
	f = pwfile_new(path);
	assert_int_equal(pwfile_find(f, SPAN("a"), &e, &t), ERR_OK);
	is(e.password, "1");
	assert_int_equal(pwfile_find(f, SPAN("last"), &e, &t), ERR_OK);
	is(e.password, "4");
	assert_int_equal(pwfile_find(f, SPAN("c"), &e, &t), ERR_NOTFOUND);
	is(e.password, "1");	    /* the first entry, to spend the same time on */
	write_file(path, "c:33\n"); /* size and time differ */
	assert_int_equal(pwfile_find(f, SPAN("c"), &e, &t), ERR_OK);
	is(e.password, "33");
	assert_int_equal(pwfile_find(f, SPAN("a"), &e, &t), ERR_NOTFOUND);
	unlink(path);
	assert_int_equal(pwfile_find(f, SPAN("c"), &e, &t), ERR_TEMP);
	assert_non_null(strstr(t.text, path));
	write_file(path, "");
	assert_int_equal(pwfile_find(f, SPAN("c"), &e, &t), ERR_NOTFOUND);
	assert_int_equal(e.user.n, 0);
	pwfile_free(&f);
	assert_null(f);
	pwfile_free(&f);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),          cmocka_unit_test(test_schemes),
		cmocka_unit_test(test_crypt),          cmocka_unit_test(test_dovecot_made),
		cmocka_unit_test(test_unknown_scheme), cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
