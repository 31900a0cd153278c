#include "mime/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

#define NIL2 "NIL NIL"
#define NIL5 "NIL NIL NIL NIL NIL"
#define NIL8 NIL5 " NIL NIL NIL"

static const struct {
	struct span in;
	const char *want;
} envelopes[] = {
	{ { "", 0 }, "(" NIL8 " " NIL2 ")" },
	{ SPAN("Subject:\nDate: \nIn-Reply-To:\nMessage-ID: \nFrom:\nTo: \n\n"),
	  "(\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\")" },
	{ SPAN("Date: d\nSubject: s\nFrom: A <a@b>\nSender: c@d\nReply-To: e@f\nTo: g@h, i@j\nCc: "
	       "k@l\nBcc: m@n\n"
	       "In-Reply-To: <1>\nMessage-ID: <2>\n\nSubject: not me\n"),
	  "(\"d\" \"s\" ((\"A\" NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\")) "
	  "((NIL NIL \"g\" \"h\")(NIL NIL "
	  "\"i\" \"j\")) ((NIL NIL \"k\" \"l\")) ((NIL NIL \"m\" \"n\")) \"<1>\" \"<2>\")" },
	/* Sender and Reply-To default to From, also when they name nobody. */
	{ SPAN("From: a@b\nSender:\nReply-To: (nobody)\n"),
	  "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) " NIL5
	  ")" },
	/* Lists are joined, of the others the last counts. */
	{ SPAN("Subject: 1\nSubject: 2\nTo: a@b\nTo: c@d\n"),
	  "(NIL \"2\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)" },
	{ SPAN("To: g: a@b;\n"),
	  "(" NIL5
	  " ((NIL NIL \"g\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)) NIL NIL NIL NIL)" },
	{ SPAN("Subject:  a \t b\r\n\t c \r\n"), "(NIL \"a b c\" " NIL8 ")" },
	{ SPAN("Date: a\n\tb \n"), "(\"a\tb \" NIL " NIL8 ")" },
	{ SPAN("Subject: \"q\" \\\n"), "(NIL \"\\\"q\\\" \\\\\" " NIL8 ")" },
	{ SPAN("Subject: \xe4\n"), "(NIL {1}\r\n\xe4 " NIL8 ")" },
	{ SPAN("Subject: a\0b\n"), "(NIL {5}\r\na\xef\xbf\xbd"
				   "b " NIL8 ")" },
	{ SPAN("Subject: a\rb\n"), "(NIL \"a b\" " NIL8 ")" },
	{ SPAN("To: \"\" <a@b>\n"), "(" NIL5 " ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL)" },
};

static void test_envelopes(void **state)
{
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
		struct buf out;

		buf_init(&out, 10000);
		mime_envelope_add(envelopes[i].in, &out);
		assert_string_equal(buf_cstr(&out), envelopes[i].want);
		buf_free(&out);
	}
}

static void test_long(void **state)
{
	struct buf in, out;

	buf_init(&in, 10000);
	buf_init(&out, 10000);
	buf_add_str(&in, "Subject: ");
	for (int i = 0; i < 2000; i++)
		buf_add_char(&in, 'x');
	mime_envelope_add(buf_span(&in), &out);
	assert_true(span_starts(buf_span(&out), SPAN("(NIL {2000}\r\nxxx")));
	buf_free(&in);
	buf_free(&out);
}

/* The caller's maximum holds and is told, whichever part passes it. */
static void test_full(void **state)
{
	for (size_t max = 1; max < 200; max++) {
		struct buf out;

		buf_init(&out, max);
		mime_envelope_add(SPAN("From: a@b\nTo: c@d, e@f\nSubject: s\nMessage-ID: <x>\n\n"),
				  &out);
		assert_true(out.n <= max);
		assert_true(out.failed || out.p[out.n - 1] == ')');
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
