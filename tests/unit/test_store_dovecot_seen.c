/* What Dovecot's index says was seen: base, log, what is torn, damaged or cut off. */
#include "store_room.h"

#include "src/store/dovecot_seen.h"

/* A log as Dovecot 2.3.19 wrote it: messages 1 to 3 were added, 1 and 3 were seen; UIDVALIDITY 1795347121. */
static const unsigned char real_log[] = {
	0x01, 0x03, 0x28, 0x00, 0xb1, 0xd2, 0x02, 0x6b, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0xb1, 0xd2, 0x02, 0x6b, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x80, 0x80, 0x83, 0x00, 0x00, 0x08, 0x10,
	0x7c, 0x00, 0x00, 0x00, 0x80, 0x80, 0x80, 0x86, 0x20, 0x00, 0x00, 0x10, 0x18, 0x00, 0x04, 0x00,
	0xb1, 0xd2, 0x02, 0x6b, 0x4c, 0x00, 0x04, 0x00, 0xff, 0xff, 0xff, 0xff, 0x80, 0x80, 0x80, 0x88,
	0x02, 0x00, 0x00, 0x10, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x80, 0x80, 0x8e,
	0x20, 0x00, 0x00, 0x10, 0x1c, 0x00, 0x04, 0x00, 0x04, 0x00, 0x00, 0x00, 0x54, 0x00, 0x24, 0x00,
	0x80, 0x30, 0x02, 0x6b, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x80, 0x80, 0x80, 0x88, 0x04, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	0x01, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
	0x08, 0x00, 0x00, 0x00,
};

enum { VALIDITY = 1795347121 };

static void put(struct buf *b, uint32_t v, size_t bytes)
{
	for (; bytes; bytes--, v >>= 8)
		buf_add_char(b, (char)(v & 0xff));
}

/* The digits are UIDs of one message each; a minus before one: it was not seen (anymore). */
static void put_base(struct buf *b, uint32_t uidvalidity, uint32_t seq, uint32_t offset, const char *seen)
{
	uint32_t n = 0;

	for (const char *p = seen; *p; p++)
		n += *p != '-';
	put(b, 7 | 3 << 8 | 120 << 16, 4);
	put(b, 120, 4);
	put(b, 12, 4);
	put(b, 1, 4);
	put(b, 0, 8);
	put(b, uidvalidity, 4);
	put(b, 0, 4);
	put(b, n, 4);
	put(b, 0, 24);
	put(b, seq, 4);
	put(b, 0, 4);
	put(b, offset, 4);
	put(b, 0, 48);
	for (const char *p = seen; *p; p++) {
		bool not = *p == '-';

		p += not;
		put(b, (uint32_t)(*p - '0'), 4);
		put(b, not ? 1 : 9, 8);
	}
}

static void put_log(struct buf *b, uint32_t seq)
{
	put(b, 1 | 3 << 8 | 40 << 16, 4);
	put(b, 0, 4);
	put(b, seq, 4);
	put(b, 0, 28);
}

static void put_flags(struct buf *b, const char *seen)
{
	for (const char *p = seen; *p; p++) {
		bool not = *p == '-';

		p += not;
		buf_add(b, "\x80\x80\x80\x85", 4);
		put(b, 4, 4);
		put(b, (uint32_t)(*p - '0'), 4);
		put(b, (uint32_t)(*p - '0'), 4);
		put(b, not ? 0x0800 : 0x08, 4);
	}
}

static const char *digits(const struct set *uids)
{
	static char out[16];
	size_t n = 0;

	for (uint32_t uid = 1; uid < 10; uid++)
		if (set_has(uids, uid))
			out[n++] = (char)('0' + uid);
	out[n] = '\0';
	return out;
}

