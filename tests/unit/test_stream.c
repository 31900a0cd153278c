#include "io/stream.h"
#include "base/must.h"

#include "tests/unit/test.h"

#include <sys/socket.h>
#include <unistd.h>

/* A stream and what became of it; the other end of its socket is plain. */
struct side {
	struct loop *l;
	struct stream *s;
	int peer;
	struct buf got;
	int calls, drained;
	bool ended, closed;
	enum err why;
	struct loop_timer end;
	size_t lines;          /* consume only whole lines, count them */
	bool pause_each, free_on_input;
};

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

/* Runs the loop until nothing more can happen at once. */
static void settle(struct side *d)
{
	loop_timer_set(d->l, &d->end, 10, on_stop, d->l);
	loop_run(d->l);
}

static void on_input(void *ctx)
{
	struct side *d = ctx;
	struct span in = stream_input(d->s);
	size_t at;

	d->calls++;
	if (d->free_on_input) {
		stream_free(&d->s);
		return;
	}
	while ((at = span_find(in, '\n')) != SIZE_MAX) {
		buf_add(&d->got, in.p, at + 1);
		stream_consume(d->s, at + 1);
		d->lines++;
		in = stream_input(d->s);
		if (d->pause_each) {
			stream_pause(d->s);
			return;
		}
	}
}

static void on_drained(void *ctx)
{
	((struct side *)ctx)->drained++;
}

static void on_ended(void *ctx)
{
	((struct side *)ctx)->ended = true;
}

static void on_closed(void *ctx, enum err why)
{
	struct side *d = ctx;

	assert_false(d->closed);
	d->closed = true;
	d->why = why;
}

static const struct stream_handler plain = { .input = on_input, .drained = on_drained, .closed = on_closed };
static const struct stream_handler half = { .input = on_input, .drained = on_drained, .ended = on_ended, .closed = on_closed };

static void begin(struct side *d, const struct stream_limits *limits)
{
	int fd[2];

	*d = (struct side){ .l = loop_new() };
	buf_init(&d->got, 1 << 20);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	d->peer = fd[1];
	d->s = stream_new(d->l, fd[0], limits, &plain, d);
}

static void end(struct side *d)
{
	stream_free(&d->s);
	buf_free(&d->got);
	close(d->peer);
	loop_free(&d->l);
}

static void say(struct side *d, const char *text)
{
	assert_int_equal(write(d->peer, text, strlen(text)), strlen(text));
}

static void test_input(void **state)
{
	struct side d;

	begin(&d, NULL);
	say(&d, "one\ntw");
	settle(&d);
	assert_string_equal(buf_cstr(&d.got), "one\n");
	assert_true(span_eq_str(stream_input(d.s), "tw"));
	say(&d, "o\nthree\nrest");
	settle(&d);
	assert_string_equal(buf_cstr(&d.got), "one\ntwo\nthree\n");
	assert_true(span_eq_str(stream_input(d.s), "rest"));
	assert_int_equal(stream_bytes_in(d.s), 18);
	assert_int_equal(stream_preload(d.s, SPAN(" more\n")), ERR_OK);
	settle(&d);
	assert_int_equal(d.lines, 4);
	end(&d);
}

/* Pipelined lines, taken one at a time, none lost and none called twice. */
static void test_pause(void **state)
{
	struct side d;

	begin(&d, NULL);
	d.pause_each = true;
	say(&d, "a\nb\nc\n");
	for (size_t i = 1; i <= 4; i++) {
		settle(&d);
		assert_int_equal(d.lines, i > 3 ? 3 : i);
		stream_resume(d.s);
	}
	close(d.peer);
	d.peer = dup(0);
	settle(&d);
	assert_true(d.closed && d.why == ERR_CLOSED && stream_eof(d.s));
	end(&d);
}

