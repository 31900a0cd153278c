#include "store_room.h"

static unsigned add(struct room *r, const char *name)
{
	unsigned bit = 99;

	assert_int_equal(r->box->ops->keyword_add(r->box, name, &bit, &r->text), ERR_OK);
	return bit;
}

static const char *name_of(struct room *r, unsigned bit)
{
	const char *names[MAIL_KEYWORDS_MAX];

	assert_int_equal(r->box->ops->keywords(r->box, r->arena, names, &r->text), ERR_OK);
	return names[bit];
}

static void test_letters(void **state)
{
	struct room *r = *state;
	struct stat before, after;

	assert_null(name_of(r, 0));
	assert_int_equal(add(r, "$Forwarded"), 0);
	assert_int_equal(add(r, "Junk"), 1);
	assert_int_equal(add(r, "jUNK"), 1);
	assert_string_equal(room_read(r, "dovecot-keywords"), "0 $Forwarded\n1 Junk\n");
	assert_string_equal(name_of(r, 1), "Junk");

	/* Its time grows by whole seconds, however fast we are. */
	assert_int_equal(stat(room_path(r, "dovecot-keywords"), &before), 0);
	add(r, "third");
	assert_int_equal(stat(room_path(r, "dovecot-keywords"), &after), 0);
	assert_true(after.st_mtime > before.st_mtime);
	assert_false(room_has(r, "dovecot-keywords.lock"));
	assert_false(room_has(r, "dovecot-uidlist.lock"));
}

static void test_odd_file(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-keywords", "old\n1 one\n1 again\n26 beyond\nx y\n3 \n5 five\n");
	assert_null(name_of(r, 0));
	assert_string_equal(name_of(r, 1), "one");
	assert_null(name_of(r, 3));
	assert_string_equal(name_of(r, 5), "five");
	assert_null(name_of(r, 26));
	assert_int_equal(add(r, "zero"), 0);
	assert_string_equal(room_read(r, "dovecot-keywords"), "0 zero\n1 one\n5 five\n");
}

/* What would not be IMAP if a client were told it; the file keeps it. */
static void test_unsayable(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-keywords", "0 a(b\n1 two words\n2 \\Seen\n3 good\n4 {3}\n5 GOOD\n6 \xc3\xbc\n");
	for (unsigned i = 0; i < 7; i++) {
		char want[16];

		snprintf(want, sizeof(want), "unknown-%u", i);
		assert_string_equal(name_of(r, i), i == 3 ? "good" : want);
	}
	assert_int_equal(r->box->ops->keyword_add(r->box, "c)d", &(unsigned){ 0 }, &r->text), ERR_CANNOT);
	assert_int_equal(add(r, "more"), 7);
	assert_string_equal(room_read(r, "dovecot-keywords"),
			    "0 a(b\n1 two words\n2 \\Seen\n3 good\n4 {3}\n5 GOOD\n6 \xc3\xbc\n7 more\n");
}

/* A letter that is in use and has no name gets none of ours. */
static void test_unknown_letter(void **state)
{
	struct room *r = *state;

	room_write(r, "cur/1.a:2,Sab", "x");
	room_write(r, "dovecot-keywords", "1 bee\n");
	assert_true(room_scan(r).msg[0].flags.keywords == 3);
	assert_string_equal(name_of(r, 0), "unknown-0");
	assert_int_equal(add(r, "fresh"), 2);
	assert_int_equal(add(r, "unknown-0"), 3);
}

static void test_beyond_letters(void **state)
{
	struct room *r = *state;
	char name[32];
	unsigned bit;

	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		snprintf(name, sizeof(name), "key%u", i);
		assert_int_equal(add(r, name), i);
	}
	assert_int_equal(r->box->ops->keyword_add(r->box, "more", &bit, &r->text), ERR_LIMIT);
	assert_int_equal(add(r, "KEY63"), 63);
	room_reopen(r);
	assert_string_equal(name_of(r, 63), "key63");
	assert_string_equal(name_of(r, 25), "key25");

	struct mail_flags f = { MAIL_SEEN, UINT64_C(1) << 63 | 1 };
	struct store_commit c = room_add(r, "x", f);
	struct store_msg m = room_scan(r).msg[0];
	assert_true(m.flags.keywords == f.keywords && m.flags.system == MAIL_SEEN);
	struct span hint;
	f.keywords = UINT64_C(1) << 40;
	assert_int_equal(
		r->box->ops->set_flags(r->box, c.key, c.hint, f, r->arena, &hint, &r->text),
		ERR_OK);
	room_reopen(r);
	room_identity(r);
	assert_true(room_scan(r).msg[0].flags.keywords == f.keywords);
	assert_int_equal(r->box->ops->expunge(r->box, c.key, hint, &r->text), ERR_OK);
	assert_int_equal(r->box->ops->expunge_done(r->box, &r->text), ERR_OK);
}

static void test_refused(void **state)
{
	struct room *r = *state;
	unsigned bit;

	assert_int_equal(r->box->ops->keyword_add(r->box, "", &bit, &r->text), ERR_CANNOT);
	assert_int_equal(r->box->ops->keyword_add(r->box, "a b", &bit, &r->text), ERR_CANNOT);
	assert_int_equal(r->box->ops->keyword_add(r->box, "a\nb", &bit, &r->text), ERR_CANNOT);
	room_write(r, "dovecot-keywords.lock", "");
	assert_int_equal(r->box->ops->keyword_add(r->box, "k", &bit, &r->text), ERR_INUSE);
	assert_false(room_has(r, "dovecot-uidlist.lock"));
	unlink(room_path(r, "dovecot-keywords.lock"));
	room_write(r, "dovecot-uidlist.lock", "");
	assert_int_equal(r->box->ops->keyword_add(r->box, "k", &bit, &r->text), ERR_INUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_letters),        ROOM_TEST(test_odd_file),
		ROOM_TEST(test_unsayable), ROOM_TEST(test_unknown_letter), ROOM_TEST(test_beyond_letters),
		ROOM_TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
