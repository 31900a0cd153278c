/* Object ids: what keeps them, what gives new ones. */
#include "tests/unit/box_house.h"

static struct house h;

struct ids {
	uint8_t email[16], thread[16];
};

static struct ids ids_of(const char *box, uint32_t uid)
{
	struct view *v = house_view(&h, box, true);
	struct message_facts f;
	struct view_walk *w;
	struct set one = SET_EMPTY;
	struct errtext t;
	struct ids ids;

	set_add(&one, uid);
	assert_int_equal(view_walk_begin(v, &one, WANT_THREADID, &w, &t), ERR_OK);
	assert_int_equal(view_walk_next(w, &f, &t), ERR_OK);
	memcpy(ids.email, f.emailid, 16);
	memcpy(ids.thread, f.threadid, 16);
	view_walk_end(&w);
	set_free(&one);
	view_close(&v);
	return ids;
}

static bool same(const uint8_t a[16], const uint8_t b[16])
{
	return memcmp(a, b, 16) == 0;
}

static struct acct_status status_of(const char *box)
{
	struct acct_status st = { .name = box };

	while (acct_status(h.a, &st) != STEP_DONE)
		;
	assert_int_equal(st.err, ERR_OK);
	return st;
}

static void rename_box(const char *from, const char *to)
{
	struct acct_rename job = { .from = from, .to = to };

	while (acct_rename(h.a, &job) != STEP_DONE)
		;
	assert_int_equal(job.err, ERR_OK);
}

static void make_box(const char *name)
{
	struct errtext t;

	assert_int_equal(acct_create(h.a, name, NULL, &t), ERR_OK);
}

static const char root[] = "Subject: x\r\nMessage-ID: <1@x>\r\n\r\n.\r\n";

static void copy(const char *from, uint32_t uid, const char *to, bool move)
{
	struct view *v = house_view(&h, from, false);

	assert_int_equal(try_copy(v, uid, uid, to, move, NULL), ERR_OK);
	view_close(&v);
}

static void test_email(void **state)
{
	struct ids first, second, third;

	house_append(&h, "INBOX", root, 0, NULL);
	house_append(&h, "INBOX", root, 0, NULL);
	make_box("Other");
	first = ids_of("INBOX", 1);
	second = ids_of("INBOX", 2);
	assert_false(same(first.email, second.email)); /* came twice: two messages */
	copy("INBOX", 1, "Other", false);
	copy("Other", 1, "INBOX", false);
	copy("INBOX", 2, "Other", true);
	third = ids_of("INBOX", 3);
	assert_true(same(first.email, third.email));
	third = ids_of("Other", 1);
	assert_true(same(first.email, third.email) && same(first.thread, third.thread));
	third = ids_of("Other", 2);
	assert_true(same(second.email, third.email));
}

static void test_without_index(void **state)
{
	struct ids before[3], after;

	house_append(&h, "INBOX", root, 0, NULL);
	house_append(&h, "INBOX", root, 0, NULL);
	copy("INBOX", 1, "INBOX", false);
	for (uint32_t i = 0; i < 3; i++)
		before[i] = ids_of("INBOX", i + 1);
	house_again(&h, true);
	for (uint32_t i = 0; i < 3; i++) {
		after = ids_of("INBOX", i + 1);
		assert_memory_equal(&after, &before[i], sizeof(after));
	}
	assert_memory_equal(before[0].email, before[2].email, 16);
}

static void test_rename_inbox(void **state)
{
	struct ids before, after;

	house_append(&h, "INBOX", root, 0, NULL);
	before = ids_of("INBOX", 1);
	rename_box("INBOX", "Saved");
	after = ids_of("Saved", 1);
	assert_memory_equal(&after, &before, sizeof(after));
	assert_false(same(status_of("INBOX").guid, status_of("Saved").guid));
}

