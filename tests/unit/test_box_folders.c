/* Names, namespaces, the folder list, subscriptions, what mailbox {} sections ask for, rename and delete. */
#include "tests/unit/box_house.h"

#include "base/mem.h"

static struct house h;
static struct acct_ns ns[3];

static const struct acct_mailbox boxes[] = {
	{ .name = "Drafts", .special_use = "\\Drafts", .create = true, .subscribe = true },
	{ .name = "Sent", .special_use = "\\Sent", .create = true },
	{ .name = "Junk", .special_use = "\\Junk" },
};

static int begin(void **state)
{
	house_begin(&h, &store_maildir);
	house_close(&h);
	h.ns.mailbox = boxes;
	h.ns.mailboxes = 3;
	house_open(&h);
	return 0;
}

/* "INBOX." for the user's own mail, "shared/" for another root. */
static int begin_prefixed(void **state)
{
	static char other[200];

	house_begin(&h, &store_maildir);
	house_close(&h);
	snprintf(other, sizeof(other), "%s/other", h.dir);
	ns[0] = h.ns;
	ns[0].prefix = "INBOX.";
	ns[0].separator = '.';
	ns[1] = h.ns;
	ns[1].prefix = "shared/";
	ns[1].separator = '/';
	ns[1].inbox = false;
	ns[1].store.root = other;
	h.config.ns = ns;
	h.config.namespaces = 2;
	house_open(&h);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

/* "name flags special" of every folder, one a line. */
static const char *listing(void)
{
	static char text[8000];
	struct folder *f;
	struct errtext t = { "" };
	size_t n, at = 0;

	text[0] = '\0';
	if (acct_folders(h.a, h.ar, &f, &n, &t))
		fail_msg("%s", t.text);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s %x%s\n", f[i].name,
				       f[i].flags & ~(unsigned)FOLDER_MARKED,
				       f[i].special_use ? f[i].special_use : "");
	return text;
}

static void create(const char *name)
{
	struct errtext t = { "" };

	if (acct_create(h.a, name, NULL, &t))
		fail_msg("%s: %s", name, t.text);
}

static void test_sections(void **state)
{
	struct errtext t;

	assert_string_equal(listing(), "INBOX 0\nDrafts 8\\Drafts\nSent 0\\Sent\n");
	create("Junk");
	assert_int_equal(acct_delete(h.a, "Sent", &t), ERR_OK);
	assert_string_equal(listing(), "INBOX 0\nDrafts 8\\Drafts\nJunk 0\\Junk\n");
	house_again(&h, false);
	assert_string_equal(listing(), "INBOX 0\nDrafts 8\\Drafts\nJunk 0\\Junk\nSent 0\\Sent\n");
	house_again(&h, false);
	assert_int_equal(acct_delete(h.a, "Sent", &t), ERR_OK);
	/* Made by the first use of its name as well. */
	assert_int_equal(acct_exists(h.a, "Sent", &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, "Nowhere", &t), ERR_NOTFOUND);
	/* auto = subscribe: it is, whatever a client says. */
	assert_int_equal(acct_subscribe(h.a, "Drafts", false, &t), ERR_OK);
	assert_string_equal(listing(), "INBOX 0\nDrafts 8\\Drafts\nJunk 0\\Junk\nSent 0\\Sent\n");
}

