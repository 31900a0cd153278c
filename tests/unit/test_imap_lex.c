/* The lexer: what it reports, and that this does not depend on how the input is cut. */
#include "base/buf.h"
#include "wire/imap_lex.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Writes a command as text: atoms bare, strings in quotes, literals as <text>, lists and sections with their brackets. */
static void dump_text(const struct imap_arg *a, struct buf *out)
{
	static const char *const open[] = { "", "\"", "<", "~<", "(", "" };
	static const char *const close[] = { "", "\"", ">", ">", "", "" };

	buf_add_str(out, open[a->type]);
	if (a->streamed)
		buf_printf(out, "%zu bytes", a->s.n);
	else if (a->type != IMAP_ARG_LIST)
		buf_add_span(out, a->s);
	buf_add_str(out, close[a->type]);
	if (a->type == IMAP_ARG_SECTION)
		buf_add_char(out, '[');
}

static void dump(const struct imap_arg *a, struct buf *out)
{
	while (a) {
		const struct imap_arg *up;

		dump_text(a, out);
		if (a->child) {
			a = a->child;
			continue;
		}
		if (a->type == IMAP_ARG_LIST)
			buf_add_char(out, ')');
		if (a->type == IMAP_ARG_SECTION)
			buf_printf(out, "]%.*s", (int)a->tail.n, a->tail.p);
		for (up = a; up && !up->next; ) {
			up = up->parent;
			if (up && up->type == IMAP_ARG_LIST)
				buf_add_char(out, ')');
			if (up && up->type == IMAP_ARG_SECTION)
				buf_printf(out, "]%.*s", (int)up->tail.n, up->tail.p);
		}
		a = up ? up->next : NULL;
		if (a)
			buf_add_char(out, ' ');
	}
}

struct feed {
	struct imap_lex_limits limits;
	uint32_t stream_min; /* for APPEND; others are not streamed */
	size_t chunk;
};

static void on_name(struct imap_lex *lex, const struct feed *f)
{
	if (span_eq_str(imap_lex_command(lex)->name, "APPEND"))
		imap_lex_stream(lex, f->stream_min);
}

static void report(struct imap_lex *lex, enum imap_lex_event event, struct buf *out)
{
	const struct imap_command *cmd = imap_lex_command(lex);

	switch (event) {
	case IMAP_LEX_CONTINUE:
		buf_add_str(out, "+ ");
		return;
	case IMAP_LEX_COMMAND:
		buf_printf(out, "%.*s %.*s", (int)cmd->tag.n, cmd->tag.p, (int)cmd->name.n, cmd->name.p);
		if (cmd->args)
			buf_add_char(out, ' ');
		dump(cmd->args, out);
		break;
	case IMAP_LEX_BAD:
	case IMAP_LEX_FATAL:
		buf_printf(out, "%.*s %s %s%s%s", (int)cmd->tag.n, cmd->tag.p, event == IMAP_LEX_BAD ? "BAD" : "FATAL",
			   imap_lex_code(lex) ? imap_lex_code(lex) : "", imap_lex_code(lex) ? " " : "",
			   imap_lex_why(lex));
		break;
	default:
		return;
	}
	buf_add_char(out, '|');
}

/* Feeds all of text and returns what was reported; the caller frees. */
static char *run(const struct feed *f, struct span text)
{
	struct imap_lex *lex = imap_lex_new(&f->limits);
	struct arena *arena = arena_new(8 << 20);
	size_t at = 0, used;
	struct buf out;
	char *result;

	buf_init(&out, 1 << 20);
	imap_lex_start(lex, arena);
	while (at < text.n) {
		size_t chunk = f->chunk < text.n - at ? f->chunk : text.n - at;
		enum imap_lex_event event = imap_lex_feed(lex, span_cut(text, at, chunk), &used);

		at += used;
		if (event == IMAP_LEX_NAME)
			on_name(lex, f);
		if (event == IMAP_LEX_LITERAL) {
			at += imap_lex_literal(lex).size;
			buf_add_str(&out, imap_lex_literal(lex).sync ? "sync " : "");
			assert_true(imap_lex_taken(lex));
		}
		report(lex, event, &out);
		if (event == IMAP_LEX_FATAL)
			break;
		if (event == IMAP_LEX_COMMAND || event == IMAP_LEX_BAD) {
			arena_reset(arena);
			imap_lex_start(lex, arena);
		}
	}
	if (at == text.n && !imap_lex_idle(lex))
		buf_add_str(&out, "...");
	result = span_dup(buf_span(&out));
	buf_free(&out);
	imap_lex_free(&lex);
	arena_free(&arena);
	return result;
}

