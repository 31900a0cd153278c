#include "mime/bodystruct.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

#define CT "Content-Type: "
#define TEXT_PLAIN "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" "

static void add(const char *message, bool extended, struct buf *out)
{
	struct mime_tree t = { 0 };

	mime_tree_parse(span_str(message), &t);
	mime_bodystruct_add(span_str(message), &t, extended, out);
	mime_tree_free(&t);
}

static const struct {
	const char *in, *want;
} structures[] = {
	{ "", "(" TEXT_PLAIN "0 0 NIL NIL NIL NIL)" },
	{ "A: b\n\nx\ny\n", "(" TEXT_PLAIN "6 2 NIL NIL NIL NIL)" },
	/* Without MIME-Version or Content-Type the other fields are not MIME's. */
	{ "Content-ID: <1>\nContent-Transfer-Encoding: base64\n\n",
	  "(" TEXT_PLAIN "0 0 NIL NIL NIL NIL)" },
	{ "MIME-Version: 1.0\nContent-ID: <1>\nContent-Transfer-Encoding: Base64 (c)\n\n",
	  "(\"text\" \"plain\" (\"charset\" \"us-ascii\") \"<1>\" NIL \"Base64\" 0 0 NIL NIL NIL "
	  "NIL)" },
	/* RFC 2045 section 5.2: what is no content type counts as text/plain. */
	{ CT "text\n\n", "(" TEXT_PLAIN "0 0 NIL NIL NIL NIL)" },
	{ CT "text/plain charset=x\n\n", "(" TEXT_PLAIN "0 0 NIL NIL NIL NIL)" },
	{ CT "IMAGE/Png (c); NAME=\"a \\\"b\\\"\"; x=y\nContent-Description: d\n e\nContent-MD5: "
	     "m\nContent-Location: l\n"
	     "Content-Disposition: Attachment; filename=\"c d\"\nContent-Language: de, en-GB "
	     "(x)\n\nab",
	  "(\"IMAGE\" \"Png\" (\"NAME\" \"a \\\"b\\\"\" \"x\" \"y\") NIL \"d e\" \"7bit\" 2 \"m\" "
	  "(\"Attachment\" (\"filename\" "
	  "\"c d\")) (\"de\" \"en-GB\") \"l\")" },
	{ CT "text/html; charset=UTF-8\nContent-Language: de\nContent-Disposition: inline\n\n",
	  "(\"text\" \"html\" (\"charset\" \"UTF-8\") NIL NIL \"7bit\" 0 0 NIL (\"inline\" NIL) "
	  "(\"de\") NIL)" },
	{ CT "a/b; n==?utf-8?b?YS9i?=; m=\xe4\n\n",
	  "(\"a\" \"b\" (\"n\" \"=?utf-8?b?YS9i?=\" \"m\" {1}\r\n\xe4) NIL NIL \"7bit\" 0 NIL NIL "
	  "NIL NIL)" },
	/* RFC 2231: plain ones first, the rest by name, pieces joined when none is missing. */
	{ CT "a/b; z*1=y; z*0=x; c=d; y*=utf-8''%20; x*1=2\n\n",
	  "(\"a\" \"b\" (\"c\" \"d\" \"x*1\" \"2\" \"y*\" \"utf-8''%20\" \"z\" \"xy\") NIL NIL "
	  "\"7bit\" 0 NIL NIL NIL NIL)" },
	{ CT "a/b; n*0*=utf-8''a%20; n*1=\"b%c\"\n\n",
	  "(\"a\" \"b\" (\"n*\" \"utf-8''a%20b%25c\") NIL NIL \"7bit\" 0 NIL NIL NIL NIL)" },
	{ CT "a/b; n*0=a%; n*1*=%20\n\n",
	  "(\"a\" \"b\" (\"n*\" \"''a%25%20\") NIL NIL \"7bit\" 0 NIL NIL NIL NIL)" },
	/* What cannot be read as a parameter is left out. */
	{ CT "a/b; c=d e; f=g; h=; i; j=k\n\n",
	  "(\"a\" \"b\" (\"c\" \"d\" \"f\" \"g\" \"h\" \"\") NIL NIL \"7bit\" 0 NIL NIL NIL NIL)" },
	{ CT "a/b; c=\"d\n\n", "(\"a\" \"b\" NIL NIL NIL \"7bit\" 0 NIL NIL NIL NIL)" },
	{ CT "multipart/mixed; boundary=b\nContent-Location: l\n\n--b\n\nx\n--b\n" CT
	     "image/png\n\ny\n--b--",
	  "((" TEXT_PLAIN "1 0 NIL NIL NIL NIL)(\"image\" \"png\" NIL NIL NIL \"7bit\" 1 NIL NIL "
			  "NIL NIL) \"mixed\" (\"boundary\" "
	  "\"b\") NIL NIL \"l\")" },
	/* IMAP's grammar wants a part in every multipart. */
	{ CT "multipart/mixed; boundary=b\n\n",
	  "((" TEXT_PLAIN "0 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ CT "multipart/mixed\n\n",
	  "((" TEXT_PLAIN "0 0 NIL NIL NIL NIL) \"mixed\" NIL NIL NIL NIL)" },
	{ CT "Message/RFC822\n\nSubject: s\n\nx\n",
	  "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL "
	  "NIL) (" TEXT_PLAIN "3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)" },
	{ CT "multipart/digest; boundary=b\n\n--b\n\nSubject: s\n\n--b--",
	  "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 14 (NIL \"s\" NIL NIL NIL NIL NIL NIL NIL "
	  "NIL) (" TEXT_PLAIN
	  "0 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) \"digest\" (\"boundary\" \"b\") NIL NIL NIL)" },
	{ CT "message/rfc822\n\n" CT "multipart/mixed; boundary=b\n\n--b\n\nx\n--b--",
	  "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 60 (NIL NIL NIL NIL NIL NIL NIL NIL NIL "
	  "NIL) ((" TEXT_PLAIN
	  "1 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL) 5 NIL NIL NIL NIL)" },
};

