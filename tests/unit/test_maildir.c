#include "store_room.h"

static void test_probe_and_open(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	struct store *s;
	struct store_box *b;

	assert_int_equal(store_maildir.probe(&c), ERR_OK);
	c.root = r->dir;
	assert_int_equal(store_maildir.probe(&c), ERR_NOTFOUND);
	c.root = arena_printf(r->arena, "%s/a/b/c", r->dir);
	c.readonly = true;
	assert_int_equal(store_maildir.open(&c, &s, &r->text), ERR_NOTFOUND);
	c.readonly = false;
	assert_int_equal(store_maildir.open(&c, &s, &r->text), ERR_OK);
	assert_int_equal(s->ops->box_open(s, "INBOX", &b, &r->text), ERR_NOTFOUND);
	assert_int_equal(s->ops->create(s, "INBOX", NULL, &r->text), ERR_OK);
	assert_int_equal(s->ops->create(s, "INBOX", NULL, &r->text), ERR_EXISTS);
	assert_int_equal(s->ops->box_open(s, "INBOX", &b, &r->text), ERR_OK);
	s->ops->box_close(b);
	s->ops->close(s);
}

/* The configured root may be a link; nothing below may. */
static void test_links(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	struct store *s;
	struct store_box *b;

	c.root = arena_printf(r->arena, "%s/link", r->dir);
	assert_int_equal(symlink(r->root, c.root), 0);
	assert_int_equal(symlink("/tmp", room_path(r, ".Out")), 0);
	assert_int_equal(store_maildir.open(&c, &s, &r->text), ERR_OK);
	assert_int_equal(s->ops->box_open(s, "INBOX", &b, &r->text), ERR_OK);
	s->ops->box_close(b);
	assert_int_not_equal(s->ops->box_open(s, "Out", &b, &r->text), ERR_OK);
	assert_int_not_equal(s->ops->box_open(s, "..", &b, &r->text), ERR_OK);
	assert_int_not_equal(s->ops->box_open(s, "A/../../x", &b, &r->text), ERR_OK);
	s->ops->close(s);
}

static void test_missing_new(void **state)
{
	struct room *r = *state;

	rmdir(room_path(r, "new"));
	rmdir(room_path(r, "tmp"));
	room_reopen(r);
	room_add(r, "x", (struct mail_flags){ 0 });
	assert_int_equal(room_count(r, "new"), 1);
}

static void test_floor(void **state)
{
	struct room *r = *state;

	assert_true(room_identity(r).modseq_floor == 0);
	assert_int_equal(r->box->ops->set_modseq_floor(r->box, 1000, &r->text), ERR_OK);
	assert_int_equal(r->box->ops->set_modseq_floor(r->box, 10, &r->text), ERR_OK);
	assert_true(room_identity(r).modseq_floor == 1000);
	room_reopen(r);
	assert_true(room_identity(r).modseq_floor == 1000);
}

static void test_control(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	struct store_box *b;
	struct store_identity id;

	r->box->ops->box_close(r->box);
	r->box = NULL;
	r->store->ops->close(r->store);
	c.control = arena_printf(r->arena, "%s/control", r->dir);
	assert_int_equal(store_maildir.open(&c, &r->store, &r->text), ERR_OK);
	struct store *s = r->store;
	assert_int_equal(s->ops->create(s, "Box", NULL, &r->text), ERR_OK);
	assert_int_equal(s->ops->box_open(s, "Box", &b, &r->text), ERR_OK);
	assert_int_equal(b->ops->identity(b, &id, &r->text), ERR_OK);
	assert_true(id.renewed);
	s->ops->box_close(b);
	assert_int_equal(s->ops->subscribe(s, "Box", true, &r->text), ERR_OK);
	assert_true(room_has(r, "../control/.Box/dovecot-uidlist"));
	assert_true(room_has(r, "../control/dovecot-uidvalidity"));
	assert_true(room_has(r, "../control/subscriptions"));
	assert_false(room_has(r, ".Box/dovecot-uidlist"));

	/* Control files move and go with their mailbox. */
	assert_int_equal(s->ops->rename(s, "Box", "New", &r->text), ERR_OK);
	assert_true(room_has(r, "../control/.New/dovecot-uidlist"));
	assert_int_equal(s->ops->box_open(s, "New", &b, &r->text), ERR_OK);
	uint32_t was = id.uidvalidity;
	assert_int_equal(b->ops->identity(b, &id, &r->text), ERR_OK);
	assert_int_equal(id.uidvalidity, was);
	s->ops->box_close(b);
	assert_int_equal(s->ops->remove(s, "New", &r->text), ERR_OK);
	assert_false(room_has(r, "../control/.New"));
	assert_int_equal(s->ops->box_open(s, "INBOX", &r->box, &r->text), ERR_OK);
}

