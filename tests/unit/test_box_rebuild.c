/*
 * The index was lost and is being built anew, a slice at a time, for one session; meanwhile others
 * go on. Whatever they ask for is answered of all messages, and whatever they change is changed,
 * also where the new index has not got to yet.
 */
#include "tests/unit/box_house.h"

#include <sys/wait.h>
#include <unistd.h>

static struct house h;
static struct view *looking; /* whose refresh rebuilds, */
static struct view *v;       /* and another one's */

enum {
	MESSAGES = 1500,
	LAST = MESSAGES - 1,
	SLICES_MOST = 1000
}; /* one batch of the rebuilding is 1,000 */

static int begin(void **state)
{
	char path[300];

	house_begin(&h, &store_maildir);
	looking = house_view(&h, "INBOX", false);
	for (int i = 0; i < MESSAGES; i++) {
		snprintf(path, sizeof(path), "%s/cur/%d.M1P1.host,S=14:2,%s", h.mail,
			 1000000000 + i, i == LAST ? "T" : "");
		put_file(path, "Subject: x\n\nb\n");
	}
	view_look(looking);
	view_quiet(&h, looking);
	assert_int_equal(view_state(looking)->exists, MESSAGES);
	v = house_view(&h, "INBOX", false);
	return 0;
}

static int end(void **state)
{
	view_close(&looking);
	view_close(&v);
	house_end(&h);
	return 0;
}

/* False: it was done before the n-th slice. */
static bool rebuild(unsigned n)
{
	enum err e = ERR_OK;

	house_work(&h);
	remove_tree(h.index);
	usleep(2000); /* who looked a moment ago whether it is there need not look again */
	for (unsigned i = 0; i < n; i++)
		if (view_refresh(looking, false, &e, NULL) == STEP_DONE) {
			assert_int_equal(e, ERR_OK);
			return false;
		}
	return true;
}

static void after_each_slice(void (*act)(unsigned n))
{
	unsigned n = 1;

	for (; rebuild(n); n++) {
		assert_in_range(n, 1, SLICES_MOST);
		act(n);
		assert_int_equal(try_refresh(looking, false), ERR_OK);
		view_quiet(&h, looking);
		view_quiet(&h, v);
	}
	assert_true(n > 2); /* after the first slice of writing not all is there */
}

static void store(unsigned n)
{
	enum view_store_mode mode = n % 2 ? VIEW_FLAGS_ADD : VIEW_FLAGS_REMOVE;

	view_flag(v, LAST, mode, MAIL_ANSWERED, NULL);
	view_flag(v, LAST - 1, mode, 0, "$Own");
	assert_int_equal(try_refresh(looking, false), ERR_OK);
	assert_int_equal(flags_of(v, LAST).system, n % 2 ? MAIL_ANSWERED : 0);
	view_quiet(&h, looking);
	assert_int_equal(has_keyword(looking, LAST - 1, "$Own"), n % 2);
}

static void test_store(void **state)
{
	after_each_slice(store);
}

static void fetch(unsigned n)
{
	assert_int_equal(flags_of(v, MESSAGES).system, MAIL_DELETED);
}

static void test_fetch(void **state)
{
	after_each_slice(fetch);
}

static void body(unsigned n)
{
	assert_string_equal(
		text_of(v, MESSAGES - n),
		"Subject: x\r\n\r\nb\r\n"); /* another one each time: the last is kept */
}

static void test_body(void **state)
{
	after_each_slice(body);
}

static void search(unsigned n)
{
	struct query deleted = { .kind = Q_FLAG, .flag = MAIL_DELETED };
	struct set uids = SET_EMPTY;
	struct query_run *r;
	enum err e;

	assert_int_equal(query_start(v, &deleted, NULL, &r, NULL), ERR_OK);
	while (query_step(r, &uids, &e, NULL) != STEP_DONE)
		;
	query_end(&r);
	assert_int_equal(e, ERR_OK);
	assert_int_equal(set_count(&uids), 1);
	assert_true(set_has(&uids, MESSAGES));
	set_free(&uids);
}

static void test_search(void **state)
{
	after_each_slice(search);
}

static void copy(unsigned n)
{
	assert_int_equal(try_copy(v, LAST - 10, LAST, "Other", false, NULL), ERR_OK);
}

static void test_copy(void **state)
{
	assert_int_equal(acct_create(h.a, "Other", NULL, NULL), ERR_OK);
	after_each_slice(copy);
}

