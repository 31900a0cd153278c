/* The records: what is encoded is decoded; anything else is refused. */
#include "config.h"

#include "src/index/schema.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct buf out;

/* The body of what was encoded; and every shorter or longer one is refused by decode. */
static struct span body(void)
{
	assert_false(out.failed);
	return span_from(buf_span(&out), REC_FRAME);
}

static void keys(void **state)
{
	struct rec_key a = rec_key32_64(7, 0x0102030405060708ull), b = rec_key32_64(7, UINT64_MAX);
	struct rec_key c = rec_key32_32(8, 0), d = rec_key32(1);
	uint32_t n, m;
	uint64_t q;

	assert_memory_equal(a.b, "\0\0\0\7\1\2\3\4\5\6\7\10", 12);
	assert_true(span_cmp(rec_key_span(&a), rec_key_span(&b)) < 0);
	assert_true(span_cmp(rec_key_span(&b), rec_key_span(&c)) < 0);
	assert_true(rec_key_read32_64(rec_key_span(&a), &n, &q));
	assert_int_equal(n, 7);
	assert_int_equal(q, 0x0102030405060708ull);
	assert_false(rec_key_read32_64(rec_key_span(&c), &n, &q));
	assert_false(rec_key_read32_32(rec_key_span(&d), &n, &m));
	assert_int_equal(rec_key_number(&c), 8ull << 32);
	assert_int_equal(rec_key_number(&d), 0);
}

static void frame(void **state)
{
	struct rec_key k = rec_key32(5), other = rec_key32(6);
	struct span in, key = rec_key_span(&k);
	uint32_t sum, again;

	name_encode(77, &out);
	sum = rec_seal(REC_NAME, key, &out);
	assert_int_equal(rec_open(REC_NAME, key, buf_span(&out), &in, &again), ERR_OK);
	assert_int_equal(sum, again);
	assert_int_equal(in.n, 4);
	assert_int_equal(rec_open(REC_BOX, key, buf_span(&out), &in, NULL), ERR_CORRUPT);
	assert_int_equal(rec_open(REC_NAME, rec_key_span(&other), buf_span(&out), &in, NULL),
			 ERR_CORRUPT);
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(rec_open(REC_NAME, key, span_of(out.p, n), &in, NULL),
				 ERR_CORRUPT);
	for (size_t bit = 0; bit < out.n * 8; bit++) {
		out.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(rec_open(REC_NAME, key, buf_span(&out), &in, NULL), ERR_CORRUPT);
		out.p[bit / 8] ^= (char)(1 << bit % 8);
	}
}

#define REFUSES_OTHER_LENGTHS(decode, ...)                                                         \
	do {                                                                                       \
		struct span all_ = body();                                                         \
		for (size_t n_ = 0; n_ < all_.n; n_++)                                             \
			assert_int_equal(decode(span_of(all_.p, n_), __VA_ARGS__), ERR_CORRUPT);   \
		buf_add_char(&out, 'x');                                                           \
		assert_int_equal(decode(body(), __VA_ARGS__), ERR_CORRUPT);                        \
	} while (0)

static void small_ones(void **state)
{
	struct env_rec e = { 3, UINT64_MAX, 5, 99, 7, 42 }, f;
	uint32_t id;

	env_encode(&e, &out);
	assert_int_equal(env_decode(body(), &f), ERR_OK);
	assert_true(f.next_id == 3 && f.next_seq == UINT64_MAX && f.purges == 5 && f.txn == 99 &&
		    f.todos == 7 && f.file == 42);
	REFUSES_OTHER_LENGTHS(env_decode, &f);
	e.next_id = 0;
	env_encode(&e, &out);
	assert_int_equal(env_decode(body(), &f), ERR_CORRUPT);
	name_encode(9, &out);
	assert_int_equal(name_decode(body(), &id), ERR_OK);
	assert_int_equal(id, 9);
	REFUSES_OTHER_LENGTHS(name_decode, &id);
	name_encode(0, &out);
	assert_int_equal(name_decode(body(), &id), ERR_CORRUPT);
}

