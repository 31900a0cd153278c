#include "mime/section.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"MIME",	      ".",	  "1.",	       "1..2", "0",
		"1.0",	      "01.x",	  "1.HEADERS", " 1",   "1 ",
		"4294967296", "1.MIME.1", "HEADER.1",  "-1",   "1.HEADER.FIELDS.",
		"TEXT.MIME",
	};
	struct mime_section s;

	assert_int_equal(mime_section_parse(SPAN(""), &s), ERR_OK);
	assert_true(s.kind == MIME_SECTION_ALL && s.depth == 0);
	assert_int_equal(mime_section_parse(SPAN("text"), &s), ERR_OK);
	assert_true(s.kind == MIME_SECTION_TEXT && s.depth == 0);
	assert_int_equal(mime_section_parse(SPAN("1.22.333.Header.Fields.NOT"), &s), ERR_OK);
	assert_true(s.kind == MIME_SECTION_FIELDS_NOT && s.depth == 3 && s.path[1] == 22 &&
		    s.path[2] == 333);
	assert_int_equal(mime_section_parse(SPAN("4294967295"), &s), ERR_OK);
	assert_true(s.kind == MIME_SECTION_ALL && s.depth == 1 && s.path[0] == UINT32_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(mime_section_parse(span_str(bad[i]), &s), ERR_SYNTAX);
}

static void test_too_deep(void **state)
{
	struct mime_section s;
	struct buf b;

	buf_init(&b, 1000);
	buf_add_str(&b, "1");
	for (unsigned i = 1; i < MIME_DEPTH_MAX; i++)
		buf_add_str(&b, ".1");
	assert_int_equal(mime_section_parse(buf_span(&b), &s), ERR_OK);
	buf_add_str(&b, ".1");
	assert_int_equal(mime_section_parse(buf_span(&b), &s), ERR_LIMIT);
	buf_free(&b);
}

/* The shape of the example of RFC 3501 section 6.4.5, cut short. */
static const char example[] = "Subject: top\nContent-Type: multipart/mixed; boundary=o\n\n"
			      "--o\nX: 1\n\none\n"
			      "--o\nContent-Type: message/rfc822\n\n"
			      "Subject: inner\nContent-Type: multipart/alternative; boundary=i\n\n"
			      "--i\nX: 2.1\n\na\n--i\n\nb\n--i--\n\n"
			      "--o\nContent-Type: message/rfc822\n\nSubject: single\n\nc\nd\n"
			      "--o--\n";

static const char single[] = "Subject: s\n\nbody\n";

static const struct {
	const char *message, *section, *want; /* want NULL: not found */
} finds[] = {
	{ single, "", single },
	{ single, "HEADER", "Subject: s\n\n" },
	{ single, "HEADER.FIELDS", "Subject: s\n\n" },
	{ single, "TEXT", "body\n" },
	{ single, "1", "body\n" },
	{ single, "1.MIME", "Subject: s\n\n" },
	{ single, "2", NULL },
	{ single, "1.1", NULL },
	{ single, "1.TEXT", NULL },
	{ single, "1.HEADER", NULL },
	{ example, "1", "one" },
	{ example, "1.MIME", "X: 1\n\n" },
	{ example, "1.HEADER", NULL },
	{ example, "1.1", NULL },
	{ example, "2.MIME", "Content-Type: message/rfc822\n\n" },
	{ example, "2.HEADER",
	  "Subject: inner\nContent-Type: multipart/alternative; boundary=i\n\n" },
	{ example, "2.TEXT", "--i\nX: 2.1\n\na\n--i\n\nb\n--i--\n" },
	{ example, "2.1", "a" },
	{ example, "2.1.MIME", "X: 2.1\n\n" },
	{ example, "2.2", "b" },
	{ example, "2.3", NULL },
	{ example, "2.1.1", NULL },
	{ example, "3", "Subject: single\n\nc\nd" },
	{ example, "3.1", "c\nd" },
	{ example, "3.1.MIME", "Subject: single\n\n" },
	{ example, "3.2", NULL },
	{ example, "4", NULL },
	{ "Content-Type: message/rfc822\n\nA: b\n\nx", "1", "A: b\n\nx" },
	{ "Content-Type: message/rfc822\n\nA: b\n\nx", "1.HEADER", "A: b\n\n" },
	{ "Content-Type: message/rfc822\n\nA: b\n\nx", "HEADER",
	  "Content-Type: message/rfc822\n\n" },
	{ "Content-Type: message/rfc822\n\nA: b\n\nx", "1.1", "x" },
	{ "Content-Type: message/rfc822\n\nA: b\n\nx", "1.1.1", NULL },
	{ "Content-Type: multipart/mixed\n\nx", "1", "" },
	{ "Content-Type: multipart/mixed\n\nx", "1.MIME", "" },
	{ "Content-Type: multipart/mixed\n\nx", "1.1", NULL },
	{ "Content-Type: multipart/mixed\n\nx", "1.HEADER", NULL },
	{ "Content-Type: multipart/mixed\n\nx", "2", NULL },
	{ "", "1", "" },
	{ "", "", "" },
};

static void test_find(void **state)
{
	struct mime_tree t = { 0 };

	for (size_t i = 0; i < sizeof(finds) / sizeof(finds[0]); i++) {
		struct span m = span_str(finds[i].message);
		struct mime_section s;
		struct mime_range r;
		uint32_t part;
		enum err e;

		mime_tree_parse(m, &t);
		assert_int_equal(mime_section_parse(span_str(finds[i].section), &s), ERR_OK);
		e = mime_section_find(&t, &s, &r, &part);
		assert_int_equal(e, finds[i].want ? ERR_OK : ERR_NOTFOUND);
		if (!finds[i].want)
			continue;
		assert_true(span_eq_str(span_cut(m, r.off, r.size), finds[i].want));
		assert_true(part < t.n);
	}
	mime_tree_free(&t);
}

static void test_crlf_size(void **state)
{
	struct mime_tree t = { 0 };
	struct mime_section s = { .kind = MIME_SECTION_ALL };
	struct mime_range r;

	mime_tree_parse(span_str(single), &t);
	assert_int_equal(mime_section_find(&t, &s, &r, NULL), ERR_OK);
	assert_int_equal(r.crlf, r.size + 3);
	mime_tree_free(&t);
	assert_int_equal(mime_section_find(&t, &s, &r, NULL), ERR_NOTFOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_too_deep),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_crlf_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
