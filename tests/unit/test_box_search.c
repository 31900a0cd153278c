/* Search keys one by one and connected, over facts, cached headers and bytes. */
#include "tests/unit/box_house.h"

#include <sys/resource.h>

static struct house h;
static struct view *v;

static const struct {
	const char *text, *keyword;
	uint8_t flags;
	int64_t date;
} mails[] = {
	{ "From: Ann <ann@x.org>\nTo: bob@y.org\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Mon, 1 Jan 2024 23:30:00 -0500\n"
	  "X-Spam: yes\n\nhello world\n", NULL, MAIL_SEEN, 1704172000 },
	{ "From: Bob <bob@y.org>\nTo: ann@x.org\nCc: carl@z.org\nSubject: Re: plan\nDate: Wed, 3 Jan 2024 08:00:00 +0000\n\n"
	  "the plan\n", "$Work", MAIL_SEEN | MAIL_FLAGGED, 1704268800 },
	{ "From: carl@z.org\nSubject: base\nContent-Type: text/plain; charset=utf-8\n"
	  "Content-Transfer-Encoding: base64\n\nU2Now7ZuZSBHcsO8w59l\n", NULL, 0, 1704300000 },
	{ "From: dan@z.org\nSubject: long\n\nnothing here but much text, much more than in the others\n", "$Other",
	  MAIL_DELETED, 1706000000 },
};

enum { MAILS = sizeof(mails) / sizeof(mails[0]) };

static int begin(void **state)
{
	house_begin(&h, &store_maildir);
	for (int i = 0; i < MAILS; i++) {
		struct append *p;
		struct errtext t;
		enum err e;

		assert_int_equal(append_begin(h.a, "INBOX", &p, &t), ERR_OK);
		assert_int_equal(append_start(p, 0, mails[i].flags, &mails[i].keyword, mails[i].keyword ? 1 : 0,
					      mails[i].date, &t), ERR_OK);
		assert_int_equal(append_write(p, span_str(mails[i].text), &t), ERR_OK);
		assert_int_equal(append_end(p, &t), ERR_OK);
		while (append_finish(p, true, &e, &t) != STEP_DONE)
			;
		append_free(&p);
	}
	return 0;
}

