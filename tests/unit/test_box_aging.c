/* autoexpunge: by age and by number, by name and by pattern, beside sessions, and never in the way of anybody. */
#include "tests/unit/box_house.h"

#include "base/clock.h"

#include <unistd.h>

static struct house h;
static struct acct_mailbox rules[3];
static const char mail[] = "Subject: x\n\nbody\n";

static void begin_with(const struct store_ops *ops)
{
	house_begin(&h, ops);
	memset(rules, 0, sizeof(rules));
	h.ns.mailbox = rules;
	h.ns.mailboxes = 3;
	rules[0].name = "INBOX";
	rules[1].name = "Trash";
	rules[2].name = "Trash/*";
}

static int begin_maildir(void **state)
{
	begin_with(&store_maildir);
	return 0;
}

static int begin_memory(void **state)
{
	begin_with(&store_memory);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

static void fill(const char *name, int n)
{
	for (int i = 0; i < n; i++)
		house_append(&h, name, mail, 0, NULL);
}

static uint32_t left(const char *name)
{
	struct view *v = house_view(&h, name, true);
	uint32_t n = view_state(v)->exists;

	view_close(&v);
	return n;
}

static void grow_old(void)
{
	int64_t now = clock_wall();

	while (clock_wall() <= now)
		usleep(50000);
}

static void session_ended(void)
{
	acct_autoexpunge(h.a);
	house_work(&h);
	assert_false(acct_busy(h.a));
}

/* Nothing is asked for: nothing is looked at. */
static void test_nothing(void **state)
{
	fill("INBOX", 3);
	house_work(&h);
	acct_autoexpunge(h.a);
	assert_false(acct_busy(h.a));
	rules[1].expunge_after = 1; /* of a mailbox that is not there */
	session_ended();
	assert_int_equal(left("INBOX"), 3);
}

static void test_age(void **state)
{
	struct view *v;
	struct view_changes c;

	rules[0].expunge_after = 10000;
	fill("INBOX", 5);
	session_ended();
	assert_int_equal(left("INBOX"), 5);
	v = house_view(&h, "INBOX", false);
	grow_old();
	rules[0].expunge_after = 1;
	session_ended();
	assert_int_equal(left("INBOX"), 0);
	c = view_news(&h, v, true); /* another session hears of it as of any expunge */
	assert_int_equal(c.expunged_n, 5);
	view_changes_free(&c);
	view_close(&v);
}

static void test_number(void **state)
{
	rules[0].expunge_beyond = 3;
	rules[0].expunge_after = 100000;
	fill("INBOX", 3);
	session_ended();
	assert_int_equal(left("INBOX"), 3);
	fill("INBOX", 4);
	session_ended();
	assert_int_equal(left("INBOX"), 3);
	struct view *v = house_view(&h, "INBOX", true);
	assert_int_equal(view_uid(v, 1), 5);
	view_close(&v);
}

/* More than one walk takes. */
static void test_many(void **state)
{
	rules[0].expunge_beyond = 1;
	for (int i = 0; i < 2300; i++)
		house_deliver(&h, "INBOX", mail);
	session_ended();
	assert_int_equal(left("INBOX"), 1);
}

static void test_pattern(void **state)
{
	struct errtext t;

	for (const char *const *n = (const char *const[]){ "Trash", "Trash/a", "Trash/b", "Trashcan", NULL }; *n; n++) {
		assert_int_equal(acct_create(h.a, *n, NULL, &t), ERR_OK);
		fill(*n, 3);
	}
	rules[2].expunge_beyond = 1;
	session_ended();
	assert_int_equal(left("Trash"), 3);
	assert_int_equal(left("Trash/a"), 1);
	assert_int_equal(left("Trash/b"), 1);
	assert_int_equal(left("Trashcan"), 3);
	rules[2].name = "?ras*n";
	session_ended();
	assert_int_equal(left("Trash"), 3);
	assert_int_equal(left("Trashcan"), 1);
	rules[2].name = "Trash/*"; /* a pattern is not made */
	rules[2].create = rules[2].subscribe = true;
	house_again(&h, false);
	assert_int_equal(acct_exists(h.a, "Trash/*", &t), ERR_NOTFOUND);
}

/* Sessions that end while it is at work, a mailbox that goes, an account that closes. */
static void test_meanwhile(void **state)
{
	struct errtext t;

	assert_int_equal(acct_create(h.a, "Trash", NULL, &t), ERR_OK);
	fill("Trash", 4);
	fill("INBOX", 4);
	rules[0].expunge_beyond = rules[1].expunge_beyond = 1;
	acct_autoexpunge(h.a);
	acct_work(h.a);
	acct_autoexpunge(h.a);
	assert_int_equal(acct_delete(h.a, "Trash", &t), ERR_OK);
	house_work(&h);
	assert_int_equal(left("INBOX"), 1);
	fill("INBOX", 4);
	acct_autoexpunge(h.a);
	acct_work(h.a);
	house_again(&h, false);
	session_ended();
	assert_int_equal(left("INBOX"), 1);
}

/* What came to a mailbox that this pass is done with is the next one's. */
static void test_behind(void **state)
{
	struct errtext t;

	assert_int_equal(acct_create(h.a, "Trash", NULL, &t), ERR_OK);
	fill("INBOX", 3);
	fill("Trash", 3);
	rules[0].expunge_beyond = rules[1].expunge_beyond = 1;
	acct_autoexpunge(h.a);
	for (int i = 0; i < 1000 && left("INBOX") > 1; i++)
		(void)acct_work(h.a);
	assert_int_equal(left("INBOX"), 1);
	assert_int_equal(left("Trash"), 3);
	fill("INBOX", 3);
	session_ended();
	assert_int_equal(left("INBOX"), 1);
	assert_int_equal(left("Trash"), 1);
}

/* What another program has locked waits, and keeps nothing else waiting. */
static void test_locked(void **state)
{
	struct errtext t;
	char path[300];
	struct view *v;

	assert_int_equal(acct_create(h.a, "Trash", NULL, &t), ERR_OK);
	fill("Trash", 1);
	fill("INBOX", 4);
	house_work(&h);
	snprintf(path, sizeof(path), "%s/new/1.theirs", h.mail);
	put_file(path, mail);
	snprintf(path, sizeof(path), "%s/dovecot-uidlist.lock", h.mail);
	put_file(path, "1:elsewhere.example.org");
	rules[0].expunge_beyond = 1;
	acct_autoexpunge(h.a);
	v = house_view(&h, "Trash", false);
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	view_close(&v);
	for (int i = 0; i < 20; i++)
		(void)acct_work(h.a);
	snprintf(path, sizeof(path), "%s/.Trash/cur", h.mail);
	assert_non_null(find_file(path, ":2,F"));
	assert_true(acct_busy(h.a));
	snprintf(path, sizeof(path), "%s/dovecot-uidlist.lock", h.mail);
	assert_int_equal(unlink(path), 0);
	house_work(&h);
	assert_int_equal(left("INBOX"), 1);
}

#define BOTH(t) \
	cmocka_unit_test_setup_teardown(t, begin_memory, end), cmocka_unit_test_setup_teardown(t, begin_maildir, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_nothing), BOTH(test_age),     BOTH(test_number),
		BOTH(test_many),    cmocka_unit_test_setup_teardown(test_pattern, begin_maildir, end),
		cmocka_unit_test_setup_teardown(test_meanwhile, begin_maildir, end),
		cmocka_unit_test_setup_teardown(test_locked, begin_maildir, end), BOTH(test_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