static void test_input_cap(void **state)
{
	static const struct stream_limits small = { .in_max = 10 };
	struct side d;
	char rest[64];

	begin(&d, &small);
	say(&d, "0123456789abcdef\n");
	settle(&d);
	assert_int_equal(stream_input(d.s).n, 10);
	assert_int_equal(d.calls, 1);
	assert_int_equal(stream_preload(d.s, SPAN("x")), ERR_LIMIT);
	stream_consume(d.s, 10);
	settle(&d);
	assert_string_equal(buf_cstr(&d.got), "abcdef\n");
	assert_int_equal(recv(d.peer, rest, sizeof(rest), MSG_DONTWAIT), -1);
	end(&d);
}

/* Many small writes leave as one packet, at the end of the iteration. */
static void test_cork(void **state)
{
	struct side d;
	char got[256];

	begin(&d, NULL);
	for (int i = 0; i < 10; i++)
		stream_printf(d.s, "line %d\n", i);
	buf_add_str(stream_out(d.s), "direct\n");
	stream_push(d.s);
	assert_int_equal(recv(d.peer, got, sizeof(got), MSG_DONTWAIT), -1);
	settle(&d);
	assert_int_equal(recv(d.peer, got, sizeof(got), MSG_DONTWAIT), 77);
	assert_memory_equal(got + 63, "line 9\ndirect\n", 14);
	assert_int_equal(stream_bytes_out(d.s), 77);
	assert_int_equal(stream_pending(d.s), 0);
	end(&d);
}

static size_t drain_peer(struct side *d, char *out, size_t have)
{
	ssize_t n;

	while ((n = recv(d->peer, out + have, 65536, MSG_DONTWAIT)) > 0)
		have += (size_t)n;
	return have;
}

/* A slow reader: the writer is told to stop and to go on; every byte arrives in order. */
static void test_flow(void **state)
{
	enum { TOTAL = 3 << 20, PIECE = 24000 };
	char *want = malloc(TOTAL + 65536), *got = malloc(TOTAL + 65536);
	size_t sent = 0, have = 0;
	struct side d;
	int stops = 0;

	for (size_t i = 0; i < TOTAL; i++)
		want[i] = (char)(i * 7 + i / 1000);
	begin(&d, NULL);
	while (have < TOTAL) {
		while (sent < TOTAL && !stream_full(d.s)) {
			size_t n = sent % 3 ? 100 : PIECE;

			n = n < TOTAL - sent ? n : TOTAL - sent;
			stream_write(d.s, span_of(want + sent, n));
			sent += n;
		}
		stops += stream_full(d.s);
		have = drain_peer(&d, got, have);
		loop_timer_set(d.l, &d.end, 1, on_stop, d.l);
		loop_run(d.l);
	}
	assert_int_equal(have, TOTAL);
	assert_memory_equal(want, got, TOTAL);
	assert_true(stops > 1 && d.drained >= stops - 1);
	end(&d);
	free(want);
	free(got);
}

static void test_output_cap(void **state)
{
	static const struct stream_limits small = { .out_max = 200000 };
	static char block[100000];
	struct side d;

	begin(&d, &small);
	for (int i = 0; i < 8; i++)
		stream_write(d.s, span_of(block, sizeof(block)));
	settle(&d);
	assert_true(d.closed && d.why == ERR_LIMIT);
	assert_true(strlen(stream_why(d.s)) > 10);
	stream_write_str(d.s, "dropped");
	assert_int_equal(stream_pending(d.s), 0);
	end(&d);
}

static void test_finish(void **state)
{
	static char block[1 << 20];
	char *got = malloc(sizeof(block) + 65536 + 4);
	size_t have = 0;
	struct side d;

	begin(&d, NULL);
	say(&d, "unread");
	stream_write(d.s, span_of(block, sizeof(block)));
	stream_write_str(d.s, "bye\n");
	stream_finish(d.s);
	stream_write_str(d.s, "too late");
	settle(&d);
	assert_false(d.closed);
	for (int i = 0; i < 1000 && !d.closed; i++) {
		have = drain_peer(&d, got, have);
		settle(&d);
	}
	have = drain_peer(&d, got, have);
	assert_true(d.closed && d.why == ERR_OK);
	assert_int_equal(have, sizeof(block) + 4);
	assert_int_equal(d.calls, 0);
	free(got);
	end(&d);
}

