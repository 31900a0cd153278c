#include "codec/pack.h"

#include "base/must.h"
#include "tests/unit/mixed_text.h"

#include <sys/mman.h>
#include <unistd.h>

enum { TOTAL = 300000 };

static const char *const names[] = { "gz", "bz2", "zstd", "lz4" };

static void pack_all(enum pack_kind kind, struct span text, size_t piece, struct buf *out)
{
	struct packer *p;

	assert_int_equal(packer_new(kind, 0, &p), ERR_OK);
	for (; text.n; text = span_from(text, piece))
		assert_int_equal(packer_run(p, span_cut(text, 0, piece), text.n <= piece, out), ERR_OK);
	packer_free(&p);
}

static enum err unpack_all(enum pack_kind kind, struct span in, size_t piece, struct buf *out, bool *whole_r)
{
	struct unpacker *u;
	enum err e = unpacker_new(kind, &u);

	assert_int_equal(e, ERR_OK);
	for (; !e && in.n; in = span_from(in, piece)) {
		struct span part = span_cut(in, 0, piece);

		while (!e && (part.n || unpacker_more(u))) {
			size_t had = out->n;

			e = unpacker_run(u, &part, piece + 1, out);
			assert_true(out->n - had <= piece + 1);
		}
	}
	*whole_r = unpacker_whole(u);
	unpacker_free(&u);
	assert_null(u);
	return e;
}

/* Whatever the sizes of the pieces, what went in comes out; two files in a row are one; cut off anywhere it is not whole. */
static void test_round_trip(void **state)
{
	static const size_t pieces[] = { 1, 7, 1000, 65536, TOTAL };
	char *text = mixed_text(TOTAL);
	unsigned kinds = 0;

	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		enum pack_kind kind = pack_named(names[k]);
		struct buf wire, back;
		bool whole;

		if (!kind)
			continue;
		kinds++;
		buf_init(&wire, 4 << 20);
		buf_init(&back, 4 << 20);
		for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
			buf_clear(&wire);
			buf_clear(&back);
			pack_all(kind, span_of(text, TOTAL), pieces[p], &wire);
			assert_int_equal(pack_kind_of(span_cut(buf_span(&wire), 0, PACK_MAGIC)), kind);
			assert_int_equal(unpack_all(kind, buf_span(&wire), pieces[p], &back, &whole), ERR_OK);
			assert_true(whole);
			assert_int_equal(back.n, TOTAL);
			assert_memory_equal(back.p, text, TOTAL);
			for (size_t cut = 1; cut < wire.n; cut += 10007) {
				buf_clear(&back);
				assert_int_equal(unpack_all(kind, span_cut(buf_span(&wire), 0, cut), pieces[p] + 999, &back, &whole),
						 ERR_OK);
				assert_false(whole && back.n == TOTAL);
			}
		}
		if (kind != PACK_LZ4) {
			pack_all(kind, SPAN("and more"), 3, &wire);
			buf_clear(&back);
			assert_int_equal(unpack_all(kind, buf_span(&wire), 5000, &back, &whole), ERR_OK);
			assert_true(whole);
			assert_int_equal(back.n, TOTAL + 8);
		}
		buf_add_str(&wire, "no such thing behind it");
		buf_clear(&back);
		assert_int_equal(unpack_all(kind, buf_span(&wire), 5000, &back, &whole), ERR_CORRUPT);
		buf_free(&wire);
		buf_free(&back);
	}
	assert_true(kinds >= 1);
	free(text);
}

/* What is empty packs and unpacks, too. */
static void test_empty(void **state)
{
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		enum pack_kind kind = pack_named(names[k]);
		struct packer *p;
		struct buf wire, back;
		bool whole;

		if (!kind)
			continue;
		buf_init(&wire, 1 << 20);
		buf_init(&back, 1 << 20);
		assert_int_equal(packer_new(kind, 9, &p), ERR_OK);
		assert_int_equal(packer_run(p, span_of(NULL, 0), true, &wire), ERR_OK);
		packer_free(&p);
		assert_int_equal(unpack_all(kind, buf_span(&wire), 100, &back, &whole), ERR_OK);
		assert_true(whole);
		assert_int_equal(back.n, 0);
		buf_free(&wire);
		buf_free(&back);
	}
}

