#include "codec/deflate.h"

#include "tests/unit/mixed_text.h"

enum { TOTAL = 200000 };

/* Whatever the sizes of the pieces, what went in comes out. */
static void test_round_trip(void **state)
{
	static const size_t pieces[] = { 1, 7, 1000, 65536, TOTAL };
	char *text = mixed_text(TOTAL);

	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		struct deflater *d = deflater_new(6);
		struct inflater *i = inflater_new();
		struct buf wire, back;
		struct span in;

		buf_init(&wire, 4 << 20);
		buf_init(&back, 4 << 20);
		for (size_t at = 0; at < TOTAL; at += 40000)
			assert_int_equal(deflater_run(d, span_of(text + at, 40000), (enum deflate_flush)(at / 40000 % 3), &wire),
					 ERR_OK);
		assert_int_equal(deflater_run(d, span_of(NULL, 0), DEFLATE_SYNC, &wire), ERR_OK);
		for (size_t at = 0; at < wire.n; at += pieces[p]) {
			in = span_cut(buf_span(&wire), at, pieces[p]);
			while (in.n || inflater_more(i))
				assert_int_equal(inflater_run(i, &in, pieces[p] + 1, &back), ERR_OK);
			inflater_rest(i);
		}
		assert_int_equal(back.n, TOTAL);
		assert_memory_equal(back.p, text, TOTAL);
		buf_free(&wire);
		buf_free(&back);
		deflater_free(&d);
		inflater_free(&i);
	}
	free(text);
}

/* What was said before a rest may be referred to after it. */
static void test_rest(void **state)
{
	struct deflater *d = deflater_new(9);
	struct inflater *i = inflater_new();
	struct buf wire, back;
	struct span in;
	char *text = mixed_text(TOTAL);
	size_t first;

	buf_init(&wire, 1 << 20);
	buf_init(&back, 1 << 20);
	inflater_rest(i);
	assert_int_equal(deflater_run(d, span_of(text, 20000), DEFLATE_SYNC, &wire), ERR_OK);
	first = wire.n;
	assert_int_equal(deflater_run(d, span_of(text, 20000), DEFLATE_SYNC, &wire), ERR_OK);
	assert_true(wire.n - first < 500);
	in = span_cut(buf_span(&wire), 0, first);
	assert_int_equal(inflater_run(i, &in, 20000, &back), ERR_OK);
	inflater_rest(i);
	inflater_rest(i);
	in = span_from(buf_span(&wire), first);
	assert_int_equal(inflater_run(i, &in, 20001, &back), ERR_OK);
	assert_int_equal(back.n, 40000);
	assert_memory_equal(back.p + 20000, text, 20000);
	inflater_rest(i);
	buf_free(&wire);
	buf_free(&back);
	deflater_free(&d);
	inflater_free(&i);
	free(text);
}

/* A million zeros in a kilobyte: no call gives more than its room. */
static void test_bomb(void **state)
{
	struct deflater *d = deflater_new(9);
	struct inflater *i = inflater_new();
	char *zeros = calloc(1, 1000000);
	struct buf wire, back;
	struct span in;
	size_t total = 0;

	buf_init(&wire, 10000);
	buf_init(&back, 5000);
	assert_int_equal(deflater_run(d, span_of(zeros, 1000000), DEFLATE_SYNC, &wire), ERR_LIMIT); /* no room to reserve */
	deflater_free(&d);
	d = deflater_new(9);
	buf_free(&wire);
	buf_init(&wire, 100000);
	assert_int_equal(deflater_run(d, span_of(zeros, 1000000), DEFLATE_SYNC, &wire), ERR_OK);
	assert_true(wire.n < 2000);
	in = buf_span(&wire);
	while (in.n || inflater_more(i)) {
		buf_clear(&back);
		assert_int_equal(inflater_run(i, &in, 3000, &back), ERR_OK);
		assert_true(back.n <= 3000);
		total += back.n;
	}
	assert_int_equal(total, 1000000);
	free(zeros);
	buf_free(&wire);
	buf_free(&back);
	deflater_free(&d);
	inflater_free(&i);
}

static void test_damaged(void **state)
{
	struct inflater *i = inflater_new();
	struct span in = SPAN("\xff\xff\xff\xff");
	struct buf back;

	buf_init(&back, 1000);
	assert_int_equal(inflater_run(i, &in, 100, &back), ERR_CORRUPT);
	inflater_free(&i);
	i = inflater_new();
	in = SPAN("\x03\x00rest"); /* an empty last block */
	assert_int_equal(inflater_run(i, &in, 100, &back), ERR_CLOSED);
	assert_true(span_eq_str(in, "rest"));
	inflater_free(&i);
	buf_free(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
