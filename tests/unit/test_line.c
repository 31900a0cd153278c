/* Lines and dot-stuffing, however the input is cut. */
#include "wire/line.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* All events as text: "[line]", "LONG", "BAD". */
static void lines(struct span in, size_t chunk, bool lf_ok, struct buf *out)
{
	struct line_reader r;
	struct span line;
	size_t used;

	line_init(&r, 8, lf_ok);
	while (in.n > 0) {
		enum line_event e = line_feed(&r, span_cut(in, 0, chunk), &used, &line);

		in = span_from(in, used);
		if (e == LINE_READY)
			buf_printf(out, "[%.*s]", (int)line.n, line.p);
		else if (e != LINE_MORE)
			buf_add_str(out, e == LINE_BAD ? "BAD" : "LONG");
	}
	line_free(&r);
}

static void check_lines(struct span in, bool lf_ok, const char *expect)
{
	for (size_t chunk = 1; chunk <= in.n; chunk++) {
		struct buf out;

		buf_init(&out, 4096);
		lines(in, chunk, lf_ok, &out);
		assert_string_equal(buf_cstr(&out), expect);
		buf_free(&out);
	}
}

static void test_lines(void **state)
{
	check_lines(SPAN("NOOP\r\nQUIT\r\n\r\nx"), false, "[NOOP][QUIT][]");
	check_lines(SPAN("12345678\r\n123456789\r\na\r\n"), false, "[12345678]LONG[a]");
	check_lines(SPAN("a\nb\r\n"), false, "BAD[b]");
	check_lines(SPAN("a\nb\r\n\n"), true, "[a][b][]");
	check_lines(SPAN("a\rb\r\na\0b\r\nok\r\n"), false, "BADBAD[ok]");
	check_lines(SPAN("a\rb\nok\n"), true, "BAD[ok]");
	check_lines(SPAN("01234567890123456789012345678901234567890123456789\nok\r\n"), false, "LONG[ok]");
}

/* Decodes in chunks; returns the unread rest's length; the message goes to out. */
static size_t undot(struct span in, size_t chunk, struct buf *out, bool *done_r)
{
	struct dot_decoder d;
	struct span piece;

	dot_init(&d);
	while (in.n > 0 && d.state != DOT_DONE) {
		struct span part = span_cut(in, 0, chunk);
		size_t n = part.n;

		while (dot_next(&d, &part, &piece)) {
			assert_true(piece.n > 0);
			buf_add_span(out, piece);
		}
		in = span_from(in, n - part.n);
	}
	*done_r = d.state == DOT_DONE;
	return in.n;
}

static void check_dot(struct span in, struct span expect, size_t rest, bool done)
{
	for (size_t chunk = 1; chunk <= in.n; chunk++) {
		bool got_done;
		struct buf out;

		buf_init(&out, 4096);
		assert_int_equal(undot(in, chunk, &out, &got_done), rest);
		assert_int_equal(got_done, done);
		assert_int_equal(out.n, expect.n);
		if (expect.n > 0)
			assert_memory_equal(out.p, expect.p, expect.n);
		buf_free(&out);
	}
}

#define DOT(in, expect, rest, done) check_dot(SPAN(in), SPAN(expect), rest, done)

static void test_dots(void **state)
{
	DOT("a\r\n.\r\nQUIT", "a\r\n", 4, true);
	DOT(".\r\n", "", 0, true);
	DOT("..\r\n.\r\n", ".\r\n", 0, true);
	DOT(".a\r\n...\r\n.\r\n", "a\r\n..\r\n", 0, true);
	DOT("a.b\r\n.\r", "a.b\r\n", 0, false);
	DOT("\r\n\r\n.\r\n", "\r\n\r\n", 0, true);
	DOT("x", "x", 0, false);
}

/* Smuggling: none of these ends the message or loses a byte. */
static void test_bare_ends(void **state)
{
	DOT("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", 0, true);
	DOT("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", 0, true);
	DOT("a\r.\rb\r\n.\r\n", "a\r.\rb\r\n", 0, true);
	DOT("a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", 0, true);
	DOT("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", 0, true); /* the dot at a line start is stuffing by 4.5.2 */
	DOT("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", 0, true);
	DOT("a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n", 0, true);
	DOT("a\r\r\n.\r\n", "a\r\r\n", 0, true);
	DOT("a\0\r\n.\r\n", "a\0\r\n", 0, true);
	DOT("\n.\r\n.\r\n", "\n.\r\n", 0, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_dots),
		cmocka_unit_test(test_bare_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
