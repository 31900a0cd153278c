/* Maildir with LAYOUT=fs, its DIRNAME, CONTROL, UTF-8; and the names and control files of Maildir++ that go with those. */
#include "store_folders.h"

static struct store_config fs_config(struct room *r)
{
	struct store_config c = room_config(r);

	reopen(r, &store_maildir_fs, c);
	return c;
}

static uint32_t uidvalidity(struct room *r, const char *name)
{
	struct store_identity id;
	struct store_box *b;

	assert_int_equal(r->store->ops->box_open(r->store, name, &b, &r->text), ERR_OK);
	assert_int_equal(b->ops->identity(b, &id, &r->text), ERR_OK);
	b->ops->box_close(b);
	return id.uidvalidity;
}

static void test_names(void **state)
{
	struct room *r = *state;

	fs_config(r);
	create(r, "A/B/C", ERR_OK);
	create(r, "A/B/C", ERR_EXISTS);
	assert_int_equal(selectable(r, "INBOX"), 1);
	assert_int_equal(selectable(r, "A/B/C"), 1);
	assert_int_equal(selectable(r, "A/B"), 0);
	assert_true(room_has(r, "A/B/C/tmp") && !room_has(r, "A/B/C/maildirfolder"));
	create(r, "A", ERR_OK);
	assert_int_equal(selectable(r, "A"), 1);
	create(r, ".dotted/x.y", ERR_OK);
	assert_int_equal(selectable(r, ".dotted/x.y"), 1);
	create(r, "A/cur", ERR_CANNOT);
	create(r, "tmp", ERR_CANNOT);
	create(r, "A/../B", ERR_CANNOT);
	create(r, "A//B", ERR_CANNOT);
	create(r, "/A", ERR_CANNOT);
	create(r, "~A", ERR_CANNOT);
	create(r, "INBOX/kid", ERR_OK);
	assert_int_equal(selectable(r, "INBOX/kid"), 1);

	/* Not ours to show: files, links, what IMAP cannot spell, what is under construction. */
	room_write(r, "file", "");
	assert_int_equal(symlink("A", room_path(r, "link")), 0);
	assert_int_equal(mkdir(room_path(r, "\303\244"), 0700), 0);
	assert_int_equal(mkdir(room_path(r, "tmp/roost.new.1"), 0700), 0);
	assert_int_equal(selectable(r, "file"), -1);
	assert_int_equal(selectable(r, "link"), -1);
	assert_int_equal(selectable(r, "\303\244"), -1);
	assert_int_equal(selectable(r, "tmp"), -1);
	create(r, "link/x", ERR_CANNOT);
}

static void test_remove(void **state)
{
	struct room *r = *state;

	fs_config(r);
	create(r, "A", ERR_OK);
	create(r, "A/B", ERR_OK);
	create(r, "L/M", ERR_OK);
	removes(r, "A", ERR_OK); /* its child stays */
	assert_int_equal(selectable(r, "A"), 0);
	assert_int_equal(selectable(r, "A/B"), 1);
	assert_false(room_has(r, "A/new"));
	removes(r, "A", ERR_CANNOT);
	removes(r, "L", ERR_CANNOT);
	removes(r, "L/M", ERR_OK);
	removes(r, "L/M", ERR_NOTFOUND);
	assert_int_equal(selectable(r, "L"), 0);
	removes(r, "L", ERR_OK);
	assert_int_equal(selectable(r, "L"), -1);
	removes(r, "INBOX", ERR_CANNOT);
	removes(r, "none/at/all", ERR_NOTFOUND);
}

static void test_remade(void **state)
{
	struct room *r = *state;
	uint32_t first;

	fs_config(r);
	create(r, "A", ERR_OK);
	create(r, "A/B", ERR_OK);
	first = uidvalidity(r, "A");
	removes(r, "A", ERR_OK);
	create(r, "A", ERR_OK);
	assert_true(uidvalidity(r, "A") > first);
}

static void test_rename(void **state)
{
	struct room *r = *state;
	uint32_t validity;

	fs_config(r);
	create(r, "A", ERR_OK);
	create(r, "A/B", ERR_OK);
	create(r, "X", ERR_OK);
	validity = uidvalidity(r, "A/B");
	renames(r, "A", "X", ERR_EXISTS);
	renames(r, "A", "A/C", ERR_CANNOT);
	renames(r, "none", "Y", ERR_NOTFOUND);
	renames(r, "A", "new/Y", ERR_CANNOT);
	renames(r, "A", "P/Q/R", ERR_OK);
	assert_int_equal(selectable(r, "P/Q/R/B"), 1);
	assert_int_equal(selectable(r, "P/Q"), 0);
	assert_int_equal(selectable(r, "A"), -1);
	assert_int_equal(uidvalidity(r, "P/Q/R/B"), validity);
	renames(r, "P/Q", "X", ERR_EXISTS);
	renames(r, "P/Q", "Z", ERR_OK); /* a level goes, too */
	assert_int_equal(selectable(r, "Z/R"), 1);
	assert_int_equal(selectable(r, "P"), 0);
}

static void test_prune(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);

	c.prune = true;
	reopen(r, &store_maildir_fs, c);
	create(r, "A/B/C", ERR_OK);
	create(r, "A/D", ERR_OK);
	removes(r, "A/B/C", ERR_OK);
	assert_int_equal(selectable(r, "A/B"), -1);
	assert_int_equal(selectable(r, "A"), 0);
	renames(r, "A/D", "E", ERR_OK);
	assert_int_equal(selectable(r, "A"), -1);
}

