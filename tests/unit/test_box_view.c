/* Views: two sessions on one mailbox, \Recent, flags, expunges, the numbers between. Over the RAM store and a Maildir. */
#include "tests/unit/box_house.h"

static struct house h;

static const char mail[] = "From: a@b\r\nSubject: one\r\n\r\nbody\r\n";

static void fill(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(house_append(&h, "INBOX", mail, 0, NULL), i + 1);
}

static void test_empty(void **state)
{
	struct view *v = house_view(&h, "inbox", false);

	assert_int_equal(view_state(v)->exists, 0);
	assert_int_equal(view_state(v)->uidnext, 1);
	assert_int_not_equal(view_state(v)->uidvalidity, 0);
	assert_true(view_state(v)->highestmodseq > 1000000000);
	assert_string_equal(view_state(v)->name, "INBOX");
	view_close(&v);
}

static void test_numbers(void **state)
{
	struct set seqs = SET_EMPTY, uids = SET_EMPTY, back = SET_EMPTY;
	struct view *v;

	fill(9);
	v = house_view(&h, "INBOX", false);
	view_flag(v, 3, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	view_flag(v, 4, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	view_flag(v, 8, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 6); /* 1 2 5 6 7 9 */
	assert_int_equal(view_uid(v, 3), 5);
	assert_int_equal(view_uid(v, 6), 9);
	assert_int_equal(view_uid(v, 7), 0);
	assert_int_equal(view_uid(v, 0), 0);
	assert_int_equal(view_seq(v, 9), 6);
	assert_int_equal(view_seq(v, 8), 0);
	for (uint32_t first = 1; first <= 8; first++) {
		for (uint32_t last = first; last <= 8; last++) {
			set_clear(&seqs);
			set_add_range(&seqs, first, last);
			view_seqs_to_uids(v, &seqs, &uids);
			for (uint32_t seq = 1; seq <= 6; seq++)
				assert_int_equal(set_has(&uids, view_uid(v, seq)), seq >= first && seq <= last);
			view_uids_to_seqs(v, &uids, &back);
			set_remove_range(&seqs, 7, 8);
			assert_int_equal(set_count(&back), set_count(&seqs));
			assert_int_equal(set_min(&back), set_min(&seqs));
		}
	}
	set_clear(&uids);
	set_add_range(&uids, 2, 5);
	set_add_range(&uids, 8, 20);
	view_uids_to_seqs(v, &uids, &back);
	assert_int_equal(set_count(&back), 3);
	assert_true(set_has(&back, 2) && set_has(&back, 3) && set_has(&back, 6));
	set_free(&seqs);
	set_free(&uids);
	set_free(&back);
	view_close(&v);
}

static void test_two_views(void **state)
{
	struct view *a, *b;
	struct view_changes c;

	fill(5);
	a = house_view(&h, "INBOX", false);
	b = house_view(&h, "INBOX", false);
	view_flag(a, 2, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	view_flag(a, 5, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(a), ERR_OK);

	/* b's numbers hold until it is told. */
	c = view_news(&h, b, false);
	assert_int_equal(c.expunged_n, 0);
	assert_int_equal(c.flags.n, 0);
	assert_int_equal(view_state(b)->exists, 5);
	assert_int_equal(view_uid(b, 3), 3);
	view_changes_free(&c);
	assert_int_equal(house_append(&h, "INBOX", mail, 0, NULL), 6);
	c = view_news(&h, b, false);
	assert_true(c.exists_changed);
	assert_int_equal(view_state(b)->exists, 6);
	view_changes_free(&c);

	c = view_news(&h, b, true);
	assert_int_equal(c.expunged_n, 2);
	assert_int_equal(c.expunged[0], 5);
	assert_int_equal(c.expunged[1], 2);
	assert_true(set_has(&c.vanished, 2) && set_has(&c.vanished, 5));
	assert_false(c.exists_changed);
	assert_int_equal(view_state(b)->exists, 4);
	assert_int_equal(view_uid(b, 4), 6);
	view_changes_free(&c);
	view_close(&a);
	view_close(&b);
}

static void test_expunged_bytes(void **state)
{
	struct view *a, *b;
	struct errtext t;
	struct message *m = NULL;

	fill(2);
	a = house_view(&h, "INBOX", false);
	b = house_view(&h, "INBOX", false);
	view_flag(a, 1, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(a), ERR_OK);
	assert_int_equal(message_open(b, 1, &m, &t), ERR_EXPUNGED);
	assert_string_equal(text_of(b, 2), mail);
	view_close(&a);
	view_close(&b);
}

static void test_recent(void **state)
{
	struct view *look, *a, *b;

	house_deliver(&h, "INBOX", mail);
	house_deliver(&h, "INBOX", mail);
	look = house_view(&h, "INBOX", true);
	assert_int_equal(view_state(look)->recent, 2);
	a = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(a)->recent, 2);
	assert_true(is_recent(a, 1));
	b = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(b)->recent, 0);
	house_deliver(&h, "INBOX", mail);
	view_quiet(&h, b);
	view_quiet(&h, a);
	assert_int_equal(view_state(b)->recent, 1);
	assert_int_equal(view_state(b)->exists, 3);
	assert_int_equal(view_state(a)->recent, 2);
	assert_int_equal(view_state(a)->exists, 3);
	view_close(&look);
	view_close(&a);
	view_close(&b);
	house_work(&h);
	a = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(a)->recent, 0);
	view_close(&a);
}

