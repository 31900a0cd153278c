/* The typed readers, on trees as the lexer makes them. */
#include "base/mailflags.h"
#include "wire/imap_lex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct fixture {
	struct imap_lex *lex;
	struct arena *arena;
};

static int setup(void **state)
{
	static struct fixture f; /* one test at a time */

	f.lex = imap_lex_new(&imap_lex_session);
	f.arena = arena_new(1 << 20);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	imap_lex_free(&f->lex);
	arena_free(&f->arena);
	return 0;
}

/* The arguments of "t FETCH <text>". */
static const struct imap_arg *args(void **state, const char *text)
{
	struct fixture *f = *state;
	char *line;
	struct span in;
	size_t used;

	arena_reset(f->arena);
	line = arena_printf(f->arena, "t FETCH %s\r\n", text);
	in = span_str(line);
	imap_lex_start(f->lex, f->arena);
	assert_int_equal(imap_lex_feed(f->lex, in, &used), IMAP_LEX_NAME);
	assert_int_equal(imap_lex_feed(f->lex, span_from(in, used), &used), IMAP_LEX_COMMAND);
	return imap_lex_command(f->lex)->args;
}

static void test_strings(void **state)
{
	const struct imap_arg *a = args(state, "NIL \"x\" {3+}\r\nabc atom ()");
	struct span s;
	bool nil;

	assert_true(imap_arg_is_nil(a));
	assert_true(imap_arg_nstring(a, &s, &nil) && nil);
	assert_true(imap_arg_astring(a, &s) && span_eq_str(s, "NIL"));
	assert_false(imap_arg_string(a, &s));
	a = a->next;
	assert_true(imap_arg_nstring(a, &s, &nil) && !nil && span_eq_str(s, "x"));
	assert_false(imap_arg_atom(a, &s));
	a = a->next;
	assert_true(imap_arg_string(a, &s) && span_eq_str(s, "abc"));
	a = a->next;
	assert_false(imap_arg_nstring(a, &s, &nil));
	assert_true(imap_arg_word(a, "ATOM"));
	a = a->next;
	assert_false(imap_arg_astring(a, &s));
	assert_false(imap_arg_astring(NULL, &s));
	assert_false(imap_arg_is_nil(NULL));
}

static void test_numbers(void **state)
{
	const struct imap_arg *a = args(state, "0 9223372036854775807 9223372036854775808 \"1\" -1");
	uint64_t w;

	assert_true(imap_arg_number64(a, &w) && w == 0);
	a = a->next;
	assert_true(imap_arg_number64(a, &w) && w == INT64_MAX);
	a = a->next;
	assert_false(imap_arg_number64(a, &w));
	a = a->next;
	assert_false(imap_arg_number64(a, &w));
	assert_false(imap_arg_number64(a->next, &w));
}

static void test_partial(void **state)
{
	static const char *const bad[] = { "<0>", "<0.0>", "<.1>", "<1.>", "<1.1", "1.1>", "<1.1.1>", "<-1.1>", "x" };
	uint64_t origin, length;
	bool present;

	assert_true(imap_arg_partial(args(state, "BODY[]"), &present, &origin, &length) && !present);
	assert_true(imap_arg_partial(args(state, "BODY[]<10.393216>"), &present, &origin, &length));
	assert_true(present && origin == 10 && length == 393216);
	assert_false(imap_arg_partial(args(state, "BODY"), &present, &origin, &length));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[32];

		snprintf(text, sizeof(text), "BODY[]%s", bad[i]);
		assert_false(imap_arg_partial(args(state, text), &present, &origin, &length));
	}
}

static void test_dates(void **state)
{
	static const char *const bad[] = { "0-Jan-2000", "32-Jan-2000", "29-Feb-1900", "1-Foo-2000", "1-Jan-00", "1-Jan",
					   "001-Jan-2000", "1-Jan-2000-1", "-Jan-2000", "1-Jan-0000" };
	int64_t day;

	assert_true(imap_arg_date(args(state, "1-Jan-1970"), &day) && day == 0);
	assert_true(imap_arg_date(args(state, "\"01-jan-1970\""), &day) && day == 0);
	assert_true(imap_arg_date(args(state, "31-Dec-1969"), &day) && day == -1);
	assert_true(imap_arg_date(args(state, "29-Feb-2000"), &day) && day == 11016);
	assert_true(imap_arg_date(args(state, "21-Nov-2026"), &day) && day == 20778);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(imap_arg_date(args(state, bad[i]), &day));
}

static void test_flags(void **state)
{
	struct fixture *f = *state;
	struct errtext why;
	struct imap_flags fl;
	const struct imap_arg *a = args(state, "(\\seen $Fwd \\Deleted $fwd x)");

	assert_int_equal(imap_arg_flags(a, f->arena, &fl, &why), ERR_OK);
	assert_int_equal(fl.system, MAIL_SEEN | MAIL_DELETED);
	assert_int_equal(fl.count, 2);
	assert_true(span_eq_str(fl.keywords[0], "$Fwd") && span_eq_str(fl.keywords[1], "x"));
	a = args(state, "\\Flagged y");
	assert_int_equal(imap_arg_flags(a, f->arena, &fl, &why), ERR_OK);
	assert_int_equal(fl.system, MAIL_FLAGGED);
	assert_int_equal(fl.count, 1);
	assert_int_equal(imap_arg_flags(args(state, "()"), f->arena, &fl, &why), ERR_OK);
	assert_int_equal(fl.system + fl.count, 0);
	assert_int_equal(imap_arg_flags(args(state, "(\\Recent)"), f->arena, &fl, &why), ERR_SYNTAX);
	assert_string_equal(why.text, "Invalid flag \\Recent");
	assert_int_equal(imap_arg_flags(args(state, "(\\*)"), f->arena, &fl, &why), ERR_SYNTAX);
	assert_int_equal(imap_arg_flags(args(state, "(a]b)"), f->arena, &fl, &why), ERR_SYNTAX);
	assert_int_equal(imap_arg_flags(args(state, "(\"a\")"), f->arena, &fl, &why), ERR_SYNTAX);
	assert_int_equal(imap_arg_flags(args(state, "(a) b"), f->arena, &fl, &why), ERR_SYNTAX);
	assert_int_equal(imap_arg_flags(NULL, f->arena, &fl, &why), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flags, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
