/* What of ID is logged. */
#include "wire/imap_id.h"
#include "wire/imap_lex.h"

#include "tests/unit/test.h"

static void expect(const char *command, const char *wanted, const char *text)
{
	struct imap_lex *lex = imap_lex_new(&imap_lex_session);
	struct arena *arena = arena_new(1 << 16);
	struct span in = span_str(command);
	struct buf out;
	size_t used;

	buf_init(&out, 4096);
	imap_lex_start(lex, arena);
	assert_int_equal(imap_lex_feed(lex, in, &used), IMAP_LEX_NAME);
	assert_int_equal(imap_lex_feed(lex, span_from(in, used), &used), IMAP_LEX_COMMAND);
	imap_id_pick(imap_lex_command(lex)->args, span_str(wanted), &out);
	assert_string_equal(buf_cstr(&out), text);
	buf_free(&out);
	imap_lex_free(&lex);
	arena_free(&arena);
}

static void test_pick(void **state)
{
	expect("a ID (\"name\" \"x y\" \"VERSION\" \"1\" \"os\" NIL)\r\n", "*", "name=x\\x20y, VERSION=1, os=NIL");
	expect("a ID (\"name\" \"x\" \"VERSION\" \"1\" \"os\" NIL)\r\n", "version os", "VERSION=1, os=NIL");
	expect("a ID (\"name\" \"x\")\r\n", "", "");
	expect("a ID (\"name\" \"x\")\r\n", "version", "");
	expect("a ID NIL\r\n", "*", "");
	expect("a ID ()\r\n", "*", "");
	expect("a ID (\"name\" \"a\" (x) \"b\")\r\n", "*", "name=a");
	expect("a ID (\"name\" \"a\" \"odd\")\r\n", "*", "name=a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
