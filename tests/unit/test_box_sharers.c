/* Namespaces for each user who shares: as many as there is room for, also where others of the account were left out. */
#include "tests/unit/box_house.h"

#include "base/mem.h"

#include <sys/stat.h>

enum { MOST = 60, DROPPED = 5 };

static struct house h;
static struct acct_ns ns[1 + DROPPED];
static struct acct_share share;

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

static void test_as_many_as_there_is_room_for(void **state)
{
	char user[16], name[32];
	struct errtext t;
	unsigned seen = 0;

	for (int i = 0; i < MOST + DROPPED + 3; i++) {
		enum err e;

		snprintf(user, sizeof(user), "u%d", i);
		snprintf(name, sizeof(name), "shared/u%d", i);
		make_user(user);
		e = acct_exists(h.a, name, &t);
		seen += e == ERR_OK;
		assert_true(e == ERR_OK || e == ERR_NOTFOUND);
	}
	assert_int_equal(seen, MOST);
	assert_int_equal(acct_exists(h.a, "shared/u0", &t), ERR_OK);
	house_append(&h, "shared/u7", "x: y\n\n1", 0, NULL);
}

static void test_who_is_not_there(void **state)
{
	struct errtext t;

	assert_int_equal(acct_exists(h.a, "shared/nobody", &t), ERR_NOTFOUND);
	assert_int_equal(acct_create(h.a, "shared/nobody/new", NULL, &t), ERR_NOTFOUND);
	make_user("nobody");
	assert_int_equal(acct_exists(h.a, "shared/nobody", &t), ERR_OK);
	assert_int_equal(acct_create(h.a, "shared/nobody/new", NULL, &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, "shared/nobody/new", &t), ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_as_many_as_there_is_room_for, begin, end),
		cmocka_unit_test_setup_teardown(test_who_is_not_there, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
