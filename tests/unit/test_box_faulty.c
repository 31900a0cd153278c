/*
 * A scenario over a store whose n-th call fails, for every n until it runs through: whatever was acknowledged must be
 * there afterwards, with the UID that was told, also when the index is gone.
 */
#include "tests/unit/box_house.h"

static struct house h;
static struct store_faulty plan;

enum { TEXTS = 6 };

/* What was acknowledged. */
struct ack {
	bool added[TEXTS];       /* text i is in INBOX */
	uint32_t uid[TEXTS];     /* its UID, if told */
	bool flagged, keyword;   /* of text 0 */
	bool expunged;           /* text 1 */
	bool copied, moved;      /* text 0 to Other; text 2 to Other */
	bool tried_expunge, tried_move;
};

static const char *text(int i)
{
	static const char *const all[TEXTS] = {
		"x: 0\r\n\r\nzero\r\n", "x: 1\r\n\r\none\r\n", "x: 2\r\n\r\ntwo\r\n",
		"x: 3\r\n\r\nthree\r\n", "x: 4\r\n\r\nfour\r\n", "x: 5\r\n\r\nfive\r\n",
	};

	return all[i];
}

static uint32_t uid_with(struct view *v, const char *want)
{
	uint32_t uid = 0;

	for (uint32_t seq = 1; !uid && seq <= view_state(v)->exists; seq++) {
		struct errtext t;
		struct message *m;

		if (message_open(v, view_uid(v, seq), &m, &t))
			continue;
		message_close(&m);
		if (strcmp(text_of(v, view_uid(v, seq)), want) == 0)
			uid = view_uid(v, seq);
	}
	return uid;
}

static void work(void)
{
	for (int i = 0; i < 50 && acct_work(h.a) != STEP_DONE; i++)
		;
}

