/* CRLF to LF: every cut of the input gives the same, and what CRLF made comes back. */
#include "test.h"

#include "base/lf.h"
#include "base/must.h"

static const struct {
	const char *in, *out;
} cases[] = {
	{ "", "" },
	{ "a", "a" },
	{ "a\r\n", "a\n" },
	{ "\r\n\r\n", "\n\n" },
	{ "a\nb", "a\nb" },
	{ "a\rb", "a\rb" },
	{ "a\r\r\n", "a\r\r\n" },
	{ "a\r\r\r\n", "a\r\r\r\n" },
	{ "\r\r\n\r\n", "\r\r\n\n" },
	{ "a\r", "a\r" },
	{ "\n\r", "\n\r" },
};

static size_t convert(struct span in, size_t cut, char *out)
{
	struct lf_form f = LF_FORM_START;
	size_t n = 0;

	for (; in.n > 0; in = span_from(in, cut))
		n += lf_form(&f, span_cut(in, 0, cut), out + n);
	return n + lf_form_end(&f, out + n);
}

static void test_cuts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t cut = 1; cut < 6; cut++) {
			char out[64];
			size_t n = convert(span_str(cases[i].in), cut, out);

			assert_true(span_eq_str(span_of(out, n), cases[i].out));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cuts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
