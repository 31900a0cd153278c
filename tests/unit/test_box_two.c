/*
 * Two processes on one Maildir and one index. A scenario runs in this process; before its n-th call of the store, for
 * every n, another process comes, does something and is gone without a farewell. Whatever either acknowledged must hold
 * afterwards, in the index and in the folder, and the session that went on meanwhile must have been told of all.
 */
#include "tests/unit/box_house.h"

#include "base/clock.h"
#include "index/index.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct house h;
static struct store_faulty plan;

enum { TEXTS = 6, FOREIGN = 4, THEIRS = 2 };

/* What was acknowledged to anybody; shared by both processes. */
struct ack {
	uint32_t uid[TEXTS + THEIRS]; /* 0: not told */
	bool gone[TEXTS + THEIRS];    /* to be removed */
	bool flagged_by_them;         /* text 0 */
	unsigned copies;              /* of text 0 in Other */
};

static struct ack *k;
static void (*theirs)(struct house *o);
static bool without_index; /* the other process finds none, and makes the next one */

static const char *text(int i)
{
	static char t[64];

	snprintf(t, sizeof(t), "x: %d\r\n\r\nbody %d\r\n", i, i);
	return t;
}

static uint32_t uid_with(struct view *v, const char *want, unsigned *count_r)
{
	uint32_t uid = 0;

	*count_r = 0;
	for (uint32_t seq = 1; seq <= view_state(v)->exists; seq++) {
		if (strcmp(text_of(v, view_uid(v, seq)), want) != 0)
			continue;
		uid = view_uid(v, seq);
		++*count_r;
	}
	return uid;
}

/* --- the other process -------------------------------------------------------------------- */

static void come_and_go(void)
{
	struct house o = h;
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		o.ns.ops = &store_maildir;
		o.ns.store.hostname = "other";
		o.config.ns = &o.ns;
		o.ar = arena_new(64 << 20);
		if (without_index)
			remove_tree(o.index);
		house_open(&o);
		theirs(&o);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void they_append(struct house *o)
{
	for (int i = 0; i < THEIRS; i++)
		k->uid[TEXTS + i] = house_append(o, "INBOX", text(TEXTS + i), 0, NULL);
}

static void they_look(struct house *o)
{
	struct view *v = house_view(o, "INBOX", false);

	view_look(v);
	view_close(&v);
	house_work(o);
}

static void they_flag(struct house *o)
{
	struct view *v = house_view(o, "INBOX", false);

	if (k->uid[0] && view_seq(v, k->uid[0])) {
		view_flag(v, k->uid[0], VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
		house_work(o);
		view_flag(v, k->uid[0], VIEW_FLAGS_ADD, 0, "$Theirs");
		house_work(o);
		k->flagged_by_them = true;
	}
	view_close(&v);
}

static void they_copy(struct house *o)
{
	struct view *v = house_view(o, "INBOX", false);

	if (k->uid[0] && view_seq(v, k->uid[0])) {
		assert_int_equal(try_copy(v, k->uid[0], k->uid[0], "Other", false, NULL), ERR_OK);
		k->copies++;
	}
	view_close(&v);
	house_work(o);
}

static void they_expunge(struct house *o)
{
	struct view *v = house_view(o, "INBOX", false);

	if (k->uid[3] && view_seq(v, k->uid[3])) {
		k->gone[3] = true;
		view_flag(v, k->uid[3], VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
		assert_int_equal(try_expunge(v), ERR_OK);
	}
	view_close(&v);
}

/* A delivery that dies when its message has a number in the folder's list, and the index does not know it. */
static void they_die(struct house *o)
{
	struct store *s;
	struct store_box *b;
	struct store_stage st;
	struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN };
	uint32_t next;

	assert_int_equal(store_maildir.open(&o->ns.store, &s, NULL), ERR_OK);
	assert_int_equal(store_maildir.box_open(s, "INBOX", &b, NULL), ERR_OK);
	assert_int_equal(store_maildir.stage(b, 0, &st, NULL), ERR_OK);
	assert_int_equal(write(st.fd, text(TEXTS), strlen(text(TEXTS))), strlen(text(TEXTS)));
	assert_int_equal(store_maildir.commit_many(b, &c, 1, o->ar, NULL), ERR_OK);
	assert_int_equal(store_maildir.number(b, &c.key, 1, true, &k->uid[TEXTS], &next, o->ar, NULL), ERR_OK);
}

/* --- both at once ------------------------------------------------------------------------- */

enum { AT_ONCE = 20, LOOKING_US = 10000, AT_ONCE_S = 60 };

static unsigned *arrived; /* shared */

/* The three of us go on together, for the n-th time. Who dies is not waited for: the others' alarms go off before. */
static void meet(unsigned n)
{
	uint64_t end = clock_ms() + (AT_ONCE_S + 10) * 1000;

	__atomic_add_fetch(arrived, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(arrived, __ATOMIC_SEQ_CST) < 3 * n) {
		if (clock_ms() > end)
			fail_msg("the others do not come to the %uth meeting", n);
		usleep(100);
	}
}

static const char *numbered(int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "M%d", i);
	return name;
}

/* How many it could not open. */
static int open_all(void)
{
	struct house o = h;
	struct view *v;
	int failed = 0;

	alarm(AT_ONCE_S);
	house_open(&o);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		meet(2 * i + 1);
		if (try_view(&o, numbered((int)i), false, &v))
			failed++;
		else
			view_close(&v);
		meet(2 * i + 2);
	}
	house_close(&o);
	return failed;
}