static void test_half_close(void **state)
{
	struct side d;
	char got[16];

	begin(&d, NULL);
	stream_set_handler(d.s, &half, &d);
	say(&d, "last\n");
	shutdown(d.peer, SHUT_WR);
	settle(&d);
	assert_true(d.ended && !d.closed && d.lines == 1);
	stream_write_str(d.s, "answer");
	settle(&d);
	assert_int_equal(recv(d.peer, got, sizeof(got), 0), 6);
	close(d.peer);
	d.peer = dup(0);
	stream_write_str(d.s, "nobody");
	settle(&d);
	assert_true(d.closed && d.why == ERR_CLOSED);
	end(&d);
}

static void test_take_fd(void **state)
{
	struct buf rest;
	struct side d;
	char got[16];
	int fd = -1;

	begin(&d, NULL);
	buf_init(&rest, 100);
	say(&d, "cmd\nleft over");
	settle(&d);
	stream_write_str(d.s, "ok\n");
	assert_int_equal(stream_take_fd(&d.s, &fd, &rest), ERR_OK);
	assert_null(d.s);
	assert_string_equal(buf_cstr(&rest), "left over");
	assert_int_equal(recv(d.peer, got, sizeof(got), 0), 3);
	assert_int_equal(write(fd, "x", 1), 1);
	settle(&d);
	close(fd);
	buf_free(&rest);
	end(&d);
}

static void test_free_inside(void **state)
{
	struct side d;

	begin(&d, NULL);
	d.free_on_input = true;
	say(&d, "boom\nboom\n");
	settle(&d);
	assert_null(d.s);
	assert_int_equal(d.calls, 1);
	end(&d);
}

static void on_sent(void *ctx, struct span bytes)
{
	struct side *d = ctx;

	buf_add_span(&d->got, bytes);
}

/* What the peer can read now. */
static const char *heard(struct side *d)
{
	static char text[4096];
	ssize_t n = recv(d->peer, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The owner hears of every byte when it goes, and only then. */
static void test_sent(void **state)
{
	static const struct stream_handler listens = { .closed = on_closed, .sent = on_sent };
	char big[20000];
	struct side d;

	memset(big, 'x', sizeof(big));
	begin(&d, NULL);
	stream_set_handler(d.s, &listens, &d);
	stream_write_str(d.s, "one ");
	assert_int_equal(d.got.n, 0);
	stream_write(d.s, span_of(big, sizeof(big))); /* goes at once, with what was before it */
	assert_int_equal(d.got.n, 4 + sizeof(big));
	assert_memory_equal(d.got.p, "one xx", 6);
	stream_write_str(d.s, "two");
	assert_true(span_eq_str(stream_unsent(d.s), "two"));
	settle(&d);
	assert_int_equal(d.got.n, 7 + sizeof(big));
	end(&d);
}

static void test_last_words(void **state)
{
	struct side d;

	begin(&d, NULL);
	stream_last_words(d.s, 0, SPAN("bye\n"));
	assert_string_equal(heard(&d), "bye\n");
	stream_write_str(d.s, "one\ntw");
	stream_last_words(d.s, 4, SPAN("bye\n"));
	assert_string_equal(heard(&d), "one\nbye\n");
	stream_last_words(d.s, 0, SPAN("bye\n"));
	assert_string_equal(heard(&d), "bye\n");
	stream_finish(d.s);
	settle(&d);
	assert_string_equal(heard(&d), "one\ntw");
	stream_last_words(d.s, 0, SPAN("bye\n")); /* it is over */
	assert_string_equal(heard(&d), "");
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),      cmocka_unit_test(test_pause),
		cmocka_unit_test(test_input_cap),  cmocka_unit_test(test_cork),
		cmocka_unit_test(test_flow),       cmocka_unit_test(test_output_cap),
		cmocka_unit_test(test_finish),     cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_take_fd),    cmocka_unit_test(test_free_inside),
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
