/*
 * A scenario over a store whose n-th call fails, for every n until it runs through: whatever was acknowledged must be
 * there afterwards, with the UID that was told, also when the index is gone.
 */
#include "tests/unit/box_deeds.h"

#include <unistd.h>

static struct house h;
static struct store_faulty plan;

/* False when the scenario no longer came to the n-th call. */
static bool round_of(unsigned n, enum err with, bool without_index)
{
	struct deeds k = { .flagged = false };
	char where[32];
	bool reached;

	plan = (struct store_faulty){ .inner = &store_maildir };
	house_begin(&h, &store_maildir);
	house_close(&h);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	house_open(&h);
	plan.fail_at = n;
	plan.with = with;
	deeds_do(&h, &k);
	reached = plan.fail_at == 0;
	plan.fail_at = 0;
	if (without_index)
		house_work(&h);
	house_again(&h, without_index);
	snprintf(where, sizeof(where), "call %u", n);
	deeds_check(&h, &k, where, false);
	if (!reached)
		assert_true(deeds_all_done(&k));
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
		house_append(&h, "INBOX", deeds_text(i), 0, NULL);
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
		assert_string_equal(text_of(v, 4), deeds_text(3));
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
	set_add(&one, house_append(&h, "INBOX", deeds_text(0), 0, NULL));
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

/* Another program keeps the folder locked: what is known is shown all the same, and what is new later. */
static void test_number_locked(void **state)
{
	char path[200], lock[200];
	struct view *v;

	house_begin(&h, &store_maildir);
	for (int i = 0; i < 2; i++)
		house_append(&h, "INBOX", deeds_text(i), 0, NULL);
	house_again(&h, false);
	snprintf(lock, sizeof(lock), "%s/dovecot-uidlist.lock", h.mail);
	put_file(lock, "1:elsewhere");
	snprintf(path, sizeof(path), "%s/new/1700000000.other.host", h.mail);
	put_file(path, "x: 2\n\ntwo\n");
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, 2);
	assert_int_equal(unlink(lock), 0);
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 3);
	assert_string_equal(text_of(v, 3), deeds_text(2));
	view_close(&v);
	house_end(&h);
}

/* roostadm release: a lock is in the way of flags that the folder is still owed. */
static bool released_locked(unsigned n)
{
	struct acct_release job = { .name = "INBOX", .note = true };
	char path[200];
	struct view *v;
	bool reached;

	plan = (struct store_faulty){ .inner = &store_maildir };
	house_begin(&h, &store_maildir);
	house_append(&h, "INBOX", "x: y\n\n1", 0, NULL);
	house_close(&h);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	house_open(&h);
	v = house_view(&h, "INBOX", false);
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	plan.fail_at = n;
	plan.with = ERR_INUSE;
	while (acct_release(h.a, &job) != STEP_DONE)
		;
	reached = plan.fail_at == 0;
	assert_int_equal(job.err, ERR_OK);
	snprintf(path, sizeof(path), "%s/cur", h.mail);
	assert_non_null(find_file(path, ":2,F"));
	view_close(&v);
	house_end(&h);
	return reached;
}

static void test_released_locked(void **state)
{
	unsigned n = 1;

	while (released_locked(n))
		n++;
	assert_true(n > 1);
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
		cmocka_unit_test(test_number_locked),
		cmocka_unit_test(test_released_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
