/* IMAP before authentication, with an auth and a master that play their parts. */
#include "fakelogin.h"
#include "test.h"

#include <unistd.h>

static struct fake f; /* one test at a time */

static int setup(void **state)
{
	fake_start(&f, "");
	fake_connect(&f, &front_imap);
	return 0;
}

static int setup_strict(void **state)
{
	fake_start(&f, "disable_plaintext_auth = yes\nimap_capability = +XYZ -IDLE\n");
	fake_connect(&f, &front_imap);
	return 0;
}

static int teardown(void **state)
{
	fake_stop(&f);
	return 0;
}

static void expect(const char *say, const char *answer)
{
	assert_string_equal(fake_say(&f, say), answer);
}

static void test_greeting(void **state)
{
	assert_string_equal(buf_cstr(&f.out),
			    "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN] Ready.\r\n");
	expect("a CAPABILITY\r\n",
	       "* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN\r\n"
	       "a OK Pre-login capabilities listed, post-login capabilities have more.\r\n");
	expect("b NOOP\r\nc ID (\"name\" \"x\")\r\n",
	       "b OK NOOP completed.\r\n* ID (\"name\" \"Roost\")\r\nc OK ID completed.\r\n");
	expect("d LOGOUT\r\n", "* BYE Logging out\r\nd OK Logout completed.\r\n");
	assert_true(f.client_eof);
}

