/* The known fields of a header, in one walk. */
#include "mime/fields.h"
#include "mime/header.h"

#include "base/buf.h"
#include "tests/unit/test.h"

static void test_names(void **state)
{
	for (enum mime_name i = 0; i < MIME_NAMES; i++)
		assert_int_equal(mime_name_of(mime_name_text(i)), i);
	assert_int_equal(mime_name_of(SPAN("MESSAGE-Id")), MIME_MESSAGE_ID);
	assert_int_equal(mime_name_of(SPAN("Content-Transfer-Encoding")), MIME_CONTENT_ENCODING);
	assert_int_equal(mime_name_of(SPAN("")), MIME_NAMES);
	assert_int_equal(mime_name_of(SPAN("To ")), MIME_NAMES);
	assert_int_equal(mime_name_of(SPAN("Frim")), MIME_NAMES);
	assert_int_equal(mime_name_of(SPAN("X-To")), MIME_NAMES);
}

static void render(struct span in, char *text, size_t size)
{
	struct mime_fields fs = { 0 };
	struct buf out;

	buf_init(&out, size - 1);
	for (int again = 0; again < 2; again++) {
		buf_clear(&out);
		mime_fields_read(in, &fs);
		for (size_t i = 0; i < fs.n; i++) {
			buf_add_span(&out, mime_name_text(fs.f[i].name));
			buf_add_char(&out, '=');
			buf_add_span(&out, fs.f[i].value);
			buf_add_char(&out, ';');
		}
		assert_true(fs.all);
	}
	memcpy(text, buf_cstr(&out), out.n + 1);
	buf_free(&out);
	mime_fields_free(&fs);
	assert_int_equal(fs.n, 0);
}

/* In their order, as often as they stand there; what is no field, and what nobody asks for, is passed over. */
static void test_walk(void **state)
{
	char text[200];

	render(SPAN("Received: x\nTo: a\nDate\nX: y\nSUBJECT : s\n t\r\nto:b\n\nTo: body\n"), text, sizeof(text));
	assert_string_equal(text, "to=a;subject=s\n t;to=b;");
	render(SPAN(""), text, sizeof(text));
	assert_string_equal(text, "");
}

static void test_last(void **state)
{
	struct mime_fields fs = { 0 };

	mime_fields_read(SPAN("Date: 1\nTo:\nDate: 2\n"), &fs);
	assert_true(span_eq_str(mime_fields_last(&fs, MIME_DATE), "2"));
	assert_non_null(mime_fields_last(&fs, MIME_TO).p); /* there, and empty */
	assert_int_equal(mime_fields_last(&fs, MIME_TO).n, 0);
	assert_null(mime_fields_last(&fs, MIME_CC).p);
	mime_fields_free(&fs);
}

static void test_limits(void **state)
{
	struct mime_fields fs = { 0 };
	struct buf b;

	buf_init(&b, 2 * MIME_HEADER_MAX);
	for (int i = 0; i < MIME_FIELDS_MAX + 10; i++)
		buf_add_str(&b, "To:\n");
	mime_fields_read(buf_span(&b), &fs);
	assert_int_equal(fs.n, MIME_FIELDS_MAX);
	assert_false(fs.all);
	buf_clear(&b);
	buf_add_str(&b, "To: a\nX: ");
	while (b.n <= MIME_HEADER_MAX)
		buf_add_str(&b, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n ");
	buf_add_str(&b, "\nTo: b\n\n");
	mime_fields_read(buf_span(&b), &fs);
	assert_int_equal(fs.n, 1);
	assert_false(fs.all);
	mime_fields_free(&fs);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