static void test_kinds(void **state)
{
	assert_int_equal(pack_kind_of(SPAN("From: a@b\n")), PACK_NONE);
	assert_int_equal(pack_kind_of(SPAN("")), PACK_NONE);
	assert_int_equal(pack_kind_of(SPAN("\x1f\x8b")), PACK_NONE);
	assert_int_equal(pack_kind_of(SPAN("BZh: a header field")), PACK_NONE);
	assert_int_equal(pack_kind_of(SPAN("BZh9\x31\x41\x59\x26\x53\x59")), PACK_BZ2);
	assert_int_equal(pack_named("none"), PACK_NONE);
	assert_int_equal(pack_named("gz"), PACK_GZ);
	assert_int_equal(pack_level(PACK_GZ, 0), 6);
	assert_int_equal(pack_level(PACK_GZ, 9), 9);
	assert_int_equal(pack_level(PACK_GZ, 10), 6);
}

/* Ten million zeros in some ten kilobytes: no call gives more than its room. */
static void test_bomb(void **state)
{
	char *zeros = calloc(1, 1000000);
	struct unpacker *u;
	struct packer *p;
	struct buf wire, back;
	struct span in;
	size_t total = 0;

	buf_init(&wire, 100000);
	buf_init(&back, 20000);
	assert_int_equal(packer_new(PACK_GZ, 9, &p), ERR_OK);
	for (int i = 0; i < 10; i++)
		assert_int_equal(packer_run(p, span_of(zeros, 1000000), i == 9, &wire), ERR_OK);
	assert_true(wire.n < 12000);
	assert_int_equal(unpacker_new(PACK_GZ, &u), ERR_OK);
	in = buf_span(&wire);
	while (in.n || unpacker_more(u)) {
		buf_clear(&back);
		assert_int_equal(unpacker_run(u, &in, 3000, &back), ERR_OK);
		assert_true(back.n <= 3000);
		total += back.n;
	}
	assert_int_equal(total, 10000000);
	assert_true(unpacker_whole(u));
	free(zeros);
	buf_free(&wire);
	buf_free(&back);
	unpacker_free(&u);
	packer_free(&p);
}

/* A file within another is read in pieces of any size; what is cut off ends with an error, not with less. */
static void test_file(void **state)
{
	char *text = mixed_text(TOTAL);
	int fd = memfd_create("packed", MFD_CLOEXEC);
	struct packed *p;
	struct buf wire, back;
	enum err e = ERR_OK;

	buf_init(&wire, 1 << 20);
	buf_init(&back, 1 << 20);
	pack_all(PACK_GZ, span_of(text, TOTAL), 1000, &wire);
	assert_int_equal(pwrite(fd, wire.p, wire.n, 77), wire.n);
	for (size_t room = 100; room < 1 << 20; room *= 10) {
		buf_clear(&back);
		assert_int_equal(packed_open(PACK_GZ, fd, 77, wire.n, &p), ERR_OK);
		while (!packed_over(p)) {
			size_t had = back.n;

			assert_int_equal(packed_read(p, room, &back), ERR_OK);
			assert_true(back.n - had <= room);
		}
		packed_close(&p);
		assert_int_equal(back.n, TOTAL);
		assert_memory_equal(back.p, text, TOTAL);
	}
	for (size_t n = wire.n - 1; n <= wire.n + 1; n += 2) { /* shorter; said to be longer than the file is */
		buf_clear(&back);
		assert_int_equal(packed_open(PACK_GZ, fd, 77, n, &p), ERR_OK);
		for (e = ERR_OK; !e && !packed_over(p);)
			e = packed_read(p, 4096, &back);
		packed_close(&p);
		assert_int_equal(e, ERR_CORRUPT);
	}
	packed_close(&p);
	close(fd);
	free(text);
	buf_free(&wire);
	buf_free(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
