/* A stream with compression, against another inflater and deflater. */
#include "io/stream.h"
#include "codec/deflate.h"

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct loop *l;
	struct stream *s;
	int peer;
	struct buf got;        /* what the stream's user read */
	struct buf heard;      /* what the peer inflated */
	struct deflater *off;
	struct inflater *on;
	bool closed, keep;     /* keep: consume nothing */
	size_t largest;        /* input seen in one call */
	enum err why;
	struct loop_timer end;
};

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void on_input(void *ctx)
{
	struct side *d = ctx;
	struct span in = stream_input(d->s);

	d->largest = in.n > d->largest ? in.n : d->largest;
	if (d->keep)
		return;
	buf_add_span(&d->got, in);
	stream_consume(d->s, in.n);
}

static void on_closed(void *ctx, enum err why)
{
	struct side *d = ctx;

	d->closed = true;
	d->why = why;
}

static const struct stream_handler handler = { .input = on_input, .closed = on_closed };

/* The wire bytes that have come, inflated; how many they were. */
static size_t hear(struct side *d)
{
	char wire[65536];
	size_t sum = 0;
	ssize_t n;

	while ((n = recv(d->peer, wire, sizeof(wire), MSG_DONTWAIT)) > 0) {
		struct span in = span_of(wire, (size_t)n);

		sum += (size_t)n;
		while (in.n || inflater_more(d->on))
			assert_int_equal(inflater_run(d->on, &in, 65536, &d->heard), ERR_OK);
	}
	return sum;
}

static void settle(struct side *d)
{
	loop_timer_set(d->l, &d->end, 10, on_stop, d->l);
	loop_run(d->l);
}

