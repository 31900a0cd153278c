/* A Maildir that other programs change, and an index that is deleted or damaged: nothing is lost, nothing renumbered. */
#include "tests/unit/box_house.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct house h;
static char new_dir[200], cur_dir[200];

static const char mail[] = "From: a@b\nSubject: one\n\nbody\n";

static int begin(void **state)
{
	struct view *v;

	house_begin(&h, &store_maildir);
	v = house_view(&h, "INBOX", true);
	view_close(&v);
	snprintf(new_dir, sizeof(new_dir), "%s/new", h.mail);
	snprintf(cur_dir, sizeof(cur_dir), "%s/cur", h.mail);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

static void drop(const char *dir, const char *name)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	put_file(path, mail);
}

static void move(const char *from_dir, const char *from, const char *to_dir, const char *to)
{
	char a[600], b[600];

	snprintf(a, sizeof(a), "%s/%s", from_dir, from);
	snprintf(b, sizeof(b), "%s/%s", to_dir, to);
	assert_int_equal(rename(a, b), 0);
}

static void test_adopt(void **state)
{
	struct view_changes c;
	struct view *v = house_view(&h, "INBOX", false);

	drop(new_dir, "1000000002.M1P1.host");
	drop(new_dir, "1000000001.M1P1.host");
	drop(cur_dir, "1000000003.M1P1.host:2,FS");
	view_look(v);
	c = view_news(&h, v, true);
	assert_true(c.exists_changed);
	view_changes_free(&c);
	assert_int_equal(view_state(v)->exists, 3);
	assert_int_equal(flags_of(v, 3).system, MAIL_FLAGGED | MAIL_SEEN);
	assert_string_equal(text_of(v, 1), "From: a@b\r\nSubject: one\r\n\r\nbody\r\n");
	drop(new_dir, "1000000000.M1P1.host");
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 4);
	assert_int_equal(view_state(v)->uidnext, 5);
	view_close(&v);
}

static void test_foreign_flags(void **state)
{
	struct view_changes c;
	struct view *v;

	drop(cur_dir, "1000000001.M1P1.host:2,");
	drop(cur_dir, "1000000002.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	move(cur_dir, "1000000001.M1P1.host:2,", cur_dir, "1000000001.M1P1.host:2,RS");
	view_look(v);
	c = view_news(&h, v, true);
	assert_int_equal(set_count(&c.flags), 1);
	assert_true(set_has(&c.flags, 1));
	view_changes_free(&c);
	assert_int_equal(flags_of(v, 1).system, MAIL_ANSWERED | MAIL_SEEN);
	assert_string_equal(text_of(v, 1), "From: a@b\r\nSubject: one\r\n\r\nbody\r\n");
	view_close(&v);
}

/* What a session has set and the folder does not know yet is not undone by a scan. */
static void test_owed_flags(void **state)
{
	struct view *v;

	drop(cur_dir, "1000000001.M1P1.host:2,");
	drop(cur_dir, "1000000002.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	assert_non_null(find_file(cur_dir, "1000000001.M1P1.host:2,"));
	assert_null(find_file(cur_dir, ":2,F"));
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(flags_of(v, 1).system, MAIL_FLAGGED);
	assert_true(acct_busy(h.a));
	house_work(&h);
	assert_false(acct_busy(h.a));
	assert_non_null(find_file(cur_dir, "1000000001.M1P1.host:2,F"));
	view_close(&v);
	/* Flags of a session that ended are written before the account closes. */
	v = house_view(&h, "INBOX", false);
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	view_close(&v);
	house_again(&h, false);
	assert_non_null(find_file(cur_dir, "1000000002.M1P1.host:2,S"));
}

/* To leave the arrivals is no change of flags: what another program gave a message meanwhile stands, however often. */
static void test_owed_claim(void **state)
{
	struct view *v;

	drop(new_dir, "1000000001.M1P1.host");
	v = house_view(&h, "INBOX", false);
	assert_true(is_recent(v, 1));
	assert_true(acct_busy(h.a)); /* owed: new/ to cur/ */
	move(new_dir, "1000000001.M1P1.host", cur_dir, "1000000001.M1P1.host:2,F");
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(flags_of(v, 1).system, MAIL_FLAGGED);
	move(cur_dir, "1000000001.M1P1.host:2,F", cur_dir, "1000000001.M1P1.host:2,S");
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN);
	move(cur_dir, "1000000001.M1P1.host:2,S", cur_dir, "1000000001.M1P1.host:2,RS");
	house_work(&h);
	assert_false(acct_busy(h.a));
	assert_non_null(find_file(cur_dir, "1000000001.M1P1.host:2,RS"));
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN | MAIL_ANSWERED);
	view_close(&v);
}

