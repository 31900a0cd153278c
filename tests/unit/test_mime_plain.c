#include "mime/plain.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static const struct {
	const char *message, *want;
} cases[] = {
	{ "Subject: one\nX-Long: a\n  folded\n\nbody\n", "Subject: one\nX-Long: a  folded\n\nbody\n" },
	{ "Subject: =?iso-8859-1?q?zw=F6lf?= two\nContent-Type: text/plain; charset=iso-8859-1\n"
	  "Content-Transfer-Encoding: quoted-printable\n\nsch=F6n=\n er\n",
	  "Subject: zw\u00f6lf two\nContent-Type: text/plain; charset=iso-8859-1\n"
	  "Content-Transfer-Encoding: quoted-printable\n\nsch\u00f6n er\n" },
	/* Parts, one inside a message; what lies between them is not shown. */
	{ "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Type: text/plain; charset=iso-8859-1\n\np\xe4rt\n"
	  "--b\nContent-Transfer-Encoding: base64\n\nw6Q=\n--b\nContent-Type: message/rfc822\n\nSubject: in\n\ninner\n--b--\nepilogue\n",
	  "Content-Type: multipart/mixed; boundary=b\n\nContent-Type: text/plain; charset=iso-8859-1\n\np\u00e4rt"
	  "Content-Transfer-Encoding: base64\n\n\u00e4Content-Type: message/rfc822\n\nSubject: in\n\ninner" },
	{ "Subject: no body\n", "Subject: no body\n" },
	{ "Subject: cut", "Subject: cut\n" },
	{ "no colon\n\nx", "no colon\n\nx" },
	{ "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\nAQID\n",
	  "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n\x01\x02\x03" },
	{ "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 a\n", "Content-Transfer-Encoding: x-uuencode\n\n" },
	{ "", "" },
	{ "\nbody", "\nbody" },
};

static void check(const char *message, const char *want, size_t budget)
{
	struct mime_charsets *cs = mime_charsets_new();
	struct mime_tree tree = { 0 };
	struct mime_plain p;
	struct buf out;

	buf_init(&out, 1 << 20);
	mime_tree_parse(span_str(message), &tree);
	mime_plain_init(&p, cs, span_str(message), &tree);
	while (mime_plain_step(&p, budget, &out) != STEP_DONE)
		;
	assert_int_equal(out.n, strlen(want));
	assert_memory_equal(out.p, want, out.n);
	mime_plain_free(&p);
	mime_tree_free(&tree);
	mime_charsets_free(&cs);
	buf_free(&out);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (size_t budget = 0; budget < 200; budget += 7)
			check(cases[i].message, cases[i].want, budget);
}

/* A character that the seam of two chunks cuts, and giving up in the middle. */
static void test_long(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();
	struct mime_tree tree = { 0 };
	struct mime_plain p;
	struct buf in, out;

	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_add_str(&in, "X: y\n\na");
	for (int i = 0; i < 50000; i++)
		buf_add_str(&in, "\u00e4");
	buf_add_char(&in, '\0');
	check(in.p, in.p, 1);
	mime_tree_parse(buf_span(&in), &tree);
	mime_plain_init(&p, cs, buf_span(&in), &tree);
	assert_int_equal(mime_plain_step(&p, 100, &out), STEP_SLICE);
	mime_plain_free(&p);
	mime_tree_free(&tree);
	mime_charsets_free(&cs);
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