static void begin(struct side *d)
{
	int fd[2];

	*d = (struct side){ .l = loop_new(), .off = deflater_new(6), .on = inflater_new() };
	buf_init(&d->got, 16 << 20);
	buf_init(&d->heard, 16 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	d->peer = fd[1];
	d->s = stream_new(d->l, fd[0], NULL, &handler, d);
}

static void end(struct side *d)
{
	stream_free(&d->s);
	buf_free(&d->got);
	buf_free(&d->heard);
	deflater_free(&d->off);
	inflater_free(&d->on);
	close(d->peer);
	loop_free(&d->l);
}

static void say(struct side *d, struct span text)
{
	struct buf wire;

	buf_init(&wire, 1 << 20);
	assert_int_equal(deflater_run(d->off, text, DEFLATE_SYNC, &wire), ERR_OK);
	assert_int_equal(write(d->peer, wire.p, wire.n), wire.n);
	buf_free(&wire);
}

static void test_both_ways(void **state)
{
	struct side d;
	char first[16];

	begin(&d);
	stream_write_str(d.s, "a OK\r\n");
	assert_int_equal(stream_compress(d.s), ERR_OK);
	assert_int_equal(stream_compress(d.s), ERR_CANNOT);
	assert_true(stream_is_compressed(d.s));
	settle(&d);
	assert_int_equal(recv(d.peer, first, sizeof(first), MSG_DONTWAIT), 6);
	assert_memory_equal(first, "a OK\r\n", 6);
	for (int i = 0; i < 3; i++) {
		say(&d, SPAN("b NOOP\r\n"));
		settle(&d);
		stream_write_str(d.s, "b OK done\r\n");
		stream_answered(d.s);
		settle(&d);
		hear(&d);
	}
	assert_string_equal(buf_cstr(&d.got), "b NOOP\r\nb NOOP\r\nb NOOP\r\n");
	assert_string_equal(buf_cstr(&d.heard), "b OK done\r\nb OK done\r\nb OK done\r\n");
	assert_int_equal(stream_bytes_in(d.s), 24);
	assert_int_equal(stream_bytes_out(d.s), 6 + 33);
	assert_int_equal(stream_pending(d.s), 0);
	end(&d);
}

/* What the client sent behind its command, before it saw the answer, is compressed input. */
static void test_early_input(void **state)
{
	struct side d;

	begin(&d);
	d.keep = true;
	say(&d, SPAN("c CAPABILITY\r\n"));
	settle(&d);
	assert_int_equal(stream_compress(d.s), ERR_OK);
	d.keep = false;
	settle(&d);
	assert_string_equal(buf_cstr(&d.got), "c CAPABILITY\r\n");
	assert_int_equal(stream_bytes_in(d.s), 14);
	end(&d);
}

/* Two answers that are alike are as long as if they were not: the second says nothing about the first. */
static void test_apart(void **state)
{
	struct side d;
	char same[3000], other[3000];
	size_t first, again, different;
	unsigned seed = 7;

	for (size_t i = 0; i < sizeof(same); i++) {
		same[i] = (char)('a' + rand_r(&seed) % 26);
		other[i] = (char)('a' + rand_r(&seed) % 26);
	}
	begin(&d);
	stream_compress(d.s);
	stream_write(d.s, span_of(same, sizeof(same)));
	stream_answered(d.s);
	stream_flush(d.s);
	first = hear(&d);
	stream_write(d.s, span_of(same, sizeof(same)));
	stream_answered(d.s);
	stream_flush(d.s);
	again = hear(&d);
	stream_write(d.s, span_of(other, sizeof(other)));
	stream_answered(d.s);
	stream_flush(d.s);
	different = hear(&d);
	assert_true(first == again && again + 100 > different && different + 100 > again);
	assert_int_equal(d.heard.n, 3 * sizeof(same));
	end(&d);
}

/* More than the socket takes: nothing is lost, and what waits stays within the limits. */
static void test_much(void **state)
{
	struct side d;
	char *text = malloc(100000);
	unsigned seed = 3;

	begin(&d);
	stream_compress(d.s);
	for (size_t i = 0; i < 100000; i++)
		text[i] = (char)rand_r(&seed);
	for (size_t sent = 0; sent < 5000000; sent += 100000) {
		stream_write(d.s, span_of(text, 100000));
		while (stream_full(d.s)) {
			settle(&d);
			hear(&d);
		}
	}
	stream_finish(d.s);
	while (!d.closed) {
		hear(&d);
		settle(&d);
	}
	hear(&d);
	assert_int_equal(d.why, ERR_OK);
	assert_int_equal(d.heard.n, 5000000);
	for (size_t at = 0; at < d.heard.n; at += 100000)
		assert_memory_equal(d.heard.p + at, text, 100000);
	free(text);
	end(&d);
}

/* Ten megabytes in ten kilobytes: they come in pieces that the limits allow, and only as they are consumed. */
static void test_bomb(void **state)
{
	struct side d;
	char *zeros = calloc(1, 10 << 20);

	begin(&d);
	stream_compress(d.s);
	d.keep = true;
	say(&d, span_of(zeros, 10 << 20));
	settle(&d);
	assert_int_equal(stream_input(d.s).n, 65536);
	d.keep = false;
	stream_consume(d.s, 65536);
	settle(&d);
	while (d.got.n + 65536 < 10 << 20)
		settle(&d);
	assert_int_equal(d.got.n + 65536, 10 << 20);
	assert_true(d.largest <= 65536);
	free(zeros);
	end(&d);
}

static void test_damage(void **state)
{
	struct side d;

	begin(&d);
	stream_compress(d.s);
	assert_int_equal(write(d.peer, "a NOOP\r\n", 8), 8);
	settle(&d);
	assert_true(d.closed);
	assert_int_equal(d.why, ERR_PROTO);
	assert_string_equal(stream_why(d.s), "compressed input is damaged");
	end(&d);
}

static void test_end(void **state)
{
	struct side d;

	begin(&d);
	stream_compress(d.s);
	say(&d, SPAN("z LOGOUT\r\n"));
	shutdown(d.peer, SHUT_WR);
	settle(&d);
	assert_string_equal(buf_cstr(&d.got), "z LOGOUT\r\n");
	assert_true(d.closed && d.why == ERR_CLOSED);
	end(&d);
}

/* A process that dies says so in a stored block, which needs nothing of what was before; not in the middle of another one. */
static void test_last_words(void **state)
{
	static char big[65536];
	struct side d;
	char first[16];

	begin(&d);
	stream_write_str(d.s, "a OK\r\n");
	assert_int_equal(stream_compress(d.s), ERR_OK);
	settle(&d);
	assert_int_equal(recv(d.peer, first, sizeof(first), MSG_DONTWAIT), 6);
	stream_last_words(d.s, 0, SPAN("bye 1\r\n"));
	stream_write_str(d.s, "b OK\r\n");
	stream_answered(d.s);
	stream_last_words(d.s, 0, SPAN("not now\r\n")); /* an answer is on its way */
	settle(&d);
	stream_write_str(d.s, "c OK\r\n* 1");
	stream_last_words(d.s, 6, SPAN("bye 2\r\n"));
	hear(&d);
	assert_string_equal(buf_cstr(&d.heard), "bye 1\r\nb OK\r\nc OK\r\nbye 2\r\n");
	stream_last_words(d.s, 0, span_of(big, sizeof(big))); /* a block holds one less */
	assert_int_equal(hear(&d), 0);
	stream_last_words(d.s, 0, span_of(big, sizeof(big) - 1));
	hear(&d);
	assert_int_equal(d.heard.n, 26 + sizeof(big) - 1);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_early_input),
		cmocka_unit_test(test_apart),     cmocka_unit_test(test_much),
		cmocka_unit_test(test_bomb),      cmocka_unit_test(test_damage),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
