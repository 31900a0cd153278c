#include "src/store/subscriptions.h"

#include "store_room.h"

static const char *rewritten(struct room *r, struct span text, const char *name, bool on)
{
	struct buf out;
	const char *s = NULL;

	buf_init(&out, 10000);
	if (subs_rewrite(text, '.', name, on, &out))
		s = arena_span(r->arena, buf_span(&out));
	buf_free(&out);
	return s;
}

static void test_text(void **state)
{
	struct room *r = *state;

	assert_string_equal(rewritten(r, SPAN(""), "A.B", true), "V\t2\n\nA\tB\n");
	assert_string_equal(rewritten(r, SPAN("V\t2\n\nA\tB\nC\n"), "A.B", false), "V\t2\n\nC\n");
	assert_null(rewritten(r, SPAN("V\t2\n\nA\tB\n"), "A.B", true));
	assert_null(rewritten(r, SPAN("V\t2\n\nA\tB\n"), "X", false));
	/* Version 1 stays version 1; a separator at the end means nothing. */
	assert_string_equal(rewritten(r, SPAN("A.B.\nC\n"), "D.E", true), "A.B.\nC\nD.E\n");
	assert_null(rewritten(r, SPAN("A.B.\nC\n"), "A.B", true));
	assert_string_equal(rewritten(r, SPAN("A.B.\nC"), "A.B", false), "C\n");
	assert_string_equal(rewritten(r, SPAN("C"), "x\001y", true), "C\nx\001y\n");
	/* What we cannot say stays. */
	assert_string_equal(rewritten(r, SPAN("V\t2\n\na.b\tc\n\001x\n"), "N", true),
			    "V\t2\n\na.b\tc\n\001x\nN\n");
	assert_null(rewritten(r, SPAN("inbox\n"), "INBOX", true));
	/* A name that looks like the header of version 2 stays a name. */
	assert_string_equal(rewritten(r, SPAN("\nV\t2\nB\n"), "C", true), "\nV\t2\nB\nC\n");
	assert_string_equal(rewritten(r, SPAN("A\nV\t2\nB\n"), "A", false), "\nV\t2\nB\n");
}

static void test_names(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	assert_true(subs_name(SPAN("a\001tb\tc"), 2, '.', &out));
	assert_true(span_eq(buf_span(&out), SPAN("a\tb.c")));
	assert_true(subs_name(SPAN("a\0011"), 2, '.', &out));
	assert_true(span_eq(buf_span(&out), SPAN("a\001")));
	assert_false(subs_name(SPAN("a\001"), 2, '.', &out));
	assert_false(subs_name(SPAN("a\0010b"), 2, '.', &out));
	assert_false(subs_name(SPAN("a.b"), 2, '.', &out));
	assert_false(subs_name(SPAN(""), 2, '.', &out));
	assert_false(subs_name(SPAN("."), 1, '.', &out));
	assert_true(subs_name(SPAN("InBox"), 2, '.', &out));
	assert_true(span_eq_str(buf_span(&out), "INBOX"));
	buf_free(&out);
}

static void expect_subs(struct room *r, size_t want, const char *first)
{
	const char **names;
	size_t n;

	assert_int_equal(r->store->ops->subscriptions(r->store, r->arena, &names, &n, &r->text),
			 ERR_OK);
	assert_int_equal(n, want);
	if (n)
		assert_string_equal(names[0], first);
}

static void test_file(void **state)
{
	struct room *r = *state;
	struct store *s = r->store;

	expect_subs(r, 0, NULL);
	assert_int_equal(s->ops->subscribe(s, "A.B", false, &r->text), ERR_OK);
	assert_false(room_has(r, "subscriptions"));
	assert_int_equal(s->ops->subscribe(s, "A.B", true, &r->text), ERR_OK);
	assert_int_equal(s->ops->subscribe(s, "A.B", true, &r->text), ERR_OK);
	assert_int_equal(s->ops->subscribe(s, "INBOX", true, &r->text), ERR_OK);
	assert_string_equal(room_read(r, "subscriptions"), "V\t2\n\nA\tB\nINBOX\n");
	expect_subs(r, 2, "A.B");
	assert_int_equal(s->ops->subscribe(s, "../x", true, &r->text), ERR_CANNOT);
	room_write(r, "subscriptions.lock", "");
	assert_int_equal(s->ops->subscribe(s, "C", true, &r->text), ERR_INUSE);
	unlink(room_path(r, "subscriptions.lock"));
	assert_int_equal(s->ops->subscribe(s, "A.B", false, &r->text), ERR_OK);
	expect_subs(r, 1, "INBOX");
	assert_false(room_has(r, "subscriptions.lock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = { ROOM_TEST(test_text), ROOM_TEST(test_names),
					    ROOM_TEST(test_file) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