static void test_control(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	uint32_t validity;

	c.control = arena_printf(r->arena, "%s/control", r->dir);
	reopen(r, &store_maildir_fs, c);
	create(r, "A/B", ERR_OK);
	create(r, "A", ERR_OK);
	validity = uidvalidity(r, "A/B");
	(void)uidvalidity(r, "A");
	(void)uidvalidity(r, "INBOX");
	assert_true(room_has(r, "../control/INBOX/dovecot-uidlist"));
	assert_true(room_has(r, "../control/A/B/dovecot-uidlist"));
	removes(r, "A", ERR_OK);
	assert_false(room_has(r, "../control/A/dovecot-uidlist"));
	assert_int_equal(uidvalidity(r, "A/B"), validity);
	renames(r, "A", "C/D", ERR_OK);
	assert_int_equal(uidvalidity(r, "C/D/B"), validity);
	create(r, "X", ERR_OK);
	renames(r, "X", "C/D", ERR_EXISTS); /* and what is there loses nothing */
	renames(r, "X", "C/D/B", ERR_EXISTS);
	reopen(r, &store_maildir_fs, c);
	assert_int_equal(uidvalidity(r, "C/D/B"), validity);
	removes(r, "C/D/B", ERR_OK);
	assert_false(room_has(r, "../control/C/D/B"));
}

/* As Dovecot has it: INBOX too has a directory of its own there. */
static void test_control_maildirpp(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);

	c.control = arena_printf(r->arena, "%s/control", r->dir);
	c.utf8 = true;
	reopen(r, &store_maildir, c);
	(void)uidvalidity(r, "INBOX");
	assert_true(room_has(r, "../control/.INBOX/dovecot-uidlist"));
	create(r, "&AOQ-.b", ERR_OK);
	assert_true(room_has(r, ".\303\244.b"));
	assert_int_equal(selectable(r, "&AOQ-.b"), 1);
	assert_int_equal(r->store->ops->subscribe(r->store, "&AOQ-.b", true, &r->text), ERR_OK);
	assert_non_null(strstr(room_read(r, "../control/subscriptions"), "\303\244\tb\n"));
}

static void test_dirname(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	uint32_t validity;

	c.dirname = "mAil";
	c.control = arena_printf(r->arena, "%s/control", r->dir);
	reopen(r, &store_maildir_fs, c);
	assert_int_equal(selectable(r, "INBOX"), -1);
	create(r, "INBOX", ERR_OK);
	assert_true(room_has(r, "INBOX/mAil/cur"));
	create(r, "A/B", ERR_OK);
	create(r, "A/mAil", ERR_CANNOT);
	assert_int_equal(selectable(r, "A"), 0);
	create(r, "A", ERR_OK);
	create(r, "A/cur2", ERR_OK);
	validity = uidvalidity(r, "A/B");
	assert_true(room_has(r, "../control/A/B/dovecot-uidlist"));
	assert_int_equal(selectable(r, "A"), 1);
	removes(r, "A", ERR_OK);
	assert_int_equal(selectable(r, "A"), 0);
	removes(r, "A", ERR_CANNOT);
	renames(r, "A", "N", ERR_OK);
	assert_int_equal(uidvalidity(r, "N/B"), validity);
	removes(r, "N/B", ERR_OK);
	removes(r, "N/cur2", ERR_OK);
	removes(r, "N", ERR_OK);
	assert_int_equal(selectable(r, "N"), -1);
	/* Of no directory of ours Dovecot would think that it is a level. */
	assert_true(room_has(r, "mAil"));
	c.dirname_control = true;
	reopen(r, &store_maildir_fs, c);
	(void)uidvalidity(r, "INBOX");
	assert_true(room_has(r, "../control/INBOX/mAil/dovecot-uidlist"));
}

static void test_elsewhere(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);

	c.boxdir = "boxes";
	c.subscriptions = "subs";
	c.utf8 = true;
	reopen(r, &store_maildir_fs, c);
	create(r, "&AOQ-/x", ERR_OK);
	assert_true(room_has(r, "boxes/\303\244/x/cur"));
	assert_int_equal(selectable(r, "&AOQ-/x"), 1);
	assert_int_equal(selectable(r, "INBOX"), 1);
	assert_int_equal(r->store->ops->subscribe(r->store, "&AOQ-/x", true, &r->text), ERR_OK);
	assert_true(room_has(r, "subs"));
}

/* Without an inbox the root is no mailbox, and INBOX a name as any other. */
static void test_folders_only(void **state)
{
	static const struct store_ops *const drivers[] = { &store_maildir, &store_maildir_fs };
	static const char *const places[] = { ".INBOX/cur", "INBOX/cur" };
	struct room *r = *state;
	struct store_config c = room_config(r);

	c.folders_only = true;
	for (size_t i = 0; i < 2; i++) {
		reopen(r, drivers[i], c);
		assert_int_equal(selectable(r, "INBOX"), -1);
		create(r, "INBOX", ERR_OK);
		assert_true(room_has(r, places[i]));
		assert_int_equal(selectable(r, "INBOX"), 1);
		removes(r, "INBOX", ERR_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_names),	   ROOM_TEST(test_remove),
		ROOM_TEST(test_remade),	   ROOM_TEST(test_rename),
		ROOM_TEST(test_prune),	   ROOM_TEST(test_control),
		ROOM_TEST(test_dirname),   ROOM_TEST(test_control_maildirpp),
		ROOM_TEST(test_elsewhere), ROOM_TEST(test_folders_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
