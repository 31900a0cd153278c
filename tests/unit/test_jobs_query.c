/* doveadm's search keys: what parses to what, where it may be true, what is refused. */
#include "src/jobs/query.h"
#include "test.h"

#include "base/must.h"

#include <stdlib.h>

enum { WORDS = 64, NOW = 1700000000 };

struct parsed {
	struct arena *a;
	struct jobs_query q;
	enum err e;
	struct errtext t;
};

/* Words parted by blanks. */
static void parse(struct parsed *p, const char *text, const char *mailbox)
{
	struct jobs_place at = { .name = span_str(mailbox), .separator = '.', .now = NOW };
	struct span word[WORDS], rest = span_str(text);
	size_t n = 0;

	*p = (struct parsed){ .a = arena_new(1 << 20) };
	while (n < WORDS && span_split(&rest, ' ', &word[n]))
		n++;
	p->e = jobs_query_parse(word, n, &at, p->a, &p->q, &p->t);
}

static void refused(const char *text, const char *why)
{
	struct parsed p;

	parse(&p, text, NULL);
	assert_int_equal(p.e, ERR_SYNTAX);
	assert_string_equal(p.t.text, why);
	arena_free(&p.a);
}

static void test_keys(void **state)
{
	struct parsed p;

	parse(&p, "from Anna", NULL);
	assert_int_equal(p.e, ERR_OK);
	assert_int_equal(p.q.query->kind, Q_ADDRESS_FROM);
	assert_true(span_eq_str(p.q.query->text, "Anna"));
	assert_false(p.q.never || p.q.bound);
	arena_free(&p.a);
	parse(&p, "UNSEEN larger 2k", NULL);
	assert_int_equal(p.q.query->kind, Q_AND);
	assert_int_equal(p.q.query->first->kind, Q_NOT);
	assert_int_equal(p.q.query->first->first->flag, MAIL_SEEN);
	assert_int_equal(p.q.query->first->next->number, 2048);
	arena_free(&p.a);
	parse(&p, "not ( seen or not flagged )", NULL);
	assert_int_equal(p.q.query->kind, Q_NOT);
	assert_int_equal(p.q.query->first->kind, Q_OR);
	assert_int_equal(p.q.query->first->first->next->kind, Q_NOT);
	arena_free(&p.a);
	parse(&p, "uid 3:5,9", NULL);
	assert_int_equal(p.q.query->kind, Q_UIDS);
	assert_int_equal(set_count(&p.q.query->uids), 4);
	arena_free(&p.a);
}

static void test_places(void **state)
{
	static const struct {
		const char *text, *mailbox;
		bool never, bound, narrow;
	} rows[] = {
		{ "mailbox INBOX", "INBOX", false, true, false },
		{ "mailbox INBOX", "Work", true, true, false },
		{ "mailbox INBOX all", "INBOX", false, true, true },
		{ "mailbox W* seen", "Work", false, true, true },
		{ "mailbox W% seen", "Work.Sub", true, true, true },
		{ "not mailbox Work", "Work", true, false, false },
		{ "mailbox INBOX not mailbox Work", "INBOX", false, true, false },
		{ "mailbox INBOX not seen", "INBOX", false, true, true },
		{ "( mailbox INBOX seen ) or mailbox INBOX", "INBOX", false, true, false },
		{ "( mailbox Work uid 1 ) or ( mailbox INBOX all )", "INBOX", false, true, true },
		{ "( mailbox Work uid 1 ) or ( mailbox Other all )", "INBOX", true, true, true },
		{ "( mailbox Work uid 1 ) or seen", "INBOX", false, false, true },
		{ "mailbox-guid 0123456789abcdef0123456789abcdef", "INBOX", false, true, false },
		{ "mailbox none", NULL, false, true, false },
	};
	struct parsed p;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		parse(&p, rows[i].text, rows[i].mailbox);
		assert_int_equal(p.e, ERR_OK);
		assert_int_equal(p.q.never, rows[i].never);
		assert_int_equal(p.q.bound, rows[i].bound);
		assert_int_equal(p.q.narrow, rows[i].narrow);
		arena_free(&p.a);
	}
}

