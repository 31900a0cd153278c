#include "store_room.h"

#include "base/guid.h"

static const struct store_msg *by_key(const struct store_scan *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (span_eq_str(s->msg[i].key, key))
			return &s->msg[i];
	return NULL;
}

static void test_what_is_there(void **state)
{
	struct room *r = *state;

	room_write(r, "cur/20.M1.h,S=7,W=9:2,FS", "x");
	room_write(r, "cur/no-info", "x");
	room_write(r, "new/10.M5.h", "x");
	room_write(r, "new/10.M4.h:2,S", "x");
	room_write(r, "cur/.hidden", "x");
	room_write(r, "cur/with\nlf:2,", "x");
	assert_int_equal(mkdir(room_path(r, "cur/dir:2,"), 0700), 0);
	assert_int_equal(symlink("/etc/passwd", room_path(r, "cur/link:2,S")), 0);
	struct store_scan s = room_scan(r);
	assert_int_equal(s.n, 4);
	assert_true(span_eq_str(s.msg[0].key, "no-info")); /* second 0 */
	assert_true(span_eq_str(s.msg[1].key, "10.M4.h"));
	assert_true(span_eq_str(s.msg[2].key, "10.M5.h"));
	const struct store_msg *m = by_key(&s, "20.M1.h,S=7,W=9");
	assert_true(m->size == 7 && m->vsize == 9 && m->uid == 0);
	assert_int_equal(m->flags.system, MAIL_FLAGGED | MAIL_SEEN);
	assert_true(span_eq_str(m->hint, "c:2,FS"));
	m = by_key(&s, "10.M4.h");
	assert_true(m->size == STORE_SIZE_UNKNOWN && m->vsize == STORE_SIZE_UNKNOWN);
	assert_int_equal(m->flags.system, MAIL_RECENT | MAIL_SEEN);
	assert_true(span_eq_str(m->hint, "n:2,S"));
	assert_true(span_eq_str(by_key(&s, "no-info")->hint, "c"));
}

/* Identity: of the name's E=, of the list's G, of the name itself. */
static void test_guid(void **state)
{
	static const char guid[] = "000102030405060708090a0b0c0d0e0f", other[] = "101112131415161718191a1b1c1d1e1f";
	struct room *r = *state;
	uint8_t own[16], named[16], odd[16];
	struct store_scan s;

	room_write(r, "cur/1.a:2,", "x");
	room_write(r, "cur/2.a:2,", "x");
	room_write(r, "cur/3.a:2,", "x");
	room_write(r, "new/4.a,S=1,E=000102030405060708090a0b0c0d0e0f", "x");
	room_write(r, "dovecot-uidlist",
		   arena_printf(r->arena, "3 V9 N9 G%s\n1 :1.a\n2 G%s S1 :2.a\n3 Godd :3.a\n"
					  "4 G%s :4.a,S=1,E=%s\n", guid, other, other, guid));
	s = room_scan(r);
	assert_int_equal(s.n, 4);
	store_guid(SPAN("1.a"), own);
	store_guid(SPAN("odd"), odd);
	assert_memory_equal(s.msg[0].guid, own, 16);
	assert_true(guid_read(span_str(other), named));
	assert_memory_equal(s.msg[1].guid, named, 16);
	assert_memory_equal(s.msg[2].guid, odd, 16);
	assert_true(guid_read(span_str(guid), named));
	assert_memory_equal(s.msg[3].guid, named, 16);
	assert_false(guid_read(SPAN("000102030405060708090A0b0c0d0e0f"), named));
}

static void test_order(void **state)
{
	struct room *r = *state;

	room_write(r, "cur/5.a:2,", "x");
	room_number_all(r);
	room_write(r, "cur/4.a:2,", "x");
	room_number_all(r);
	room_write(r, "new/3.a", "x");
	room_write(r, "cur/1.a:2,", "x");
	struct store_scan s = room_scan(r);
	assert_int_equal(s.n, 4);
	assert_true(s.msg[0].uid == 1 && span_eq_str(s.msg[0].key, "5.a"));
	assert_true(s.msg[1].uid == 2 && span_eq_str(s.msg[1].key, "4.a"));
	assert_true(span_eq_str(s.msg[2].key, "1.a") && span_eq_str(s.msg[3].key, "3.a"));

	/* A name listed twice: the later UID holds, and the order stays by UID. */
	room_write(r, "dovecot-uidlist",
		   "3 V9 N9 G000102030405060708090a0b0c0d0e0f\n1 :5.a\n2 :4.a\n3 :5.a\n");
	s = room_scan(r);
	assert_true(s.msg[0].uid == 2 && s.msg[1].uid == 3 && span_eq_str(s.msg[1].key, "5.a"));
}

static bool changed(struct room *r, struct span token)
{
	bool c = false;

	assert_int_equal(r->box->ops->changed(r->box, token, &c), ERR_OK);
	return c;
}