static void check_limits(struct span text, const char *expect, struct imap_lex_limits limits)
{
	for (size_t chunk = 1; chunk <= text.n; chunk = chunk < 4 ? chunk + 1 : chunk * 2) {
		struct feed f = { limits, 1, chunk };
		char *got = run(&f, text);

		assert_string_equal(got, expect);
		free(got);
	}
	struct feed whole = { limits, 1, text.n };
	char *got = run(&whole, text);

	assert_string_equal(got, expect);
	free(got);
}

#define check(text, expect) check_limits(SPAN(text), expect, imap_lex_session)

static void test_simple(void **state)
{
	check("a1 noop\r\n", "a1 NOOP|");
	check("a1 NOOP \r\n", "a1 NOOP|");
	check("\r\na1 NOOP\r\n\r\n", "a1 NOOP|");
	check("a1 NOOP\na2 NOOP\n", "a1 NOOP|a2 NOOP|");
	check("a1 login user pass\\word\r\n", "a1 LOGIN user pass\\word|");
	check("a LIST \"\" [Gmail]/%\r\n", "a LIST \"\" [Gmail]/%|");
	check("a LIST (SUBSCRIBED) \"\" (a b) RETURN ()\r\n", "a LIST (SUBSCRIBED) \"\" (a b) RETURN ()|");
	check("a SELECT \"a \\\"b\\\\ c\"\r\n", "a SELECT \"a \"b\\ c\"|");
	check("a SELECT ~foo\r\n", "a SELECT ~foo|");
	check("a STORE 1:*,5 +FLAGS.SILENT(\\Seen $x)\r\n", "a STORE 1:*,5 +FLAGS.SILENT (\\Seen $x)|");
	check("a ID (\"name\" NIL)\r\n", "a ID (\"name\" NIL)|");
	check("a X ((((1))) (2))\r\n", "a X ((((1))) (2))|");
	check("a NOO", "...");
}

static void test_literals(void **state)
{
	check("a LOGIN {4}\r\nuser {6+}\r\np\r\n ()\r\n", "+ a LOGIN <user> <p\r\n ()>|");
	check("a LOGIN {0}\r\n {0+}\r\n\r\n", "+ a LOGIN <> <>|");
	check("a X ({3+}\nabc) ~{2+}\r\n\1\2\r\n", "a X (<abc>) ~<\1\2>|");
	check("a APPEND {5}\r\nINBOX (\\Seen) {9}\r\nabc\r\ndef\n\r\n", "+ sync a APPEND <INBOX> (\\Seen) <9 bytes>|");
	check("a APPEND x {3+}\r\nabc {2+}\r\nde\r\nb NOOP\r\n", "a APPEND x <3 bytes> <2 bytes>|b NOOP|");
	check("a APPEND x UTF8 (~{3+}\r\nabc)\r\n", "a APPEND x UTF8 (~<3 bytes>)|");
}

static void test_sections(void **state)
{
	check("a FETCH 1 BODY[]\r\n", "a FETCH 1 BODY[]|");
	check("a FETCH 1 (BODY BODY[TEXT]<0> UID)\r\n", "a FETCH 1 (BODY BODY[TEXT]<0> UID)|");
	check("a UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (From \"To\")]<0.100> FLAGS)\r\n",
	      "a UID FETCH 1 (BODY.PEEK[HEADER.FIELDS (From \"To\")]<0.100> FLAGS)|");
	check("a FETCH 1 body.peek[1.2.MIME]\r\n", "a FETCH 1 body.peek[1.2.MIME]|");
	check("a FETCH 1 (BODY[HEADER.FIELDS ({4+}\r\nFrom a]b)])\r\n", "a FETCH 1 (BODY[HEADER.FIELDS (<From> a]b)])|");
	check("a FETCH 1 X[TEXT]\r\n", "a FETCH 1 X[TEXT]|");
	check("a SELECT BODY[x y]\r\n", "a SELECT BODY[x y]|");
	check("a FETCH 1 BODY[TEXT\r\n", "a BAD Missing ']'|");
	check("a FETCH 1 (BODY[TEXT)\r\n", "a BAD Unexpected ')'|");
}

