/* Namespaces for each user who shares: as many at once as there is room for, also where others of the account were left out. */
#include "tests/unit/box_house.h"

#include "base/mem.h"

#include <sys/stat.h>
#include <unistd.h>

enum { MOST = 60, DROPPED = 5 };

static struct house h;
static struct acct_ns ns[1 + DROPPED];
static struct acct_share share;
static unsigned made;

/* "shared/NAME" and "shared/NAME/..." */
static bool match(void *ctx, const struct acct_share *s, struct span name, struct buf *user_r)
{
	struct span prefix = span_str(s->prefix);

	if (!span_starts(name, prefix) || name.n == prefix.n)
		return false;
	name = span_from(name, prefix.n);
	buf_clear(user_r);
	buf_add_span(user_r, span_cut(name, 0, span_find(name, '/')));
	return !user_r->failed;
}

static enum err make(void *ctx, const struct acct_share *s, struct span user, struct arena *ar,
		     const struct acct_ns **ns_r, struct errtext *t)
{
	struct acct_ns *n = arena_alloc(ar, sizeof(*n));

	assert_non_null(n);
	made++;
	*n = (struct acct_ns){ .prefix = arena_printf(ar, "shared/%.*s/", (int)user.n, user.p), .separator = '/',
			       .type = ACCT_SHARED, .list = ACCT_LIST_YES, .optional = true, .foreign_inbox = true,
			       .ops = &store_maildir };
	n->store = h.ns.store;
	n->store.root = arena_printf(ar, "%s/%.*s", h.dir, (int)user.n, user.p);
	n->index_dir = arena_printf(ar, "%s/index.%.*s", h.dir, (int)user.n, user.p);
	*ns_r = n;
	return ERR_OK;
}

static void make_user(const char *name)
{
	static const char *const dirs[] = { "", "/cur", "/new", "/tmp" };
	char path[300];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", h.dir, name, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static int begin(void **state)
{
	static char blocked[200];

	made = 0;
	house_prepare(&h, &store_maildir);
	snprintf(blocked, sizeof(blocked), "%s/blocked", h.dir);
	put_file(blocked, "no directory");
	ns[0] = h.ns;
	for (int i = 1; i <= DROPPED; i++) {
		static const char *const prefixes[] = { "a/", "b/", "c/", "d/", "e/" };

		ns[i] = h.ns;
		ns[i].prefix = prefixes[i - 1];
		ns[i].inbox = false;
		ns[i].optional = true;
		ns[i].store.root = blocked;
	}
	share = (struct acct_share){ .prefix = "shared/", .separator = '/', .list = ACCT_LIST_YES, .match = match, .make = make };
	h.config.ns = ns;
	h.config.namespaces = 1 + DROPPED;
	h.config.share = &share;
	h.config.shares = 1;
	house_open(&h);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

static const char *name_of(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "shared/u%d", i);
	return name;
}

static void make_users(int n)
{
	for (int i = 0; i < n; i++)
		make_user(name_of(i) + 7);
}

/* Those who are not in use make room for others, and are there again when they are asked for. */
static void test_more_than_there_is_room_for(void **state)
{
	struct errtext t;
	struct view *v;

	make_users(2 * MOST);
	house_append(&h, name_of(7), "x: y\n\n1", 0, NULL);
	v = house_view(&h, name_of(7), false);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 2 * MOST; i++)
			assert_int_equal(acct_exists(h.a, name_of(i), &t), ERR_OK);
	house_append(&h, name_of(7), "x: y\n\n2", 0, NULL);
	assert_int_equal(set_count(view_uids(v)), 1);
	view_close(&v);
	house_append(&h, name_of(2 * MOST - 1), "x: y\n\n1", 0, NULL);
}

static void test_as_many_in_use_as_there_is_room_for(void **state)
{
	struct view *v[MOST];
	struct errtext t;

	make_users(MOST + 1);
	for (int i = 0; i < MOST; i++)
		assert_int_equal(view_open(h.a, name_of(i), false, &v[i], &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, name_of(MOST), &t), ERR_LIMIT);
	assert_int_equal(acct_exists(h.a, name_of(0), &t), ERR_OK);
	view_close(&v[30]);
	house_work(&h);
	assert_int_equal(acct_exists(h.a, name_of(MOST), &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, name_of(30), &t), ERR_OK);
	for (int i = 0; i < MOST; i++)
		view_close(&v[i]);
}

/* To make room for the other name's owner that of the first one must not go. */
static void test_rename_from_one_to_another(void **state)
{
	char from[40], to[40], there[40];
	struct acct_rename job = { .from = from, .to = to };
	struct view *v[MOST - 1];
	struct errtext t;

	make_users(MOST + 1);
	snprintf(there, sizeof(there), "%s/x", name_of(MOST));
	assert_int_equal(acct_create(h.a, there, NULL, &t), ERR_OK);
	snprintf(to, sizeof(to), "%s/y", name_of(MOST));
	snprintf(from, sizeof(from), "%s/x", name_of(MOST - 1));
	assert_int_equal(acct_create(h.a, from, NULL, &t), ERR_OK);
	for (int i = 0; i < MOST - 1; i++)
		assert_int_equal(view_open(h.a, name_of(i), false, &v[i], &t), ERR_OK);
	assert_int_equal(acct_rename(h.a, &job), STEP_DONE);
	assert_int_not_equal(job.err, ERR_OK);
	assert_int_equal(acct_exists(h.a, from, &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, there, &t), ERR_OK);
	for (int i = 0; i < MOST - 1; i++)
		view_close(&v[i]);
}

/* Who is not there is not looked for again at once. */
static void test_who_is_not_there(void **state)
{
	struct errtext t;

	assert_int_equal(acct_exists(h.a, "shared/nobody", &t), ERR_NOTFOUND);
	assert_int_equal(acct_create(h.a, "shared/nobody/new", NULL, &t), ERR_NOTFOUND);
	assert_int_equal(made, 1);
	make_user("nobody");
	for (int i = 0; i < 200 && acct_exists(h.a, "shared/nobody", &t); i++)
		usleep(100000);
	assert_int_equal(acct_exists(h.a, "shared/nobody", &t), ERR_OK);
	assert_int_equal(acct_create(h.a, "shared/nobody/new", NULL, &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, "shared/nobody/new", &t), ERR_OK);
	assert_int_equal(made, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_more_than_there_is_room_for, begin, end),
		cmocka_unit_test_setup_teardown(test_as_many_in_use_as_there_is_room_for, begin, end),
		cmocka_unit_test_setup_teardown(test_rename_from_one_to_another, begin, end),
		cmocka_unit_test_setup_teardown(test_who_is_not_there, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