static void test_log(void **state)
{
	struct span log = span_of(real_log, sizeof(real_log));
	struct dovecot_seen d = { .log_seq = 0 };
	struct buf more;

	/* Whatever is torn off, what is whole is taken, and the rest when it is there. */
	for (size_t n = 0; n <= log.n; n++) {
		struct dovecot_seen torn = { .log_seq = 0 };

		assert_int_equal(dovecot_seen_log(&torn, span_cut(log, 0, n)), n >= 24);
		assert_true(dovecot_seen_log(&torn, log));
		assert_string_equal(digits(&torn.uids), "13");
		assert_true(torn.uidvalidity == VALIDITY && torn.log_seq == 2 && torn.log_end == sizeof(real_log));
		set_free(&torn.uids);
	}
	assert_true(dovecot_seen_log(&d, log));
	buf_init(&more, 4096);
	buf_add_span(&more, log);
	put_flags(&more, "2-1");
	assert_true(dovecot_seen_log(&d, buf_span(&more)));
	assert_string_equal(digits(&d.uids), "23");
	/* Of before: nothing. */
	buf_clear(&more);
	put_log(&more, 1);
	put_flags(&more, "9");
	assert_true(dovecot_seen_log(&d, buf_span(&more)));
	assert_string_equal(digits(&d.uids), "23");
	set_free(&d.uids);
	buf_free(&more);
}

static void test_base(void **state)
{
	struct dovecot_seen d = { .log_seq = 0 };
	struct buf b;

	buf_init(&b, 4096);
	put_base(&b, VALIDITY, 5, 64, "12-346");
	for (size_t n = 0; n < b.n; n++)
		assert_false(dovecot_seen_base(&d, span_cut(buf_span(&b), 0, n)));
	assert_true(dovecot_seen_base(&d, buf_span(&b)));
	assert_string_equal(digits(&d.uids), "1246");
	assert_true(d.uidvalidity == VALIDITY && d.log_seq == 5 && d.log_end == 64);
	b.p[20] = 1; /* corrupted, it says itself */
	assert_false(dovecot_seen_base(&d, buf_span(&b)));
	b.p[20] = b.p[12] = 0; /* of a machine with the other byte order */
	assert_false(dovecot_seen_base(&d, buf_span(&b)));
	set_free(&d.uids);
	buf_free(&b);
}

static void lay(struct room *r, const char *name, const struct buf *b)
{
	FILE *f = fopen(room_path(r, name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
	assert_int_equal(fclose(f), 0);
}

static void follow(struct room *r, struct dovecot_seen *d, const char *want)
{
	int fd = open(room_path(r, "."), O_RDONLY | O_DIRECTORY);

	assert_int_equal(dovecot_seen_follow(d, fd, "i"), want ? ERR_OK : ERR_NOTFOUND);
	assert_string_equal(digits(&d->uids), want ? want : "");
	close(fd);
}

static void test_follow(void **state)
{
	struct dovecot_seen d = { .log_seq = 0 };
	struct room *r = *state;
	struct buf b;

	buf_init(&b, 4096);
	follow(r, &d, NULL);
	/* The base holds what its log says up to offset 60. */
	put_base(&b, VALIDITY, 5, 60, "12");
	lay(r, "i", &b);
	buf_clear(&b);
	put_log(&b, 5);
	put_flags(&b, "-13");
	lay(r, "i.log", &b);
	follow(r, &d, "123");
	assert_true(d.uidvalidity == VALIDITY && d.log_seq == 5 && d.log_end == b.n);
	/* What was taken away elsewhere stays so; what is noted after that counts. */
	set_remove_range(&d.uids, 1, 2);
	follow(r, &d, "3");
	put_flags(&b, "4");
	lay(r, "i.log.2", &b);
	buf_clear(&b);
	put_log(&b, 6);
	put_flags(&b, "5-3");
	lay(r, "i.log", &b);
	follow(r, &d, "45");
	/* Cut off: nobody knows what was taken away meanwhile. */
	buf_clear(&b);
	put_log(&b, 9);
	put_flags(&b, "6");
	lay(r, "i.log", &b);
	set_free(&d.uids);
	d.log_seq = 3;
	set_add(&d.uids, 7);
	follow(r, &d, "123467");
	/* Another mailbox's. */
	d.uidvalidity = 1;
	d.log_seq = 3;
	set_clear(&d.uids);
	follow(r, &d, "");
	assert_int_equal(d.uidvalidity, VALIDITY);
	set_free(&d.uids);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_base),
		cmocka_unit_test_setup_teardown(test_follow, room_begin, room_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
