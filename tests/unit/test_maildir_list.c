#include "store_folders.h"

static void test_create_and_list(void **state)
{
	struct room *r = *state;

	assert_int_equal(selectable(r, "INBOX"), 1);
	create(r, "A.B.C", ERR_OK);
	create(r, "A.B.C", ERR_EXISTS);
	create(r, "A..C", ERR_CANNOT);
	create(r, "x/y", ERR_CANNOT);
	assert_int_equal(selectable(r, "A.B.C"), 1);
	assert_int_equal(selectable(r, "A.B"), 0);
	assert_int_equal(selectable(r, "A"), 0);
	create(r, "A", ERR_OK);
	assert_int_equal(selectable(r, "A"), 1);
	assert_true(room_has(r, ".A.B.C/maildirfolder") && room_has(r, ".A.B.C/tmp"));

	/* Not ours to show: files, links, odd names, what is under construction. */
	room_write(r, ".file", "");
	assert_int_equal(symlink(".A", room_path(r, ".link")), 0);
	assert_int_equal(mkdir(room_path(r, "..TRASH"), 0700), 0);
	assert_int_equal(mkdir(room_path(r, "roost.new.1"), 0700), 0);
	assert_int_equal(mkdir(room_path(r, ".half"), 0700), 0);
	assert_int_equal(selectable(r, "file"), -1);
	assert_int_equal(selectable(r, "link"), -1);
	assert_int_equal(selectable(r, ".TRASH"), -1);
	assert_int_equal(selectable(r, "half"), 0);
	create(r, "half", ERR_OK);
	assert_int_equal(selectable(r, "half"), 1);
	create(r, "link", ERR_EXISTS);
}

static void test_remove(void **state)
{
	struct room *r = *state;

	create(r, "A", ERR_OK);
	create(r, "A.B", ERR_OK);
	room_write(r, ".A/cur/1.a:2,", "x");
	room_write(r, ".A/odd", "x");
	assert_int_equal(mkdir(room_path(r, ".A/deep"), 0700), 0);
	assert_int_equal(mkdir(room_path(r, ".A/deep/er"), 0700), 0);
	room_write(r, ".A/deep/er/file", "x");
	removes(r, "A", ERR_OK);
	assert_int_equal(selectable(r, "A"), 0);
	assert_int_equal(selectable(r, "A.B"), 1);
	removes(r, "A", ERR_NOTFOUND);
	removes(r, "INBOX", ERR_CANNOT);
	removes(r, "../x", ERR_NOTFOUND);
	removes(r, "A.B", ERR_OK);
	assert_int_equal(selectable(r, "A"), -1);
	assert_int_equal(room_count(r, "."), 3); /* cur new tmp: no trash is left */
}

/* What a crash left of a removal goes with the next list. */
static void test_leftovers(void **state)
{
	struct room *r = *state;

	create(r, "A", ERR_OK);
	room_write(r, ".A/cur/1.a:2,", "x");
	room_move(r, ".A", "roost.trash.1");
	assert_int_equal(selectable(r, "A"), -1);
	assert_false(room_has(r, "roost.trash.1"));
	assert_int_equal(room_count(r, "."), 3);
}

static void test_rename(void **state)
{
	struct room *r = *state;

	create(r, "A.B", ERR_OK);
	create(r, "A.B.C", ERR_OK);
	create(r, "AB", ERR_OK);
	create(r, "Z", ERR_OK);
	renames(r, "A", "A.X", ERR_CANNOT);
	renames(r, "A", "Z", ERR_EXISTS);
	renames(r, "none", "N", ERR_NOTFOUND);
	renames(r, "INBOX", "N", ERR_CANNOT);
	renames(r, "AB", "INBOX", ERR_CANNOT);
	renames(r, "A", "N.M", ERR_OK); /* only a level: its children move */
	assert_int_equal(selectable(r, "N.M.B"), 1);
	assert_int_equal(selectable(r, "N.M.B.C"), 1);
	assert_int_equal(selectable(r, "A"), -1);
	assert_int_equal(selectable(r, "AB"), 1);

	/* One that was cut short after the children is completed by repeating it. */
	create(r, "Q", ERR_OK);
	create(r, "Q.1", ERR_OK);
	room_move(r, ".Q.1", ".R.1");
	renames(r, "Q", "R", ERR_OK);
	assert_true(selectable(r, "R") == 1 && selectable(r, "R.1") == 1 &&
		    selectable(r, "Q") == -1);

	create(r, "S", ERR_OK);
	create(r, "S.1", ERR_OK);
	create(r, "T.1", ERR_OK);
	renames(r, "S", "T", ERR_EXISTS);
	assert_int_equal(selectable(r, "S.1"), 1);
}

static void test_long_names(void **state)
{
	struct room *r = *state;
	char name[300], longer[300];

	memset(name, 'n', sizeof(name));
	name[254] = '\0';
	create(r, name, ERR_OK);
	name[254] = 'n';
	name[255] = '\0';
	create(r, name, ERR_CANNOT);
	create(r, "p", ERR_OK);
	create(r, "p.child", ERR_OK);
	memset(longer, 'q', sizeof(longer));
	longer[250] = '\0';
	renames(r, "p", longer, ERR_CANNOT);
	assert_int_equal(selectable(r, "p.child"), 1);
}