static void box(void **state)
{
	struct box_rec r = { .pub = { .name = SPAN("1x"),
				      .uidvalidity = 1,
				      .uidnext = 2,
				      .highestmodseq = 3,
				      .log_floor = 3,
				      .messages = 5,
				      .unseen = 4,
				      .deleted = 5,
				      .recent_from = 8,
				      .vsize = 9,
				      .unsized = 3,
				      .guid = { 10 },
				      .flags = 11,
				      .token = SPAN("tok"),
				      .keywords = SPAN("a\0b\0") },
			     .space = 12,
			     .todos = 13,
			     .map_sum = 14 };
	struct box_rec s;

	box_encode(&r, &out);
	assert_int_equal(box_decode(body(), &s), ERR_OK);
	assert_int_equal(s.pub.uidvalidity, 1);
	assert_int_equal(s.pub.uidnext, 2);
	assert_int_equal(s.pub.highestmodseq, 3);
	assert_int_equal(s.pub.unseen, 4);
	assert_int_equal(s.pub.recent_from, 8);
	assert_int_equal(s.pub.vsize, 9);
	assert_int_equal(s.pub.unsized, 3);
	assert_int_equal(s.pub.guid[0], 10);
	assert_int_equal(s.pub.flags, 11);
	assert_true(s.space == 12 && s.todos == 13 && s.map_sum == 14);
	assert_true(span_eq(s.pub.name, r.pub.name) && span_eq(s.pub.token, r.pub.token));
	assert_true(span_eq(s.pub.keywords, r.pub.keywords));
	REFUSES_OTHER_LENGTHS(box_decode, &s);
	r.pub.unseen = 6; /* more than there are */
	box_encode(&r, &out);
	assert_int_equal(box_decode(body(), &s), ERR_CORRUPT);
	r.pub.unseen = 0;
	r.pub.log_floor = 4;
	box_encode(&r, &out);
	assert_int_equal(box_decode(body(), &s), ERR_CORRUPT);
	r.pub.log_floor = 0;
	r.pub.keywords = SPAN("open end");
	box_encode(&r, &out);
	assert_int_equal(box_decode(body(), &s), ERR_CORRUPT);
}

static void map(void **state)
{
	struct map_block b = { 0 }, c;

	map_encode(&b, &out);
	assert_int_equal(map_decode(body(), &c), ERR_CORRUPT); /* empty ones are not kept */
	b.present[0] = 0x8000000000000001ull;
	b.present[15] = 2;
	b.flag[3][15] = 2;
	b.tag[1023] = 0xab;
	map_encode(&b, &out);
	assert_int_equal(map_decode(body(), &c), ERR_OK);
	assert_memory_equal(&b, &c, sizeof(b));
	REFUSES_OTHER_LENGTHS(map_decode, &c);
	b.flag[4][3] = 1; /* of a message that is not there */
	map_encode(&b, &out);
	assert_int_equal(map_decode(body(), &c), ERR_CORRUPT);
}

static void msg(void **state)
{
	struct idx_msg m = { .flags = { 0xff, 1ull << 63 },
			     .modseq = 5,
			     .internaldate = -6,
			     .savedate = INT64_MIN,
			     .size = 7,
			     .vsize = UINT64_MAX,
			     .sent = -5,
			     .emailid = { 1, [15] = 2 },
			     .key = SPAN("key"),
			     .hint = SPAN("") };
	struct idx_msg g;

	msg_encode(&m, &out);
	assert_int_equal(msg_decode(body(), &g), ERR_OK);
	assert_int_equal(g.flags.system, MAIL_SYSTEM);
	assert_int_equal(g.flags.keywords, 1ull << 63);
	assert_int_equal(g.modseq, 5);
	assert_int_equal(g.internaldate, -6);
	assert_int_equal(g.savedate, INT64_MIN);
	assert_int_equal(g.size, 7);
	assert_int_equal(g.vsize, UINT64_MAX);
	assert_int_equal(g.sent, -5);
	assert_memory_equal(g.emailid, m.emailid, 16);
	assert_true(span_eq(g.key, m.key) && g.hint.n == 0);
	REFUSES_OTHER_LENGTHS(msg_decode, &g);
	msg_encode(&m, &out);
	out.p[REC_FRAME] = 0x20; /* \Recent is never stored */
	assert_int_equal(msg_decode(body(), &g), ERR_CORRUPT);
}

static void log_sets(void **state)
{
	struct set a = SET_EMPTY, b = SET_EMPTY, c = SET_EMPTY, d = SET_EMPTY;
	static const char *const bad[] = { "\1\0\0\0", "\1\1\x80", "\1\xff\xff\xff\xff\x10\0\0",
					   "\2\1\0\0\0\0",
					   "\xff\xff\xff\xff\xff\xff\xff\xff\xff\1" };
	static const size_t bad_n[] = { 4, 3, 8, 6, 10 };

	set_add_range(&a, 1, 1);
	set_add_range(&a, 300, 70000);
	set_add(&a, UINT32_MAX);
	set_add_range(&b, 2, UINT32_MAX);
	log_encode(&a, &b, &out);
	assert_int_equal(log_decode(body(), &c, &d), ERR_OK);
	assert_int_equal(c.n, 3);
	assert_memory_equal(a.r, c.r, 3 * sizeof(*a.r));
	assert_int_equal(d.n, 1);
	assert_memory_equal(b.r, d.r, sizeof(*b.r));
	REFUSES_OTHER_LENGTHS(log_decode, &c, &d);
	log_encode(NULL, NULL, &out);
	assert_int_equal(body().n, 2);
	assert_int_equal(log_decode(body(), &c, &d), ERR_OK);
	for (size_t n = 0; n < 5; n++)
		assert_int_equal(log_decode(span_of(bad[n], bad_n[n]), &c, &d), ERR_CORRUPT);
	set_free(&a);
	set_free(&b);
	set_free(&c);
	set_free(&d);
}

