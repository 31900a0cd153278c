/* roostadm's formats. */
#include "src/adm/adm.h"
#include "test.h"

#include "base/must.h"

#include <stdlib.h>

static void cell(struct printer *p, const char *text)
{
	printer_cell(p);
	printer_add(p, span_str(text));
}

/* Two rows of a bare, a titled and a number column; of user, if any. */
static void prints(const char *format, const char *user, const char *expected)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct printer *p = printer_new(format, f);

	assert_non_null(p);
	printer_columns(p, SPAN("1mailbox\t0flags\t2size"), user);
	cell(p, "INBOX");
	cell(p, "\\Seen \"a\"");
	cell(p, "5");
	printer_row(p);
	cell(p, "W");
	printer_cell(p);
	printer_add(p, SPAN("x"));
	printer_add(p, SPAN("\ty"));
	cell(p, "1234567");
	printer_row(p);
	assert_true(printer_end(&p));
	fclose(f);
	assert_string_equal(text, expected);
	free(text);
}

static void test_formats(void **state)
{
	prints("flow", NULL, "INBOX flags=\\Seen \"a\" size=5\nW flags=x\ty size=1234567\n");
	prints("flow", "u", "u INBOX flags=\\Seen \"a\" size=5\nu W flags=x\ty size=1234567\n");
	prints("tab", NULL, "mailbox\tflags\tsize\nINBOX\t\\Seen \"a\"\t5\nW\tx\ty\t1234567\n");
	prints("tab", "u", "Username\tmailbox\tflags\tsize\nu\tINBOX\t\\Seen \"a\"\t5\nu\tW\tx\ty\t1234567\n");
	prints("pager", NULL, "INBOX\nflags: \\Seen \"a\"\nsize: 5\n\f\nW\nflags: x\ty\nsize: 1234567\n");
	prints("json", NULL,
	       "[{\"mailbox\":\"INBOX\",\"flags\":\"\\\\Seen \\\"a\\\"\",\"size\":\"5\"},"
	       "{\"mailbox\":\"W\",\"flags\":\"x\\ty\",\"size\":\"1234567\"}]");
}

static void test_table(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	struct printer *p = printer_new("table", f);

	printer_columns(p, SPAN("0name\t2size"), NULL);
	cell(p, "long name");
	cell(p, "5");
	printer_row(p);
	cell(p, "b");
	cell(p, "123456");
	printer_row(p);
	assert_true(printer_end(&p));
	fclose(f);
	assert_string_equal(text, "name        size\nlong name      5\nb         123456\n");
	free(text);
}

/* Nothing that a worker may say makes the printer fall over. */
static void test_odd(void **state)
{
	static const char *const formats[] = { "flow", "tab", "pager", "json", "table" };

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		FILE *f = fopen("/dev/null", "w");
		struct printer *p = printer_new(formats[i], f);

		printer_add(p, SPAN("before any column"));
		printer_row(p);
		printer_columns(p, SPAN("\t0a\t0b"), NULL);
		cell(p, "only one");
		printer_row(p);
		for (int k = 0; k < 5; k++)
			cell(p, "too many");
		printer_row(p);
		assert_false(printer_end(&p));
		fclose(f);
	}
	assert_null(printer_new("bogus", stdout));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_formats), cmocka_unit_test(test_table),
					    cmocka_unit_test(test_odd) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
