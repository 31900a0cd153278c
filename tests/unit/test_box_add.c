/* APPEND, deliveries, COPY and MOVE: what arrives, what it brings along, what is taken back. */
#include "tests/unit/box_house.h"
#include <dirent.h>

static struct house h;

static const char mail[] = "From: a@b\r\nSubject: one\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\n\r\nbody\r\n";

static struct message_facts facts(struct view *v, uint32_t uid, unsigned want, char *envelope, size_t n)
{
	struct set one = SET_EMPTY;
	struct view_walk *w;
	struct message_facts f;
	struct errtext t;

	set_add(&one, uid);
	assert_int_equal(view_walk_begin(v, &one, want, &w, &t), ERR_OK);
	assert_int_equal(view_walk_next(w, &f, &t), ERR_OK);
	snprintf(envelope, n, "%.*s", (int)f.envelope.n, f.envelope.p ? f.envelope.p : "");
	view_walk_end(&w);
	set_free(&one);
	return f;
}

static void test_append(void **state)
{
	const char *keywords[] = { "$A", "$B" };
	struct append *p;
	struct message_facts f;
	struct errtext t;
	char envelope[1000];
	struct view *v;
	enum err e;

	assert_int_equal(append_begin(h.a, "INBOX", &p, &t), ERR_OK);
	assert_int_equal(append_start(p, 0, MAIL_SEEN | MAIL_DRAFT, keywords, 2, 1000000000, &t), ERR_OK);
	assert_int_equal(append_write(p, span_str(mail), &t), ERR_OK);
	assert_int_equal(append_end(p, &t), ERR_OK);
	assert_int_equal(append_start(p, 0, 0, NULL, 0, 0, &t), ERR_OK);
	assert_int_equal(append_write(p, SPAN("x: y\r\n\r\n"), &t), ERR_OK);
	assert_int_equal(append_end(p, &t), ERR_OK);
	while (append_finish(p, true, &e, &t) != STEP_DONE)
		;
	assert_int_equal(e, ERR_OK);
	assert_int_equal(set_count(append_uids(p)), 2);
	v = house_view(&h, "INBOX", true);
	assert_int_equal(append_uidvalidity(p), view_state(v)->uidvalidity);
	append_free(&p);
	f = facts(v, 1, WANT_ENVELOPE | WANT_VSIZE | WANT_DATES, envelope, sizeof(envelope));
	assert_int_equal(f.vsize, strlen(mail));
	assert_int_equal(f.internaldate, 1000000000);
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN | MAIL_DRAFT);
	assert_true(has_keyword(v, 1, "$A") && has_keyword(v, 1, "$B"));
	assert_non_null(strstr(envelope, "\"one\""));
	assert_string_equal(text_of(v, 1), mail);
	view_close(&v);
}

static size_t descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Thousands of messages in one command hold a bounded number of descriptors; still all or none. */
static void test_append_many(void **state)
{
	size_t before = descriptors(), most = 0;
	struct append *p;
	struct errtext t;
	enum err e;

	assert_int_equal(append_begin(h.a, "INBOX", &p, &t), ERR_OK);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(append_start(p, 0, 0, NULL, 0, 1000000000, &t), ERR_OK);
		assert_int_equal(append_write(p, span_str(mail), &t), ERR_OK);
		assert_int_equal(append_end(p, &t), ERR_OK);
		if (i % 50 == 0 && descriptors() > most)
			most = descriptors();
	}
	assert_true(most < before + 200);
	while (append_finish(p, true, &e, &t) != STEP_DONE)
		;
	assert_int_equal(e, ERR_OK);
	assert_int_equal(set_count(append_uids(p)), 1000);
	append_free(&p);
	assert_true(descriptors() < before + 20);
}

static void test_append_abort(void **state)
{
	struct append *p;
	struct errtext t;
	struct view *v;

	assert_int_equal(append_begin(h.a, "Nowhere", &p, &t), ERR_NOTFOUND);
	assert_int_equal(append_begin(h.a, "INBOX", &p, &t), ERR_OK);
	assert_int_equal(append_start(p, 0, 0, NULL, 0, 0, &t), ERR_OK);
	assert_int_equal(append_write(p, span_str(mail), &t), ERR_OK);
	append_free(&p);
	v = house_view(&h, "INBOX", true);
	assert_int_equal(view_state(v)->exists, 0);
	view_close(&v);
}

static void test_delivery(void **state)
{
	struct acct_status st = { .name = "INBOX" };
	struct view *v;

	house_deliver(&h, "INBOX", mail);
	house_deliver(&h, "INBOX", mail);
	while (acct_status(h.a, &st) != STEP_DONE)
		;
	assert_int_equal(st.messages, 2);
	assert_int_equal(st.recent, 2);
	assert_int_equal(st.unseen, 2);
	assert_int_equal(st.size, 2 * strlen(mail));
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->recent, 2);
	view_close(&v);
	house_work(&h);
	st = (struct acct_status){ .name = "INBOX" };
	while (acct_status(h.a, &st) != STEP_DONE)
		;
	assert_int_equal(st.recent, 0);
}

