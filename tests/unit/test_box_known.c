/* What is ours in a watched folder is not looked for, and what others do is never missed, whatever the clock's tick. */
#include "tests/unit/box_house.h"

#include "base/mem.h"
#include "box/heed.h"

#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 20, ROUNDS = 300 };

static struct house h;
static struct store_ops counting; /* the Maildir, with its scans counted */
static unsigned scans;
static unsigned slow; /* so many scans take more than two seconds */
static char cur_dir[200];

static const char mail[] = "From: a@b\nSubject: one\n\nbody\n";

static enum err count_scan(struct store_box *b, struct arena *a, struct store_scan *scan_r, struct errtext *t)
{
	enum err e = store_maildir.scan(b, a, scan_r, t);

	scans++;
	if (slow) {
		slow--;
		usleep(2100000);
	}
	return e;
}

static enum err open_counting(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	enum err e = store_maildir.open(config, s_r, t);

	if (!e)
		(*s_r)->ops = &counting;
	return e;
}

/* --- a watcher of one inotify instance a directory ---------------------------------- */

struct eye {
	int fd;
	uint64_t n;
};

static void *eye_add(void *ctx, const char *dir, bool (*cares)(const char *name, bool dir), void (*changed)(void *arg), void *arg)
{
	struct eye *e = mem_alloc(sizeof(*e));

	e->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(e->fd >= 0);
	assert_true(inotify_add_watch(e->fd, dir, IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) >= 0);
	return e;
}

static void eye_remove(void *ctx, void *handle)
{
	struct eye *e = handle;

	close(e->fd);
	free(e);
}

static uint64_t eye_count(void *ctx, void *handle)
{
	_Alignas(struct inotify_event) char buf[8192];
	struct eye *e = handle;
	ssize_t n;

	while ((n = read(e->fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n; e->n++)
			at += (ssize_t)(sizeof(struct inotify_event) + ((struct inotify_event *)(buf + at))->len);
	return e->n;
}

/* --- the folder ----------------------------------------------------------------------- */

static int begin(void **state)
{
	char path[300];

	counting = store_maildir;
	counting.open = open_counting;
	counting.scan = count_scan;
	house_begin(&h, &counting);
	h.config.watcher = (struct acct_watcher){ eye_add, eye_remove, eye_count, NULL };
	house_again(&h, false);
	view_close(&(struct view *){ house_view(&h, "INBOX", true) });
	snprintf(cur_dir, sizeof(cur_dir), "%s/cur", h.mail);
	for (int i = 1; i <= MESSAGES; i++) {
		snprintf(path, sizeof(path), "%s/10000000%02d.M1P1.host:2,", cur_dir, i);
		put_file(path, mail);
	}
	house_settle(&h);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

/* Another program's hand: the flags of message i. */
static void foreign_flags(int i, const char *from, const char *to)
{
	char a[300], b[300];

	snprintf(a, sizeof(a), "%s/10000000%02d.M1P1.host:2,%s", cur_dir, i, from);
	snprintf(b, sizeof(b), "%s/10000000%02d.M1P1.host:2,%s", cur_dir, i, to);
	assert_int_equal(rename(a, b), 0);
}

static void refresh(struct view *v)
{
	assert_int_equal(try_refresh(v, false), ERR_OK);
	view_quiet(&h, v);
}

/* Until all has come to rest. */
static void rest(void)
{
	for (int i = 0; i < 2000 && acct_busy(h.a); i++) {
		usleep(10000);
		house_work(&h);
	}
	assert_false(acct_busy(h.a));
}

/* --- the tests -------------------------------------------------------------------------- */

static void test_own(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	unsigned before;

	usleep(50000); /* the times of the folder are those of begin: old */
	refresh(v);
	before = scans;
	for (uint32_t uid = 1; uid <= MESSAGES; uid++) {
		view_flag(v, uid, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
		house_work(&h);
		refresh(v);
	}
	assert_int_equal(count_files(cur_dir), MESSAGES);
	assert_non_null(find_file(cur_dir, "1000000020.M1P1.host:2,S"));
	house_append(&h, "INBOX", mail, 0, NULL);
	refresh(v);
	view_flag(v, 3, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);
	refresh(v);
	assert_int_equal(view_state(v)->exists, MESSAGES);
	assert_true(before > 0);
	assert_int_equal(scans, before);
	view_close(&v);
}

/* Ours and theirs follow each other as fast as they can, in both orders: most pairs share a tick of the clock. */
static void test_same_tick(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);

	for (int i = 0; i < ROUNDS; i++) {
		bool on = i % 2 == 0, theirs_first = i % 4 < 2;

		view_flag(v, 1, on ? VIEW_FLAGS_ADD : VIEW_FLAGS_REMOVE, MAIL_SEEN, NULL);
		if (theirs_first)
			foreign_flags(2, on ? "" : "F", on ? "F" : "");
		house_work(&h);
		if (!theirs_first)
			foreign_flags(2, on ? "" : "F", on ? "F" : "");
		refresh(v);
		assert_int_equal(flags_of(v, 1).system, on ? MAIL_SEEN : 0);
		assert_int_equal(flags_of(v, 2).system, on ? MAIL_FLAGGED : 0);
	}
	view_close(&v);
}

/* When all is quiet the record tells the next process that there is nothing to look for ... */
static void test_settles(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	unsigned before;

	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	house_work(&h);
	view_close(&v);
	assert_true(acct_busy(h.a));
	rest();
	before = scans;
	house_again(&h, false);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(scans, before);
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN);
	view_close(&v);
}

/* ... and from where on the list of UIDs is to be read: a name that is only listed before that came back. */
static void test_settles_list(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	char path[300];

	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);
	house_work(&h);
	view_close(&v);
	rest();
	house_again(&h, false);
	snprintf(path, sizeof(path), "%s/new/1000000002.M1P1.host", h.mail);
	put_file(path, mail);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, MESSAGES);
	assert_int_equal(view_uid(v, MESSAGES), MESSAGES + 1);
	view_close(&v);
}

