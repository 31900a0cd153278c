/* Base subjects and message ids (RFC 5256), and that hostile ones cost linear time. */
#include "mime/msgid.h"
#include "mime/subject.h"

#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

static const struct {
	const char *in, *want;
	bool reply;
} subjects[] = {
	{ "", "", false },
	{ "hello", "hello", false },
	{ " hello \t there  ", "hello there", false },
	{ "Re: hello", "hello", true },
	{ "RE: re:fw: FWD :hello", "hello", true },
	{ "re[2]: hello", "hello", true },
	{ "Re [list] : hello", "hello", true },
	{ "Re", "Re", false },
	{ "Re hello", "Re hello", false },
	{ "reply: hello", "reply: hello", false },
	{ "[list] hello", "hello", false },
	{ "[list] [other] Re: [more] hello", "hello", true },
	{ "[list]", "[list]", false },
	{ "[one][two]", "[two]", false },
	{ "[one] [two] ", "[two]", false },
	{ "[one", "[one", false },
	{ "[o[ne] x", "[o[ne] x", false },
	{ "hello (fwd)", "hello", true },
	{ "hello (FWD) (fwd) ", "hello", true },
	{ "(fwd)", "", true },
	{ "[fwd: hello]", "hello", true },
	{ "[Fwd: Re: [list] hello (fwd)]", "hello", true },
	{ "[fwd: [fwd: hello]]", "hello", true },
	{ "[fwd:]", "", true },
	{ "Re: ", "", true },
	{ "Re: Re: [fwd: re: x ] (fwd)", "x", true },
	{ "[fwd: hello] there", "there", false },
	{ "hello]", "hello]", false },
};

static void test_subjects(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(*subjects); i++) {
		buf_clear(&out);
		bool reply = mime_subject_base(span_str(subjects[i].in), &out);

		assert_string_equal(buf_cstr(&out), subjects[i].want);
		assert_int_equal(reply, subjects[i].reply);
	}
	buf_free(&out);
}

static const struct {
	const char *in, *want; /* each id and a blank */
} ids[] = {
	{ "", "" },
	{ "<a@b>", "a@b " },
	{ " <a@b> <c@d>\r\n\t<e@f>", "a@b c@d e@f " },
	{ "<a@b><c@d>", "a@b c@d " },
	{ "<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com> <01KF8JCEOCBS0045PS@xxx.yyy.com>",
	  "01KF8JCEOCBS0045PS@xxx.yyy.com 01KF8JCEOCBS0045PS@xxx.yyy.com " },
	{ "<A@B> <a@b>", "A@B a@b " },
	{ "Your message of Monday <a@b> \"Joe\" <joe@c>", "a@b joe@c " },
	{ "<a@[1.2.3.4]>", "a@[1.2.3.4] " },
	{ "<a @ b (comment)>", "a@b " },
	{ "a@b", "" },
	{ "<> <@> <a@> <@b> <a@b", "" },
	{ "<a <c@d>", "c@d " },
	{ "<\"a <c@d>", "c@d " },
	{ "<a@b\xc3\xa9>", "a@b\xc3\xa9 " },
};

static void test_ids(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		struct span rest = span_str(ids[i].in);

		buf_clear(&out);
		while (mime_msgid_next(&rest, &out))
			buf_add_char(&out, ' ');
		assert_string_equal(buf_cstr(&out), ids[i].want);
	}
	buf_free(&out);
}

/* Bytes of a pattern over and over; all of it must be seen through in a blink. */
static void check_hostile(const char *head, const char *pattern, const char *tail)
{
	enum { SIZE = 1 << 20 };
	struct buf text, out;
	struct span rest;
	uint64_t start = clock_us();

	buf_init(&text, 2 * SIZE);
	buf_init(&out, 4 * SIZE);
	buf_add_str(&text, head);
	while (text.n < SIZE)
		buf_add_str(&text, pattern);
	buf_add_str(&text, tail);
	mime_subject_base(buf_span(&text), &out);
	rest = buf_span(&text);
	buf_clear(&out);
	while (mime_msgid_next(&rest, &out))
		;
	assert_true(clock_us() - start < 5000000);
	buf_free(&text);
	buf_free(&out);
}

static void test_hostile(void **state)
{
	check_hostile("", "[a]", "");
	check_hostile("", "[a]", "x");
	check_hostile("", "[", "");
	check_hostile("", "re:", "");
	check_hostile("", "re [a]", "");
	check_hostile("", "[fwd:", "]]]]]]");
	check_hostile("", "(fwd)", "");
	check_hostile("", " ", "");
	check_hostile("", "<", "");
	check_hostile("", "<\"", "");
	check_hostile("", "<(", "");
	check_hostile("", "<\"<\"", "");
	check_hostile("", "<a@[", "");
	check_hostile("<", "a.", "");
	check_hostile("", "<a@b>", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
