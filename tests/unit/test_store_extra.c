#include "src/store/extra.h"

#include "store_room.h"

#include <sys/file.h>
#include <xxhash.h>

static int open_dir(struct room *r)
{
	int fd = open(r->root, O_RDONLY);

	assert_true(fd >= 0);
	return fd;
}

static void test_facts(void **state)
{
	struct room *r = *state;
	struct extra *x = extra_new(), *y = extra_new();
	int dir = open_dir(r);

	assert_int_equal(extra_refresh(x, dir, &r->text), ERR_OK);
	assert_true(extra_floor(x) == 0 && !extra_keyword(x, 30) &&
		    !extra_keywords_of(x, SPAN("k")));
	assert_int_equal(extra_write(x, dir, 0600, true, &r->text), ERR_OK); /* nothing to say */
	assert_false(room_has(r, "roost-extra"));

	extra_set_floor(x, 77);
	extra_set_keyword(x, 30, "$thirty");
	extra_set_keywords_of(x, SPAN("a key"), UINT64_C(1) << 30 | UINT64_C(1) << 63);
	assert_true(extra_pending(x));
	assert_int_equal(extra_write(x, dir, 0600, true, &r->text), ERR_OK);
	assert_false(extra_pending(x));
	assert_int_equal(extra_refresh(y, dir, &r->text), ERR_OK);
	assert_true(extra_floor(x) == 77 && extra_floor(y) == 77);
	assert_string_equal(extra_keyword(y, 30), "$thirty");
	assert_true(extra_keywords_of(y, SPAN("a key")) == (UINT64_C(1) << 30 | UINT64_C(1) << 63));

	/* The other appends, we read on. */
	extra_set_keywords_of(y, SPAN("a key"), 0);
	extra_set_floor(y, 50); /* never back */
	assert_int_equal(extra_write(y, dir, 0600, false, &r->text), ERR_OK);
	assert_int_equal(extra_refresh(x, dir, &r->text), ERR_OK);
	assert_true(extra_keywords_of(x, SPAN("a key")) == 0 && extra_floor(x) == 77);
	extra_free(&x);
	extra_free(&y);
	close(dir);
}

/* A torn or forged line costs itself, not its neighbours. */
static void test_damage(void **state)
{
	struct room *r = *state;
	struct extra *x = extra_new();
	int dir = open_dir(r);

	extra_set_floor(x, 10);
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_OK);
	const char *good = room_read(r, "roost-extra");
	room_write(r, "roost-extra", arena_printf(r->arena, "%sm 99 00000000\nk 1\n\nm 12", good));
	extra_free(&x);
	x = extra_new();
	assert_int_equal(extra_refresh(x, dir, &r->text), ERR_OK);
	assert_true(extra_floor(x) == 10);
	extra_set_keyword(x, 26, "after");
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_OK);
	assert_string_equal(extra_keyword(x, 26), "after");
	extra_free(&x);

	room_write(r, "roost-extra", "no such thing\n");
	x = extra_new();
	assert_int_equal(extra_refresh(x, dir, &r->text), ERR_OK);
	extra_set_floor(x, 5);
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_OK);
	assert_true(extra_floor(x) == 5);
	extra_free(&x);
	close(dir);
}

static void test_compact(void **state)
{
	struct room *r = *state;
	struct extra *x = extra_new(), *y = extra_new();
	int dir = open_dir(r);
	char key[32];

	extra_set_keyword(x, 26, "kept");
	for (int i = 0; i < 1000; i++)
		extra_set_keywords_of(
			x, span_of(key, (size_t)snprintf(key, sizeof(key), "key%d", i % 10)),
			UINT64_C(1) << (26 + i % 38));
	assert_int_equal(extra_write(x, dir, 0600, true, &r->text), ERR_OK);
	struct stat st;
	assert_int_equal(stat(room_path(r, "roost-extra"), &st), 0);
	assert_true(st.st_size < 1000);
	assert_int_equal(extra_refresh(y, dir, &r->text), ERR_OK);
	assert_string_equal(extra_keyword(y, 26), "kept");
	assert_true(extra_keywords_of(y, SPAN("key9")) == extra_keywords_of(x, SPAN("key9")));
	assert_true(extra_keywords_of(y, SPAN("key9")) == UINT64_C(1) << (26 + 999 % 38));

	extra_free(&y);
	extra_free(&x);
	close(dir);
}

/* Lines of a later version outlive a rewrite; a later keyword name takes the place of the first. */
static void test_later_version(void **state)
{
	struct room *r = *state;
	struct extra *x = extra_new();
	int dir = open_dir(r);

	room_write(r, "roost-extra",
		   arena_printf(r->arena, "z from the future %08x\n",
				XXH32("z from the future", 17, 0)));
	for (int i = 0; i < 200; i++)
		extra_set_keyword(x, 26, i < 199 ? "early" : "late");
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_OK);
	const char *text = room_read(r, "roost-extra");
	assert_non_null(strstr(text, "z from the future "));
	assert_null(strstr(text, "early"));
	assert_string_equal(extra_keyword(x, 26), "late");
	extra_free(&x);
	close(dir);
}

static void test_locked(void **state)
{
	struct room *r = *state;
	struct extra *x = extra_new();
	int dir = open_dir(r);

	extra_set_floor(x, 1);
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_OK);
	int fd = open(room_path(r, "roost-extra"), O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	extra_set_floor(x, 2);
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_INUSE);
	assert_true(extra_pending(x));
	close(fd);
	assert_int_equal(extra_write(x, dir, 0600, false, &r->text), ERR_OK);
	assert_true(extra_floor(x) == 2);
	extra_free(&x);
	close(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_facts),
		ROOM_TEST(test_damage),
		ROOM_TEST(test_compact),
		ROOM_TEST(test_later_version),
		ROOM_TEST(test_locked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
