/*
 * Messages made to be expensive. Everything that is done with a message at delivery, FETCH and
 * SEARCH must stay linear: four times the size may cost about four times the processor time, where
 * quadratic work costs sixteen times.
 */
#include "mime/address.h"
#include "mime/bodystruct.h"
#include "mime/date.h"
#include "mime/envelope.h"
#include "mime/header.h"
#include "mime/search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum {
	SMALL = 16 << 10, /* bytes of the smaller message */
	GROWTH = 4,
	RATIO_MAX = 10,   /* between 4 (linear) and 16 (quadratic) */
	ROUNDS = 3,       /* the quickest of these counts */
	NOISE_NS = 300000 /* what is quicker than that is quick enough */
};

#define MULTI "Content-Type: multipart/mixed; boundary=b\n\n"

/* head, unit over and over, tail. */
static const struct {
	const char *name;
	struct span head, unit, tail;
} generators[] = {
	{ "header fields", SPAN(""), SPAN("A: b\n"), SPAN("\n") },
	{ "one long field", SPAN("Subject: "), SPAN("x"), SPAN("\n\n") },
	{ "folds", SPAN("Subject: x"), SPAN("\n x"), SPAN("\n\n") },
	{ "From fields", SPAN(""), SPAN("From: a@b\n"), SPAN("\n") },
	{ "lines without colon", SPAN(""), SPAN("x\n"), SPAN("\n") },
	{ "addresses", SPAN("To: "), SPAN("a@b,"), SPAN("\n\n") },
	{ "commas", SPAN("To: "), SPAN(","), SPAN("\n\n") },
	{ "groups", SPAN("To: "), SPAN("g:"), SPAN("\n\n") },
	{ "empty groups", SPAN("To: "), SPAN("g:;,"), SPAN("\n\n") },
	{ "comments open", SPAN("To: a@b "), SPAN("("), SPAN("\n\n") },
	{ "comments open, commas", SPAN("To: a@b "), SPAN("(,"), SPAN("\n\n") },
	{ "comments open in groups", SPAN("To: "), SPAN("g:;(,"), SPAN("\n\n") },
	{ "comments deep", SPAN("To: a@b "), SPAN("(())"), SPAN("\n\n") },
	{ "quotes open", SPAN("To: "), SPAN("a \"\\\","), SPAN("\n\n") },
	{ "quotes", SPAN("To: "), SPAN("\"a\" "), SPAN("<a@b>\n\n") },
	{ "literals open", SPAN("To: "), SPAN("a@[,"), SPAN("\n\n") },
	{ "literals open, nested", SPAN("To: a@"), SPAN("["), SPAN("\n\n") },
	{ "backslashes", SPAN("To: \""), SPAN("\\"), SPAN("\n\n") },
	{ "angles", SPAN("To: "), SPAN("<"), SPAN("\n\n") },
	{ "routes", SPAN("To: <"), SPAN("@a,"), SPAN("a@b>\n\n") },
	{ "dots", SPAN("To: "), SPAN("a . "), SPAN("@b\n\n") },
	{ "words", SPAN("To: "), SPAN("a "), SPAN("@b\n\n") },
	{ "encoded words", SPAN("Subject: "), SPAN("=?utf-8?q?a?= "), SPAN("\n\n") },
	{ "encoded words open", SPAN("Subject: "), SPAN("=?utf-8?q?"), SPAN("\n\n") },
	{ "encoded word marks", SPAN("Subject: "), SPAN("=?"), SPAN("\n\n") },
	{ "encoded word, charsets", SPAN("Subject: "), SPAN("=?x?q?a?= =?y?q?b?= "), SPAN("\n\n") },
	{ "parameters", SPAN("Content-Type: a/b"), SPAN("; c=d"), SPAN("\n\n") },
	{ "continuations", SPAN("Content-Type: a/b"), SPAN("; c*0*=%"), SPAN("\n\n") },
	{ "parameter quotes open", SPAN("Content-Type: a/b"), SPAN("; c=\"\\\""), SPAN("\n\n") },
	{ "languages", SPAN("MIME-Version: 1\nContent-Language: x"), SPAN(",x"), SPAN("\n\n") },
	{ "long boundary", SPAN("Content-Type: multipart/mixed; boundary="), SPAN("x"),
	  SPAN("\n\n--x\n") },
	{ "parts", SPAN(MULTI), SPAN("--b\n\nx\n"), SPAN("") },
	{ "parts without header", SPAN(MULTI), SPAN("--b\n"), SPAN("") },
	{ "dashes", SPAN(MULTI), SPAN("--\n"), SPAN("") },
	{ "nested multiparts", SPAN(""), SPAN(MULTI "--b\n"), SPAN("") },
	{ "nested messages", SPAN(""), SPAN("Content-Type: message/rfc822\n\n"), SPAN("") },
	{ "digests", SPAN(""), SPAN("Content-Type: multipart/digest; boundary=b\n\n--b\n\n"),
	  SPAN("") },
	{ "CR only", SPAN("A: b\r\r"), SPAN("x\r"), SPAN("") },
	{ "LF only", SPAN("A: b\n\n"), SPAN("\n"), SPAN("") },
	{ "NULs", SPAN(""), SPAN("\0"), SPAN("") },
	{ "8-bit subject", SPAN("Subject: "), SPAN("\xe4\0"), SPAN("\n\n") },
	{ "base64 garbage", SPAN("Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"),
	  SPAN("!=A"), SPAN("") },
	{ "quoted-printable open",
	  SPAN("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n"),
	  SPAN("="), SPAN("") },
	{ "quoted-printable blanks",
	  SPAN("Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n="),
	  SPAN(" "), SPAN("x") },
	{ "needle almost", SPAN("A: b\n\n"), SPAN("aaaaaaaab"), SPAN("") },
	{ "bad charset", SPAN("Content-Type: text/plain; charset=gb18030\n\n"), SPAN("\xff"),
	  SPAN("") },
	{ "Date garbage", SPAN("Date: "), SPAN("("), SPAN("\n\n") },
};