static void expunge(unsigned n)
{
	struct set last = SET_EMPTY;
	struct view_expunge job = { .uids = &last, .unflagged = true };

	set_add(&last, LAST - n);
	while (view_expunge(v, &job) != STEP_DONE)
		;
	assert_int_equal(job.err, ERR_OK);
	assert_int_equal(set_count(&job.expunged), 1);
	view_expunge_free(&job);
	set_free(&last);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, MESSAGES - n);
}

static void test_expunge(void **state)
{
	after_each_slice(expunge);
}

/* What happened since a modseq of before: all is new, and nothing has gone. */
static void ask_since(unsigned n)
{
	struct view_since s = { .modseq = view_state(v)->highestmodseq };

	assert_int_equal(view_since(v, &s, NULL), ERR_OK);
	assert_int_equal(set_count(&s.changed), MESSAGES);
	assert_int_equal(set_count(&s.vanished), 0);
	view_since_free(&s);
}

static void test_since(void **state)
{
	after_each_slice(ask_since);
}

static void status(unsigned n)
{
	struct acct_status st = { .name = "INBOX" };

	while (acct_status(h.a, &st) != STEP_DONE)
		;
	assert_int_equal(st.err, ERR_OK);
	assert_int_equal(st.messages, MESSAGES);
}

static void test_status(void **state)
{
	after_each_slice(status);
}

/* The numbers that a removal under way has on the to-do list mean other things on that of the next
 * index. */
static void test_removal(void **state)
{
	struct set first = SET_EMPTY;
	struct view_expunge job = { .uids = &first, .unflagged = true };

	set_add_range(&first, 1, 20);
	assert_int_equal(view_expunge(v, &job), STEP_SLICE);
	remove_tree(h.index);
	for (uint32_t uid = 101; uid <= 160; uid++)
		view_flag(looking, uid, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	while (view_expunge(v, &job) != STEP_DONE)
		;
	assert_int_equal(job.err, ERR_OK);
	view_expunge_free(&job);
	set_free(&first);
	house_work(&h);
	view_close(&looking);
	view_close(&v);
	house_again(&h, true);
	v = house_view(&h, "INBOX", false);
	looking = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, MESSAGES - 20);
	for (uint32_t uid = 101; uid <= 160; uid++)
		assert_int_equal(flags_of(v, uid).system, MAIL_ANSWERED);
}

/* --- another process is faster ---------------------------------------------------------- */

/* The index goes; another process makes the next one, as far as that is done in so many slices, and
 * is gone. */
static void another_rebuilds(unsigned slices)
{
	struct house o = h;
	struct view *theirs;
	enum step step = STEP_SLICE;
	enum err e = ERR_OK;
	int status = 0;
	pid_t pid;

	remove_tree(h.index);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		house_open(&o);
		assert_int_equal(view_open(o.a, "INBOX", true, &theirs, NULL), ERR_OK);
		for (unsigned i = 0; i < slices && step == STEP_SLICE; i++)
			step = view_refresh(theirs, false, &e, NULL);
		_exit(e || (step == STEP_DONE) != (slices == SLICES_MOST));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	usleep(2000);
}

static void test_half_made(void **state)
{
	another_rebuilds(1);
	store(1);
	another_rebuilds(1);
	fetch(1);
}

/* What was acknowledged and is not in the folder is not in their index either: nobody is told what
 * they had to take for true. */
static void test_owed(void **state)
{
	struct view_changes c;

	view_flag(v, LAST, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	another_rebuilds(SLICES_MOST);
	c = view_news(&h, looking, true);
	if (set_has(&c.flags, LAST))
		assert_int_equal(flags_of(looking, LAST).system, MAIL_ANSWERED);
	view_changes_free(&c);
	assert_int_equal(flags_of(v, LAST).system, MAIL_ANSWERED);
	view_flag(v, LAST, VIEW_FLAGS_ADD, MAIL_DRAFT, NULL);
	house_work(&h);
	another_rebuilds(SLICES_MOST);
	assert_int_equal(flags_of(v, LAST).system, MAIL_ANSWERED | MAIL_DRAFT);
}

#define T(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_store),   T(test_fetch),     T(test_body),  T(test_search),
		T(test_copy),    T(test_expunge),   T(test_since), T(test_status),
		T(test_removal), T(test_half_made), T(test_owed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