static void test_inbox_elsewhere(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);

	r->box->ops->box_close(r->box);
	r->store->ops->close(r->store);
	c.inbox = arena_printf(r->arena, "%s/spool", r->dir);
	assert_int_equal(store_maildir.open(&c, &r->store, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "INBOX", &r->box, &r->text),
			 ERR_NOTFOUND);
	assert_int_equal(r->store->ops->create(r->store, "INBOX", NULL, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "INBOX", &r->box, &r->text), ERR_OK);
	assert_int_equal(room_number(r, room_add(r, "x", (struct mail_flags){ 0 }).key), 1);
	assert_true(room_has(r, "../spool/dovecot-uidlist"));
	const char *paths[4];
	assert_int_equal(r->box->ops->watch(r->box, paths), 2);
	assert_string_equal(paths[1], arena_printf(r->arena, "%s/spool/cur", r->dir));
}

static void test_readonly(void **state)
{
	struct room *r = *state;
	struct store_config c = room_config(r);
	struct store_commit m = room_add(r, "x", (struct mail_flags){ 0 });
	struct store_stage st;
	struct store_identity id;
	struct span hint;
	uint32_t uid;
	unsigned bit;

	r->box->ops->box_close(r->box);
	r->store->ops->close(r->store);
	c.readonly = true;
	assert_int_equal(store_maildir.open(&c, &r->store, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "INBOX", &r->box, &r->text), ERR_OK);
	const struct store_ops *ops = r->box->ops;
	assert_int_equal(ops->identity(r->box, &id, &r->text), ERR_READONLY);
	assert_int_equal(ops->number(r->box, &m.key, 1, true, &uid, &uid, r->arena, &r->text), ERR_READONLY);
	assert_int_equal(ops->stage(r->box, 0, &st, &r->text), ERR_READONLY);
	assert_int_equal(ops->expunge(r->box, m.key, m.hint, &r->text), ERR_READONLY);
	assert_int_equal(ops->set_flags(r->box, m.key, m.hint, m.flags, r->arena, &hint, &r->text),
			 ERR_READONLY);
	assert_int_equal(ops->keyword_add(r->box, "k", &bit, &r->text), ERR_READONLY);
	assert_int_equal(ops->create(r->store, "A", NULL, &r->text), ERR_READONLY);
	assert_int_equal(ops->remove(r->store, "A", &r->text), ERR_READONLY);
	assert_int_equal(ops->rename(r->store, "A", "B", &r->text), ERR_READONLY);
	assert_int_equal(ops->subscribe(r->store, "A", true, &r->text), ERR_READONLY);
	assert_int_equal(room_scan(r).n, 1);
	assert_false(room_has(r, "dovecot-uidlist"));
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",	 ".",	 "..",	  "a..b",  ".a",   "a.",  "a/b",
					   "~a", "a.~b", "a\x1f", "a\x7f", "../x", "a\nb" };
	char many[300];

	assert_ptr_equal(store_driver("maildir"), &store_maildir);
	assert_null(store_driver("none"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(store_name_valid(&store_maildir, bad[i]));
	assert_true(store_name_valid(&store_maildir, "INBOX"));
	assert_true(store_name_valid(&store_maildir, "A b.&AOk-~.c"));
	memset(many, 'x', sizeof(many));
	many[255] = '\0';
	assert_true(store_name_valid(&store_maildir, many));
	many[255] = 'x';
	many[256] = '\0';
	assert_false(store_name_valid(&store_maildir, many));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_probe_and_open), ROOM_TEST(test_links),
		ROOM_TEST(test_missing_new),    ROOM_TEST(test_floor),
		ROOM_TEST(test_control),        ROOM_TEST(test_inbox_elsewhere),
		ROOM_TEST(test_readonly),       cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