static void test_mailbox(void **state)
{
	struct acct_status a, b;
	struct errtext t;

	make_box("A");
	make_box("B");
	a = status_of("A");
	b = status_of("B");
	assert_false(same(a.guid, b.guid));
	rename_box("A", "C");
	assert_true(same(a.guid, status_of("C").guid));
	make_box("A");
	assert_false(same(a.guid, status_of("A").guid));
	assert_int_equal(acct_delete(h.a, "C", &t), ERR_OK);
	make_box("C");
	assert_false(same(a.guid, status_of("C").guid));
	assert_false(same(status_of("A").guid, status_of("C").guid));
}

static const char *const talk[] = {
	"Subject: x\r\nMessage-ID: <1@x>\r\n\r\n.\r\n",
	"Subject: Re: x\r\nMessage-ID: <2@x>\r\nIn-Reply-To: Ann's mail <1@x>\r\n\r\n.\r\n",
	"Subject: y\r\nMessage-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\nIn-Reply-To: <2@x>\r\n\r\n.\r\n",
	"Subject: x\r\nMessage-ID: <4@x>\r\n\r\n.\r\n",
	"Subject: x\r\n\r\n.\r\n",
	"Subject: x\r\n\r\n.\r\n",
	"Subject: x\r\nReferences: nothing\r\nMessage-ID: <\"1\"@x>\r\n\r\n.\r\n",
};

enum { TALK = sizeof(talk) / sizeof(talk[0]) };

static void test_thread(void **state)
{
	struct ids id[TALK];

	make_box("Other");
	for (uint32_t i = 0; i < TALK; i++) {
		const char *box = i % 2 ? "Other" : "INBOX";

		id[i] = ids_of(box, house_append(&h, box, talk[i], 0, NULL));
	}
	assert_true(same(id[0].thread, id[1].thread) && same(id[0].thread, id[2].thread));
	assert_true(same(id[0].thread, id[6].thread)); /* the same id, quoted */
	assert_false(same(id[0].thread, id[3].thread));
	assert_false(same(id[4].thread, id[5].thread));
	assert_false(same(id[4].thread, id[0].thread));
}

/* Fields that are too many to be kept in the index. */
static void test_long_header(void **state)
{
	struct ids first, second;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "Message-ID: <9@x>\r\nReferences: <1@x>");
	for (int i = 0; i < 4000; i++)
		buf_printf(&b, "\r\n <%d@y>", i);
	buf_add_str(&b, "\r\n\r\n.\r\n");
	house_append(&h, "INBOX", root, 0, NULL);
	house_append(&h, "INBOX", buf_cstr(&b), 0, NULL);
	first = ids_of("INBOX", 1);
	second = ids_of("INBOX", 2);
	assert_true(same(first.thread, second.thread));
	buf_free(&b);
}

static size_t search(enum query_kind kind, const uint8_t id[16])
{
	struct view *v = house_view(&h, "INBOX", true);
	struct query q = { .kind = kind };
	struct set uids = SET_EMPTY;
	struct query_run *r;
	struct errtext t;
	size_t n;
	enum err e;

	memcpy(q.id, id, 16);
	assert_int_equal(query_start(v, &q, NULL, &r, &t), ERR_OK);
	while (query_step(r, &uids, &e, &t) != STEP_DONE)
		;
	assert_int_equal(e, ERR_OK);
	n = (size_t)set_count(&uids);
	query_end(&r);
	set_free(&uids);
	view_close(&v);
	return n;
}

static void test_search(void **state)
{
	struct ids id;

	test_long_header(state);
	copy("INBOX", 2, "INBOX", false);
	house_append(&h, "INBOX", talk[3], 0, NULL);
	id = ids_of("INBOX", 2);
	assert_int_equal(search(Q_EMAILID, id.email), 2);
	assert_int_equal(search(Q_THREADID, id.thread), 3);
	assert_int_equal(search(Q_EMAILID, id.thread), 0);
	assert_int_equal(search(Q_THREADID, id.email), 0);
}


int main(void)
{
	const struct CMUnitTest tests[] = {
		OVER_BOTH(test_email, h),
		OVER_BOTH(test_rename_inbox, h),
		OVER_BOTH(test_mailbox, h),
		OVER_BOTH(test_thread, h),
		OVER_BOTH(test_long_header, h),
		OVER_BOTH(test_search, h),
		OVER_MAILDIR(test_without_index, h),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
