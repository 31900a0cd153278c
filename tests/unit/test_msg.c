#include "ipc/msg.h"

#include "tests/unit/test.h"

static struct msg_in parse(struct msg *m)
{
	struct msg_in in;

	assert_false(m->b.failed);
	assert_true(msg_parse(buf_span(&m->b), &in));
	return in;
}

static void test_round_trip(void **state)
{
	char text[8], ticket[4];
	struct msg_in in;
	struct msg m;

	msg_init(&m, MSG_AUTH_CONT, 0xfeedbeef);
	msg_put_u8(&m, 255);
	msg_put_u16(&m, 0x1234);
	msg_put_u32(&m, UINT32_MAX);
	msg_put_u64(&m, UINT64_MAX - 1);
	msg_put_bool(&m, true);
	msg_put_str(&m, "words");
	msg_put_str(&m, NULL);
	msg_put_span(&m, SPAN("a\0b"));
	msg_put_span(&m, SPAN("tick"));
	in = parse(&m);
	assert_int_equal(in.type, MSG_AUTH_CONT);
	assert_int_equal(in.id, 0xfeedbeef);
	assert_int_equal(msg_get_u8(&in), 255);
	assert_int_equal(msg_get_u16(&in), 0x1234);
	assert_int_equal(msg_get_u32(&in), UINT32_MAX);
	assert_true(msg_get_u64(&in) == UINT64_MAX - 1);
	assert_true(msg_get_bool(&in));
	msg_get_cstr(&in, text, sizeof(text));
	assert_string_equal(text, "words");
	assert_int_equal(msg_get_str(&in, 10).n, 0);
	assert_true(span_eq(msg_get_blob(&in, 3), SPAN("a\0b")));
	assert_false(msg_end(&in)); /* not yet read to its end */
	msg_get_bytes(&in, ticket, sizeof(ticket));
	assert_memory_equal(ticket, "tick", 4);
	assert_true(msg_end(&in));
	msg_get_u8(&in);
	assert_false(msg_end(&in));
	msg_free(&m);
}

/* One thing wrong in each: the getter answers nothing and the message is bad from then on. */
static void test_hostile(void **state)
{
	struct msg_in in;
	char small[3];
	struct msg m;

	msg_init(&m, MSG_AUTH_CONT, 1);
	msg_put_u32(&m, UINT32_MAX); /* a length beyond the end */
	in = parse(&m);
	assert_int_equal(msg_get_blob(&in, SIZE_MAX).n, 0);
	assert_false(msg_end(&in));
	msg_free(&m);

	msg_init(&m, MSG_AUTH_CONT, 1);
	msg_put_span(&m, SPAN("a\0b"));
	in = parse(&m);
	assert_int_equal(msg_get_str(&in, 10).n, 0); /* a NUL in a string */
	assert_false(msg_end(&in));
	in = parse(&m);
	assert_int_equal(msg_get_blob(&in, 2).n, 0); /* longer than allowed */
	assert_int_equal(msg_get_u32(&in), 0);       /* and nothing after it */
	assert_false(msg_end(&in));
	in = parse(&m);
	msg_get_cstr(&in, small, sizeof(small));
	assert_string_equal(small, "");
	assert_false(msg_end(&in));
	msg_free(&m);

	msg_init(&m, MSG_AUTH_CONT, 1);
	msg_put_u8(&m, 2); /* no bool */
	in = parse(&m);
	assert_false(msg_get_bool(&in) || msg_end(&in));
	msg_free(&m);

	assert_false(msg_parse(SPAN("\x04\0\0\0\0\0\0"), &in));      /* short head */
	assert_false(msg_parse(SPAN("\xff\xff\0\0\0\0\0\0"), &in));  /* no such type */
	assert_false(msg_parse(SPAN("\0\0\0\0\0\0\0\0"), &in));
	assert_false(msg_parse(SPAN("\x04\0\x01\0\0\0\0\0"), &in));  /* not zero */
}

static void test_limit(void **state)
{
	static const char block[MSG_MAX];
	struct msg m;

	msg_init(&m, MSG_HANDOFF, 1);
	msg_put_span(&m, span_of(block, MSG_MAX - MSG_HEAD - 4));
	assert_false(m.b.failed);
	msg_put_u8(&m, 1);
	assert_true(m.b.failed);
	msg_free(&m);
}

static void test_groups(void **state)
{
	struct msg_conn c = { SPAN("imap"), SPAN("s1"), SPAN("::1"), SPAN("127.0.0.1"), 1, 2, true, SPAN("TLSv1.3") };
	struct msg_user u = { SPAN("joe"), 1000, 100, SPAN("/home/joe"), SPAN(""), SPAN("a=1\0b=2=3\0c\0") };
	struct span key, value, extra;
	struct msg_conn c2;
	struct msg_user u2;
	struct msg_in in;
	struct msg m;

	msg_init(&m, MSG_ATTACH, 7);
	msg_put_conn(&m, &c);
	msg_put_user(&m, &u);
	in = parse(&m);
	msg_get_conn(&in, &c2);
	msg_get_user(&in, &u2);
	assert_true(msg_end(&in));
	assert_true(span_eq(c2.rip, c.rip) && c2.rport == 1 && c2.lport == 2 && c2.secured);
	assert_true(span_eq(u2.home, u.home) && u2.uid == 1000 && u2.gid == 100);
	extra = u2.extra;
	assert_true(msg_extra_next(&extra, &key, &value) && span_eq_str(key, "a") && span_eq_str(value, "1"));
	assert_true(msg_extra_next(&extra, &key, &value) && span_eq_str(value, "2=3"));
	assert_true(msg_extra_next(&extra, &key, &value) && span_eq_str(key, "c") && value.n == 0);
	assert_false(msg_extra_next(&extra, &key, &value));
	msg_free(&m);

	msg_init(&m, MSG_ATTACH, 7);
	u.user = SPAN("");
	msg_put_user(&m, &u);
	in = parse(&m);
	msg_get_user(&in, &u2);
	assert_false(msg_end(&in));
	msg_free(&m);
}

/* Each row says from whom, to whom and how much; none forgets. */
static void test_rows(void **state)
{
	for (unsigned t = 1; t < MSG_TYPES; t++) {
		const struct msg_row *row = msg_row(t);

		assert_non_null(row);
		assert_true(row->name && row->from && row->to && row->fds <= MSG_FDS_MAX);
		assert_true(row->size_max <= MSG_MAX - MSG_HEAD);
	}
	assert_null(msg_row(0));
	assert_null(msg_row(MSG_TYPES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_hostile), cmocka_unit_test(test_limit),
		cmocka_unit_test(test_groups),     cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
