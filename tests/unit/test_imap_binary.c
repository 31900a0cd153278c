/* What a literal8 may hold, however its bytes are cut. */
#include "src/imap/binary.h"

#include "tests/unit/test.h"

static bool lossy(struct span text, size_t cut)
{
	struct imap_binary b = { .n = 0 };

	for (size_t at = 0; at < text.n; at += cut)
		imap_binary_watch(&b, span_cut(text, at, cut));
	return imap_binary_lossy(&b);
}

static void is(bool want, struct span text)
{
	static const size_t cuts[] = { 1, 2, 7, 1000 };

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		assert_int_equal(lossy(text, cuts[i]), want);
}

static void test_text(void **state)
{
	is(false, SPAN(""));
	is(false, SPAN("A: b\r\n\r\nText\r\n"));
	is(false, SPAN("A: b\n\nText\n"));
	is(false, SPAN("A: b\r\n\r\n\xff\xfe\r\n"));
	is(true, SPAN("A: b\r\n\r\nTe\0xt\r\n"));
}

static void test_labelled(void **state)
{
	is(false, SPAN("Content-Transfer-Encoding: binary\r\n\r\nText\r\n"));
	is(true, SPAN("Content-Transfer-Encoding: binary\r\n\r\nTe\nxt\r\n"));
	is(true, SPAN("--b\r\ncontent-transfer-encoding:BINARY\r\n\r\n\n"));
	is(true, SPAN("A: b\n\n--b\nContent-Transfer-Encoding:  binary\n"));
	is(false, SPAN("Content-Transfer-Encoding: 8bit\n\nbinary\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_labelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
