#include "store_room.h"

static int selectable(struct room *r, const char *name)
{
	struct store_folder *f;
	size_t n;
	int found = -1;

	assert_int_equal(r->store->ops->list(r->store, r->arena, &f, &n, &r->text), ERR_OK);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(f[i].name, name) != 0)
			continue;
		assert_int_equal(found, -1); /* no duplicates */
		found = f[i].selectable;
	}
	return found;
}

static void create(struct room *r, const char *name, enum err want)
{
	assert_int_equal(r->store->ops->create(r->store, name, NULL, &r->text), want);
}

static void removes(struct room *r, const char *name, enum err want)
{
	assert_int_equal(r->store->ops->remove(r->store, name, &r->text), want);
}

static void renames(struct room *r, const char *from, const char *to, enum err want)
{
	assert_int_equal(r->store->ops->rename(r->store, from, to, &r->text), want);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_create_and_list), ROOM_TEST(test_remove),
		ROOM_TEST(test_leftovers),       ROOM_TEST(test_rename),
		ROOM_TEST(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