/* What searches has sections in the list behind RETURN; in its program "[" is part of a string. */
static void test_sections_of_searches(void **state)
{
	check("a SEARCH RETURN (UPDATE (BODY[HEADER.FIELDS (A B)] UID)) ALL\r\n",
	      "a SEARCH RETURN (UPDATE (BODY[HEADER.FIELDS (A B)] UID)) ALL|");
	check("a UID sort return (UPDATE (BODY.PEEK[1 2]<0.9>)) (DATE) UTF-8 ALL\r\n",
	      "a UID sort return (UPDATE (BODY.PEEK[1 2]<0.9>)) (DATE) UTF-8 ALL|");
	check("a SEARCH RETURN (UPDATE (BODY[TEXT)) ALL\r\n", "a BAD Unexpected ')'|");
	check("a SEARCH RETURN () (SUBJECT BODY[TEXT)\r\n", "a SEARCH RETURN () (SUBJECT BODY[TEXT)|");
	check("a UID SEARCH SUBJECT BODY[TEXT\r\n", "a UID SEARCH SUBJECT BODY[TEXT|");
	check("a UID THREAD REFS UTF-8 (SUBJECT BODY[)\r\n", "a UID THREAD REFS UTF-8 (SUBJECT BODY[)|");
	check("a UID SORT (DATE) UTF-8 RETURN (BODY[)\r\n", "a UID SORT (DATE) UTF-8 RETURN (BODY[)|");
	check("a UID BODY[1 2]\r\n", "a UID BODY[1 2]|");
}

static void test_section_pieces(void **state)
{
	struct imap_lex *lex = imap_lex_new(&imap_lex_session);
	struct arena *arena = arena_new(1 << 16);
	struct span in = SPAN("a FETCH 1 BODY.PEEK[1.HEADER.FIELDS (a b)]<0.100>\r\n");
	const struct imap_arg *a;
	size_t used;

	imap_lex_start(lex, arena);
	assert_int_equal(imap_lex_feed(lex, in, &used), IMAP_LEX_NAME);
	assert_int_equal(imap_lex_feed(lex, span_from(in, used), &used), IMAP_LEX_COMMAND);
	a = imap_lex_command(lex)->args->next;
	assert_int_equal(a->type, IMAP_ARG_SECTION);
	assert_true(span_eq_str(a->s, "BODY.PEEK"));
	assert_true(span_eq_str(a->tail, "<0.100>"));
	assert_int_equal(a->count, 2);
	assert_true(imap_arg_word(a->child, "1.HEADER.FIELDS"));
	assert_int_equal(a->child->next->type, IMAP_ARG_LIST);
	assert_int_equal(a->child->next->count, 2);
	assert_int_equal(imap_lex_command(lex)->count, 2);
	imap_lex_free(&lex);
	arena_free(&arena);
}

static void test_bad(void **state)
{
	check("a\r\nb NOOP\r\n", "a BAD Missing command|b NOOP|");
	check("a* NOOP\r\nb NOOP\r\n", " BAD Invalid tag|b NOOP|");
	check("a FOO (\r\nb NOOP\r\n", "a BAD Missing ')'|b NOOP|");
	check("a FOO )\r\nb NOOP\r\n", "a BAD Invalid characters in atom|b NOOP|");
	check("a FOO x)\r\nb NOOP\r\n", "a BAD Unexpected ')'|b NOOP|");
	check("a FOO \"x\r\nb NOOP\r\n", "a BAD Missing '\"'|b NOOP|");
	check("a FOO \"x\"y\r\nb NOOP\r\n", "a BAD Missing space between arguments|b NOOP|");
	check("a FOO \"\\x\"\r\nb NOOP\r\n", "a BAD Invalid escape in quoted string|b NOOP|");
	check("a FOO \xc3\xa9\r\nb NOOP\r\n", "a BAD 8-bit data in atom|b NOOP|");
	check("a FOO \"x\\", "...");
	check("a FOO\rx\nb NOOP\r\n", "a BAD CR without LF|b NOOP|");
	check("a FOO {x}\r\nb NOOP\r\n", "a BAD Invalid literal size|b NOOP|");
	check("a (x)\r\n", "a BAD Invalid command name|");
}

