/* The relay between a TLS client and a worker: both are child processes, the relay is ours. */
#include "io/relay.h"
#include "io/tls.h"
#include "base/clock.h"

#include "tests/unit/test.h"
#include "tests/unit/tls_client.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct site {
	struct loop *l;
	struct stream *s;
	struct tls_server *srv;
	struct relay *r;
	int worker; /* our end of its socket */
	bool over;
	uint64_t in, out;
	struct loop_timer guard;
};

static void on_over(void *ctx, enum err why)
{
	struct site *d = ctx;

	d->over = true;
	d->in = relay_bytes_in(d->r);
	d->out = relay_bytes_out(d->r);
	relay_free(&d->r);
	loop_stop(d->l);
}

static void on_input(void *ctx)
{
}

static void on_secured(void *ctx)
{
	struct site *d = ctx;

	static const struct relay_handler over = { .over = on_over };

	d->r = relay_new(d->l, &d->s, d->worker, &over, d);
}

static void on_closed(void *ctx, enum err why)
{
	fail_msg("closed before the relay: %s", err_name(why));
}

static const struct stream_handler handler = { .input = on_input, .secured = on_secured, .closed = on_closed };

static void on_guard(void *ctx)
{
	fail_msg("the relay hangs");
}

/* Echoes until so many bytes have passed (0: until end of input), then closes. */
static void worker_echo(int fd, size_t until)
{
	size_t seen = 0;
	char piece[10000];
	ssize_t n;

	while ((!until || seen < until) && (n = read(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t at = 0, put; at < n; at += put) {
			put = write(fd, piece + at, (size_t)(n - at));
			if (put < 0)
				_exit(1);
		}
		seen += (size_t)n;
	}
	_exit(0);
}

/* Says so many bytes, unasked, and closes. */
static void worker_say(int fd, size_t total)
{
	char piece[100000];

	for (size_t at = 0; at < total;) {
		size_t n = total - at < sizeof(piece) ? total - at : sizeof(piece);
		ssize_t put;

		for (size_t i = 0; i < n; i++)
			piece[i] = (char)tls_test_byte(at + i);
		put = write(fd, piece, n);
		if (put < 0)
			_exit(1);
		at += (size_t)put;
	}
	_exit(0);
}

static pid_t worker_fork(int fd, int other, void (*fn)(int fd, size_t n), size_t n)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(other);
		fn(fd, n);
	}
	close(fd);
	return pid;
}

static int run(struct site *d, const struct tls_client *c, void (*fn)(int fd, size_t n), size_t n)
{
	static struct tls_test_cert cert;
	struct tls_settings set;
	int client[2], work[2], status;
	pid_t worker, pid;

	if (!cert.cert[0])
		tls_test_cert_make(&cert);
	set = (struct tls_settings){ .cert = span_str(cert.cert), .key = span_str(cert.key) };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, client), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, work), 0);
	worker = worker_fork(work[1], work[0], fn, n);
	pid = tls_client_fork(client[1], c);
	close(client[1]);
	*d = (struct site){ .l = loop_new(), .worker = work[0] };
	assert_int_equal(tls_server_new(&set, &d->srv, NULL), ERR_OK);
	d->s = stream_new(d->l, client[0], NULL, &handler, d);
	assert_int_equal(stream_start_tls(d->s, d->srv, "imap"), ERR_OK);
	loop_timer_set(d->l, &d->guard, 20000, on_guard, d);
	loop_run(d->l);
	status = tls_client_wait(pid);
	waitpid(worker, NULL, 0);
	tls_server_free(&d->srv);
	loop_free(&d->l);
	return status;
}

static void test_echo(void **state)
{
	struct tls_client c = { .send = 150000, .expect = 150000 };
	struct site d;

	assert_int_equal(run(&d, &c, worker_echo, 150000), 0);
	assert_true(d.over);
	assert_int_equal(d.in, 150000);
	assert_int_equal(d.out, 150000);
}

/* The client's end of input reaches the worker, whose answer still reaches the client. */
static void test_half_close(void **state)
{
	struct tls_client c = { .send = 50000, .expect = 50000, .half_close = true };
	struct site d;

	assert_int_equal(run(&d, &c, worker_echo, 0), 0);
}

/* A slow client: the worker waits, all that it said arrives, then the close. */
static void test_slow_client(void **state)
{
	struct tls_client c = { .expect = 3000000, .slow_us = 300 };
	struct site d;

	assert_int_equal(run(&d, &c, worker_say, 3000000), 0);
	assert_int_equal(d.out, 3000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_slow_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