static int begin_cold(void **state)
{
	begin(state);
	house_again(&h, true);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

/* Runs the query; its result as digits: "13". The query is used up. */
static const char *found(struct query *q)
{
	static char text[16];
	struct query_run *r;
	struct set uids = SET_EMPTY;
	struct errtext t = { "" };
	size_t n = 0;
	enum err e;

	assert_int_equal(query_start(v, q, NULL, &r, &t), ERR_OK);
	while (query_step(r, &uids, &e, &t) != STEP_DONE)
		;
	if (e)
		fail_msg("%s", t.text);
	for (uint32_t uid = set_min(&uids); uid; uid = set_next(&uids, uid + 1))
		text[n++] = (char)('0' + uid);
	text[n] = '\0';
	query_end(&r);
	query_free(q);
	set_free(&uids);
	return text;
}

static struct query *key(enum query_kind k)
{
	struct query *q = arena_alloc(h.ar, sizeof(*q));

	q->kind = k;
	return q;
}

static struct query *number(enum query_kind k, uint64_t n)
{
	struct query *q = key(k);

	q->number = n;
	q->day = (int32_t)n;
	q->flag = (uint8_t)n;
	return q;
}

static struct query *text(enum query_kind k, const char *name, const char *s)
{
	struct query *q = key(k);

	q->name = span_str(name);
	q->text = span_str(arena_str(h.ar, s));
	return q;
}

static struct query *join(enum query_kind k, struct query *a, struct query *b)
{
	struct query *q = key(k);

	q->first = a;
	if (a)
		a->next = b;
	return q;
}

static void test_keys(void **state)
{
	struct query *q;

	v = house_view(&h, "INBOX", false);
	assert_string_equal(found(key(Q_ALL)), "1234");
	assert_string_equal(found(number(Q_FLAG, MAIL_SEEN)), "12");
	assert_string_equal(found(join(Q_NOT, number(Q_FLAG, MAIL_SEEN), NULL)), "34");
	q = key(Q_UIDS);
	set_add_range(&q->uids, 2, 9);
	assert_string_equal(found(q), "234");
	q = key(Q_KEYWORD);
	q->text = SPAN("$work");
	assert_string_equal(found(q), "2");
	assert_string_equal(found(text(Q_ADDRESS_FROM, "", "ANN")), "1");
	assert_string_equal(found(text(Q_ADDRESS_TO, "", "ann")), "2");
	assert_string_equal(found(text(Q_ADDRESS_CC, "", "carl")), "2");
	assert_string_equal(found(text(Q_ADDRESS_BCC, "", "")), "");
	assert_string_equal(found(text(Q_SUBJECT, "", "gr\xc3\xbc\xc3\x9f")), "1");
	assert_string_equal(found(text(Q_SUBJECT, "", "GR\xc3\x9c\xc3\x9f")), "1");
	assert_string_equal(found(text(Q_HEADER, "X-Spam", "yes")), "1");
	assert_string_equal(found(text(Q_HEADER, "x-spam", "")), "1");
	assert_string_equal(found(text(Q_HEADER, "Cc", "")), "2");
	assert_string_equal(found(text(Q_BODY, "", "plan")), "2");
	assert_string_equal(found(text(Q_BODY, "", "Sch\xc3\xb6ne gr\xc3\xbc")), "3");
	assert_string_equal(found(text(Q_TEXT, "", "gr\xc3\xbc")), "13");
	assert_string_equal(found(text(Q_TEXT, "", "x-spam")), "1");
	assert_string_equal(found(number(Q_SMALLER, 130)), "24");
	assert_string_equal(found(number(Q_LARGER, 130)), "13");
	view_close(&v);
}

static void test_dates(void **state)
{
	v = house_view(&h, "INBOX", false);
	assert_string_equal(found(number(Q_SENTON, 19723)), "1"); /* 1 January 2024 in its own zone */
	assert_string_equal(found(number(Q_SENTSINCE, 19723)), "12");
	assert_string_equal(found(number(Q_SENTBEFORE, 19725)), "1");
	assert_string_equal(found(number(Q_BEFORE, 19730)), "123");
	assert_string_equal(found(number(Q_SINCE, 19730)), "4");
	assert_string_equal(found(number(Q_YOUNGER, 1000)), "");
	assert_string_equal(found(number(Q_OLDER, 1000)), "1234");
	assert_string_equal(found(number(Q_SAVEDSINCE, 19730)), "1234");
	view_close(&v);
}

static void test_connected(void **state)
{
	struct query *q = NULL;

	v = house_view(&h, "INBOX", false);
	assert_string_equal(found(join(Q_AND, number(Q_FLAG, MAIL_SEEN), text(Q_BODY, "", "hello"))), "1");
	assert_string_equal(found(join(Q_OR, number(Q_FLAG, MAIL_DELETED), text(Q_ADDRESS_FROM, "", "bob"))), "24");
	assert_string_equal(found(join(Q_NOT, text(Q_TEXT, "", "plan"), NULL)), "134");
	assert_string_equal(found(join(Q_AND, join(Q_NOT, text(Q_BODY, "", "plan"), NULL),
				       join(Q_OR, text(Q_TEXT, "", "hello"), text(Q_SUBJECT, "", "base")))), "13");
	assert_string_equal(found(join(Q_AND, NULL, NULL)), "1234");
	for (int i = 0; i < 5000; i++)
		q = join(Q_NOT, q ? q : number(Q_FLAG, MAIL_SEEN), NULL);
	assert_string_equal(found(q), "12");
	view_close(&v);
}

static void test_modseq(void **state)
{
	struct query_run *r;
	struct set uids = SET_EMPTY;
	struct query *q;
	struct errtext t;
	uint64_t before;
	enum err e;

	v = house_view(&h, "INBOX", false);
	before = view_state(v)->highestmodseq;
	view_flag(v, 3, VIEW_FLAGS_ADD, MAIL_ANSWERED, NULL);
	view_quiet(&h, v);
	q = join(Q_AND, number(Q_MODSEQ, before + 1), key(Q_ALL));
	assert_int_equal(query_start(v, q, NULL, &r, &t), ERR_OK);
	while (query_step(r, &uids, &e, &t) != STEP_DONE)
		;
	assert_int_equal(e, ERR_OK);
	assert_int_equal(set_count(&uids), 1);
	assert_true(set_has(&uids, 3));
	assert_int_equal(query_max_modseq(r), view_state(v)->highestmodseq);
	query_end(&r);
	query_free(q);
	set_free(&uids);
	view_close(&v);
}

static void test_too_complex(void **state)
{
	struct query_run *r;
	struct query *q = key(Q_ALL);
	struct errtext t;

	v = house_view(&h, "INBOX", false);
	for (int i = 0; i < 30000; i++)
		q = join(Q_NOT, q, NULL);
	assert_int_equal(query_start(v, q, NULL, &r, &t), ERR_LIMIT);
	query_free(q);
	view_close(&v);
}

/* KiB. The sanitizer keeps what was freed: then it says nothing. */
static long peak(void)
{
	struct rusage u;

#ifdef __SANITIZE_ADDRESS__
	return 0;
#endif
	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

/* A mailbox of many gaps costs memory once, not for every key again. */
static void test_many_keys(void **state)
{
	enum { MESSAGES = 4000, KEYS = 9000 };
	struct query *q = join(Q_AND, NULL, NULL), *last = NULL, **link = &q->first;
	struct query_run *r;
	struct errtext t;
	long before;

	for (int i = 0; i < MESSAGES; i++)
		house_append(&h, "INBOX", "Subject: x\n\ny\n", i % 2 ? MAIL_DELETED : 0, NULL);
	v = house_view(&h, "INBOX", false);
	assert_int_equal(try_expunge(v), ERR_OK);
	view_quiet(&h, v);
	for (int i = 0; i < KEYS; i++, link = &last->next) {
		last = *link = i % 3 == 0 ? number(Q_FLAG, MAIL_SEEN) : i % 3 == 1 ? text(Q_SUBJECT, "", "x") : key(Q_UIDS);
		if (i % 3 == 2)
			set_copy(&last->uids, view_uids(v));
		if (i % 3 == 0)
			last = *link = join(Q_NOT, last, NULL);
	}
	before = peak();
	assert_int_equal(query_start(v, q, NULL, &r, &t), ERR_OK);
	assert_true(peak() - before < 64 << 10);
	query_end(&r);
	query_free(q);
	view_close(&v);
}

static int begin_memory(void **state)
{
	house_begin(&h, &store_memory);
	return 0;
}

#define T(t) cmocka_unit_test_setup_teardown(t, begin, end), cmocka_unit_test_setup_teardown(t, begin_cold, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_keys), T(test_dates), T(test_connected), T(test_modseq), T(test_too_complex),
		cmocka_unit_test_setup_teardown(test_many_keys, begin_memory, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