/* Whatever is wrong, the bytes of a literal that the client did not wait for are never read as commands. */
static void test_in_step(void **state)
{
	check("a FOO x) {9+}\r\nb LOGOUT\n (c\r\nb NOOP\r\n", "a BAD Unexpected ')'|b NOOP|");
	check("a FOO \"x {9+}\r\nb LOGOUT\n\r\nb NOOP\r\n", "a BAD Missing '\"'|b NOOP|");
	check("a FOO x) {9}\r\nb NOOP\r\n", "a BAD Unexpected ')'|b NOOP|");
	check("a FOO x) {3+}\r\nabc{3+}\r\nabc\r\nb NOOP\r\n", "a BAD Unexpected ')'|b NOOP|");
	check("{5+}\r\na b\r\n\r\nc NOOP\r\n", " BAD Invalid tag|c NOOP|");
	check("a {5+}\r\na b\r\n\r\nc NOOP\r\n", "a BAD Invalid command name|c NOOP|");
	check("a x{5+}\r\na b\r\n\r\nc NOOP\r\n", "a BAD Invalid command name|c NOOP|");
	check("a FOO x{5+}\r\na b\r\n\r\nc NOOP\r\n", "a BAD Missing space between arguments|c NOOP|");
	check("a FOO x) {99999999999+}\r\nb NOOP\r\n", "a FATAL Unexpected ')'|");
	check("a FOO x) {000000000000000000000000000003+}\r\nb NOOP\r\n", "a FATAL Unexpected ')'|");
	check("a FOO {99999999999999999999}\r\n", "a FATAL Literal too big|");
	check("a FOO {4+}\r\na\0bc\r\nb NOOP\r\n", "a BAD NUL byte in literal|b NOOP|");
}

static void test_nul_is_fatal(void **state)
{
	check("a FOO \"\0\"\r\n", "a FATAL NUL byte in command|");
	check("a FOO \0\r\n", "a FATAL NUL byte in command|");
	check("\0", " FATAL NUL byte in command|");
}

static void test_limits(void **state)
{
	struct imap_lex_limits l = { .line_max = 40, .literal_max = 10, .skip_max = 20, .args_max = 4, .depth_max = 2 };

	check_limits(SPAN("a X 1 2 3 4\r\n"), "a X 1 2 3 4|", l);
	check_limits(SPAN("a X 1 2 3 4 5\r\n"), "a BAD Too many arguments|", l);
	check_limits(SPAN("a X ((1))\r\n"), "a X ((1))|", l);
	check_limits(SPAN("a X (((1)))\r\n"), "a BAD Too many nested lists|", l);
	check_limits(SPAN("a FETCH (BODY[(1)])\r\n"), "a BAD Too many nested lists|", l);
	check_limits(SPAN("a X 1234567890123456789012345678901234567890\r\nb X\r\n"),
		     "a BAD Command line too long|b X|", l);
	check_limits(SPAN("a X {6+}\r\n123456 {5+}\r\n12345 \r\nb X\r\n"), "a BAD Literal too big|b X|", l);
	check_limits(SPAN("a X {11}\r\nb X\r\n"), "a BAD Literal too big|b X|", l);
	check_limits(SPAN("a X {21+}\r\nb X\r\n"), "a FATAL Literal too big|", l);
	check_limits(SPAN("a X {6+}\r\n123456 {4+}\r\n1234 ()\r\n"), "a X <123456> <1234> ()|", l);
}

/* LITERAL-: large literals must be synchronising, streamed ones too (RFC 7888 section 5). */
static void test_literal_minus(void **state)
{
	struct imap_lex_limits l = imap_lex_session;

	l.plus_max = 4;
	check_limits(SPAN("a X {4+}\r\n1234 {5}\r\n12345\r\n"), "+ a X <1234> <12345>|", l);
	check_limits(SPAN("a X {5+}\r\n12345\r\nb X\r\n"), "a BAD TOOBIG Literal is too big to be non-synchronising|b X|", l);
	check_limits(SPAN("a APPEND x {5+}\r\n12345 {9+}\r\n123456789\r\nb X\r\n"),
		     "a BAD TOOBIG Literal is too big to be non-synchronising|b X|", l);
	check_limits(SPAN("a APPEND x {4+}\r\n1234 {5}\r\n12345\r\n"), "sync a APPEND x <4 bytes> <5 bytes>|", l);
	check_limits(SPAN("a X {2000000000+}\r\n"), "a FATAL TOOBIG Literal too big|", l);
}

