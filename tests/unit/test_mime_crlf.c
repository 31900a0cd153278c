#include "mime/crlf.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static const struct {
	const char *in, *want;
} texts[] = {
	{ "", "" },
	{ "abc", "abc" },
	{ "\n", "\r\n" },
	{ "a\nb\n", "a\r\nb\r\n" },
	{ "a\r\nb\r\n", "a\r\nb\r\n" },
	{ "a\r\nb\n\n\r\nc\r", "a\r\nb\r\n\r\n\r\nc\r" },
	{ "\r\r\n\r", "\r\r\n\r" },
	{ "\n\n\n", "\r\n\r\n\r\n" },
};

static void test_whole(void **state)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct mime_crlf st = MIME_CRLF_START;
		struct buf out;

		buf_init(&out, 1000);
		mime_crlf_add(&st, span_str(texts[i].in), &out);
		assert_string_equal(buf_cstr(&out), texts[i].want);
		assert_int_equal(mime_crlf_size(span_str(texts[i].in)), strlen(texts[i].want));
		buf_free(&out);
	}
}

/* Source in pieces of in_max, output in pieces of out_max: always the same bytes. */
static void check_pieces(size_t i, size_t in_max, size_t out_max)
{
	struct span in = span_str(texts[i].in);
	struct mime_crlf st = MIME_CRLF_START;
	struct buf out;

	buf_init(&out, 1000);
	while (in.n) {
		size_t before = out.n;
		size_t ate = mime_crlf_copy(&st, span_cut(in, 0, in_max), out_max, &out);

		assert_true(out.n - before <= out_max);
		assert_true(ate || out.n > before);
		in = span_from(in, ate);
	}
	assert_string_equal(buf_cstr(&out), texts[i].want);
	buf_free(&out);
}

static void test_pieces(void **state)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t a = 1; a < 5; a++)
			for (size_t b = 1; b < 5; b++)
				check_pieces(i, a, b);
}

static void test_seek(void **state)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t voff = 0; voff <= strlen(texts[i].want); voff++) {
			struct span in = span_str(texts[i].in);
			struct mime_crlf st;
			struct buf out;

			buf_init(&out, 1000);
			in = span_from(in, mime_crlf_seek(&st, in, voff));
			mime_crlf_add(&st, in, &out);
			assert_string_equal(buf_cstr(&out), texts[i].want + voff);
			buf_free(&out);
		}
	}
}

/* Longer than what is looked at at once, against one byte after the other. */
static void test_long(void **state)
{
	static const char alphabet[] = "aaaaaa\r\n\n";
	unsigned seed = 1;
	char text[400];

	for (int round = 0; round < 3000; round++) {
		struct mime_crlf st = MIME_CRLF_START;
		size_t n = (size_t)rand_r(&seed) % sizeof(text), want = 0;
		struct buf out, model;

		buf_init(&out, 1000);
		buf_init(&model, 1000);
		for (size_t i = 0; i < n; i++) {
			text[i] = alphabet[rand_r(&seed) % (sizeof(alphabet) - 1)];
			if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
				buf_add_char(&model, '\r');
			buf_add_char(&model, text[i]);
		}
		want = model.n;
		assert_int_equal(mime_crlf_size(span_of(text, n)), want);
		mime_crlf_add(&st, span_of(text, n), &out);
		assert_int_equal(out.n, want);
		assert_memory_equal(buf_cstr(&out), buf_cstr(&model), want);
		buf_free(&out);
		buf_free(&model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