/* Within a tick of the clock after a change; on a machine that has other things to do, at some try. */
static struct store_scan scan_young(struct room *r)
{
	struct store_scan s;
	int i = 0;

	do {
		room_write(r, arena_printf(r->arena, "new/%d.young", i), "x");
		s = room_scan(r);
	} while (s.settled && ++i < 100);
	return s;
}

static void test_settled(void **state)
{
	struct room *r = *state;

	assert_true(changed(r, SPAN("")));
	assert_true(changed(r, SPAN("garbage")));
	struct store_scan young = scan_young(r);
	assert_false(young.settled);
	assert_true(changed(r, young.token));
	room_age(r);
	struct store_scan s = room_scan(r);
	assert_true(s.settled);
	assert_false(changed(r, s.token));
	young = scan_young(r);
	assert_true(changed(r, s.token));
	assert_false(young.settled);
}

static void test_removed_meanwhile(void **state)
{
	struct room *r = *state;
	struct store_scan s = room_scan(r);
	bool c;

	assert_int_equal(rmdir(room_path(r, "cur")), 0);
	assert_int_equal(r->box->ops->changed(r->box, s.token, &c), ERR_NOTFOUND);
	assert_int_equal(r->box->ops->scan(r->box, r->arena, &s, &r->text), ERR_NOTFOUND);
}

/* One message under two names is shown once; two messages under one name become two names. */
static void test_twins(void **state)
{
	struct room *r = *state;

	room_write(r, "new/1.a", "one");
	assert_int_equal(link(room_path(r, "new/1.a"), room_path(r, "cur/1.a:2,S")), 0);
	struct store_scan s = room_scan(r);
	assert_true(s.n == 1 && span_eq_str(s.msg[0].hint, "c:2,S"));

	room_write(r, "new/2.a", "new");
	room_write(r, "cur/2.a:2,F", "cur");
	s = room_scan(r);
	assert_int_equal(s.n, 3);
	assert_int_equal(by_key(&s, "2.a")->flags.system, MAIL_FLAGGED);
	assert_false(room_has(r, "new/2.a"));
	assert_int_equal(room_scan(r).n, 3);
	assert_int_equal(room_count(r, "new"), 2);
}

static void test_arrivals(void **state)
{
	struct room *r = *state;
	struct store_scan s, n;
	const struct store_ops *ops = r->box->ops;

	room_write(r, "cur/1.a:2,S", "x");
	room_write(r, "new/2.a", "x");
	room_number_all(r);
	room_age(r);
	s = room_scan(r);
	assert_int_equal(ops->scan_new(r->box, s.token, r->arena, &n, &r->text), ERR_OK);
	assert_true(n.n == 1 && n.msg[0].uid == 2 && n.settled);
	assert_false(changed(r, n.token));

	struct store_commit c = room_add(r, "x", (struct mail_flags){ 0 });
	assert_int_equal(ops->scan_new(r->box, s.token, r->arena, &n, &r->text), ERR_OK);
	assert_true(n.n == 2 && n.msg[0].uid == 2 && n.msg[1].uid == 0 &&
		    span_eq(n.msg[1].key, c.key));
	assert_int_equal(room_number(r, c.key), 3);
	assert_int_equal(ops->scan_new(r->box, s.token, r->arena, &n, &r->text), ERR_OK);
	assert_true(n.n == 2 && n.msg[1].uid == 3);

	/* Also from a mailbox newly opened, and with an arrival that others numbered. */
	room_reopen(r);
	assert_int_equal(r->box->ops->scan_new(r->box, s.token, r->arena, &n, &r->text), ERR_OK);
	assert_true(n.n == 2 && n.msg[0].uid == 2 && n.msg[1].uid == 3);

	room_write(r, "cur/4.a:2,", "x");
	assert_int_equal(r->box->ops->scan_new(r->box, s.token, r->arena, &n, &r->text),
			 ERR_CANNOT);
	assert_int_equal(r->box->ops->scan_new(r->box, SPAN(""), r->arena, &n, &r->text),
			 ERR_CANNOT);
}

static struct store_scan news(struct room *r, const struct store_scan *before)
{
	struct store_scan n;

	assert_int_equal(r->box->ops->scan_new(r->box, before->token, r->arena, &n, &r->text), ERR_OK);
	return n;
}

#define LIST_HEAD "3 V9 N8 G000102030405060708090a0b0c0d0e0f\n"

/*
 * In a mailbox newly opened the list is read from the first name in new/ on: a name that only lines before that hold is a
 * message that came back, and gets a new UID.
 */