/* Goes on whatever fails; tries nothing that needs a UID it was not told. */
static void scenario(struct ack *k)
{
	struct view *v = NULL;
	struct errtext t;
	struct view_changes c;

	(void)acct_create(h.a, "Other", "\\Sent", &t);
	for (int i = 0; i < 4; i++)
		k->added[i] = try_append(&h, "INBOX", text(i), &k->uid[i]) == ERR_OK;
	if (try_view(&h, "INBOX", false, &v) == ERR_OK) {
		if (k->uid[0] && view_seq(v, k->uid[0])) {
			k->flagged = !try_store(v, k->uid[0], VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
			k->keyword = !try_store(v, k->uid[0], VIEW_FLAGS_ADD, 0, "$K");
		}
		work();
		if (k->uid[1] && view_seq(v, k->uid[1]) &&
		    !try_store(v, k->uid[1], VIEW_FLAGS_ADD, MAIL_DELETED, NULL)) {
			k->tried_expunge = true;
			k->expunged = !try_expunge(v);
		}
		if (k->uid[0] && view_seq(v, k->uid[0]))
			k->copied = !try_copy(v, k->uid[0], k->uid[0], "Other", false, NULL);
		if (k->uid[2] && view_seq(v, k->uid[2])) {
			k->tried_move = true;
			k->moved = !try_copy(v, k->uid[2], k->uid[2], "Other", true, NULL);
		}
	}
	k->added[4] = try_deliver(&h, "INBOX", text(4)) == ERR_OK;
	if (v && view_update(v, true, h.ar, &c, &t) == ERR_OK)
		view_changes_free(&c);
	if (v)
		(void)try_refresh(v, true);
	view_close(&v);
	k->added[5] = try_deliver(&h, "INBOX", text(5)) == ERR_OK;
	work();
}

static void check(const struct ack *k)
{
	struct view *v = house_view(&h, "INBOX", false), *other = NULL;

	for (int i = 0; i < TEXTS; i++) {
		uint32_t uid = uid_with(v, text(i));
		bool left = (i == 1 && k->tried_expunge) || (i == 2 && k->tried_move);

		if (k->added[i] && !left && !uid)
			fail_msg("call %u: text %d is lost", plan.calls, i);
		if (uid && k->uid[i] && k->added[i])
			assert_int_equal(uid, k->uid[i]);
	}
	if (k->flagged)
		assert_true(flags_of(v, k->uid[0]).system & MAIL_FLAGGED);
	if (k->keyword)
		assert_true(has_keyword(v, k->uid[0], "$K"));
	if (k->expunged)
		assert_int_equal(uid_with(v, text(1)), 0);
	if (k->moved)
		assert_int_equal(uid_with(v, text(2)), 0);
	if (try_view(&h, "Other", false, &other))
		assert_false(k->copied || k->moved);
	if (k->copied)
		assert_int_not_equal(uid_with(other, text(0)), 0);
	if (k->moved)
		assert_int_not_equal(uid_with(other, text(2)), 0);
	/* A move that failed half way leaves it in one place at least. */
	if (k->tried_move && k->added[2])
		assert_true(uid_with(v, text(2)) || (other && uid_with(other, text(2))));
	view_close(&v);
	view_close(&other);
}

/* False when the scenario no longer came to the n-th call. */
static bool round_of(unsigned n, enum err with, bool without_index)
{
	struct ack k = { .flagged = false };
	bool reached;

	plan = (struct store_faulty){ .inner = &store_maildir };
	house_begin(&h, &store_maildir);
	house_close(&h);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	house_open(&h);
	plan.fail_at = n;
	plan.with = with;
	scenario(&k);
	reached = plan.fail_at == 0;
	plan.fail_at = 0;
	if (without_index)
		house_work(&h);
	house_again(&h, without_index);
	check(&k);
	if (!reached) {
		assert_true(k.added[0] && k.added[5] && k.flagged && k.expunged && k.copied && k.moved);
	}
	house_end(&h);
	return reached;
}

static void all_rounds(enum err with, bool without_index)
{
	unsigned n = 1;

	while (round_of(n, with, without_index))
		n++;
	assert_true(n > 50);
}

static void test_io(void **state)
{
	all_rounds(ERR_IO, false);
}

static void test_io_index_gone(void **state)
{
	all_rounds(ERR_IO, true);
}

static void test_nospace(void **state)
{
	all_rounds(ERR_NOSPACE, true);
}

static void test_locked(void **state)
{
	all_rounds(ERR_INUSE, false);
}

/* Whatever finds the folder locked: a client waits, and is never shown what was not looked at. */
static bool opened_locked(unsigned n)
{
	char path[200];
	struct view *v;
	bool reached;

	plan = (struct store_faulty){ .inner = &store_maildir };
	house_begin(&h, &store_maildir);
	for (int i = 0; i < 3; i++)
		house_append(&h, "INBOX", text(i), 0, NULL);
	house_close(&h);
	remove_tree(h.index);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	house_open(&h);
	plan.fail_at = n;
	plan.with = ERR_INUSE;
	if (try_view(&h, "INBOX", false, &v) == ERR_OK) {
		assert_int_equal(view_state(v)->exists, 3);
		assert_int_equal(view_state(v)->uidnext, 4);
		snprintf(path, sizeof(path), "%s/new/1700000000.other.host", h.mail);
		put_file(path, "x: 3\n\nthree\n");
		assert_int_equal(try_refresh(v, true), ERR_OK);
		view_quiet(&h, v);
		assert_int_equal(view_state(v)->exists, 4);
		assert_string_equal(text_of(v, 4), text(3));
		view_close(&v);
	}
	reached = plan.fail_at == 0;
	house_end(&h);
	return reached;
}

static void test_opened_locked(void **state)
{
	unsigned n = 1;

	while (opened_locked(n))
		n++;
	assert_true(n > 10);
}

/* mail_fsync=always: a lock is in the way of the file name. Asked again, it is changed before the answer, and what the first try did is no conflict. */
static bool stored_locked(unsigned n)
{
	struct view_store s = { .mode = VIEW_FLAGS_ADD, .system = MAIL_FLAGGED, .silent = true };
	struct set one = SET_EMPTY;
	char path[200];
	struct errtext t;
	struct view *v;
	bool reached;
	enum err e;

	plan = (struct store_faulty){ .inner = &store_maildir };
	house_begin(&h, &store_maildir);
	set_add(&one, house_append(&h, "INBOX", text(0), 0, NULL));
	house_close(&h);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	h.ns.store.sync = STORE_SYNC_ALWAYS;
	house_open(&h);
	v = house_view(&h, "INBOX", false);
	s.unchangedsince = view_state(v)->highestmodseq;
	plan.fail_at = n;
	plan.with = ERR_INUSE;
	e = view_store(v, &one, &s, &t);
	for (int i = 0; e == ERR_INUSE && i < 10; i++)
		e = view_store(v, &one, &s, &t);
	reached = plan.fail_at == 0;
	assert_int_equal(e, ERR_OK);
	assert_int_equal(s.modified.n, 0);
	snprintf(path, sizeof(path), "%s/cur", h.mail);
	assert_non_null(find_file(path, ":2,F"));
	view_close(&v);
	set_free(&one);
	set_free(&s.modified);
	house_end(&h);
	return reached;
}

static void test_stored_locked(void **state)
{
	unsigned n = 1;

	while (stored_locked(n))
		n++;
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_io_index_gone),
		cmocka_unit_test(test_nospace),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_opened_locked),
		cmocka_unit_test(test_stored_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
