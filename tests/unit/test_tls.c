/* TLS on a stream, against OpenSSL's own client in a child process. */
#include "io/stream.h"
#include "io/tls.h"

#include "tests/unit/test.h"
#include "tests/unit/tls_client.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
	struct loop *l;
	struct stream *s;
	struct tls_server *srv;
	size_t finish_after; /* echo so many bytes, then finish */
	size_t seen;
	bool secured, closed;
	enum err why;
	char tls[128];
	struct loop_timer guard;
};

static void on_input(void *ctx)
{
	struct server *d = ctx;
	struct span in = stream_input(d->s);

	if (stream_full(d->s)) {
		stream_pause(d->s);
		return;
	}
	d->seen += in.n;
	stream_write(d->s, in);
	stream_consume(d->s, in.n);
	if (d->seen >= d->finish_after)
		stream_finish(d->s);
}

static void on_drained(void *ctx)
{
	stream_resume(((struct server *)ctx)->s);
}

static void on_secured(void *ctx)
{
	struct server *d = ctx;

	d->secured = true;
	stream_tls_describe(d->s, d->tls, sizeof(d->tls));
	if (d->finish_after == 0)
		stream_finish(d->s);
}

static void on_closed(void *ctx, enum err why)
{
	struct server *d = ctx;

	d->closed = true;
	d->why = why;
	stream_free(&d->s); /* the peer sees the end */
	loop_stop(d->l);
}

static void on_guard(void *ctx)
{
	fail_msg("the server hangs");
}

static const struct stream_handler handler = { .input = on_input, .drained = on_drained, .secured = on_secured, .closed = on_closed };

static const struct tls_test_cert *the_cert(void)
{
	static struct tls_test_cert c;

	if (!c.cert[0])
		tls_test_cert_make(&c);
	return &c;
}

static struct tls_settings settings(void)
{
	return (struct tls_settings){ .cert = span_str(the_cert()->cert), .key = span_str(the_cert()->key) };
}

static void begin(struct server *d, int *peer_r)
{
	struct tls_settings set = settings();
	struct errtext why;
	int fd[2];

	*d = (struct server){ .l = loop_new() };
	assert_int_equal(tls_server_new(&set, &d->srv, &why), ERR_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	d->s = stream_new(d->l, fd[0], NULL, &handler, d);
	*peer_r = fd[1];
}

/* The client's exit status; everything is torn down. */
static int serve(struct server *d, int peer, const struct tls_client *c)
{
	pid_t pid = tls_client_fork(peer, c);
	int status;

	close(peer);
	loop_timer_set(d->l, &d->guard, 20000, on_guard, d);
	loop_run(d->l);
	status = tls_client_wait(pid);
	stream_free(&d->s);
	tls_server_free(&d->srv);
	loop_free(&d->l);
	return status;
}

static void test_echo(void **state)
{
	static const size_t sizes[] = { 0, 1, 16384, 16385, 60000, 150000 };
	struct server d;
	int peer;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct tls_client c = { .send = sizes[i], .expect = sizes[i], .alpn = i % 2 ? "imap" : NULL,
					.max_version = i % 3 ? 0 : TLS1_2_VERSION, .chunk = i == 3 ? 100 : 0 };

		begin(&d, &peer);
		d.finish_after = sizes[i];
		assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
		assert_int_equal(serve(&d, peer, &c), 0);
		assert_true(d.secured && d.closed && d.why == ERR_OK);
		assert_non_null(strstr(d.tls, i % 3 ? "TLSv1.3 with cipher " : "TLSv1.2 with cipher ECDHE-"));
	}
}

static void test_alpn(void **state)
{
	struct tls_client c = { .alpn = "pop3" };
	struct server d;
	int peer;

	begin(&d, &peer);
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
	assert_int_equal(serve(&d, peer, &c), 1);
	assert_true(!d.secured && d.closed && d.why == ERR_PROTO);
	begin(&d, &peer);
	assert_int_equal(stream_start_tls(d.s, d.srv, NULL), ERR_OK); /* no id of ours: whatever is offered */
	assert_int_equal(serve(&d, peer, &c), 0);
}