/* Nor do flags that it had when it arrived make it one; and a change that is owed as well is made. */
static void test_owed_claim_flagged(void **state)
{
	struct view *v;

	drop(new_dir, "1000000001.M1P1.host:2,S");
	drop(new_dir, "1000000002.M1P1.host:2,S");
	drop(new_dir, "1000000003.M1P1.host:2,S");
	v = house_view(&h, "INBOX", false);
	assert_true(is_recent(v, 1));
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN);
	move(new_dir, "1000000001.M1P1.host:2,S", cur_dir, "1000000001.M1P1.host:2,FS");
	move(new_dir, "1000000002.M1P1.host:2,S", new_dir, "1000000002.M1P1.host:2,FS");
	view_flag(v, 3, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	house_work(&h);
	assert_non_null(find_file(cur_dir, "1000000001.M1P1.host:2,FS"));
	assert_non_null(find_file(cur_dir, "1000000002.M1P1.host:2,FS"));
	assert_non_null(find_file(cur_dir, "1000000003.M1P1.host:2,RS"));
	view_look(v);
	view_quiet(&h, v);
	for (uint32_t uid = 1; uid < 3; uid++)
		assert_int_equal(flags_of(v, uid).system, MAIL_SEEN | MAIL_FLAGGED);
	view_close(&v);
}

static void test_foreign_removal(void **state)
{
	struct view_changes c;
	char path[400];
	struct view *v;

	drop(cur_dir, "1000000001.M1P1.host:2,");
	drop(cur_dir, "1000000002.M1P1.host:2,");
	drop(cur_dir, "1000000003.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	snprintf(path, sizeof(path), "%s/1000000002.M1P1.host:2,", cur_dir);
	assert_int_equal(unlink(path), 0);
	house_settle(&h);
	view_look(v);
	c = view_news(&h, v, true);
	assert_int_equal(c.expunged_n, 1);
	assert_int_equal(c.expunged[0], 2);
	view_changes_free(&c);
	assert_int_equal(view_state(v)->exists, 2);
	view_close(&v);
	house_again(&h, true);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_uid(v, 2), 3);
	assert_int_equal(view_state(v)->uidnext, 4);
	view_close(&v);
}

/* Missing while the folder is in motion: not gone before a quiet look, which comes by itself. */
static void test_removal_in_motion(void **state)
{
	char path[400];
	struct view *v;

	drop(cur_dir, "1000000001.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	snprintf(path, sizeof(path), "%s/1000000001.M1P1.host:2,", cur_dir);
	assert_int_equal(unlink(path), 0);
	house_stir(&h);
	view_look(v);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 1);
	house_settle(&h);
	usleep(350000);
	assert_true(acct_busy(h.a));
	house_work(&h);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 0);
	view_close(&v);
}

static void list_another(const char *line)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/dovecot-uidlist", h.mail);
	int fd = open(path, O_WRONLY | O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	close(fd);
}