static void make(size_t i, size_t n, struct buf *out)
{
	buf_clear(out);
	buf_add_span(out, generators[i].head);
	while (out->n < n)
		buf_add_span(out, generators[i].unit);
	buf_add_span(out, generators[i].tail);
}

static void read_headers(struct mime_charsets *cs, struct span message, struct buf *out)
{
	struct mime_header h = mime_header_of(message);
	struct mime_field f;
	struct mime_date d;

	while (mime_header_next(&h, &f)) {
		buf_clear(out);
		mime_words_decode(cs, f.value, out);
		mime_date_parse(f.value, &d);
	}
}

static void search(struct mime_charsets *cs, struct span message, const struct mime_tree *t)
{
	struct mime_matcher m;
	struct mime_search s;

	assert_true(mime_matcher_init(&m, SPAN("aaaaaaaaaaaaaaaaaaaaaaaac")));
	mime_search_init(&s, cs, message, t, &m, 1, true);
	while (mime_search_step(&s, 100000) == STEP_SLICE)
		;
	mime_search_free(&s);
	mime_matcher_free(&m);
}

static void everything(struct mime_charsets *cs, struct span message, struct buf *out)
{
	struct mime_tree t = { 0 };

	mime_tree_parse(message, &t);
	buf_clear(out);
	mime_envelope_add(message, out);
	buf_clear(out);
	mime_bodystruct_add(message, &t, true, out);
	assert_false(out->failed);
	read_headers(cs, message, out);
	search(cs, message, &t);
	mime_tree_free(&t);
}

static int64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int64_t cost(struct mime_charsets *cs, struct span message, struct buf *out)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t start = cpu_ns();
		int64_t took;

		everything(cs, message, out);
		took = cpu_ns() - start;
		best = took < best ? took : best;
	}
	return best;
}

static void test_linear(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();
	struct buf message, out;

	buf_init(&message, 16 << 20);
	buf_init(&out, 64 << 20);
	for (size_t i = 0; i < sizeof(generators) / sizeof(generators[0]); i++) {
		int64_t small, large;

		make(i, SMALL, &message);
		small = cost(cs, buf_span(&message), &out);
		make(i, SMALL * GROWTH, &message);
		large = cost(cs, buf_span(&message), &out);
		if (large > NOISE_NS && large > RATIO_MAX * small)
			fail_msg("%s: %lld ns, four times the size %lld ns", generators[i].name,
				 (long long)small, (long long)large);
	}
	buf_free(&message);
	buf_free(&out);
	mime_charsets_free(&cs);
}

/* Cut anywhere, every generator's message is still read without harm. */
static void test_cut(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();
	struct buf message, out;

	buf_init(&message, 16 << 20);
	buf_init(&out, 64 << 20);
	for (size_t i = 0; i < sizeof(generators) / sizeof(generators[0]); i++) {
		make(i, 60, &message);
		for (size_t n = 0; n <= message.n; n++)
			everything(cs, span_cut(buf_span(&message), 0, n), &out);
	}
	buf_free(&message);
	buf_free(&out);
	mime_charsets_free(&cs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
