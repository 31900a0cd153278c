#include "mime/search.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static bool found(const char *needle, const char *text, size_t chunk)
{
	struct span in = span_str(text);
	struct mime_matcher m;
	bool hit;

	assert_true(mime_matcher_init(&m, span_str(needle)));
	for (size_t i = 0; i < in.n; i += chunk)
		mime_matcher_add(&m, span_cut(in, i, chunk));
	hit = m.found;
	mime_matcher_free(&m);
	return hit;
}

static void test_matcher(void **state)
{
	for (size_t chunk = 1; chunk < 10; chunk++) {
		assert_true(found("", "", chunk));
		assert_true(found("A", "A", chunk));
		assert_true(found("AB", "XAAB", chunk));
		assert_true(found("AABAAC", "AABAABAAC", chunk));
		assert_true(found("ABABACA", "ABABABABACAB", chunk));
		assert_false(found("AAAB", "AAACAAAC", chunk));
		assert_false(found("AB", "", chunk));
		assert_false(found("AB", "A", chunk));
	}
}

/* Any needle in any text in any chunks: as memmem has it. */
static void test_chunks(void **state)
{
	unsigned seed = 11;

	for (int round = 0; round < 20000; round++) {
		char text[200], needle[12];
		size_t n = (size_t)rand_r(&seed) % sizeof(text), k = (size_t)rand_r(&seed) % sizeof(needle) + 1;
		struct mime_matcher m;

		for (size_t i = 0; i < n; i++)
			text[i] = "AAAB"[rand_r(&seed) % 4];
		for (size_t i = 0; i < k; i++)
			needle[i] = "AAAB"[rand_r(&seed) % 4];
		assert_true(mime_matcher_init(&m, span_of(needle, k)));
		for (size_t at = 0, step; at < n; at += step) {
			step = (size_t)rand_r(&seed) % 60 + 1;
			mime_matcher_add(&m, span_cut(span_of(text, n), at, step));
		}
		assert_int_equal(m.found, span_search(span_of(text, n), span_of(needle, k)) != SIZE_MAX);
		mime_matcher_free(&m);
	}
}

static void test_border(void **state)
{
	struct mime_matcher m;

	assert_true(mime_matcher_init(&m, SPAN("AB")));
	mime_matcher_add(&m, SPAN("A"));
	mime_matcher_break(&m);
	assert_false(mime_matcher_add(&m, SPAN("B")));
	assert_true(mime_matcher_add(&m, SPAN("AB")));
	mime_matcher_reset(&m);
	assert_false(m.found);
	mime_matcher_free(&m);
}

static void test_needle_cap(void **state)
{
	struct mime_matcher m;
	struct buf b;

	buf_init(&b, 1 << 20);
	while (b.n < MIME_NEEDLE_MAX)
		buf_add_char(&b, 'x');
	assert_true(mime_matcher_init(&m, buf_span(&b)));
	mime_matcher_free(&m);
	buf_add_char(&b, 'x');
	assert_false(mime_matcher_init(&m, buf_span(&b)));
	mime_matcher_free(&m);
	buf_free(&b);
}

static const char header[] =
	"Subject: =?iso-8859-1?q?Gr=FC=DFe?= aus\n K=?x\nX: 1\nX: two\nEmpty:\n\n";

static void check_header(struct mime_charsets *cs, const char *name, const char *needle, bool want)
{
	struct mime_matcher m;

	assert_true(mime_matcher_init(&m, span_str(needle)));
	assert_int_equal(mime_search_header(cs, span_str(header), span_str(name), &m), want);
	mime_matcher_free(&m);
}

static void test_header(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();

	check_header(cs, "subject", "GR\xc3\x9c", true);
	check_header(cs, "SUBJECT", "AUS k=", true);
	check_header(cs, "subject", "1", false);
	check_header(cs, "x", "TWO", true);
	check_header(cs, "x", "1two", false);
	check_header(cs, "empty", "", true);
	check_header(cs, "absent", "", false);
	mime_charsets_free(&cs);
}

static const char message[] =
	"Subject: top =?utf-8?q?s=C3=BCbject?=\nContent-Type: multipart/mixed; "
	"boundary=b\n\npreamble\n"
	"--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
	"quoted-printable\n\nM=FCnchen so=\nft\n"
	"--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: "
	"base64\n\nPGI+SGVsbG88L2I+\n"
	"--b\nContent-Type: image/png; name=picture.png\n\npixels\n"
	"--b\nContent-Type: message/delivery-status\n\nStatus: 5.1.1\n"
	"--b\nContent-Type: message/rfc822\n\nSubject: inside\n\ndeep\n--b--\n";

static void check_search(struct mime_charsets *cs, const char *needle, bool headers, bool want)
{
	struct mime_tree t = { 0 };
	struct mime_matcher m[2];
	struct mime_search s;
	unsigned steps = 0;

	assert_true(mime_matcher_init(&m[0], span_str(needle)));
	assert_true(mime_matcher_init(&m[1], SPAN("is nowhere")));
	mime_tree_parse(span_str(message), &t);
	mime_search_init(&s, cs, span_str(message), &t, m, 2, headers);
	while (mime_search_step(&s, 40) == STEP_SLICE)
		steps++;
	assert_true(steps > 1);
	assert_int_equal(m[0].found, want);
	assert_false(m[1].found);
	mime_search_free(&s);
	mime_tree_free(&t);
	mime_matcher_free(&m[0]);
	mime_matcher_free(&m[1]);
}

static void test_message(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();

	check_search(cs, "m\xc3\x9cNCHEN SOFT", false, true);
	check_search(cs, "<b>hello</b>", false, true);
	check_search(cs, "inside", false, true);
	check_search(cs, "deep", false, true);
	check_search(cs, "picture.png", false, false);
	check_search(cs, "picture.png", true, true);
	check_search(cs, "5.1.1", false, true);
	check_search(cs, "pixels", false, false);
	check_search(cs, "preamble", false, false);
	check_search(cs,
		     "s\xc3\xbc"
		     "bject",
		     false, false);
	check_search(cs,
		     "s\xc3\xbc"
		     "bject",
		     true, true);
	check_search(cs, "subject: top", true, true);
	mime_charsets_free(&cs);
}

static void test_stop_early(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();
	struct mime_tree t = { 0 };
	struct mime_matcher m;
	struct mime_search s;

	assert_true(mime_matcher_init(&m, SPAN("so")));
	mime_tree_parse(span_str(message), &t);
	mime_search_init(&s, cs, span_str(message), &t, &m, 1, false);
	assert_int_equal(mime_search_step(&s, SIZE_MAX), STEP_DONE);
	assert_true(m.found && s.part == 1);
	mime_search_free(&s);
	mime_matcher_free(&m);
	mime_tree_free(&t);
	mime_charsets_free(&cs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matcher),    cmocka_unit_test(test_border),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_needle_cap), cmocka_unit_test(test_header),
		cmocka_unit_test(test_message),    cmocka_unit_test(test_stop_early),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
