/* Courier's files taken over: see tests/interop/courier.py for what the real one writes. */
#include "store_room.h"

#include "src/store/extra.h"

static void dirs(struct room *r)
{
	assert_int_equal(mkdir(room_path(r, "courierimapkeywords"), 0700), 0);
}

static void test_uids(void **state)
{
	struct room *r = *state;
	struct store_identity id;
	struct store_scan s;

	room_write(r, "cur/1.a:2,", "x");
	room_write(r, "cur/2.a:2,", "x");
	room_write(r, "cur/3.a:2,", "x");
	room_write(r, "courierimapuiddb", "1 12345 5\n9 1.a\n2 2.a:2,S\n2 other\nnonsense\n0 zero\n");
	id = room_identity(r);
	assert_true(id.uidvalidity == 12345 && id.uidnext == 10 && !id.renewed && !id.missing && id.note);
	room_number_all(r);
	s = room_scan(r);
	assert_int_equal(s.n, 3);
	assert_true(s.msg[0].uid == 2 && span_eq_str(s.msg[0].key, "2.a"));
	assert_true(s.msg[1].uid == 9 && span_eq_str(s.msg[1].key, "1.a"));
	assert_true(s.msg[2].uid == 10 && span_eq_str(s.msg[2].key, "3.a"));
	room_reopen(r);
	id = room_identity(r);
	assert_true(id.uidvalidity == 12345 && id.uidnext == 11 && !id.note);
}

/* What Dovecot or we served before has outgrown Courier's list. */
static void test_served(void **state)
{
	struct room *r = *state;

	room_write(r, "courierimapuiddb", "1 12345 5\n");
	room_write(r, "dovecot.index.log", "");
	assert_true(room_identity(r).renewed);

	unlink(room_path(r, "dovecot.index.log"));
	assert_int_equal(r->box->ops->set_modseq_floor(r->box, 5, &r->text), ERR_OK);
	unlink(room_path(r, "dovecot-uidlist"));
	room_reopen(r);
	assert_true(room_identity(r).renewed);
}

static bool has(struct room *r, const struct store_msg *m, const char *name)
{
	const char *names[MAIL_KEYWORDS_MAX];

	assert_int_equal(r->box->ops->keywords(r->box, r->arena, names, &r->text), ERR_OK);
	for (int i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return m->flags.keywords >> i & 1;
	return false;
}

/* More than letters can say, more than we can have; and all of it a second time, as after a crash. */
static void test_keywords(void **state)
{
	struct room *r = *state;
	char list[4096], name[16];
	size_t n = 0;
	struct store_scan s;

	dirs(r);
	room_write(r, "cur/1.a:2,FS", "x");
	room_write(r, "new/2.a", "x");
	room_write(r, "new/3.a", "x");
	for (int i = 0; i < 80; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "k%d\n", i);
	n += (size_t)snprintf(list + n, sizeof(list) - n, "\n1.a:");
	for (int i = 0; i < 80; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%d ", i);
	snprintf(list + n, sizeof(list) - n, "\n2.a:3\n2.a:99999999999\n");
	room_write(r, "courierimapkeywords/:list", list);
	room_write(r, "courierimapkeywords/.17.2.a", "k1\nk2\n");
	room_write(r, "courierimapuiddb", "1 12345 5\n1 1.a\n2 2.a\n3 3.a\n");
	for (int round = 0; round < 2; round++) {
		assert_int_equal(room_identity(r).uidvalidity, 12345);
		s = room_scan(r);
		assert_int_equal(s.n, 3);
		for (int i = 0; i < 64; i++) {
			snprintf(name, sizeof(name), "k%d", i);
			assert_true(has(r, &s.msg[0], name));
			assert_int_equal(has(r, &s.msg[1], name), i == 1 || i == 2);
		}
		assert_int_equal(s.msg[0].flags.system, MAIL_FLAGGED | MAIL_SEEN);
		assert_true(s.msg[2].flags.keywords == 0 && (s.msg[2].flags.system & MAIL_RECENT));
		unlink(room_path(r, "dovecot-uidlist"));
		room_reopen(r);
	}
}

static void test_subscriptions(void **state)
{
	struct room *r = *state;
	const char **names;
	size_t n;

	room_write(r, "courierimapsubscribed", "INBOX\nINBOX.A.B\nINBOX.Entw\xc3\xbcrfe\nINBOX.\nINBOX..x\nother\nINBOX.a/b\n");
	assert_int_equal(r->store->ops->subscribe(r->store, "New", true, &r->text), ERR_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(r->store->ops->subscriptions(r->store, r->arena, &names, &n, &r->text), ERR_OK);
		assert_int_equal(n, 4);
		assert_string_equal(names[0], "INBOX");
		assert_string_equal(names[1], "A.B");
		assert_string_equal(names[2], "Entw&APw-rfe");
		assert_string_equal(names[3], "New");
		room_write(r, "courierimapsubscribed", "INBOX.Later\n");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_uids), ROOM_TEST(test_served), ROOM_TEST(test_keywords), ROOM_TEST(test_subscriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