/* After ENABLE UTF8=ACCEPT quoted strings are UTF-8 (RFC 9755 section 3); literals may hold anything. */
static void test_utf8(void **state)
{
	struct imap_lex_limits l = imap_lex_session;

	check_limits(SPAN("a X \"\xff\"\r\n"), "a X \"\xff\"|", l);
	l.utf8 = true;
	check_limits(SPAN("a X \"gr\xc3\xbcn\\\\\" y\r\n"), "a X \"gr\xc3\xbcn\\\" y|", l);
	check_limits(SPAN("a X \"gr\xc3\" {1+}\r\nz\r\nb X\r\n"), "a BAD Quoted string is not UTF-8|b X|", l);
	check_limits(SPAN("a X {1+}\r\n\xff\r\n"), "a X <\xff>|", l);
}

/* One event for a whole command in one piece: helper for the hand-over tests. */
static struct span feed_to(struct imap_lex *lex, struct span in, enum imap_lex_event want)
{
	enum imap_lex_event event;
	size_t used;

	do {
		event = imap_lex_feed(lex, in, &used);
		in = span_from(in, used);
		if (event == IMAP_LEX_NAME)
			imap_lex_stream(lex, 1);
	} while (event == IMAP_LEX_NAME);
	assert_int_equal(event, want);
	return in;
}

static void test_handed_literals(void **state)
{
	struct imap_lex *lex = imap_lex_new(&imap_lex_session);
	struct arena *arena = arena_new(1 << 16);
	struct span in;

	/* refused before the client sent it: the command is over */
	imap_lex_start(lex, arena);
	in = feed_to(lex, SPAN("a APPEND x {5}\r\nb NOOP\r\n"), IMAP_LEX_LITERAL);
	imap_lex_skip(lex);
	in = feed_to(lex, in, IMAP_LEX_BAD);
	assert_string_equal(imap_lex_why(lex), "");
	imap_lex_start(lex, arena);
	in = feed_to(lex, in, IMAP_LEX_COMMAND);
	assert_int_equal(in.n, 0);

	/* refused, but it comes all the same */
	imap_lex_start(lex, arena);
	in = feed_to(lex, SPAN("a APPEND x {5+}\r\nb X\r\n {3+}\r\nabc\r\nb NOOP\r\n"), IMAP_LEX_LITERAL);
	imap_lex_skip(lex);
	in = feed_to(lex, in, IMAP_LEX_BAD);
	assert_int_equal(in.n, 8);

	/* a small one, wanted in memory after all */
	imap_lex_start(lex, arena);
	in = feed_to(lex, SPAN("a APPEND x CATENATE (URL {5}\r\nimap: TEXT {3+}\r\nabc)\r\n"), IMAP_LEX_LITERAL);
	imap_lex_collect(lex);
	in = feed_to(lex, in, IMAP_LEX_CONTINUE);
	in = feed_to(lex, in, IMAP_LEX_LITERAL);
	assert_int_equal(imap_lex_literal(lex).size, 3);
	assert_false(imap_lex_literal(lex).sync);
	assert_true(imap_lex_taken(lex));
	in = feed_to(lex, span_from(in, 3), IMAP_LEX_COMMAND);
	assert_true(span_eq_str(imap_lex_command(lex)->args->next->next->child->next->s, "imap:"));
	imap_lex_free(&lex);
	arena_free(&arena);
}

static void test_skip_at_name_and_continue(void **state)
{
	struct imap_lex *lex = imap_lex_new(&imap_lex_session);
	struct arena *arena = arena_new(1 << 16);
	struct span in = SPAN("a NOWAY {3+}\r\nabc {4}\r\nb X {4}\r\nabcd\r\n");
	size_t used;

	imap_lex_start(lex, arena);
	assert_int_equal(imap_lex_feed(lex, in, &used), IMAP_LEX_NAME);
	imap_lex_skip(lex);
	in = span_from(in, used);
	assert_int_equal(imap_lex_feed(lex, in, &used), IMAP_LEX_BAD);
	in = span_from(in, used);
	imap_lex_start(lex, arena);
	assert_int_equal(imap_lex_feed(lex, in, &used), IMAP_LEX_NAME);
	in = span_from(in, used);
	assert_int_equal(imap_lex_feed(lex, in, &used), IMAP_LEX_CONTINUE);
	imap_lex_skip(lex); /* instead of "+ OK" */
	assert_int_equal(imap_lex_feed(lex, SPAN(""), &used), IMAP_LEX_BAD);
	imap_lex_free(&lex);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_literals),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_sections_of_searches),
		cmocka_unit_test(test_section_pieces),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_in_step),
		cmocka_unit_test(test_nul_is_fatal),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_literal_minus),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_handed_literals),
		cmocka_unit_test(test_skip_at_name_and_continue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
