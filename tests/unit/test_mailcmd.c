/* The table of mail commands, and the fields of records. */
#include "ipc/mailcmd.h"
#include "test.h"

static void test_table(void **state)
{
	for (const struct mailcmd *c = mailcmds; c->name; c++) {
		assert_true(!c[1].name || strcmp(c->name, c[1].name) < 0);
		assert_ptr_equal(mailcmd_find(span_str(c->name)), c);
		assert_true(c->most < 0 || c->least <= c->most);
	}
	assert_null(mailcmd_find(SPAN("mailbox")));
}

static void test_fields(void **state)
{
	static const char bytes[] = "a\tb\nc\\d\\n\0e";
	struct span field = span_of(bytes, sizeof(bytes) - 1);
	struct buf out, back;

	buf_init(&out, 256);
	buf_init(&back, 256);
	record_add(&out, field);
	assert_true(span_eq(buf_span(&out), SPAN("a\\tb\\nc\\\\d\\\\n\0e")));
	record_read(buf_span(&out), &back);
	assert_true(span_eq(buf_span(&back), field));
	buf_clear(&back);
	record_read(SPAN("x\\"), &back);
	record_read(SPAN("\\q"), &back);
	assert_true(span_eq(buf_span(&back), SPAN("x\\\\q")));
	buf_free(&out);
	buf_free(&back);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_fields) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