static void test_arrivals_listed(void **state)
{
	struct room *r = *state;
	struct store_scan s, n;
	struct span token;

	room_write(r, "dovecot-uidlist", LIST_HEAD "1 :gone\n2 :2.a\n3 :3.a\n4 :gone too\n5 :5.a\n");
	room_write(r, "cur/2.a:2,S", "x");
	room_write(r, "new/3.a", "x");
	room_write(r, "cur/5.a:2,", "x");
	room_age(r);
	s = room_scan(r);
	room_reopen(r);
	room_write(r, "new/gone", "x");
	room_write(r, "new/gone too", "x");
	room_write(r, "new/6.a", "x");
	n = news(r, &s);
	assert_true(n.n == 4 && n.msg[0].uid == 3 && n.msg[1].uid == 4 && span_eq_str(n.msg[1].key, "gone too"));
	assert_true(!n.msg[2].uid && !n.msg[3].uid && !by_key(&n, "gone")->uid && !by_key(&n, "6.a")->uid);

	/* So it is with the token of a folder in which we alone changed something. */
	usleep(30000);
	assert_int_equal(r->box->ops->token(r->box, s.token, r->arena, &token), ERR_OK);
	s.token = token;
	room_reopen(r);
	n = news(r, &s);
	assert_true(n.n == 4 && by_key(&n, "3.a")->uid == 3 && !by_key(&n, "gone")->uid);
	assert_int_equal(r->box->ops->token(r->box, SPAN(""), r->arena, &token), ERR_OK);
	s.token = token; /* without one before, all is read */
	room_reopen(r);
	n = news(r, &s);
	assert_int_equal(by_key(&n, "gone")->uid, 1);
}

/* Another program wrote it anew meanwhile, without the dead and with more. */
static void test_arrivals_list_renewed(void **state)
{
	struct room *r = *state;
	struct store_scan s, n;

	room_write(r, "dovecot-uidlist", LIST_HEAD "1 :gone\n2 :2.a\n3 :3.a\n");
	room_write(r, "cur/2.a:2,S", "x");
	room_write(r, "new/3.a", "x");
	room_age(r);
	s = room_scan(r);
	room_reopen(r);
	room_write(r, "new/4.a", "x");
	room_write(r, "new/5.a", "x");
	room_write(r, "list", LIST_HEAD "2 :2.a\n3 :3.a\n8 G0f0e0d0c0b0a09080706050403020100 :4.a\n");
	room_move(r, "list", "dovecot-uidlist");
	n = news(r, &s);
	assert_true(n.n == 3 && by_key(&n, "3.a")->uid == 3 && by_key(&n, "4.a")->uid == 8);
	assert_int_equal(by_key(&n, "4.a")->guid[0], 0x0f);
	assert_int_equal(by_key(&n, "5.a")->uid, 0);
	assert_int_equal(room_number(r, SPAN("5.a")), 9);
}

/* Fewer UIDs than there were, or damage where it is read: then it is read from its beginning. */
static void test_arrivals_list_damaged(void **state)
{
	static const char *const list[] = {
		"3 V9 N4 G000102030405060708090a0b0c0d0e0f\n1 :gone\n2 :2.a\n3 :3.a\n",
		LIST_HEAD "1 :gone\n2 :2.a\n3 :3.a\nnonsense\n9 :9.a\n",
		LIST_HEAD "1 :gone\n2 :2.a\n3 :3.a\n9 :9.a\n8 :8.a\n10 :10.a\n",
	};
	struct room *r = *state;
	struct store_scan s, n;

	room_write(r, "dovecot-uidlist", LIST_HEAD "1 :gone\n2 :2.a\n3 :3.a\n");
	room_write(r, "cur/2.a:2,S", "x");
	room_write(r, "new/3.a", "x");
	room_age(r);
	s = room_scan(r);
	room_write(r, "new/gone", "x");
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		room_reopen(r);
		room_write(r, "dovecot-uidlist", list[i]);
		n = news(r, &s);
		assert_true(n.n == 2 && by_key(&n, "3.a")->uid == 3 && by_key(&n, "gone")->uid == 1);
	}
}

static void test_small_arena(void **state)
{
	struct room *r = *state;
	struct arena *small = arena_new(8192);
	struct store_scan s;
	char name[64];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "cur/%d.a:2,", i);
		room_write(r, name, "x");
	}
	assert_int_equal(r->box->ops->scan(r->box, small, &s, &r->text), ERR_LIMIT);
	arena_free(&small);
	assert_int_equal(room_scan(r).n, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_what_is_there),     ROOM_TEST(test_guid), ROOM_TEST(test_order),  ROOM_TEST(test_settled),
		ROOM_TEST(test_removed_meanwhile), ROOM_TEST(test_twins),  ROOM_TEST(test_arrivals),
		ROOM_TEST(test_arrivals_listed), ROOM_TEST(test_arrivals_list_renewed), ROOM_TEST(test_arrivals_list_damaged),
		ROOM_TEST(test_small_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