/* While this one keeps the others from writing, both see that the index knows nothing of the mailbox. */
static void hold_up(void)
{
	struct idx_config config = { .dir = h.index };
	struct idx_txn *x;
	struct idx *index;
	bool rebuilt;

	assert_int_equal(idx_open(&config, &index, &rebuilt, NULL), ERR_OK);
	for (unsigned i = 0; i < AT_ONCE; i++) {
		assert_int_equal(idx_write(index, &x, NULL), ERR_OK);
		meet(2 * i + 1);
		usleep(LOOKING_US);
		idx_abort(&x);
		meet(2 * i + 2);
	}
	idx_close(&index);
}

/* Whoever is slower at making a mailbox known to the index finds what the other made. */
static void test_made_at_once(void **state)
{
	struct errtext t;
	struct view *v;
	pid_t pid[2];
	int status;

	house_begin(&h, &store_maildir);
	for (int i = 0; i < AT_ONCE; i++) {
		assert_int_equal(acct_create(h.a, numbered(i), NULL, &t), ERR_OK);
		v = house_view(&h, numbered(i), false); /* the folder has all of its identity */
		view_close(&v);
	}
	house_close(&h);
	remove_tree(h.index);
	*arrived = 0;
	for (int i = 0; i < 2; i++) {
		pid[i] = fork();
		assert_true(pid[i] >= 0);
		if (pid[i] == 0)
			_exit(open_all());
	}
	hold_up();
	for (int i = 0; i < 2; i++) {
		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_int_equal(status, 0);
	}
	house_open(&h);
	house_end(&h);
}

/* --- this one ------------------------------------------------------------------------------- */

static struct view *scenario(void)
{
	struct view *v = house_view(&h, "INBOX", false);
	char path[200];