static void test_levels(void **state)
{
	struct errtext t;

	create("a/b/c");
	create("ab");
	create("a-");
	assert_int_equal(acct_subscribe(h.a, "a/b/c", true, &t), ERR_OK);
	assert_int_equal(acct_subscribe(h.a, "gone/x", true, &t), ERR_OK);
	create("INBOX/below");
	assert_string_equal(listing(), "INBOX 4\nDrafts 8\\Drafts\nINBOX/below 0\nSent 0\\Sent\n"
				       "a 15\na/b 15\na/b/c 8\na- 0\nab 0\ngone 12\ngone/x a\n");
	assert_int_equal(acct_subscribe(h.a, "a/b/c", false, &t), ERR_OK);
	assert_int_equal(acct_subscribe(h.a, "gone/x", false, &t), ERR_OK);
	assert_string_equal(listing(), "INBOX 4\nDrafts 8\\Drafts\nINBOX/below 0\nSent 0\\Sent\n"
				       "a 5\na/b 5\na/b/c 0\na- 0\nab 0\n");
	assert_int_equal(acct_exists(h.a, "a/b", &t), ERR_NOTFOUND);
	assert_int_equal(acct_exists(h.a, "inbox/below", &t), ERR_OK);
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		enum err err;
	} row[] = {
		{ "plain", ERR_OK }, { "with blank", ERR_OK }, { "trailing/", ERR_OK }, { "&AOk-t&AOk-", ERR_OK },
		{ "trailing", ERR_EXISTS }, { "inBOX", ERR_EXISTS }, { "a//b", ERR_CANNOT }, { "/a", ERR_CANNOT },
		{ "", ERR_CANNOT }, { "/", ERR_CANNOT }, { "a.b", ERR_CANNOT }, { "a/../b", ERR_CANNOT },
		{ "~root", ERR_CANNOT }, { "a\tb", ERR_CANNOT }, { "caf\xc3\xa9", ERR_CANNOT },
	};
	struct errtext t;
	char big[600];

	assert_int_equal(acct_exists(h.a, "INBOX", &t), ERR_OK);
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		t.text[0] = '\0';
		if (acct_create(h.a, row[i].name, NULL, &t) != row[i].err)
			fail_msg("\"%s\": %s", row[i].name, t.text);
		assert_true(row[i].err != ERR_CANNOT || t.text[0]);
	}
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(acct_create(h.a, big, NULL, &t), ERR_CANNOT);
	assert_int_equal(acct_delete(h.a, "INBOX", &t), ERR_CANNOT);
	assert_int_equal(acct_delete(h.a, "Nowhere", &t), ERR_NOTFOUND);
}

static enum err rename_to(const char *from, const char *to)
{
	struct acct_rename job = { .from = from, .to = to };

	while (acct_rename(h.a, &job) != STEP_DONE)
		;
	return job.err;
}

static void test_rename(void **state)
{
	uint32_t uidvalidity;
	struct view *v, *w;

	create("a");
	create("a/b");
	create("other");
	house_append(&h, "a/b", "x: y\n\n1", MAIL_FLAGGED, NULL);
	house_append(&h, "a/b", "x: y\n\n2", 0, "$K");
	v = house_view(&h, "a/b", false);
	uidvalidity = view_state(v)->uidvalidity;
	assert_int_equal(rename_to("a", "other"), ERR_EXISTS);
	assert_int_equal(rename_to("a", "a/c"), ERR_CANNOT);
	assert_int_equal(rename_to("nowhere", "c"), ERR_NOTFOUND);
	assert_int_equal(rename_to("a", "new/place"), ERR_OK);
	/* A session that has it open goes on. */
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	assert_string_equal(text_of(v, 2), "x: y\r\n\r\n2");
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 2);
	w = house_view(&h, "new/place/b", false);
	assert_int_equal(view_state(w)->uidvalidity, uidvalidity);
	assert_int_equal(flags_of(w, 1).system, MAIL_FLAGGED | MAIL_SEEN);
	assert_true(has_keyword(w, 2, "$K"));
	view_close(&v);
	view_close(&w);
	house_work(&h);
	assert_string_equal(listing(), "INBOX 0\nDrafts 8\\Drafts\nSent 0\\Sent\nnew 5\nnew/place 4\nnew/place/b 0\nother 0\n");
}

static void test_delete_and_again(void **state)
{
	struct errtext t;
	uint32_t uidvalidity;
	struct view *v;

	create("a");
	create("a/b");
	house_append(&h, "a", "x: y\n\n1", 0, NULL);
	v = house_view(&h, "a", false);
	uidvalidity = view_state(v)->uidvalidity;
	view_close(&v);
	assert_int_equal(acct_delete(h.a, "a", &t), ERR_OK);
	assert_int_equal(acct_exists(h.a, "a", &t), ERR_NOTFOUND);
	assert_int_equal(acct_exists(h.a, "a/b", &t), ERR_OK);
	create("a");
	v = house_view(&h, "a", false);
	assert_true(view_state(v)->uidvalidity > uidvalidity);
	assert_int_equal(view_state(v)->exists, 0);
	view_close(&v);
}

