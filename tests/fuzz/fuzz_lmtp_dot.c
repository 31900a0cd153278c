/* Dot-stuffing: any cut gives the same message and the same end; stuffing a message and decoding it gives it back. */
#include "base/must.h"
#include "wire/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool decode(struct span in, size_t chunk, struct buf *out, size_t *rest_r)
{
	struct dot_decoder d;
	struct span piece;

	dot_init(&d);
	while (in.n > 0 && d.state != DOT_DONE) {
		struct span part = span_cut(in, 0, chunk);
		size_t n = part.n;

		while (dot_next(&d, &part, &piece))
			buf_add_span(out, piece);
		must(part.n == 0 || d.state == DOT_DONE);
		in = span_from(in, n - part.n);
	}
	*rest_r = in.n;
	return d.state == DOT_DONE;
}

static void stuff(struct span in, struct buf *out)
{
	for (size_t i = 0; i < in.n; i++) {
		bool start = i == 0 || (i >= 2 && in.p[i - 1] == '\n' && in.p[i - 2] == '\r');

		if (start && in.p[i] == '.')
			buf_add_char(out, '.');
		buf_add_char(out, in.p[i]);
	}
	buf_add_str(out, "\r\n.\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct buf a, b, wire;
	size_t rest_a, rest_b;

	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	buf_init(&wire, 1 << 24);
	for (size_t chunk = 1; chunk < 4; chunk++) {
		bool done = decode(in, size + 1, &a, &rest_a);

		must(decode(in, chunk, &b, &rest_b) == done && rest_a == rest_b);
		must(span_eq(buf_span(&a), buf_span(&b)));
		buf_clear(&a);
		buf_clear(&b);
	}
	stuff(in, &wire);
	must(decode(buf_span(&wire), 5, &a, &rest_a) && rest_a == 0);
	must(a.n == size + 2 && span_eq(span_cut(buf_span(&a), 0, size), in));
	buf_free(&a);
	buf_free(&b);
	buf_free(&wire);
	return 0;
}