	for (int i = 0; i < FOREIGN; i++)
		k->uid[i] = house_append(&h, "INBOX", text(i), 0, NULL);
	snprintf(path, sizeof(path), "%s/new/1.foreign", h.mail);
	put_file(path, text(FOREIGN));
	view_look(v);
	view_quiet(&h, v);
	view_flag(v, k->uid[0], VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	house_work(&h);
	view_flag(v, k->uid[0], VIEW_FLAGS_ADD, 0, "$K");
	house_work(&h);
	assert_int_equal(try_copy(v, k->uid[0], k->uid[0], "Other", false, NULL), ERR_OK);
	k->copies++;
	k->gone[2] = true;
	assert_int_equal(try_copy(v, k->uid[2], k->uid[2], "Other", true, NULL), ERR_OK);
	k->gone[1] = true;
	view_flag(v, k->uid[1], VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);
	k->uid[5] = house_append(&h, "INBOX", text(5), 0, NULL);
	house_work(&h);
	view_look(v);
	view_quiet(&h, v);
	return v;
}

static void check_inbox(struct view *v)
{
	unsigned count;

	for (int i = 0; i < TEXTS + THEIRS; i++) {
		uint32_t uid = uid_with(v, text(i), &count);
		bool there = !k->gone[i] && (k->uid[i] || i == FOREIGN);

		if (there && !uid)
			fail_msg("text %d is lost", i);
		if (count > 1 || (count && !there))
			fail_msg("text %d is there %u times", i, count);
		if (uid && k->uid[i])
			assert_int_equal(uid, k->uid[i]);
	}
	assert_true(flags_of(v, k->uid[0]).system & MAIL_FLAGGED);
	assert_true(has_keyword(v, k->uid[0], "$K"));
	if (k->flagged_by_them) {
		assert_true(flags_of(v, k->uid[0]).system & MAIL_ANSWERED);
		assert_true(has_keyword(v, k->uid[0], "$Theirs"));
	}
}

static void check_other(struct view *v)
{
	unsigned count;

	(void)uid_with(v, text(0), &count);
	assert_int_equal(count, k->copies);
	(void)uid_with(v, text(2), &count);
	assert_int_equal(count, 1);
}

static void check(void)
{
	struct view *v = house_view(&h, "INBOX", false), *other = house_view(&h, "Other", false);

	check_inbox(v);
	check_other(other);
	view_close(&v);
	view_close(&other);
}

/* An index that was made between the facts of a removal and the disk's has it yet: two looks tell. */
static void see_gone(struct view *v)
{
	for (int i = 0; i < 2; i++) {
		house_settle(&h);
		view_look(v);
	}
	view_quiet(&h, v);
}

/* The session that went on meanwhile has the same messages as a new one. */
static void compare(struct view *v)
{
	struct view *fresh = house_view(&h, "INBOX", false);

	assert_int_equal(view_state(v)->exists, view_state(fresh)->exists);
	for (uint32_t seq = 1; seq <= view_state(v)->exists; seq++)
		assert_int_equal(view_uid(v, seq), view_uid(fresh, seq));
	view_close(&fresh);
}

/* False when the scenario no longer came to the n-th call. */
static bool round_of(unsigned n)
{
	struct errtext t;
	struct view *v;
	bool reached;

	memset(k, 0, sizeof(*k));
	plan = (struct store_faulty){ .inner = &store_maildir, .meanwhile = come_and_go };
	house_begin(&h, &store_maildir);
	assert_int_equal(acct_create(h.a, "Other", NULL, &t), ERR_OK);
	v = house_view(&h, "INBOX", false); /* it is there */
	view_close(&v);
	house_close(&h);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	house_open(&h);
	plan.fail_at = n;
	v = scenario();
	reached = plan.fail_at == 0;
	plan.fail_at = 0;
	view_look(v);
	view_quiet(&h, v);
	if (without_index)
		see_gone(v);
	compare(v);
	check_inbox(v);
	view_close(&v);
	check();
	house_work(&h);
	house_again(&h, true);
	check();
	house_end(&h);
	return reached;
}

static void all_rounds(void (*what)(struct house *o))
{
	unsigned n = 1;

	theirs = what;
	for (; round_of(n); n++)
		;
	assert_true(n > 50);
}

static void test_append(void **state)
{
	all_rounds(they_append);
}

static void test_look(void **state)
{
	all_rounds(they_look);
}

static void test_flag(void **state)
{
	all_rounds(they_flag);
}

static void test_copy(void **state)
{
	all_rounds(they_copy);
}

static void test_expunge(void **state)
{
	all_rounds(they_expunge);
}

static void test_die(void **state)
{
	all_rounds(they_die);
}

static void test_rebuild(void **state)
{
	without_index = true;
	all_rounds(they_look);
	without_index = false;
}

/* A file that others renamed too often to be found is looked for once more, by its record as it is then. */
static void test_changes_too_fast(void **state)
{
	struct view *v;

	plan = (struct store_faulty){ .inner = &store_maildir };
	house_begin(&h, &store_maildir);
	house_close(&h);
	h.ns.ops = store_faulty_ops();
	h.ns.store.hostname = (const char *)&plan;
	house_open(&h);
	house_append(&h, "INBOX", text(0), 0, NULL);
	v = house_view(&h, "INBOX", false);
	plan.fail_at = 1;
	plan.with = ERR_INUSE;
	assert_string_equal(text_of(v, 1), text(0));
	assert_int_equal(plan.fail_at, 0);
	view_close(&v);
	house_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),	cmocka_unit_test(test_look),	cmocka_unit_test(test_flag),
		cmocka_unit_test(test_copy),	cmocka_unit_test(test_expunge), cmocka_unit_test(test_die),
		cmocka_unit_test(test_rebuild), cmocka_unit_test(test_changes_too_fast), cmocka_unit_test(test_made_at_once),
	};

	k = mmap(NULL, sizeof(*k) + sizeof(*arrived), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k == MAP_FAILED)
		return 1;
	arrived = (unsigned *)(k + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
