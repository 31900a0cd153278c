#include "store/dotlock.h"

#include "store_room.h"

static void take(struct room *r, int dir, const char *host, int stale, enum err want,
		 struct dotlock *l)
{
	struct dotlock_want w = { .name = "x.lock", .host = host, .stale = stale, .mode = 0600 };

	assert_int_equal(dotlock_take(l, dir, &w, &r->text), want);
}

static void test_guard(void **state)
{
	struct room *r = *state;
	int dir = open(r->root, O_RDONLY);
	struct dotlock a, b;
	char want[64];

	take(r, dir, "me", 120, ERR_OK, &a);
	snprintf(want, sizeof(want), "%ld:me", (long)getpid());
	assert_string_equal(room_read(r, "x.lock"), want);
	take(r, dir, "me", 120, ERR_INUSE, &b);
	dotlock_drop(&b);
	assert_true(room_has(r, "x.lock"));
	assert_true(dotlock_holds(&a) && !dotlock_holds(&b));
	dotlock_drop(&a);
	assert_false(room_has(r, "x.lock"));
	dotlock_drop(&a);
	close(dir);
}

/* What stands in the way and cannot be judged is somebody's lock, whatever looking at it says. */
static void test_unreadable(void **state)
{
	struct room *r = *state;
	int dir = open(r->root, O_RDONLY);
	struct dotlock l;

	assert_int_equal(symlinkat("nowhere", dir, "x.lock"), 0);
	take(r, dir, "me", 120, ERR_INUSE, &l);
	take(r, dir, NULL, 120, ERR_INUSE, &l);
	close(dir);
}

static void test_stale(void **state)
{
	struct room *r = *state;
	int dir = open(r->root, O_RDONLY);
	struct dotlock l;
	char dead[64];
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	snprintf(dead, sizeof(dead), "%ld:me", (long)child);

	room_write(r, "x.lock", dead);
	take(r, dir, "other", 120, ERR_INUSE, &l); /* a process of another host may live */
	take(r, dir, "me", 120, ERR_OK, &l);
	dotlock_drop(&l);

	room_write(r, "x.lock", "1:me"); /* alive */
	take(r, dir, "me", 120, ERR_INUSE, &l);
	room_write(r, "x.lock", "");
	take(r, dir, "me", 120, ERR_INUSE, &l);
	take(r, dir, NULL, 120, ERR_INUSE, &l);
	room_write(r, "x.lock", "0:me");
	take(r, dir, "me", 120, ERR_INUSE, &l);

	take(r, dir, "me", -1, ERR_OK, &l); /* older than allowed */
	dotlock_drop(&l);
	assert_int_equal(room_count(r, "."), 3); /* cur new tmp: nothing set aside is left */
	close(dir);
}

static void test_replace(void **state)
{
	struct room *r = *state;
	int dir = open(r->root, O_RDONLY);
	struct dotlock l;

	take(r, dir, NULL, 30, ERR_OK, &l);
	assert_string_equal(room_read(r, "x.lock"), "");
	assert_int_equal(write(l.fd, "new", 3), 3);
	assert_int_equal(dotlock_replace(&l, "x"), ERR_OK);
	assert_string_equal(room_read(r, "x"), "new");
	assert_false(room_has(r, "x.lock"));

	/* Broken by somebody, taken by another: not ours to rename or to remove. */
	take(r, dir, NULL, 30, ERR_OK, &l);
	room_move(r, "x.lock", "stolen");
	room_write(r, "x.lock", "theirs");
	assert_false(dotlock_holds(&l));
	assert_int_equal(dotlock_replace(&l, "x"), ERR_INUSE);
	assert_string_equal(room_read(r, "x"), "new");
	assert_string_equal(room_read(r, "x.lock"), "theirs");
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { ROOM_TEST(test_guard), ROOM_TEST(test_unreadable), ROOM_TEST(test_stale),
					    ROOM_TEST(test_replace) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
