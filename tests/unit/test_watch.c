#include "io/watch.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct eye {
	struct watch *w;
	int seen;
	bool remove_inside;
};

static void on_change(void *ctx)
{
	struct eye *e = ctx;

	e->seen++;
	if (e->remove_inside)
		watch_remove(&e->w);
}

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void settle(struct loop *l)
{
	struct loop_timer t = { 0 };

	loop_timer_set(l, &t, 20, on_stop, l);
	loop_run(l);
}

static void drop(const char *dir, const char *name)
{
	char path[128], moved[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(moved, sizeof(moved), "%s/%s.2", dir, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(unlink(moved), 0);
}

static void test_watch(void **state)
{
	char one[] = "/tmp/test_watch.XXXXXX", two[] = "/tmp/test_watch.XXXXXX";
	struct eye a = { 0 }, b = { 0 }, c = { .remove_inside = true };
	struct loop *l = loop_new();
	struct watch_set *set;
	uint64_t n;

	assert_true(mkdtemp(one) && mkdtemp(two));
	assert_int_equal(watch_set_new(l, &set), ERR_OK);
	assert_int_equal(watch_add(set, one, NULL, on_change, &a, &a.w), ERR_OK);
	assert_int_equal(watch_add(set, two, NULL, on_change, &b, &b.w), ERR_OK);
	assert_int_equal(watch_add(set, one, NULL, on_change, &c, &c.w), ERR_OK);
	assert_int_equal(watch_add(set, "/tmp/nowhere", NULL, on_change, &c, &c.w), ERR_NOTFOUND);
	n = watch_count(a.w);
	drop(one, "x"); /* four events, one call */
	assert_int_equal(watch_count(a.w) - n, 4); /* known before the loop turns */
	assert_int_equal(a.seen, 0);
	settle(l);
	assert_int_equal(watch_count(a.w) - n, 4);
	assert_int_equal(a.seen, 1);
	assert_int_equal(b.seen, 0);
	assert_int_equal(c.seen, 1);
	assert_null(c.w);
	drop(one, "x"); /* the other watch of the directory still sees */
	settle(l);
	assert_int_equal(a.seen, 2);
	assert_int_equal(c.seen, 1);
	rmdir(two);
	settle(l);
	assert_int_equal(b.seen, 1);
	assert_true(watch_count(b.w) > 1000000); /* nothing can be said any more */
	watch_remove(&a.w);
	drop(one, "x");
	settle(l);
	assert_int_equal(a.seen, 2);
	watch_remove(&b.w);
	watch_set_free(&set);
	rmdir(one);
	loop_free(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