/* ... but not when somebody else was there too. */
static void test_settles_not(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);

	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	house_work(&h);
	foreign_flags(2, "", "F");
	view_close(&v);
	usleep(150000);
	house_work(&h);
	house_again(&h, false);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(flags_of(v, 2).system, MAIL_FLAGGED);
	view_close(&v);
}

/* Found a moment after somebody changed it, then closed at once: the next process need not look either ... */
static void test_young(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	unsigned before;

	foreign_flags(2, "", "F");
	refresh(v);
	assert_int_equal(flags_of(v, 2).system, MAIL_FLAGGED);
	view_close(&v);
	before = scans;
	house_again(&h, false);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(scans, before);
	view_close(&v);
}

/* ... whether or not it was in the same tick: whatever is changed behind the last look is seen by the next process. */
static void test_young_again(void **state)
{
	for (int i = 0; i < 30; i++) {
		struct view *v = house_view(&h, "INBOX", false);

		foreign_flags(2, "", "F");
		refresh(v);
		foreign_flags(2, "F", "");
		view_close(&v);
		house_again(&h, false);
		v = house_view(&h, "INBOX", false);
		assert_int_equal(flags_of(v, 2).system, 0);
		view_close(&v);
	}
}

/* A folder so large, or a machine so busy, that a scan takes long: what it found is numbered all the same. */
static void test_slow(void **state)
{
	struct view *v;

	house_again(&h, true);
	scans = 0;
	slow = 3;
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, MESSAGES);
	assert_int_equal(scans, 1);
	slow = 0;
	view_close(&v);
}

/* A folder that took the name of the one that is open is not watched in its place. */
static void test_replaced(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	char away[300];

	assert_true(view_watch(v));
	view_close(&v);
	rest();
	v = house_view(&h, "INBOX", false);
	snprintf(away, sizeof(away), "%s.away", cur_dir);
	assert_int_equal(rename(cur_dir, away), 0);
	assert_int_equal(mkdir(cur_dir, 0700), 0);
	assert_false(view_watch(v));
	assert_int_equal(rmdir(cur_dir), 0);
	assert_int_equal(rename(away, cur_dir), 0);
	view_close(&v);
}

static void note_found(void *ctx, bool found)
{
	*(unsigned *)ctx += found;
}

/* What another process brought, and told the index of, is news to those who listen here: whoever looks first tells them. */
static void test_told_by_another(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	unsigned told = 0;
	int status;
	struct heed *heed = acct_heed(h.a, "INBOX", note_found, &told);
	pid_t pid;

	assert_true(view_watch(v));
	view_look(v);
	told = 0;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct house o = h;

		house_open(&o);
		house_append(&o, "INBOX", mail, 0, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(told, 0);
	assert_int_equal(try_refresh(v, false), ERR_OK);
	assert_true(told > 0);
	acct_unheed(&heed);
	view_close(&v);
}

/* The to-do list is everybody's: what another process owed and this one has written is told here, for no watch reports it. */
static void test_written_for_another(void **state)
{
	struct view *v = house_view(&h, "INBOX", false);
	unsigned told = 0;
	struct heed *heed = acct_heed(h.a, "INBOX", note_found, &told);
	uint32_t one = house_append(&h, "INBOX", mail, 0, NULL), two = house_append(&h, "INBOX", mail, 0, NULL);
	int status;
	pid_t pid;

	view_look(v);
	view_quiet(&h, v);
	house_work(&h);
	told = 0;
	view_flag(v, one, VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	house_work(&h);
	assert_int_equal(told, 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct house o = h;
		struct view *theirs;

		house_open(&o);
		theirs = house_view(&o, "INBOX", false);
		view_flag(theirs, two, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	view_flag(v, one, VIEW_FLAGS_ADD, MAIL_DRAFT, NULL);
	house_work(&h);
	assert_true(told > 0);
	acct_unheed(&heed);
	view_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own, begin, end),
		cmocka_unit_test_setup_teardown(test_same_tick, begin, end),
		cmocka_unit_test_setup_teardown(test_settles, begin, end),
		cmocka_unit_test_setup_teardown(test_settles_list, begin, end),
		cmocka_unit_test_setup_teardown(test_settles_not, begin, end),
		cmocka_unit_test_setup_teardown(test_young, begin, end),
		cmocka_unit_test_setup_teardown(test_slow, begin, end),
		cmocka_unit_test_setup_teardown(test_young_again, begin, end),
		cmocka_unit_test_setup_teardown(test_replaced, begin, end),
		cmocka_unit_test_setup_teardown(test_told_by_another, begin, end),
		cmocka_unit_test_setup_teardown(test_written_for_another, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