static void test_weak_clients(void **state)
{
	struct tls_client old = { .max_version = TLS1_1_VERSION };
	struct tls_client cbc = { .max_version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-AES128-SHA256" };
	struct server d;
	int peer;

	begin(&d, &peer);
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
	assert_int_equal(serve(&d, peer, &old), 1);
	assert_int_equal(d.why, ERR_PROTO);
	begin(&d, &peer);
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
	assert_int_equal(serve(&d, peer, &cbc), 1);
	assert_int_equal(d.why, ERR_PROTO);
}

/* What was written before STARTTLS leaves in the clear, what is written after it under TLS. */
static void test_starttls(void **state)
{
	struct tls_client c = { .send = 5, .expect = 5 };
	struct server d;
	char line[16] = "";
	int peer;

	begin(&d, &peer);
	d.finish_after = 5;
	stream_write_str(d.s, "OK begin\r\n");
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
	assert_true(stream_is_tls(d.s));
	assert_int_equal(read(peer, line, sizeof(line)), 10);
	assert_string_equal(line, "OK begin\r\n");
	assert_int_equal(serve(&d, peer, &c), 0);
}

/* RFC 9051 section 11.1: commands that came with STARTTLS in the clear must not be obeyed under TLS. */
static void test_injection(void **state)
{
	struct loop_timer t = { 0 };
	struct server d;
	int peer;

	begin(&d, &peer);
	assert_int_equal(stream_preload(d.s, SPAN("a2 LOGIN x y\r\n")), ERR_OK);
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_PROTO);
	assert_false(stream_is_tls(d.s));
	stream_free(&d.s);
	tls_server_free(&d.srv);
	loop_free(&d.l);
	close(peer);
	/* Bytes that the kernel still holds are the handshake's, and no handshake. */
	begin(&d, &peer);
	assert_int_equal(write(peer, "a2 LOGIN x y\r\n", 14), 14);
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
	loop_timer_set(d.l, &t, 20000, on_guard, &d);
	loop_run(d.l);
	assert_true(d.closed && d.why == ERR_PROTO && d.seen == 0);
	loop_timer_stop(d.l, &t);
	close(peer);
	tls_server_free(&d.srv);
	loop_free(&d.l);
}

static void test_slow_reader(void **state)
{
	struct tls_client c = { .send = 150000, .expect = 150000, .slow_us = 2000 };
	struct server d;
	int peer, small = 4096;

	begin(&d, &peer);
	setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	d.finish_after = 150000;
	assert_int_equal(stream_start_tls(d.s, d.srv, "imap"), ERR_OK);
	assert_int_equal(serve(&d, peer, &c), 0);
}

static void test_settings(void **state)
{
	struct tls_settings set = settings();
	struct tls_server *srv = NULL;
	struct tls_test_cert other;
	struct errtext why;

	tls_test_cert_make(&other);
	set.key = span_str(other.key);
	assert_int_equal(tls_server_new(&set, &srv, &why), ERR_SYNTAX);
	assert_non_null(strstr(why.text, "ssl_key"));
	set = settings();
	set.cert = SPAN("nonsense");
	assert_int_equal(tls_server_new(&set, &srv, &why), ERR_SYNTAX);
	set = settings();
	set.key = span_str(NULL);
	assert_int_equal(tls_server_new(&set, &srv, &why), ERR_SYNTAX);
	set = settings();
	set.ciphers = "AES128-SHA";
	assert_int_equal(tls_server_new(&set, &srv, &why), ERR_SYNTAX);
	assert_non_null(strstr(why.text, "ssl_cipher_list"));
	set.ciphers = "ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH";
	set.min_protocol = "TLSv1.3";
	assert_int_equal(tls_server_new(&set, &srv, &why), ERR_OK);
	tls_server_free(&srv);
	tls_server_free(&srv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settings),     cmocka_unit_test(test_echo),
		cmocka_unit_test(test_alpn),         cmocka_unit_test(test_weak_clients),
		cmocka_unit_test(test_starttls),     cmocka_unit_test(test_injection),
		cmocka_unit_test(test_slow_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