static void test_login(void **state)
{
	expect("a LOGIN u wrong\r\n", "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	expect("b LOGIN temp x\r\n", "b NO [UNAVAILABLE] Temporary authentication failure.\r\n");
	expect("c LOGIN u secret\r\nd SELECT INBOX\r\n", "c OK Logged in\r\n");
	assert_string_equal(buf_cstr(&f.handed), "imap|c|d SELECT INBOX\r\n|");
	assert_null(f.login.by_number); /* all of it has gone to the worker */
}

static void test_login_literals(void **state)
{
	expect("a LOGIN {1}\r\n", "+ OK\r\n");
	expect("u {6}\r\n", "+ OK\r\n");
	expect("secret\r\n", "a OK Logged in\r\n");
}

static void test_nginx_style(void **state)
{
	expect("a LOGIN {1+}\r\nu {6+}\r\nsecret\r\n", "a OK Logged in\r\n");
}

static void test_authenticate(void **state)
{
	expect("a AUTHENTICATE PLAIN\r\n", "+ \r\n");
	expect("AHUAc2VjcmV0\r\nb NOOP\r\n", "a OK Logged in\r\n");
	assert_string_equal(buf_cstr(&f.handed), "imap|a|b NOOP\r\n|");
}

static void test_authenticate_initial(void **state)
{
	expect("a authenticate plain AHUAd3Jvbmc=\r\n", "a NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	expect("a AUTHENTICATE plain AHUAc2VjcmV0\r\n", "a OK Logged in\r\n");
}

static void test_authenticate_bad(void **state)
{
	expect("a AUTHENTICATE GSSAPI\r\n", "a NO Unsupported authentication mechanism.\r\n");
	expect("b AUTHENTICATE PLAIN\r\n*\r\n", "+ \r\nb BAD Authentication aborted by client.\r\n");
	expect("c AUTHENTICATE PLAIN ====\r\n", "c BAD Invalid base64 data in initial response\r\n");
	expect("d AUTHENTICATE PLAIN\r\n!\r\n",
	       "+ \r\nd BAD Invalid base64 data in continued response\r\n* BYE Too many invalid IMAP commands.\r\n");
	assert_true(f.client_eof);
}

static void test_three_bad(void **state)
{
	expect("a SELECT INBOX\r\nb\r\nc LOGIN u\r\nd NOOP\r\n",
	       "a BAD Error in IMAP command received by server.\r\nb BAD Missing command\r\n"
	       "c BAD LOGIN needs a user name and a password\r\n* BYE Too many invalid IMAP commands.\r\n");
	assert_true(f.client_eof);
}

static void test_handoff_limit(void **state)
{
	f.handoff_fails = true;
	expect("a LOGIN u secret\r\n",
	       "a NO [LIMIT] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)\r\n"
	       "* BYE Too many connections.\r\n");
	assert_true(f.client_eof);
}

static void test_auth_dies(void **state)
{
	expect("a AUTHENTICATE PLAIN\r\n", "+ \r\n");
	chan_free(&f.auth);
	fake_run(&f);
	assert_string_equal(fake_say(&f, ""), "");
	assert_int_equal(f.peers_lost, 1); /* the master is to give another, if it can */
	expect("b LOGIN u secret\r\n", "b NO [UNAVAILABLE] Temporary authentication failure.\r\n");
}

static void test_foreign(void **state)
{
	expect("GET / HTTP/1.1\r\nHost: x\r\n", "");
	assert_true(f.client_eof);
	fake_connect(&f, &front_imap);
	assert_string_equal(fake_send(&f, span_of("\x16\x03\x01\x02", 4)), "");
	assert_true(f.client_eof);
	fake_connect(&f, &front_imap);
	assert_string_equal(fake_send(&f, span_of("a NOOP \0\r\n", 10)), "* BYE NUL byte in command\r\n");
	assert_true(f.client_eof);
}

static void test_limits(void **state)
{
	char line[10000];

	memset(line, 'x', sizeof(line));
	memcpy(line, "a LOGIN ", 8);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	expect(line, "a BAD Command line too long\r\n");
	expect("b LOGIN {5000}\r\n", "b BAD Literal too big\r\n");
	expect("c LOGIN ((x))\r\n", "c BAD Too many nested lists\r\n* BYE Too many invalid IMAP commands.\r\n");
}

/* On a socket without addresses both ends are the same host; so TLS is not asked for, and only the words are looked at. */
static void test_strict(void **state)
{
	assert_non_null(strstr(buf_cstr(&f.out), " XYZ "));
	assert_null(strstr(buf_cstr(&f.out), "IDLE"));
	expect("a STARTTLS\r\n", "a BAD TLS support isn't enabled.\r\n");
}

static void test_byte_by_byte(void **state)
{
	const char *text = "a LOGIN {1+}\r\nu secret\r\nb NOOP\r\n";

	buf_clear(&f.out);
	for (const char *p = text; *p; p++) {
		if (f.login.by_number)
			assert_int_equal(write(f.client, p, 1), 1);
		fake_run(&f);
	}
	assert_string_equal(buf_cstr(&f.out), "a OK Logged in\r\n");
}

static void test_many_waiting(void **state)
{
	for (int i = 0; i < 30; i++) {
		f.client = -1; /* the earlier ones stay open */
		fake_connect(&f, &front_imap);
	}
	assert_true(f.login.waiting <= 10);
	expect("a LOGIN u secret\r\n", "a OK Logged in\r\n");
}

static void note_full(void *ctx, bool full)
{
	*(int *)ctx += full ? 1 : -1;
}

/* As many as descriptors suffice for: whoever listens is told, and told again when somebody has gone. */
static void test_full(void **state)
{
	int full = 0, fd[3];

	fake_hang_up(&f);
	fake_run(&f);
	f.login.clients_max = 3;
	f.login.full = note_full;
	f.login.full_ctx = &full;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(full, 0);
		fake_connect(&f, &front_imap);
		fd[i] = f.client;
		f.client = -1;
	}
	assert_int_equal(full, 1);
	close(fd[1]);
	fake_run(&f);
	assert_int_equal(full, 0);
	close(fd[0]);
	close(fd[2]);
	fake_run(&f);
	assert_int_equal(full, 0);
	assert_null(f.login.origins);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_greeting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login_literals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nginx_style, setup, teardown),
		cmocka_unit_test_setup_teardown(test_authenticate, setup, teardown),
		cmocka_unit_test_setup_teardown(test_authenticate_initial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_authenticate_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_three_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handoff_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strict, setup_strict, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_waiting, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
