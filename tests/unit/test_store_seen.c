/* roost-seen: its text, and a Maildir whose \Seen is each user's own. */
#include "store_room.h"

#include "src/store/seen.h"

#include <sys/file.h>
#include <xxhash.h>

static void test_text(void **state)
{
	struct seen_facts f = { .floor = 12345678901 }, read = { .floor = 0 };
	struct buf b;

	buf_init(&b, 4096);
	f.d = (struct dovecot_seen){ .uidvalidity = 1700000000, .log_seq = 7, .log_end = 196 };
	set_add_range(&f.d.uids, 1, 5);
	set_add(&f.d.uids, 7);
	set_add_range(&f.d.uids, 4294967294, UINT32_MAX);
	assert_true(seen_encode(&f, &b));
	assert_true(span_starts(buf_span(&b), SPAN("2 1700000000 12345678901 7:196 1:5,7,4294967294:4294967295 ")));
	assert_true(seen_decode(buf_span(&b), &read));
	assert_int_equal(read.d.uidvalidity, 1700000000);
	assert_true(read.floor == f.floor && read.d.log_seq == 7 && read.d.log_end == 196);
	assert_int_equal(set_count(&read.d.uids), 8);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 1;
		assert_false(seen_decode(buf_span(&b), &read));
		b.p[i] ^= 1;
		assert_false(seen_decode(span_cut(buf_span(&b), 0, i), &read));
	}
	buf_clear(&b);
	set_clear(&f.d.uids);
	assert_true(seen_encode(&f, &b));
	assert_true(seen_decode(buf_span(&b), &read));
	assert_int_equal(read.d.uids.n, 0);
	buf_clear(&b);
	buf_add_str(&b, "1 1700000000 1:2,4");
	buf_printf(&b, " %08x\n", XXH32(b.p, b.n, 0));
	assert_true(seen_decode(buf_span(&b), &read));
	assert_true(set_count(&read.d.uids) == 3 && read.floor == 0 && read.d.log_seq == 0);
	buf_free(&b);
	set_free(&f.d.uids);
	set_free(&read.d.uids);
}

/* --- a Maildir of two users --- */

struct user {
	struct room *r;
	struct store *store;
	struct store_box *box;
};

static struct user user_open(struct room *r, const char *name, bool all)
{
	struct user u = { .r = r };
	struct store_config c = room_config(r);

	c.seen = arena_printf(r->arena, "%s/%s/deep", r->dir, name);
	c.seen_all = all;
	assert_int_equal(store_maildir.open(&c, &u.store, &r->text), ERR_OK);
	assert_int_equal(u.store->ops->box_open(u.store, "INBOX", &u.box, &r->text), ERR_OK);
	return u;
}

static void user_close(struct user *u)
{
	u->box->ops->box_close(u->box);
	u->store->ops->close(u->store);
}

/* The messages that the user has seen as digits of their UIDs. */
static const char *seen_by(struct user *u)
{
	struct store_scan s;
	static char out[16];
	size_t n = 0;

	assert_int_equal(u->box->ops->scan(u->box, u->r->arena, &s, &u->r->text), ERR_OK);
	for (size_t i = 0; i < s.n; i++)
		if (s.msg[i].flags.system & MAIL_SEEN)
			out[n++] = (char)('0' + s.msg[i].uid);
	out[n] = '\0';
	return out;
}

static enum err tell(struct user *u, uint32_t on, uint32_t off)
{
	struct set a = SET_EMPTY, b = SET_EMPTY;
	enum err e;

	if (on)
		set_add(&a, on);
	if (off)
		set_add(&b, off);
	e = u->box->ops->set_seen(u->box, &a, &b, &u->r->text);
	set_free(&a);
	set_free(&b);
	return e;
}

