#include "src/store/mbox_head.h"

#include "tests/unit/test.h"

static struct mbox_head parse(const char *text)
{
	struct mbox_head h;

	mbox_head_parse(span_str(text), &h);
	return h;
}

static void test_hidden_lines(void **state)
{
	static const char text[] = "Subject: x\n"
				   "X-IMAPbase: 123 0000000042 one\n\ttwo\n"
				   "To: y\n"
				   "X-UID: 7\n"
				   "Status: ROX\n"
				   "x-status: FAQ\n"
				   "X-Keywords: two \n"
				   "Content-Length: 99\n"
				   "\n"
				   "body\n";
	struct mbox_head h = parse(text);
	struct span names = h.names, name;
	struct buf out;

	assert_true(h.based && !h.pseudo && h.validity == 123 && h.last == 42 && h.uid == 7);
	assert_true(mbox_name_next(&names, &name) && span_eq_str(name, "one"));
	assert_true(mbox_name_next(&names, &name) && span_eq_str(name, "two"));
	assert_false(mbox_name_next(&names, &name));
	assert_int_equal(h.flags, MAIL_SEEN | MAIL_FLAGGED | MAIL_ANSWERED);
	assert_string_equal(h.status, "X");
	assert_string_equal(h.xstatus, "Q");
	assert_int_equal(h.content_length, 99);
	assert_true(h.scattered);
	assert_int_equal(h.size, strlen(text) - strlen("body\n"));
	assert_int_equal(h.visible, strlen("Subject: x\nTo: y\n\n"));
	assert_int_equal(h.bare, 3);
	buf_init(&out, 1000);
	mbox_head_visible(span_str(text), &h, true, &out);
	assert_string_equal(buf_cstr(&out), "Subject: x\nTo: y\n\n");
	buf_free(&out);
}

/* What a sender may have written: blanks before the colon, a UID before the base, two of a kind, a base beyond reason. */
static void test_forged(void **state)
{
	struct mbox_head h = parse("X-UID : 3\nX-IMAPbase\t: 7 0000000009\nX-UID: 4\nStatus : RO\nStatusx : R\n\n");

	assert_true(h.uid == 3 && h.uid_early && h.based && h.validity == 7);
	assert_int_equal(h.flags, MAIL_SEEN);
	assert_int_equal(h.visible, strlen("Statusx : R\n\n"));
	h = parse("X-IMAPbase: 7 0000000009\nX-UID: 4\nX-IMAPbase: 8 0000000019\n\n");
	assert_true(h.uid == 4 && !h.uid_early && h.validity == 7 && h.last == 9);
	assert_false(parse("X-IMAPbase: 7 4294967200\n\n").based);
}

static void test_nothing_hidden(void **state)
{
	struct mbox_head h = parse("Statuses: no\r\nX-UIDs: 1\r\nSubject: x\r\n\r\n");

	assert_true(!h.based && h.uid == 0 && !h.scattered && h.bare == 0);
	assert_int_equal(h.flags, MAIL_RECENT);
	assert_int_equal(h.visible, h.size);
	assert_int_equal(h.block, h.end);
	h = parse("Subject: no end");
	assert_true(h.size == h.end && h.size == 15);
	h = parse("");
	assert_true(h.size == 0 && h.end == 0);
	h = parse("X-UID: 99999999999\nX-IMAPbase: 0 1\nX-IMAPbase: 5 4294967295\nContent-Length: -1\n\n");
	assert_true(h.uid == 0 && !h.based && h.content_length == UINT64_MAX);
}

static const char *const names[MAIL_KEYWORDS_MAX] = { "one", NULL, "three" };

static void test_block(void **state)
{
	struct mbox_block b = { .uid = 17,
				.flags = { MAIL_SEEN | MAIL_DRAFT, 5 },
				.names = names,
				.content_length = 12,
				.status = "Z" };
	struct mbox_head h;
	struct buf out;

	buf_init(&out, 10000);
	assert_true(mbox_block_put(&out, &b, 0));
	buf_add_char(&out, '\n');
	h = parse(buf_cstr(&out));
	assert_true(h.uid == 17 && h.flags == (MAIL_SEEN | MAIL_DRAFT) && h.content_length == 12 && !h.based);
	assert_int_equal(h.block, 0);
	assert_string_equal(h.status, "Z");
	assert_true(span_eq_str(h.keywords, "one three"));
	buf_clear(&out);
	b.based = true;
	b.validity = 9;
	b.last = 17;
	assert_true(mbox_block_put(&out, &b, 0));
	h = parse(buf_cstr(&out));
	assert_true(h.based && h.validity == 9 && h.last == 17);
	assert_true(span_eq_str(span_trim(h.names), "one three"));
	buf_free(&out);
}

static void test_block_in_place(void **state)
{
	struct mbox_block b = { .uid = 17, .names = names, .content_length = UINT64_MAX };
	struct buf one, two;

	buf_init(&one, 1000);
	buf_init(&two, 1000);
	assert_true(mbox_block_put(&one, &b, 0));
	b.flags = (struct mail_flags){ MAIL_SYSTEM, 5 };
	assert_true(mbox_block_put(&two, &b, one.n));
	assert_int_equal(one.n, two.n);
	assert_true(mbox_block_same_lines(buf_span(&one), buf_span(&two)));
	assert_false(mbox_block_put(&two, &b, 40));
	assert_int_equal(one.n, two.n);
	b.based = true;
	b.validity = b.last = 1;
	buf_clear(&two);
	assert_true(mbox_block_put(&two, &b, 0));
	assert_false(mbox_block_same_lines(buf_span(&one), buf_span(&two)));
	buf_free(&one);
	buf_free(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hidden_lines),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_nothing_hidden),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_block_in_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