static struct view *leaving_view(void)
{
	struct errtext t;
	struct view *v;

	assert_int_equal(view_open(h.a, "INBOX", false, &v, &t), ERR_OK);
	view_leave_recent(v);
	view_look(v);
	view_quiet(&h, v);
	return v;
}

/* maildir_empty_new: who only looks empties new/, and leaves \Recent to who comes to stay. */
static void test_empty_new(void **state)
{
	char path[200];
	struct view *v;

	snprintf(path, sizeof(path), "%s/new", h.mail);
	for (int on = 0; on < 2; on++) {
		h.ns.empty_new = on;
		house_again(&h, false);
		house_deliver(&h, "INBOX", mail);
		v = house_view(&h, "INBOX", true);
		assert_int_equal(view_state(v)->recent, 1);
		house_work(&h);
		assert_int_equal(count_files(path), on ? 0 : 1);
		view_quiet(&h, v);
		assert_int_equal(view_state(v)->recent, 1);
		view_close(&v);
		v = leaving_view();
		assert_int_equal(view_state(v)->recent, 1);
		view_close(&v);
		v = house_view(&h, "INBOX", false);
		assert_int_equal(view_state(v)->recent, 1);
		view_close(&v);
		house_work(&h);
		assert_int_equal(count_files(path), 0);
	}
}

static void test_flags(void **state)
{
	struct view *a, *b;
	struct view_changes c;

	fill(3);
	a = house_view(&h, "INBOX", false);
	b = house_view(&h, "INBOX", false);
	view_flag(a, 2, VIEW_FLAGS_ADD, MAIL_SEEN | MAIL_FLAGGED, "$Work");
	c = view_news(&h, a, true);
	assert_int_equal(c.flags.n, 0); /* silent */
	assert_true(c.keywords_changed);
	view_changes_free(&c);
	c = view_news(&h, b, true);
	assert_int_equal(set_count(&c.flags), 1);
	assert_true(set_has(&c.flags, 2));
	assert_true(c.keywords_changed);
	view_changes_free(&c);
	assert_int_equal(flags_of(b, 2).system, MAIL_SEEN | MAIL_FLAGGED);
	assert_true(has_keyword(b, 2, "$Work"));
	view_flag(b, 2, VIEW_FLAGS_REMOVE, MAIL_SEEN, "$work");
	assert_int_equal(flags_of(a, 2).system, MAIL_FLAGGED);
	assert_false(has_keyword(a, 2, "$Work"));
	view_flag(b, 2, VIEW_FLAGS_SET, MAIL_DRAFT, NULL);
	assert_int_equal(flags_of(a, 2).system, MAIL_DRAFT);
	assert_int_equal(try_store(b, 2, VIEW_FLAGS_REMOVE, 0, "Unknown"), ERR_OK);
	assert_int_equal(try_store(b, 2, VIEW_FLAGS_ADD, 0, ""), ERR_LIMIT);
	view_close(&a);
	view_close(&b);
	a = house_view(&h, "INBOX", true);
	assert_int_equal(try_store(a, 2, VIEW_FLAGS_ADD, MAIL_SEEN, NULL), ERR_READONLY);
	assert_int_equal(try_expunge(a), ERR_READONLY);
	view_close(&a);
}

static void test_unchangedsince(void **state)
{
	struct view_store s = { .mode = VIEW_FLAGS_ADD, .system = MAIL_FLAGGED, .silent = false };
	struct set uids = SET_EMPTY;
	struct view_changes c;
	struct errtext t;
	struct view *v;

	fill(4);
	v = house_view(&h, "INBOX", false);
	s.unchangedsince = view_state(v)->highestmodseq;
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_FLAGGED, NULL);
	view_flag(v, 3, VIEW_FLAGS_ADD, MAIL_SEEN, NULL); /* another flag: no matter */
	set_add_range(&uids, 1, 3);
	assert_int_equal(view_store(v, &uids, &s, &t), ERR_OK);
	assert_int_equal(set_count(&s.modified), 1);
	assert_true(set_has(&s.modified, 2));
	assert_int_equal(flags_of(v, 1).system, MAIL_FLAGGED);
	assert_int_equal(flags_of(v, 3).system, MAIL_FLAGGED | MAIL_SEEN);
	c = view_news(&h, v, true);
	assert_int_equal(set_count(&c.flags), 2);
	view_changes_free(&c);
	/* Not silent: heard of also when nothing changed. */
	set_free(&s.modified);
	s.unchangedsince = UINT64_MAX;
	assert_int_equal(view_store(v, &uids, &s, &t), ERR_OK);
	assert_int_equal(view_store(v, &uids, &s, &t), ERR_OK);
	c = view_news(&h, v, true);
	assert_int_equal(set_count(&c.flags), 3);
	view_changes_free(&c);
	set_free(&s.modified);
	set_free(&uids);
	view_close(&v);
}