/* What the folder lists under another UID from now on, as other programs do with what came back, is not shown twice. */
static void test_renumbered(void **state)
{
	struct view_changes c;
	struct view *v;

	drop(cur_dir, "1000000001.M1P1.host:2,");
	drop(cur_dir, "1000000002.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	list_another("7 :1000000001.M1P1.host\n");
	drop(cur_dir, "1000000003.M1P1.host:2,");
	house_settle(&h);
	view_look(v);
	c = view_news(&h, v, true);
	assert_true(c.expunged_n == 1 && c.expunged[0] == 1);
	view_changes_free(&c);
	assert_int_equal(view_state(v)->exists, 3);
	assert_true(view_uid(v, 1) == 2 && view_uid(v, 2) == 7 && view_uid(v, 3) == 8);
	assert_string_equal(text_of(v, 7), "From: a@b\r\nSubject: one\r\n\r\nbody\r\n");
	view_close(&v);
}

/* A message that was expunged comes back among what is new: with a new UID, and once. */
static void test_came_back(void **state)
{
	struct view *v;

	drop(cur_dir, "1000000001.M1P1.host:2,");
	drop(cur_dir, "1000000002.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_close(&v);
	house_work(&h);
	house_settle(&h);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, 1);
	view_close(&v);
	house_again(&h, false);
	drop(new_dir, "1000000001.M1P1.host");
	drop(new_dir, "1000000004.M1P1.host");
	for (int i = 0; i < 3; i++) {
		v = house_view(&h, "INBOX", false);
		assert_int_equal(view_state(v)->exists, 3);
		assert_true(view_uid(v, 1) == 2 && view_uid(v, 2) == 3 && view_uid(v, 3) == 4);
		view_close(&v);
		house_again(&h, i); /* the index as it is, and one made from the folder */
		house_settle(&h);
	}
}

static void test_uidvalidity(void **state)
{
	struct view_changes c;
	struct errtext t;
	struct view *v;
	uint32_t uidvalidity;
	char path[400];

	drop(cur_dir, "1000000001.M1P1.host:2,");
	drop(cur_dir, "1000000002.M1P1.host:2,");
	v = house_view(&h, "INBOX", false);
	uidvalidity = view_state(v)->uidvalidity;
	snprintf(path, sizeof(path), "%s/dovecot-uidlist", h.mail);
	assert_int_equal(unlink(path), 0);
	put_file(path, "3 V1900000000 N11 G3085f01b7f11094c501100008c4a11c1\n"
		       "7 :1000000002.M1P1.host\n9 :1000000001.M1P1.host\n");
	view_look(v);
	assert_int_equal(view_update(v, true, h.ar, &c, &t), ERR_NOTFOUND);
	view_close(&v);
	v = house_view(&h, "INBOX", false);
	assert_int_not_equal(view_state(v)->uidvalidity, uidvalidity);
	assert_int_equal(view_state(v)->uidvalidity, 1900000000);
	assert_int_equal(view_uid(v, 1), 7);
	assert_int_equal(view_uid(v, 2), 9);
	assert_int_equal(view_state(v)->uidnext, 11);
	view_close(&v);
}

/* --- the index goes ------------------------------------------------------------------ */

static void fill(void)
{
	house_append(&h, "INBOX", mail, MAIL_SEEN, "$One");
	house_append(&h, "INBOX", mail, MAIL_FLAGGED, NULL);
	house_append(&h, "INBOX", mail, 0, "$Two");
	house_append(&h, "INBOX", mail, MAIL_DELETED, NULL);
}

static void check_filled(struct view *v)
{
	assert_int_equal(view_state(v)->exists, 3);
	assert_int_equal(view_uid(v, 1), 1);
	assert_int_equal(view_uid(v, 3), 3);
	assert_int_equal(view_state(v)->uidnext, 5);
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN);
	assert_int_equal(flags_of(v, 2).system, MAIL_FLAGGED | MAIL_ANSWERED);
	assert_int_equal(flags_of(v, 3).system, 0);
	assert_true(has_keyword(v, 1, "$One"));
	assert_true(has_keyword(v, 3, "$Two"));
	assert_false(has_keyword(v, 3, "$One"));
}

static void test_index_deleted(void **state)
{
	uint64_t highest;
	struct view *v;

	fill();
	v = house_view(&h, "INBOX", false);
	assert_int_equal(try_expunge(v), ERR_OK);
	for (int i = 0; i < 50; i++)
		view_flag(v, 2, i % 2 ? VIEW_FLAGS_ADD : VIEW_FLAGS_REMOVE, MAIL_ANSWERED, NULL);
	view_quiet(&h, v);
	highest = view_state(v)->highestmodseq;
	check_filled(v);
	view_close(&v);
	for (int i = 0; i < 2; i++) {
		house_again(&h, true);
		v = house_view(&h, "INBOX", false);
		check_filled(v);
		assert_true(view_state(v)->highestmodseq > highest);
		highest = view_state(v)->highestmodseq;
		view_close(&v);
	}
}

/* Changes a byte wherever text stands in the index, under the feet of the running process. */
static void damage(const char *text)
{
	static char all[4 << 20];
	size_t n = strlen(text), size;
	char path[600];
	unsigned hits = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", h.index);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	size = (size_t)pread(fd, all, sizeof(all), 0);
	for (size_t at = 0; at + n <= size; at++) {
		if (memcmp(all + at, text, n) != 0)
			continue;
		hits++;
		assert_int_equal(pwrite(fd, "!", 1, (off_t)(at + n - 1)), 1);
	}
	close(fd);
	assert_true(hits > 0);
}