static struct store_folder folder_of(struct room *r, const char *name)
{
	struct store_folder *f;
	size_t n;

	assert_int_equal(r->store->ops->list(r->store, r->arena, &f, &n, &r->text), ERR_OK);
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return f[i];
	return (struct store_folder){ .name = NULL };
}

/* A folder that has none is not asked again; another one of its name is. */
static void test_use_known(void **state)
{
	struct room *r = *state;
	const struct store_ops *ops = r->store->ops;

	assert_int_equal(ops->create(r->store, "P", NULL, &r->text), ERR_OK);
	for (int i = 0; i < 2; i++)
		assert_null(folder_of(r, "P").special_use);
	assert_int_equal(ops->remove(r->store, "P", &r->text), ERR_OK);
	assert_null(folder_of(r, "P").name);
	assert_int_equal(ops->create(r->store, "P", "\\Drafts", &r->text), ERR_OK);
	for (int i = 0; i < 2; i++)
		assert_string_equal(folder_of(r, "P").special_use, "\\Drafts");
	assert_int_equal(ops->rename(r->store, "P", "Q", &r->text), ERR_OK);
	assert_string_equal(folder_of(r, "Q").special_use, "\\Drafts");
}

static void set_age(struct room *r, const char *path, int seconds)
{
	struct timeval both[2] = { { time(NULL) - seconds, 7 }, { time(NULL) - seconds, 7 } };

	assert_int_equal(utimes(room_path(r, path), both), 0);
}

static void make_old(struct room *r, const char *path)
{
	set_age(r, path, 3600);
}

/* And so it stays for some seconds, however slow the machine. */
static void make_young(struct room *r, const char *path)
{
	set_age(r, path, -8);
}

static bool changed(struct room *r, uint64_t seen, struct span token)
{
	bool yes = true;

	assert_int_equal(r->store->ops->glance(r->store, "P", seen, token, &yes), ERR_OK);
	return yes;
}

/* What the list saw of cur/ saves a look at it; what is too young to be relied on, it has not seen. */
static void test_glance_seen(void **state)
{
	struct room *r = *state;
	struct store_box *box;
	struct store_scan s;
	uint64_t seen;

	assert_int_equal(r->store->ops->create(r->store, "P", NULL, &r->text), ERR_OK);
	make_young(r, ".P/cur");
	assert_true(folder_of(r, "P").seen == 0);
	make_old(r, ".P/cur");
	make_old(r, ".P/new");
	assert_int_equal(r->store->ops->box_open(r->store, "P", &box, &r->text), ERR_OK);
	assert_int_equal(box->ops->scan(box, r->arena, &s, &r->text), ERR_OK);
	seen = folder_of(r, "P").seen;
	assert_true(seen != 0);
	assert_false(changed(r, seen, s.token) || changed(r, 0, s.token));
	room_write(r, ".P/cur/1.a:2,", "x");
	assert_true(changed(r, 0, s.token));
	assert_false(changed(r, seen, s.token));
	make_young(r, ".P/cur");
	assert_true(folder_of(r, "P").seen == 0);
	make_old(r, ".P/cur");
	room_write(r, ".P/new/2.a", "x");
	assert_true(changed(r, seen, s.token));
	box->ops->box_close(box);
}

/* What is watched, and the names there that make others look at the list again. */
static void test_watch(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	char *control = arena_printf(r->arena, "%s/control", r->dir);
	bool (*cares)(const char *name, bool dir);
	const char *paths[4];

	assert_int_equal(r->store->ops->watch_list(r->store, paths, &cares), 1);
	assert_string_equal(paths[0], r->root);
	assert_true(cares(".A", false) && cares("subscriptions", false));
	assert_false(cares("dovecot-uidlist", false) || cares("subscriptions.lock", false));

	c.subscriptions = "subs";
	reopen(r, &store_maildir, c);
	assert_int_equal(r->store->ops->watch_list(r->store, paths, &cares), 1);
	assert_true(cares(".A", false) && cares("subs", false));
	assert_false(cares("dovecot-uidlist", false) || cares("subs.lock", false) || cares("roost-extra", false) || cares("dovecot.index.log", false));
	assert_true(cares("dovecot", false) && cares("roosters", false)); /* with LAYOUT=fs a folder may be called so */

	c.control = control; /* which is not there yet */
	reopen(r, &store_maildir, c);
	assert_int_equal(r->store->ops->watch_list(r->store, paths, &cares), 0);
	assert_int_equal(r->store->ops->subscribe(r->store, "INBOX", true, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->watch_list(r->store, paths, &cares), 2);
	assert_string_equal(paths[1], control);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_create_and_list), ROOM_TEST(test_remove),
		ROOM_TEST(test_leftovers),       ROOM_TEST(test_rename),
		ROOM_TEST(test_long_names),
		ROOM_TEST(test_use_known), ROOM_TEST(test_glance_seen), ROOM_TEST(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