static void test_structures(void **state)
{
	for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
		struct buf out, body, cut;

		buf_init(&out, 10000);
		buf_init(&body, 10000);
		buf_init(&cut, 10000);
		add(structures[i].in, true, &out);
		assert_string_equal(buf_cstr(&out), structures[i].want);
		add(structures[i].in, false, &body);
		assert_int_equal(mime_body_from_structure(buf_span(&out), &cut), ERR_OK);
		assert_string_equal(buf_cstr(&cut), buf_cstr(&body));
		buf_free(&out);
		buf_free(&body);
		buf_free(&cut);
	}
}

static void test_body(void **state)
{
	struct buf out;

	buf_init(&out, 10000);
	add(CT "multipart/mixed; boundary=b\nContent-ID: x\n\n--b\nContent-ID: y\n\nx\n--b--",
	    false, &out);
	assert_string_equal(buf_cstr(&out), "((\"text\" \"plain\" (\"charset\" \"us-ascii\") \"y\" "
					    "NIL \"7bit\" 1 0) \"mixed\")");
	buf_free(&out);
}

static void test_damaged_cache(void **state)
{
	static const char *const bad[] = {
		"",
		"(",
		")",
		"()",
		"NIL",
		"(NIL)",
		"(\"text\" \"plain\"",
		"(\"a\" \"b\" NIL NIL NIL NIL)",
		"(() \"mixed\")",
		"(\"text\" \"plain\" NIL NIL NIL \"7bit\" 1 2))",
		"(\"a\" \"b\" {99}\r\nx NIL NIL \"7bit\" 1)",
		"(\"a\" \"b\" {1}x NIL NIL \"7bit\" 1)",
		"(\"a\" \"b\" (NIL NIL NIL \"7bit\" 1)",
		"(\"a\" \"b\\",
		"(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 1 NIL NIL 1)",
	};
	struct buf out;

	buf_init(&out, 10000);
	buf_add_str(&out, "kept");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(mime_body_from_structure(span_str(bad[i]), &out), ERR_CORRUPT);
	assert_string_equal(buf_cstr(&out), "kept");
	buf_free(&out);
}

static void test_caps(void **state)
{
	struct buf in, out;
	struct mime_tree t = { 0 };
	size_t params = 0, langs = 0;

	buf_init(&in, 1 << 20);
	buf_init(&out, 1 << 20);
	buf_add_str(&in, CT "a/b");
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&in, "; p%u=@", i);
	buf_add_str(&in, "\nContent-Language: l");
	for (unsigned i = 0; i < 1000; i++)
		buf_add_str(&in, ",l");
	mime_tree_parse(buf_span(&in), &t);
	mime_bodystruct_add(buf_span(&in), &t, true, &out);
	for (size_t i = 0; i + 2 < out.n; i++) {
		params += memcmp(out.p + i, "\"p", 2) == 0;
		langs += memcmp(out.p + i, "\"l\"", 3) == 0;
	}
	assert_int_equal(params, MIME_PARAMS_MAX);
	assert_int_equal(langs, MIME_LANGS_MAX);
	mime_tree_free(&t);
	buf_free(&in);
	buf_free(&out);
}

/* The message that is nested too deeply to be divided has no envelope to show: it is an octet-stream then. */
static void test_depth_limit(void **state)
{
	struct buf message, full, cut, made;
	const char *inner;

	buf_init(&message, 65536);
	buf_init(&full, 65536);
	buf_init(&cut, 65536);
	buf_init(&made, 65536);
	for (int i = 0; i < MIME_DEPTH_MAX + 50; i++)
		buf_add_str(&message, CT "message/rfc822\n\n");
	add(buf_cstr(&message), true, &full);
	add(buf_cstr(&message), false, &cut);
	assert_int_equal(mime_body_from_structure(buf_span(&full), &made), ERR_OK);
	assert_true(span_eq(buf_span(&made), buf_span(&cut)));
	inner = strstr(buf_cstr(&cut), "(\"application\" \"octet-stream\"");
	assert_non_null(inner);
	assert_null(strstr(inner, "rfc822"));
	buf_free(&message);
	buf_free(&full);
	buf_free(&cut);
	buf_free(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_damaged_cache),
		cmocka_unit_test(test_caps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
