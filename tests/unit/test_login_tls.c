/* Login under TLS: implicit, STARTTLS, the relay behind a login; the client is OpenSSL over memory. */
#include "fakelogin.h"
#include "test.h"
#include "tls_client.h"

#include <openssl/ssl.h>
#include <unistd.h>

static struct fake f; /* one test at a time */
static struct tls_test_cert cert;
static SSL_CTX *client_ctx;
static SSL *ssl;
static BIO *from_server, *to_server;

static int setup_all(void **state)
{
	tls_test_cert_make(&cert);
	client_ctx = SSL_CTX_new(TLS_client_method());
	return client_ctx ? 0 : -1;
}

static int teardown_all(void **state)
{
	SSL_CTX_free(client_ctx);
	return 0;
}

static int setup(void **state)
{
	struct tls_settings set = { .cert = span_str(cert.cert), .key = span_str(cert.key) };
	struct errtext why;

	fake_start(&f, "disable_plaintext_auth = yes\n");
	assert_int_equal(tls_server_new(&set, &f.login.tls, &why), ERR_OK);
	return 0;
}

static int teardown(void **state)
{
	fake_stop(&f);
	tls_server_free(&f.login.tls);
	SSL_free(ssl); /* with both BIOs */
	ssl = NULL;
	return 0;
}

/* Carries bytes both ways until nothing moves. */
static void pump(void)
{
	char *p;
	long n;

	do {
		n = BIO_get_mem_data(to_server, &p);
		fake_send(&f, span_of(p, (size_t)n));
		(void)BIO_reset(to_server);
		if (f.out.n > 0)
			BIO_write(from_server, f.out.p, (int)f.out.n);
	} while (n > 0);
}

static void handshake(void)
{
	ssl = SSL_new(client_ctx);
	from_server = BIO_new(BIO_s_mem());
	to_server = BIO_new(BIO_s_mem());
	SSL_set_bio(ssl, from_server, to_server);
	for (int i = 0; i < 5 && SSL_connect(ssl) != 1; i++)
		pump();
	pump();
	assert_true(SSL_is_init_finished(ssl));
}

/* Says text under TLS and returns what came back. */
static const char *say(const char *text)
{
	static char answer[4096];
	int n = 0, got;

	if (*text)
		assert_true(SSL_write(ssl, text, (int)strlen(text)) > 0);
	pump();
	while ((got = SSL_read(ssl, answer + n, (int)sizeof(answer) - 1 - n)) > 0)
		n += got;
	answer[n] = '\0';
	return answer;
}

static void test_implicit(void **state)
{
	fake_connect_tls(&f, &front_imap, true);
	assert_int_equal(f.out.n, 0);
	handshake();
	assert_string_equal(say(""),
			    "* OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN] Ready.\r\n");
	assert_string_equal(say("a STARTTLS\r\n"), "a BAD TLS is already active.\r\n");
	assert_string_equal(say("b LOGIN u wrong\r\n"), "b NO [AUTHENTICATIONFAILED] Authentication failed.\r\n");
	assert_string_equal(say("c LOGIN u secret\r\nd SELECT x\r\n"), "c OK Logged in\r\n");
}

static void test_relay(void **state)
{
	char got[64];
	ssize_t n;

	fake_connect_tls(&f, &front_imap, true);
	handshake();
	say("");
	assert_string_equal(say("c LOGIN u secret\r\nd SELECT x\r\n"), "c OK Logged in\r\n");
	assert_string_equal(buf_cstr(&f.handed), "imap|c||"); /* what follows goes through the relay */
	n = read(f.session, got, sizeof(got));
	assert_int_equal(n, 12);
	assert_memory_equal(got, "d SELECT x\r\n", 12);
	assert_true(dprintf(f.session, "d OK done\r\n") > 0);
	assert_string_equal(say(""), "d OK done\r\n");
	close(f.session);
	f.session = -1;
	say("");
	assert_true(SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN);
}

/* What a client hears when his worker is gone that said this last. */
static const char *orphaned_after(const char *text)
{
	fake_connect_tls(&f, &front_imap, true);
	handshake();
	say("");
	say("c LOGIN u secret\r\n");
	assert_true(dprintf(f.session, "%s", text) >= 0);
	close(f.session);
	f.session = -1;
	return say("");
}

static void test_orphan(void **state)
{
	assert_string_equal(orphaned_after("* 1 EXISTS\r\n"), "* 1 EXISTS\r\n" IMAP_LAST_WORDS);
}

static void test_orphan_in_literal(void **state)
{
	assert_string_equal(orphaned_after("* 1 FETCH (BODY[] {9}\r\nx\r\n"), "* 1 FETCH (BODY[] {9}\r\nx\r\n");
}

static void test_no_orphan(void **state)
{
	assert_string_equal(orphaned_after("* BYE out\r\nd OK out\r\n"), "* BYE out\r\nd OK out\r\n");
}

static void test_starttls(void **state)
{
	fake_connect(&f, &front_imap);
	assert_non_null(strstr(buf_cstr(&f.out), " STARTTLS "));
	assert_string_equal(fake_say(&f, "a NOOP\r\nb STARTTLS\r\n"),
			    "a OK NOOP completed.\r\nb OK Begin TLS negotiation now.\r\n");
	handshake();
	assert_string_equal(say(""), "");
	assert_string_equal(say("c CAPABILITY\r\n"),
			    "* CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN\r\n"
			    "c OK Pre-login capabilities listed, post-login capabilities have more.\r\n");
	assert_string_equal(say("d LOGIN u secret\r\n"), "d OK Logged in\r\n");
}

static void test_injection(void **state)
{
	fake_connect(&f, &front_imap);
	assert_string_equal(fake_say(&f, "b STARTTLS\r\nc NOOP\r\n"), "* BYE Nothing may follow STARTTLS.\r\n");
	assert_true(f.client_eof);
	fake_connect(&f, &front_lmtp);
	fake_say(&f, "LHLO x\r\n");
	assert_string_equal(fake_say(&f, "STARTTLS\r\nRSET\r\n"), "501 5.5.4 Nothing may follow STARTTLS\r\n");
	assert_true(f.client_eof);
}

static void test_lmtp(void **state)
{
	fake_connect(&f, &front_lmtp);
	assert_non_null(strstr(fake_say(&f, "LHLO x\r\n"), "250-STARTTLS\r\n"));
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\n");
	assert_string_equal(fake_say(&f, "STARTTLS\r\n"), "220 2.0.0 Begin TLS negotiation now.\r\n");
	handshake();
	assert_string_equal(say("MAIL FROM:<s@x>\r\n"), "503 5.5.1 LHLO first\r\n");
	assert_null(strstr(say("LHLO x\r\n"), "STARTTLS"));
	assert_string_equal(say("MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n"),
			    "250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 OK\r\n");
	assert_string_equal(say("x\r\n.\r\nQUIT\r\n"), "250 2.0.0 <a@d> id Saved\r\n221 2.0.0 Bye\r\n");
}

static void test_no_handshake(void **state)
{
	fake_connect_tls(&f, &front_imap, true);
	fake_say(&f, "a LOGIN u secret\r\n");
	assert_true(f.client_eof);
	assert_null(f.login.by_number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_implicit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_starttls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_injection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lmtp, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_handshake, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orphan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orphan_in_literal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_orphan, setup, teardown),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