static void cache(void **state)
{
	struct idx_cache c = { .field[IDX_BODY] = SPAN("body"), .field[IDX_PREVIEW] = SPAN("") }, d;

	cache_encode(&c, &out);
	assert_int_equal(cache_decode(body(), IDX_ALL_FIELDS, &d), ERR_OK);
	assert_true(span_eq_str(d.field[IDX_BODY], "body"));
	assert_non_null(d.field[IDX_PREVIEW].p);
	assert_null(d.field[IDX_ENVELOPE].p);
	assert_int_equal(cache_decode(body(), 1u << IDX_PREVIEW, &d), ERR_OK);
	assert_null(d.field[IDX_BODY].p);
	REFUSES_OTHER_LENGTHS(cache_decode, IDX_ALL_FIELDS, &d);
	assert_int_equal(cache_decode(SPAN("\x80"), IDX_ALL_FIELDS, &d), ERR_CORRUPT);
	assert_int_equal(cache_decode(SPAN("\1\xff\xff\xff\xff....."), IDX_ALL_FIELDS, &d), ERR_CORRUPT);
}

/* Each byte is checked, that of a field when the field is wanted: so one field can be read without the others. */
static void cache_damage(void **state)
{
	static const struct idx_cache c = { .field[IDX_ENVELOPE] = SPAN_INIT("envelope"), .field[IDX_HEADERS] = SPAN_INIT("headers") };
	struct rec_key k = rec_key32_32(1, 2);
	struct span key = rec_key_span(&k), in;
	struct idx_cache d;

	cache_encode(&c, &out);
	rec_seal(REC_CACHE, key, &out);
	for (size_t i = 0; i < out.n; i++) {
		size_t head = REC_FRAME + 1 + 16;
		bool envelope = i >= head && i < head + 8, headers = i >= head + 8;

		out.p[i] ^= 0x10;
		assert_int_equal(rec_open(REC_CACHE, key, buf_span(&out), &in, NULL), i < head ? ERR_CORRUPT : ERR_OK);
		if (i >= head) {
			assert_int_equal(cache_decode(in, 1u << IDX_ENVELOPE, &d), envelope ? ERR_CORRUPT : ERR_OK);
			assert_int_equal(cache_decode(in, 1u << IDX_HEADERS, &d), headers ? ERR_CORRUPT : ERR_OK);
			assert_int_equal(cache_decode(in, IDX_ALL_FIELDS, &d), ERR_CORRUPT);
		}
		out.p[i] ^= 0x10;
	}
	for (size_t n = 0; n < out.n; n++)
		assert_true(rec_open(REC_CACHE, key, span_of(out.p, n), &in, NULL) || cache_decode(in, 0, &d));
}

static void todo(void **state)
{
	struct idx_todo t = { .kind = IDX_TODO_EXPUNGE,
			      .uid = 4,
			      .flags = { MAIL_SEEN, 5 },
			      .key = SPAN("k"),
			      .hint = SPAN("hint") };
	struct idx_todo u;

	todo_encode(&t, &out);
	assert_int_equal(todo_decode(body(), &u), ERR_OK);
	assert_true(u.kind == IDX_TODO_EXPUNGE && u.uid == 4 && u.flags.system == MAIL_SEEN &&
		    u.flags.keywords == 5);
	assert_true(span_eq_str(u.key, "k") && span_eq_str(u.hint, "hint"));
	REFUSES_OTHER_LENGTHS(todo_decode, &u);
	todo_encode(&t, &out);
	out.p[REC_FRAME] = IDX_TODO_KINDS;
	assert_int_equal(todo_decode(body(), &u), ERR_CORRUPT);
}

static int setup(void **state)
{
	buf_init(&out, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	buf_free(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),     cmocka_unit_test(frame), cmocka_unit_test(small_ones),
		cmocka_unit_test(box),      cmocka_unit_test(map),   cmocka_unit_test(msg),
		cmocka_unit_test(log_sets), cmocka_unit_test(cache), cmocka_unit_test(cache_damage), cmocka_unit_test(todo),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