static void count_up(void *ctx, bool look)
{
	++*(int *)ctx;
}

static void test_notify(void **state)
{
	struct view *a, *b;
	int heard = 0;

	fill(1);
	a = house_view(&h, "INBOX", false);
	b = house_view(&h, "INBOX", false);
	view_set_notify(a, count_up, &heard);
	house_deliver(&h, "INBOX", mail);
	assert_int_equal(heard, 1);
	view_flag(b, 1, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(heard, 2);
	view_flag(a, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	assert_int_equal(heard, 2);
	assert_int_equal(try_expunge(b), ERR_OK);
	assert_int_equal(heard, 3);
	view_close(&a);
	view_close(&b);
}

static void test_deleted_mailbox(void **state)
{
	struct view_changes c;
	struct errtext t;
	struct view *v;

	assert_int_equal(acct_create(h.a, "Gone", NULL, &t), ERR_OK);
	v = house_view(&h, "Gone", false);
	assert_int_equal(acct_delete(h.a, "Gone", &t), ERR_OK);
	assert_int_equal(view_update(v, true, h.ar, &c, &t), ERR_NOTFOUND);
	assert_int_equal(try_refresh(v, true), ERR_NOTFOUND);
	view_close(&v);
	assert_int_equal(try_view(&h, "Gone", false, &v), ERR_NOTFOUND);
}

static void test_first_unseen(void **state)
{
	struct view *v;

	house_append(&h, "INBOX", mail, MAIL_SEEN, NULL);
	house_append(&h, "INBOX", mail, MAIL_SEEN, NULL);
	house_append(&h, "INBOX", mail, 0, NULL);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->first_unseen, 3);
	view_close(&v);
}

/* --- since a modseq ------------------------------------------------------------- */

static struct view_since since(struct view *v, uint64_t modseq, const struct set *known)
{
	struct view_since s = { .modseq = modseq, .known = known };
	struct errtext t = { "" };

	assert_int_equal(view_since(v, &s, &t), ERR_OK);
	return s;
}

static void test_since(void **state)
{
	struct set known = SET_EMPTY;
	struct view_since s;
	struct view *v;
	uint64_t before;

	fill(9);
	v = house_view(&h, "INBOX", false);
	before = view_state(v)->highestmodseq;
	s = since(v, before, NULL);
	assert_true(s.complete);
	assert_int_equal(s.changed.n + s.vanished.n, 0);
	view_flag(v, 2, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	view_flag(v, 4, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	view_flag(v, 8, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);

	/* As long as the view holds them they have not vanished: the session is told otherwise. */
	s = since(v, before, NULL);
	assert_int_equal(s.vanished.n, 0);
	assert_int_equal(view_state(v)->exists, 9);
	view_since_free(&s);
	view_quiet(&h, v);
	assert_false(view_state(v)->behind);

	s = since(v, before, NULL);
	assert_true(s.complete);
	assert_int_equal(set_count(&s.changed), 1);
	assert_true(set_has(&s.changed, 2));
	assert_int_equal(set_count(&s.vanished), 2);
	assert_true(set_has(&s.vanished, 4) && set_has(&s.vanished, 8));
	view_since_free(&s);

	set_add_range(&known, 3, 6);
	s = since(v, before, &known);
	assert_int_equal(s.changed.n, 0);
	assert_int_equal(set_count(&s.vanished), 1);
	assert_true(set_has(&s.vanished, 4));
	view_since_free(&s);
	set_free(&known);
	view_close(&v);
}

/* Too old a modseq, and one from the future: all is told, and what is not there is gone. */
static void test_since_unknown(void **state)
{
	static const uint64_t modseqs[] = { 0, 1, UINT64_C(1) << 62 };
	struct set known = SET_EMPTY;
	struct view *v;

	fill(5);
	v = house_view(&h, "INBOX", false);
	view_flag(v, 3, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_quiet(&h, v);
	set_add_range(&known, 3, 9);
	for (size_t i = 0; i < sizeof(modseqs) / sizeof(*modseqs); i++) {
		struct view_since s = since(v, modseqs[i], NULL);

		assert_false(s.complete);
		assert_int_equal(set_count(&s.changed), 4);
		assert_int_equal(set_count(&s.vanished), 1);
		assert_true(set_has(&s.vanished, 3));
		view_since_free(&s);
		s = since(v, modseqs[i], &known);
		assert_int_equal(set_count(&s.changed), 2);
		assert_int_equal(set_count(&s.vanished), 1); /* not those to come */
		view_since_free(&s);
	}
	set_free(&known);
	view_close(&v);
}

/* What cannot be told yet holds the modseq back. */
static void test_behind(void **state)
{
	struct view_changes c;
	struct view *a, *b;
	uint64_t told;

	fill(3);
	a = house_view(&h, "INBOX", false);
	b = house_view(&h, "INBOX", false);
	told = view_state(b)->highestmodseq;
	view_flag(a, 1, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(a), ERR_OK);
	view_flag(a, 2, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	c = view_news(&h, b, false);
	assert_true(view_state(b)->behind);
	assert_int_equal(view_state(b)->highestmodseq, told);
	view_changes_free(&c);
	c = view_news(&h, b, true);
	assert_false(view_state(b)->behind);
	assert_true(view_state(b)->highestmodseq > told);
	view_changes_free(&c);
	view_close(&a);
	view_close(&b);
}

/* New messages that are held back have no number, and HIGHESTMODSEQ waits for them, also when the session stores. */
static void test_held(void **state)
{
	struct view *v;
	uint64_t told;

	fill(1);
	v = house_view(&h, "INBOX", false);
	told = view_state(v)->highestmodseq;
	view_hold(v, true, false);
	assert_int_equal(house_append(&h, "INBOX", mail, 0, NULL), 2);
	view_quiet(&h, v);
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 1);
	assert_int_equal(view_seq(v, 2), 0);
	assert_true(view_state(v)->behind);
	assert_int_equal(view_state(v)->highestmodseq, told);
	view_hold(v, false, false);
	view_quiet(&h, v);
	assert_int_equal(view_seq(v, 2), 2);
	assert_false(view_state(v)->behind);
	assert_true(view_state(v)->highestmodseq > told);
	view_close(&v);
}

/* What changed and is not told waits, and the told HIGHESTMODSEQ with it. */
static void test_held_flags(void **state)
{
	struct view_changes c;
	struct view *v, *other;
	uint64_t told;

	fill(2);
	v = house_view(&h, "INBOX", false);
	other = house_view(&h, "INBOX", false);
	told = view_state(v)->highestmodseq;
	view_hold(v, false, true);
	view_flag(other, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	c = view_news(&h, v, true);
	assert_int_equal(c.flags.n, 0);
	assert_true(view_state(v)->behind);
	assert_int_equal(view_state(v)->highestmodseq, told);
	view_changes_free(&c);
	view_hold(v, false, false);
	c = view_news(&h, v, true);
	assert_true(set_has(&c.flags, 1));
	assert_false(view_state(v)->behind);
	assert_true(view_state(v)->highestmodseq > told);
	view_changes_free(&c);
	view_close(&v);
	view_close(&other);
}

/* What a session is shown before it is told of all changes up to it does not stand for those. */
static void test_shown_early(void **state)
{
	struct view *a, *b;
	uint64_t told;

	fill(2);
	a = house_view(&h, "INBOX", false);
	b = house_view(&h, "INBOX", false);
	told = view_state(b)->highestmodseq;
	view_flag(a, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	assert_false(flags_of(b, 2).system & MAIL_SEEN);
	assert_false(view_state(b)->behind);
	assert_true(flags_of(b, 1).system & MAIL_SEEN);
	assert_true(view_state(b)->behind);
	assert_int_equal(view_state(b)->highestmodseq, told);
	view_quiet(&h, b);
	assert_false(view_state(b)->behind);
	assert_true(view_state(b)->highestmodseq > told);
	view_close(&a);
	view_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OVER_BOTH(test_empty, h), OVER_BOTH(test_numbers, h), OVER_BOTH(test_two_views, h), OVER_BOTH(test_expunged_bytes, h),
		OVER_BOTH(test_recent, h), OVER_MAILDIR(test_empty_new, h), OVER_BOTH(test_flags, h), OVER_BOTH(test_unchangedsince, h), OVER_BOTH(test_notify, h),
		OVER_BOTH(test_deleted_mailbox, h), OVER_BOTH(test_first_unseen, h),
		OVER_BOTH(test_since, h), OVER_BOTH(test_since_unknown, h), OVER_BOTH(test_behind, h), OVER_BOTH(test_held, h),
		OVER_BOTH(test_shown_early, h), OVER_BOTH(test_held_flags, h),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
