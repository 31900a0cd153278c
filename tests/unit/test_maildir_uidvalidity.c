#include "base/clock.h"
#include "store_room.h"

static uint32_t claim(struct room *r, uint32_t above)
{
	uint32_t v = 0;

	assert_int_equal(maildir_uidvalidity_claim(maildir_of(r->store), above, &v, &r->text),
			 ERR_OK);
	return v;
}

static void expect_state(struct room *r, uint32_t v)
{
	char hex[16];

	snprintf(hex, sizeof(hex), "%08x", v);
	assert_string_equal(room_read(r, "dovecot-uidvalidity"), hex);
	assert_true(room_has(r, arena_printf(r->arena, "dovecot-uidvalidity.%s", hex)));
}

static void test_grows(void **state)
{
	struct room *r = *state;
	uint32_t a = claim(r, 0), b = claim(r, 0), c = claim(r, b + 100);

	assert_true(a >= 1000000000 && a <= (uint32_t)clock_wall());
	assert_true(b == a + 1 && c == b + 101);
	expect_state(r, c);
	assert_false(room_has(r, arena_printf(r->arena, "dovecot-uidvalidity.%08x", b)));
}

static void test_as_found(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-uidvalidity", "00000010");
	room_write(r, "dovecot-uidvalidity.00000010", "");
	assert_int_equal(claim(r, 0), 17);
	expect_state(r, 17);
	/*
	 * The note lags behind, is ahead, is rubbish, is gone: the companion or the greater holds.
	 */
	room_write(r, "dovecot-uidvalidity", "00000005");
	assert_int_equal(claim(r, 0), 18);
	room_write(r, "dovecot-uidvalidity", "00000030");
	assert_int_equal(claim(r, 0), 49);
	room_write(r, "dovecot-uidvalidity", "zz");
	assert_int_equal(claim(r, 0), 50);
	unlink(room_path(r, "dovecot-uidvalidity"));
	assert_int_equal(claim(r, 0), 51);
	unlink(room_path(r, "dovecot-uidvalidity.00000033"));
	assert_int_equal(claim(r, 0), 52);
	expect_state(r, 52);
}

static void test_limits(void **state)
{
	struct room *r = *state;
	uint32_t v;

	room_write(r, "dovecot-uidvalidity", "ffffffff");
	room_write(r, "dovecot-uidvalidity.ffffffff", "");
	assert_true(claim(r, 0) < INT32_MAX);
	assert_int_equal(maildir_uidvalidity_claim(maildir_of(r->store), INT32_MAX, &v, &r->text),
			 ERR_LIMIT);
	assert_int_equal(claim(r, INT32_MAX - 1), INT32_MAX);
}

/* Mailboxes made and made again within one second never share a value. */
static void test_recreated(void **state)
{
	struct room *r = *state;
	struct store *s = r->store;
	struct store_identity id;
	struct store_box *b;
	uint32_t last = 0;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(s->ops->create(s, "A", NULL, &r->text), ERR_OK);
		assert_int_equal(s->ops->box_open(s, "A", &b, &r->text), ERR_OK);
		assert_int_equal(b->ops->identity(b, &id, &r->text), ERR_OK);
		s->ops->box_close(b);
		assert_true(id.uidvalidity > last);
		last = id.uidvalidity;
		assert_int_equal(s->ops->remove(s, "A", &r->text), ERR_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_grows),
		ROOM_TEST(test_as_found),
		ROOM_TEST(test_limits),
		ROOM_TEST(test_recreated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