static void test_refused(void **state)
{
	refused("", "Empty search query");
	refused("foo", "Unknown argument FOO");
	refused("seen or flagged seen", "Use parenthesis when mixing ANDs and ORs");
	refused("seen flagged or seen", "Use parenthesis when mixing ANDs and ORs");
	refused("or seen flagged", "Use parenthesis when mixing ANDs and ORs");
	refused("seen or", "A search key is missing behind OR");
	refused("seen not", "A search key is missing behind NOT");
	refused("( seen", "Missing ')'");
	refused("( )", "Empty search query");
	refused("seen )", "Unknown argument )");
	refused("from", "Missing parameter for from");
	refused("larger x", "Invalid search size parameter: x");
	refused("since 31-Feb-2020", "Invalid search date parameter: 31-Feb-2020");
	refused("uid 0", "Invalid UID set: 0");
	refused("mailbox-guid 12", "Invalid mailbox GUID: 12");
}

static void test_deep(void **state)
{
	struct span word[2 * JOBS_QUERY_DEPTH];
	struct jobs_place at = { .now = NOW };
	struct arena *a = arena_new(1 << 20);
	struct jobs_query q;
	struct errtext t;

	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		word[i] = SPAN("(");
	assert_int_equal(jobs_query_parse(word, ARRAY_LEN(word), &at, a, &q, &t), ERR_LIMIT);
	arena_free(&a);
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t when;
		bool ok, exact;
	} rows[] = {
		{ "1970-01-02", 86400, true, false },	 { "2-Jan-1970", 86400, true, false },
		{ "1176418800", 1176418800, true, true }, { "30d", NOW - 30 * 86400, true, true },
		{ "2weeks", NOW - 14 * 86400, true, true }, { "1w", NOW - 7 * 86400, true, true },
		{ "12h", NOW - 12 * 3600, true, true },	 { "5mins", NOW - 300, true, true },
		{ "10s", NOW - 10, true, true },	 { "2024-02-29", 1709164800, true, false },
		{ "2023-02-29", 0, false, false },	 { "30", 30, true, true },
		{ "d", 0, false, false },		 { "1daysx", 0, false, false },
		{ "99999999999d", 0, false, false },	 { "1-Foo-2020", 0, false, false },
		{ "", 0, false, false },		 { "253402300799", 253402300799, true, true },
		{ "253402300800", 0, false, false },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t when = 0;
		bool exact = false;

		assert_int_equal(jobs_date(span_str(rows[i].text), NOW, &when, &exact), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(when, rows[i].when);
		assert_int_equal(exact, rows[i].exact);
	}
}

static void test_sizes(void **state)
{
	uint64_t n;

	assert_true(jobs_size(SPAN("100"), &n) && n == 100);
	assert_true(jobs_size(SPAN("7B"), &n) && n == 7);
	assert_true(jobs_size(SPAN("1M"), &n) && n == 1 << 20);
	assert_true(jobs_size(SPAN("2g"), &n) && n == UINT64_C(2) << 30);
	assert_false(jobs_size(SPAN("k"), &n) || jobs_size(SPAN(""), &n) || jobs_size(SPAN("1kk"), &n) ||
		     jobs_size(SPAN("18446744073709551615t"), &n));
}

static void test_names(void **state)
{
	const struct span word[] = { SPAN("mailbox"), SPAN("A"), SPAN("seen"), SPAN("MAILBOX"), SPAN("B*"),
				     SPAN("mailbox"), SPAN("C"), SPAN("mailbox") };
	struct span name;
	size_t at = 0;

	assert_true(jobs_query_names(word, ARRAY_LEN(word), &at, &name) && span_eq_str(name, "A"));
	assert_true(jobs_query_names(word, ARRAY_LEN(word), &at, &name) && span_eq_str(name, "C"));
	assert_false(jobs_query_names(word, ARRAY_LEN(word), &at, &name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),  cmocka_unit_test(test_places), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_deep),  cmocka_unit_test(test_dates),  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