/* Numbers come later, all at once, in the order of arrival; what was cached on the way is there. */
static void test_delivery_later(void **state)
{
	char envelope[1000];
	struct message_facts f;
	struct view *v;

	house_deliver(&h, "INBOX", "Subject: a\n\n");
	house_deliver(&h, "INBOX", "Subject: b\n\n");
	assert_true(acct_busy(h.a));
	house_work(&h);
	assert_false(acct_busy(h.a));
	house_deliver(&h, "INBOX", "Subject: c\n\n");
	v = house_view(&h, "INBOX", true);
	assert_int_equal(view_state(v)->exists, 3);
	house_deliver(&h, "INBOX", "Subject: d\n\n");
	for (uint32_t uid = 1; uid <= 3; uid++) {
		char subject[] = { '"', (char)('a' + uid - 1), '"', '\0' };

		f = facts(v, uid, WANT_ENVELOPE, envelope, sizeof(envelope));
		assert_int_equal(f.uid, uid);
		assert_non_null(strstr(envelope, subject));
	}
	view_close(&v);
}

static void fill(void)
{
	struct errtext t;

	house_append(&h, "INBOX", mail, MAIL_SEEN, "$A");
	house_append(&h, "INBOX", "x: y\r\n\r\ntwo\r\n", 0, NULL);
	house_append(&h, "INBOX", mail, MAIL_FLAGGED, "$B");
	assert_int_equal(acct_create(h.a, "Other", NULL, &t), ERR_OK);
	house_append(&h, "Other", mail, 0, "$B");
}

static void test_copy(void **state)
{
	struct view_copy job;
	char envelope[1000];
	struct view *v, *other;

	fill();
	v = house_view(&h, "INBOX", false);
	other = house_view(&h, "Other", false);
	assert_int_equal(try_copy(v, 1, 3, "Nowhere", false, NULL), ERR_NOTFOUND);
	assert_int_equal(try_copy(v, 1, 3, "Other", false, &job), ERR_OK);
	assert_int_equal(job.uidvalidity, view_state(other)->uidvalidity);
	assert_int_equal(set_count(&job.source), 3);
	assert_int_equal(set_count(&job.dest_uids), 3);
	assert_int_equal(set_min(&job.dest_uids), 2);
	view_copy_free(&job);
	view_quiet(&h, other);
	assert_int_equal(view_state(other)->exists, 4);
	assert_int_equal(flags_of(other, 2).system, MAIL_SEEN);
	assert_true(has_keyword(other, 2, "$A"));
	assert_true(has_keyword(other, 4, "$B"));
	assert_string_equal(text_of(other, 3), "x: y\r\n\r\ntwo\r\n");
	assert_string_equal(text_of(other, 4), mail);
	facts(other, 4, WANT_ENVELOPE, envelope, sizeof(envelope));
	assert_non_null(strstr(envelope, "\"one\""));
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 3);
	/* Onto itself. */
	assert_int_equal(try_copy(v, 2, 2, "INBOX", false, NULL), ERR_OK);
	view_quiet(&h, v);
	assert_int_equal(view_state(v)->exists, 4);
	assert_string_equal(text_of(v, 4), "x: y\r\n\r\ntwo\r\n");
	view_close(&v);
	view_close(&other);
}

static void test_move(void **state)
{
	struct view_copy job;
	struct view_changes c;
	struct view *v, *other;

	fill();
	v = house_view(&h, "INBOX", false);
	assert_int_equal(try_copy(v, 1, 2, "Other", true, &job), ERR_OK);
	assert_int_equal(set_count(&job.source), 2);
	view_copy_free(&job);
	c = view_news(&h, v, true);
	assert_int_equal(c.expunged_n, 2);
	view_changes_free(&c);
	assert_int_equal(view_state(v)->exists, 1);
	other = house_view(&h, "Other", false);
	assert_int_equal(view_state(other)->exists, 3);
	assert_string_equal(text_of(other, 3), "x: y\r\n\r\ntwo\r\n");
	view_close(&v);
	view_close(&other);
}

/* One of the messages was expunged elsewhere: nothing is copied. */
static void test_copy_gone(void **state)
{
	struct view *v, *w;
	struct acct_status st = { .name = "Other" };

	fill();
	v = house_view(&h, "INBOX", false);
	w = house_view(&h, "INBOX", false);
	view_flag(w, 3, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_int_equal(try_expunge(w), ERR_OK);
	assert_int_equal(try_copy(v, 1, 3, "Other", false, NULL), ERR_EXPUNGED);
	while (acct_status(h.a, &st) != STEP_DONE)
		;
	assert_int_equal(st.messages, 1);
	view_close(&v);
	view_close(&w);
}

static void test_rename_inbox(void **state)
{
	struct acct_rename job = { .from = "INBOX", .to = "Saved" };
	struct view *v;

	fill();
	while (acct_rename(h.a, &job) != STEP_DONE)
		;
	assert_int_equal(job.err, ERR_OK);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(view_state(v)->exists, 0);
	assert_int_equal(view_state(v)->uidnext, 4);
	view_close(&v);
	v = house_view(&h, "Saved", false);
	assert_int_equal(view_state(v)->exists, 3);
	assert_true(has_keyword(v, 3, "$B"));
	view_close(&v);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		OVER_BOTH(test_append, h), OVER_BOTH(test_append_abort, h), OVER_BOTH(test_delivery, h),
		OVER_BOTH(test_delivery_later, h), OVER_BOTH(test_copy, h), OVER_BOTH(test_move, h),
		OVER_BOTH(test_copy_gone, h), OVER_BOTH(test_rename_inbox, h),
		OVER_MAILDIR(test_append_many, h),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