static void fill(struct room *r)
{
	room_write(r, "dovecot-uidlist", "3 V9 N4 G0123456789abcdef0123456789abcdef\n1 :1.a\n2 :2.a\n3 :3.a\n");
	room_write(r, "cur/1.a:2,", "x");
	room_write(r, "cur/2.a:2,S", "x");
	room_write(r, "cur/3.a:2,FS", "x");
}

static void test_two(void **state)
{
	struct room *r = *state;
	struct user anna, bert;
	struct span hint;

	fill(r);
	anna = user_open(r, "anna", true);
	bert = user_open(r, "bert", true);
	assert_true(anna.box->own_seen);
	assert_string_equal(seen_by(&anna), "");
	assert_int_equal(tell(&anna, 1, 0), ERR_OK);
	assert_int_equal(tell(&anna, 3, 2), ERR_OK);
	assert_string_equal(seen_by(&anna), "13");
	assert_string_equal(seen_by(&bert), "");

	/* The S in the name is nobody's business; the other flags are everybody's. */
	assert_int_equal(anna.box->ops->set_flags(anna.box, SPAN("3.a"), SPAN("c:2,FS"), (struct mail_flags){ MAIL_SEEN, 0 },
						  r->arena, &hint, &r->text), ERR_OK);
	assert_true(span_eq_str(hint, "c:2,S"));
	assert_int_equal(anna.box->ops->set_flags(anna.box, SPAN("1.a"), SPAN("c:2,"), (struct mail_flags){ MAIL_SEEN, 0 },
						  r->arena, &hint, &r->text), ERR_OK);
	assert_true(room_has(r, "cur/1.a:2,"));

	/* Another process of the same user, and another life. */
	user_close(&bert);
	bert = user_open(r, "anna", true);
	assert_int_equal(tell(&bert, 2, 1), ERR_OK);
	assert_string_equal(seen_by(&anna), "23");
	assert_string_equal(seen_by(&bert), "23");
	user_close(&anna);
	user_close(&bert);
}

/* Without INDEXPVT= only what Dovecot was told to keep apart. */
static void test_shared(void **state)
{
	struct room *r = *state;
	struct user anna;

	fill(r);
	anna = user_open(r, "anna", false);
	assert_false(anna.box->own_seen);
	assert_string_equal(seen_by(&anna), "23");
	user_close(&anna);
	room_write(r, "dovecot-shared", "");
	anna = user_open(r, "anna", false);
	assert_true(anna.box->own_seen);
	assert_string_equal(seen_by(&anna), "");
	assert_int_equal(anna.store->ops->create(anna.store, "team", NULL, &r->text), ERR_OK);
	assert_true(room_has(r, ".team/dovecot-shared"));
	user_close(&anna);
}

/* Damage, another UIDVALIDITY, and a lock that another process holds. */
static void test_damage(void **state)
{
	struct room *r = *state;
	struct user anna;
	const char *path;
	int fd;

	fill(r);
	anna = user_open(r, "anna", true);
	assert_int_equal(tell(&anna, 1, 0), ERR_OK);
	path = "../anna/deep/roost-seen.0123456789abcdef0123456789abcdef";
	assert_true(room_has(r, path));
	fd = open(room_path(r, "../anna/deep"), O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(tell(&anna, 2, 0), ERR_INUSE);
	close(fd);
	assert_string_equal(seen_by(&anna), "1");
	room_write(r, path, "1 9 1:2 00000000\n");
	assert_string_equal(seen_by(&anna), "");
	assert_int_equal(tell(&anna, 3, 0), ERR_OK);
	assert_string_equal(seen_by(&anna), "3");
	room_write(r, "dovecot-uidlist", "3 V10 N4 G0123456789abcdef0123456789abcdef\n1 :1.a\n2 :2.a\n3 :3.a\n");
	assert_string_equal(seen_by(&anna), "");
	user_close(&anna);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test_setup_teardown(test_two, room_begin, room_end),
		cmocka_unit_test_setup_teardown(test_shared, room_begin, room_end),
		cmocka_unit_test_setup_teardown(test_damage, room_begin, room_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
