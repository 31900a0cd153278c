#include "src/store/file.h"
#include "src/store/lines.h"

#include "store_room.h"

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	return fd;
}

/* Nothing but plain files in the directory itself is ever opened. */
static void test_open(void **state)
{
	struct room *r = *state;
	int dir = open_dir(r->root), fd;
	struct stat st;

	room_write(r, "plain", "x");
	assert_int_equal(file_open_read(dir, "plain", &fd, &st), ERR_OK);
	close(fd);
	assert_int_equal(symlink("plain", room_path(r, "link")), 0);
	assert_int_equal(file_open_read(dir, "link", &fd, &st), ERR_NOTFOUND);
	assert_int_equal(mkfifo(room_path(r, "fifo"), 0600), 0);
	assert_int_equal(file_open_read(dir, "fifo", &fd, &st), ERR_NOTFOUND);
	assert_int_equal(file_open_read(dir, "cur", &fd, &st), ERR_NOTFOUND);
	assert_int_equal(file_open_read(dir, "none", &fd, &st), ERR_NOTFOUND);
	assert_int_equal(symlink("cur", room_path(r, "linkdir")), 0);
	assert_true(file_open_dir(dir, "linkdir") < 0);
	assert_true(file_open_dir(dir, "..") < 0);
	assert_true(file_open_dir(dir, "cur/../..") < 0);
	assert_true((fd = file_open_dir(dir, "cur")) >= 0);
	close(fd);
	close(dir);
}

static void test_replace(void **state)
{
	struct room *r = *state;
	int dir = open_dir(r->root);

	room_write(r, "f.tmp", "left over");
	assert_int_equal(file_replace(dir, "f.tmp", "f", SPAN("one"), 0600, true), ERR_OK);
	assert_string_equal(room_read(r, "f"), "one");
	assert_int_equal(file_replace(dir, "f.tmp", "f", SPAN("two"), 0600, false), ERR_OK);
	assert_string_equal(room_read(r, "f"), "two");
	assert_false(room_has(r, "f.tmp"));
	/* Failing leaves the old one. */
	assert_int_not_equal(file_replace(dir, "f.tmp", "cur", SPAN("x"), 0600, false), ERR_OK);
	assert_false(room_has(r, "f.tmp"));
	room_write(r, "g", "g");
	assert_int_equal(file_rename_new(dir, "g", dir, "f"), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(file_rename_new(dir, "g", dir, "h"), 0);
	close(dir);
}

static void expect_lines(struct room *r, const char *text, uint64_t from, const char *const *want,
			 uint64_t end)
{
	struct lines l;
	struct span line;
	int fd;

	room_write(r, "lines", text);
	fd = open(room_path(r, "lines"), O_RDONLY);
	lines_init(&l, fd, from);
	for (; *want; want++) {
		assert_int_equal(lines_next(&l, &line), ERR_OK);
		assert_true(span_eq_str(line, *want));
	}
	assert_int_equal(lines_next(&l, &line), ERR_CLOSED);
	assert_int_equal(l.end, end);
	lines_free(&l);
	close(fd);
}

static void test_lines(void **state)
{
	struct room *r = *state;
	char *big = arena_alloc(r->arena, 200001);
	struct lines l;
	struct span line;
	size_t total = 0;

	expect_lines(r, "", 0, (const char *[]){ NULL }, 0);
	expect_lines(r, "torn", 0, (const char *[]){ NULL }, 0);
	expect_lines(r, "a\n\nb\ntorn", 0, (const char *[]){ "a", "", "b", NULL }, 5);
	expect_lines(r, "a\nb\n", 2, (const char *[]){ "b", NULL }, 4);

	/* A monster comes in pieces, and what follows it is found. */
	memset(big, 'x', 200000);
	memcpy(big + 199995, "\nend\n", 5);
	room_write(r, "lines", big);
	int fd = open(room_path(r, "lines"), O_RDONLY);
	lines_init(&l, fd, 0);
	do {
		assert_int_equal(lines_next(&l, &line), ERR_OK);
		total += line.n;
	} while (total < 199995);
	assert_int_equal(lines_next(&l, &line), ERR_OK);
	assert_true(span_eq_str(line, "end"));
	assert_int_equal(l.end, 200000);
	lines_free(&l);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = { ROOM_TEST(test_open), ROOM_TEST(test_replace),
					    ROOM_TEST(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