static void test_index_damaged(void **state)
{
	struct view *v, *other;
	uint64_t highest;

	fill();
	v = house_view(&h, "INBOX", false);
	other = house_view(&h, "INBOX", false);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	house_work(&h);
	view_quiet(&h, v);
	highest = view_state(v)->highestmodseq;
	damage("test,S=");
	/* Sessions that are open go on; what was pending for them still comes. */
	assert_int_equal(view_state(other)->exists, 4);
	check_filled(v);
	view_quiet(&h, v);
	assert_true(view_state(v)->highestmodseq > highest);
	view_quiet(&h, other);
	check_filled(other);
	assert_non_null(acct_note(h.a));
	assert_null(acct_note(h.a));
	assert_int_equal(house_append(&h, "INBOX", mail, 0, NULL), 5);
	view_quiet(&h, other);
	assert_int_equal(view_state(other)->exists, 4);
	view_quiet(&h, v);
	damage("INBOX");
	view_flag(v, 5, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	assert_int_equal(flags_of(other, 5).system, MAIL_SEEN);
	view_close(&v);
	view_close(&other);
	damage("INBOX");
	assert_int_equal(house_append(&h, "INBOX", mail, 0, NULL), 6);
}

/* Flags that were answered for and are in no file name yet survive the index as well. */
static void test_damage_with_owed(void **state)
{
	struct view *v;

	fill();
	v = house_view(&h, "INBOX", false);
	view_flag(v, 1, VIEW_FLAGS_REMOVE, MAIL_SEEN, "$One");
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_DRAFT, "$Three");
	damage("test,S=");
	assert_int_equal(flags_of(v, 2).system, MAIL_FLAGGED | MAIL_SEEN | MAIL_DRAFT);
	view_close(&v);
	damage("test,S=");
	house_again(&h, true);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(flags_of(v, 1).system, 0);
	assert_false(has_keyword(v, 1, "$One"));
	assert_int_equal(flags_of(v, 2).system, MAIL_FLAGGED | MAIL_SEEN | MAIL_DRAFT);
	assert_true(has_keyword(v, 2, "$Three"));
	view_close(&v);
}

/* The directory is removed under a running process: the next command that looks finds out, nothing breaks. */
static void test_index_removed_running(void **state)
{
	struct view *v;

	fill();
	v = house_view(&h, "INBOX", false);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	house_work(&h);
	remove_tree(h.index);
	view_quiet(&h, v);
	check_filled(v);
	assert_int_equal(house_append(&h, "INBOX", mail, 0, NULL), 5);
	view_close(&v);
	house_work(&h);
	remove_tree(h.index);
	assert_int_equal(house_append(&h, "INBOX", mail, 0, "$New"), 6); /* the first to ask for the mailbox */
	house_again(&h, false);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, 5);
	view_close(&v);
}

static void test_reindex(void **state)
{
	struct acct_reindex job = { .name = NULL };
	struct view_changes c;
	uint64_t highest;
	struct view *v;

	fill();
	v = house_view(&h, "INBOX", false);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	view_quiet(&h, v);
	highest = view_state(v)->highestmodseq;
	while (acct_reindex(h.a, &job) != STEP_DONE)
		;
	assert_int_equal(job.err, ERR_OK);
	assert_int_equal(job.mailboxes, 1);
	assert_int_equal(job.messages, 3);
	c = view_news(&h, v, true);
	assert_int_equal(c.expunged_n, 0);
	view_changes_free(&c);
	check_filled(v);
	assert_true(view_state(v)->highestmodseq > highest);
	view_close(&v);
}

static void test_many(void **state)
{
	struct acct_status st = { .name = "INBOX" };
	char name[100];
	struct view *v;

	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "%d.M1P1.host,S=29:2,%s", 1000000000 + i, i % 2 ? "S" : "");
		drop(cur_dir, name);
	}
	while (acct_status(h.a, &st) != STEP_DONE)
		;
	assert_int_equal(st.err, ERR_OK);
	assert_int_equal(st.messages, 5000);
	assert_int_equal(st.unseen, 2500);
	assert_int_equal(st.recent, 0);
	assert_int_equal(st.uidnext, 5001);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, 5000);
	assert_int_equal(view_state(v)->first_unseen, 1);
	view_close(&v);
}

#define T(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_adopt), T(test_foreign_flags), T(test_owed_flags), T(test_owed_claim), T(test_owed_claim_flagged), T(test_foreign_removal),
		T(test_removal_in_motion), T(test_renumbered), T(test_came_back), T(test_uidvalidity), T(test_index_deleted), T(test_index_damaged),
		T(test_damage_with_owed), T(test_index_removed_running), T(test_reindex), T(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
