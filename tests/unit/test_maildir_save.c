#include "store_room.h"

#include <sys/file.h>
#include <sys/resource.h>

static void stage(struct room *r, struct store_stage *st, const char *text)
{
	assert_int_equal(r->box->ops->stage(r->box, strlen(text), st, &r->text), ERR_OK);
	assert_int_equal(write(st->fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void test_commit(void **state)
{
	struct room *r = *state;
	struct store_stage st;
	struct store_commit c = {
		.stage = &st, .internaldate = 1234567890, .vsize = 7, .recent = true
	};
	struct store_object o;
	struct stat sb;

	stage(r, &st, "hello\n");
	assert_int_equal(room_count(r, "tmp"), 1);
	assert_int_equal(room_scan(r).n, 0);
	assert_int_equal(r->box->ops->commit_many(r->box, &c, 1, r->arena, &r->text), ERR_OK);
	assert_int_equal(room_count(r, "tmp"), 0);
	assert_true(span_ends(c.key, SPAN(",S=6,W=7")));
	assert_true(span_eq_str(c.hint, "n") && c.size == 6 && c.err == ERR_OK && st.fd == -1);
	assert_int_equal(r->box->ops->locate(r->box, c.key, c.hint, &o, NULL, NULL, &r->text),
			 ERR_OK);
	assert_true(o.length == 6 && o.mtime == 1234567890);
	assert_int_equal(fstat(o.fd, &sb), 0);
	assert_int_equal(sb.st_mode & 0777, 0600);
	close(o.fd);
	struct store_scan s = room_scan(r);
	assert_true(s.n == 1 && span_eq(s.msg[0].key, c.key) && s.msg[0].vsize == 7);
}

static void test_flags(void **state)
{
	struct room *r = *state;
	struct store_commit c = room_add(r, "x", (struct mail_flags){ MAIL_SEEN | MAIL_RECENT, 2 });

	assert_true(span_eq_str(c.hint, "c:2,Sb"));
	struct store_stage st;
	struct store_commit quiet = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN };
	stage(r, &st, "y");
	assert_int_equal(r->box->ops->commit_many(r->box, &quiet, 1, r->arena, &r->text), ERR_OK);
	assert_true(span_eq_str(quiet.hint, "c:2,"));
}

static void test_batch_and_abort(void **state)
{
	struct room *r = *state;
	struct store_stage st[6];
	struct store_commit c[5];

	for (int i = 0; i < 6; i++)
		stage(r, &st[i], "text");
	r->box->ops->abort(&st[5]);
	assert_int_equal(room_count(r, "tmp"), 5);
	for (int i = 0; i < 5; i++)
		c[i] = (struct store_commit){ .stage = &st[i], .vsize = 4, .recent = i % 2 };
	maildir_of(r->store)->sync = STORE_SYNC_OPTIMIZED;
	assert_int_equal(r->box->ops->commit_many(r->box, c, 5, r->arena, &r->text), ERR_OK);
	assert_int_equal(room_count(r, "new"), 2);
	assert_int_equal(room_count(r, "cur"), 3);
	assert_int_equal(room_count(r, "tmp"), 0);
	for (int i = 0; i < 5; i++)
		for (int k = 0; k < i; k++)
			assert_false(span_eq(c[i].key, c[k].key));
}

/* One that fails takes the others not with it. */
static void test_one_fails(void **state)
{
	struct room *r = *state;
	struct store_stage st[3];
	struct store_commit c[3];

	for (int i = 0; i < 3; i++) {
		stage(r, &st[i], "text");
		c[i] = (struct store_commit){ .stage = &st[i], .vsize = 4, .recent = true };
	}
	close(st[1].fd);
	st[1].fd = open("/dev/null", O_RDONLY); /* cannot be synced */
	maildir_of(r->store)->sync = STORE_SYNC_OPTIMIZED;
	assert_int_equal(r->box->ops->commit_many(r->box, c, 3, r->arena, &r->text), ERR_IO);
	assert_true(c[0].err == ERR_OK && c[1].err == ERR_IO && c[2].err == ERR_OK);
	assert_int_equal(room_count(r, "new"), 2);
	assert_int_equal(room_count(r, "tmp"), 0);
}

static void test_link(void **state)
{
	struct room *r = *state;
	struct store_box *to;
	struct store_stage st;
	struct store_commit c = { .stage = &st, .flags = { MAIL_SEEN, 0 }, .vsize = 6, .copy = true,
				  .guid = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 } };
	struct store_commit orig = room_add(r, "hello\n", (struct mail_flags){ 0 });

	assert_int_equal(r->store->ops->create(r->store, "To", NULL, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "To", &to, &r->text), ERR_OK);
	assert_int_equal(to->ops->link(r->box, orig.key, SPAN("c:2,stale"), to, &st, &r->text),
			 ERR_OK);
	assert_true(st.fd == -1);
	assert_int_equal(to->ops->commit_many(to, &c, 1, r->arena, &r->text), ERR_OK);
	assert_true(span_eq_str(c.hint, "c:2,S") && c.size == 6);
	assert_true(span_ends(c.key, SPAN(",S=6,W=6,E=000102030405060708090a0b0c0d0e0f")));
	assert_int_equal(room_count(r, ".To/cur"), 1);
	assert_int_equal(room_count(r, "new"), 1);
	assert_int_equal(to->ops->link(r->box, SPAN("none"), SPAN("c"), to, &st, &r->text),
			 ERR_EXPUNGED);
	assert_int_equal(to->ops->link(r->box, orig.key, orig.hint, to, &st, &r->text), ERR_OK);
	to->ops->abort(&st);
	assert_int_equal(room_count(r, ".To/tmp"), 0);

	/* Between staging and commit others rename it, then remove it. */
	assert_int_equal(to->ops->link(r->box, orig.key, orig.hint, to, &st, &r->text), ERR_OK);
	assert_int_equal(r->box->ops->set_flags(r->box, orig.key, orig.hint, (struct mail_flags){ MAIL_SEEN, 0 },
						r->arena, &orig.hint, &r->text), ERR_OK);
	assert_int_equal(to->ops->commit_many(to, &c, 1, r->arena, &r->text), ERR_OK);
	assert_int_equal(room_count(r, ".To/cur"), 2);
	assert_int_equal(to->ops->link(r->box, orig.key, orig.hint, to, &st, &r->text), ERR_OK);
	assert_int_equal(r->box->ops->expunge(r->box, orig.key, orig.hint, &r->text), ERR_OK);
	room_age(r);
	assert_int_equal(to->ops->commit_many(to, &c, 1, r->arena, &r->text), ERR_EXPUNGED);
	assert_int_equal(room_count(r, ".To/cur"), 2);
	r->store->ops->box_close(to);
}

/* Placed ones are there at once; what the last of a command does not say stands. */
static void test_place(void **state)
{
	struct room *r = *state;
	struct store_stage st[3];
	struct store_commit c[3];

	for (int i = 0; i < 3; i++) {
		stage(r, &st[i], "text");
		c[i] = (struct store_commit){ .stage = &st[i], .vsize = 4 };
	}
	maildir_of(r->store)->sync = STORE_SYNC_OPTIMIZED;
	assert_int_equal(r->box->ops->place_many(r->box, c, 2, r->arena, &r->text), ERR_OK);
	assert_int_equal(room_count(r, "cur"), 2);
	assert_true(maildir_box_of(r->box)->placed_cur);
	assert_int_equal(r->box->ops->commit_many(r->box, c + 2, 1, r->arena, &r->text), ERR_OK);
	assert_false(maildir_box_of(r->box)->placed_cur);
	assert_int_equal(room_count(r, "cur"), 3);
}

/* Another process holds what a message needs: it stays staged, and the next try commits it. */
static void test_in_use(void **state)
{
	struct room *r = *state;
	struct mail_flags f = { 0, UINT64_C(1) << 30 };
	struct store_stage st[2];
	struct store_commit c[2];
	int fd;

	room_add(r, "first", f); /* roost-extra is there */
	for (int i = 0; i < 2; i++) {
		stage(r, &st[i], "text");
		c[i] = (struct store_commit){ .stage = &st[i], .flags = f, .vsize = STORE_SIZE_UNKNOWN };
	}
	fd = open(room_path(r, "roost-extra"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(r->box->ops->commit_many(r->box, c, 2, r->arena, &r->text), ERR_INUSE);
	assert_int_equal(r->box->ops->commit_many(r->box, c, 2, r->arena, &r->text), ERR_INUSE);
	assert_int_equal(room_scan(r).n, 1);
	close(fd);
	assert_int_equal(r->box->ops->commit_many(r->box, c, 2, r->arena, &r->text), ERR_OK);
	assert_int_equal(room_count(r, "tmp"), 0);
	struct store_scan s = room_scan(r);
	assert_int_equal(s.n, 3);
	for (size_t i = 0; i < s.n; i++)
		assert_true(s.msg[i].flags.keywords == f.keywords);
}

static void test_no_space(void **state)
{
	struct room *r = *state;
	struct store_stage st;

	assert_int_equal(r->box->ops->stage(r->box, UINT64_C(1) << 60, &st, &r->text), ERR_NOSPACE);
	assert_int_equal(room_count(r, "tmp"), 0);
}

static void make_old(struct room *r, const char *path)
{
	struct timeval past[2] = { { time(NULL) - 40 * 3600, 0 }, { time(NULL) - 40 * 3600, 0 } };

	assert_int_equal(utimes(room_path(r, path), past), 0);
}

/* The inode change time cannot be set back, so a fresh file is spared; the look itself is noted. */
static void test_sweep(void **state)
{
	struct room *r = *state;
	struct stat st;

	room_write(r, "tmp/old", "x");
	make_old(r, "tmp/old");
	make_old(r, "tmp");
	room_reopen(r);
	room_scan(r);
	assert_true(room_has(r, "tmp/old"));
	assert_int_equal(stat(room_path(r, "tmp"), &st), 0);
	assert_true(st.st_atime > time(NULL) - 60);
}

static void test_write_limit(void **state)
{
	struct room *r = *state;
	struct rlimit limit = { 100, RLIM_INFINITY };
	struct mail_flags f = { 0, UINT64_C(1) << 30 };
	struct store_stage st;
	struct store_commit c = { .stage = &st, .flags = f, .vsize = 4 };

	signal(SIGXFSZ, SIG_IGN);
	for (int i = 0; i < 3; i++)
		room_add(r, "text", f); /* roost-extra grows past the limit */
	stage(r, &st, "text");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_not_equal(r->box->ops->commit_many(r->box, &c, 1, r->arena, &r->text), ERR_OK);
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(room_count(r, "tmp"), 0);
	assert_int_equal(room_scan(r).n, 3);
	room_add(r, "text", f);
	assert_true(room_scan(r).msg[3].flags.keywords == f.keywords);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_commit), ROOM_TEST(test_flags),    ROOM_TEST(test_batch_and_abort),
		ROOM_TEST(test_one_fails), ROOM_TEST(test_link),  ROOM_TEST(test_place),
		ROOM_TEST(test_no_space), ROOM_TEST(test_in_use),
		ROOM_TEST(test_sweep),  ROOM_TEST(test_write_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