static void test_prefixes(void **state)
{
	struct errtext t;

	create("INBOX.Sent");
	create("inbox.Work.x");
	create("shared/team/list");
	assert_int_equal(acct_subscribe(h.a, "shared/team/list", true, &t), ERR_OK);
	assert_int_equal(acct_create(h.a, "Sent", NULL, &t), ERR_CANNOT);
	assert_int_equal(acct_create(h.a, "INBOX.INBOX", NULL, &t), ERR_CANNOT);
	assert_int_equal(rename_to("INBOX.Sent", "shared/Sent"), ERR_CANNOT);
	assert_string_equal(listing(), "INBOX 4\nINBOX.Sent 0\nINBOX.Work 5\nINBOX.Work.x 0\n"
				       "shared 15\nshared/team 15\nshared/team/list 8\n");
	assert_int_equal(house_append(&h, "shared/team/list", "x: y\n\n", 0, NULL), 1);
	assert_int_equal(house_append(&h, "Inbox", "x: y\n\n", 0, NULL), 1);
}

static void test_marked(void **state)
{
	struct folder *f;
	struct errtext t;
	struct view *v;
	size_t n;

	house_deliver(&h, "Drafts", "x: y\n\n");
	assert_int_equal(acct_folders(h.a, h.ar, &f, &n, &t), ERR_OK);
	assert_true(f[1].flags & FOLDER_MARKED);
	assert_false(f[2].flags & FOLDER_MARKED);
	v = house_view(&h, "Drafts", false);
	view_close(&v);
	assert_int_equal(acct_folders(h.a, h.ar, &f, &n, &t), ERR_OK);
	assert_false(f[1].flags & FOLDER_MARKED);
}

#define T(t) cmocka_unit_test_setup_teardown(t, begin, end)

/* A place that cannot be opened is left out under all of its names. */
static void test_left_out(void **state)
{
	struct acct_ns three[3] = { ns[0], ns[1], ns[1] };
	char blocked[300];

	snprintf(blocked, sizeof(blocked), "%s/blocked", h.dir);
	put_file(blocked, "no directory");
	house_close(&h);
	for (int i = 1; i < 3; i++) {
		three[i].store.root = blocked;
		three[i].ops = &store_maildir;
		three[i].optional = true;
	}
	three[2].prefix = "again/";
	h.config.ns = three;
	h.config.namespaces = 3;
	house_open(&h);
	assert_string_equal(acct_note(h.a), "a namespace cannot be opened and is left out: its directory is missing, or not for this user");
	assert_null(strstr(listing(), "again"));
	assert_null(strstr(listing(), "shared"));
	house_close(&h);
	h.config.ns = ns;
	h.config.namespaces = 2;
	house_open(&h);
}

static int begin_levels(void **state)
{
	house_begin(&h, &store_maildir_fs);
	return 0;
}

/* Nobody could name what is below anymore. */
static void test_rename_too_long(void **state)
{
	char below[210] = "a/", to[61] = "";

	memset(below + 2, 'x', 200);
	memset(to, 'y', 60);
	create(below);
	house_append(&h, below, "x: y\n\n1", 0, NULL);
	assert_int_equal(rename_to("a", to), ERR_CANNOT);
	house_append(&h, below, "x: y\n\n2", 0, NULL);
	to[54] = '\0';
	assert_int_equal(rename_to("a", to), ERR_OK);
	assert_int_equal(rename_to(to, "a"), ERR_OK);
	house_append(&h, below, "x: y\n\n3", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sections), T(test_levels), T(test_names), T(test_rename), T(test_delete_and_again),
		cmocka_unit_test_setup_teardown(test_prefixes, begin_prefixed, end), T(test_marked),
		cmocka_unit_test_setup_teardown(test_left_out, begin_prefixed, end),
		cmocka_unit_test_setup_teardown(test_rename_too_long, begin_levels, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
