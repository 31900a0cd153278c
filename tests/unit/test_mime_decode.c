#include "mime/decode.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static void decode(enum mime_cte cte, struct span in, size_t chunk, struct buf *out)
{
	struct mime_decoder d;

	mime_decoder_init(&d, cte);
	for (size_t i = 0; i < in.n; i += chunk)
		mime_decoder_add(&d, span_cut(in, i, chunk), out);
	mime_decoder_end(&d, out);
}

static const struct {
	enum mime_cte cte;
	const char *in, *want;
} encodings[] = {
	{ MIME_CTE_IDENTITY, "a=20\n", "a=20\n" },
	{ MIME_CTE_BASE64, "aGVsbG8=", "hello" },
	{ MIME_CTE_BASE64, "aGVs\r\nbG8", "hello" },
	{ MIME_CTE_BASE64, "aGVsbG8=\naGVsbG8=\n", "hellohello" },
	{ MIME_CTE_BASE64, "a!G*V s_b-G8==", "hello" },
	{ MIME_CTE_BASE64, "====", "" },
	{ MIME_CTE_BASE64, "a", "" },
	{ MIME_CTE_QP, "a=3Db=3d\n", "a=b=\n" },
	{ MIME_CTE_QP, "soft=\nline=\r\nend= \t\n.", "softlineend." },
	{ MIME_CTE_QP, "blanks  \nand \t\r\nkept x", "blanks\nand\r\nkept x" },
	{ MIME_CTE_QP, "=4", "=4" },
	{ MIME_CTE_QP, "=", "" },
	{ MIME_CTE_QP, "a=zb =x=4x==41", "a=zb =x=4x=A" },
	{ MIME_CTE_QP, "end \t", "end" },
	{ MIME_CTE_QP, "end= ", "end" },
	{ MIME_CTE_QP, "=4\n=4=41", "=4\n=4A" },
	{ MIME_CTE_QP, "a\rb\r", "a\rb\r" },
	{ MIME_CTE_QP, "a=\rb", "a=\rb" },
	{ MIME_CTE_QP, "=20 \n", " \n" },
	{ MIME_CTE_QP, "a = 41", "a = 41" },
};

static void test_encodings(void **state)
{
	for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		for (size_t chunk = 1; chunk < 8; chunk++) {
			struct buf out;

			buf_init(&out, 1000);
			decode(encodings[i].cte, span_str(encodings[i].in), chunk, &out);
			assert_string_equal(buf_cstr(&out), encodings[i].want);
			buf_free(&out);
		}
	}
}

/* Whole runs are taken at once; it must come out as byte by byte. */
static void test_qp_runs(void **state)
{
	static const char bytes[] = "aaaaabc  \t\r\n\n==4A";
	unsigned seed = 7;

	for (int round = 0; round < 20000; round++) {
		char text[64];
		size_t n = (size_t)rand_r(&seed) % sizeof(text);
		struct buf one, many;

		for (size_t i = 0; i < n; i++)
			text[i] = bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
		buf_init(&one, 1000);
		buf_init(&many, 1000);
		decode(MIME_CTE_QP, span_of(text, n), 1, &one);
		decode(MIME_CTE_QP, span_of(text, n), (size_t)rand_r(&seed) % 64 + 1, &many);
		assert_int_equal(one.n, many.n);
		assert_memory_equal(buf_cstr(&one), buf_cstr(&many), one.n);
		buf_free(&one);
		buf_free(&many);
	}
}

static void test_cte(void **state)
{
	assert_int_equal(mime_cte_of(SPAN(" BASE64 (really)")), MIME_CTE_BASE64);
	assert_int_equal(mime_cte_of(SPAN("(x)quoted-Printable;")), MIME_CTE_QP);
	assert_int_equal(mime_cte_of(SPAN("8bit")), MIME_CTE_IDENTITY);
	assert_int_equal(mime_cte_of(SPAN("")), MIME_CTE_IDENTITY);
}

static void test_cte_of_part(void **state)
{
	static const struct {
		const char *header;
		bool known;
		enum mime_cte cte;
	} cases[] = {
		{ "", true, MIME_CTE_IDENTITY },
		{ "Content-Transfer-Encoding: (why) base64\n\n", true, MIME_CTE_BASE64 },
		{ "Content-Transfer-Encoding: quoted-printable;\n\n", true, MIME_CTE_QP },
		{ "Content-Transfer-Encoding:\n\n", true, MIME_CTE_IDENTITY },
		{ "Content-Transfer-Encoding: () 8BIT\n\n", true, MIME_CTE_IDENTITY },
		{ "Content-Transfer-Encoding: (c) x-odd\n\n", false, MIME_CTE_IDENTITY },
		{ "Content-Transfer-Encoding: 7-bit\n\n", false, MIME_CTE_IDENTITY },
		{ "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n", true, MIME_CTE_BASE64 },
	};
	enum mime_cte cte;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(mime_cte_of_part(span_str(cases[i].header), &cte), cases[i].known);
		assert_int_equal(cte, cases[i].cte);
	}
}

#define BAD "\xef\xbf\xbd"

static const struct {
	const char *charset, *in, *want;
} texts[] = {
	{ "utf-8", "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
	  "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
	{ "UTF8", "a\xff\xc3(\xed\xa0\x80", "a" BAD BAD "(" BAD BAD BAD },
	{ "us-ascii", "a\xc3\xa4", "a\xc3\xa4" },
	{ "iso-8859-1",
	  "\xe4"
	  "b",
	  "\xc3\xa4"
	  "b" },
	{ "windows-1252", "\x80", "\xe2\x82\xac" },
	{ "iso-2022-jp", "\x1b$B$\"\x1b(Bx", "\xe3\x81\x82x" },
	{ "utf-16be", "\0a", "" },
	{ "no-such-charset", "a\xc3\xa4\xe4", "a\xc3\xa4" BAD },
	{ "utf-8//IGNORE", "a\xff", "a" BAD },
	{ "../../x", "a\xff", "a" BAD },
	{ "ISO-2022-CN-EXT", "a\xff", "a" BAD },
	{ "", "a\xff", "a" BAD },
	{ "utf-8", "a\xe2\x82", "a" BAD },
	{ "gb2312", "\xc4\xe3\xba", "\xe4\xbd\xa0" BAD },
};

static void test_charsets(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (size_t chunk = 1; chunk < 12; chunk++) {
			struct span in = span_str(texts[i].in);
			struct mime_to_utf8 u;
			struct buf out;

			buf_init(&out, 1000);
			mime_to_utf8_init(&u, cs, span_str(texts[i].charset));
			for (size_t k = 0; k < in.n; k += chunk)
				mime_to_utf8_add(&u, span_cut(in, k, chunk), &out);
			mime_to_utf8_end(&u, &out);
			assert_string_equal(buf_cstr(&out), texts[i].want);
			buf_free(&out);
		}
	}
	mime_charsets_free(&cs);
	mime_charsets_free(&cs);
}

static void test_known(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();
	char name[32];

	assert_true(mime_charsets_known(cs, SPAN("Utf-8")));
	assert_true(mime_charsets_known(cs, SPAN("US-ASCII")));
	assert_true(mime_charsets_known(cs, SPAN("ISO-8859-15")));
	assert_false(mime_charsets_known(cs, SPAN("X-NOBODY")));
	assert_false(mime_charsets_known(cs, SPAN("")));
	for (int i = 1; i < 16; i++) {
		snprintf(name, sizeof(name), "iso-8859-%d", i);
		mime_charsets_known(cs, span_str(name));
	}
	assert_true(mime_charsets_known(cs, SPAN("ISO-8859-1")));
	mime_charsets_free(&cs);
}

static const struct {
	const char *in, *want;
} values[] = {
	{ "plain text", "plain text" },
	{ "a\r\n b", "a b" },
	{ "=?iso-8859-1?q?K=F6ln_am?= Rhein", "K\xc3\xb6ln am Rhein" },
	{ "=?UTF-8?B?w6Q=?=", "\xc3\xa4" },
	{ "x =?utf-8*de?Q?=C3=A4?= y", "x \xc3\xa4 y" },
	/* Blanks between words go; a character cut in two by the sender is whole again. */
	{ "=?utf-8?q?a?= \r\n =?utf-8?q?b?= c", "ab c" },
	{ "=?utf-8?q?=C3?= =?utf-8?b?pA==?=", "\xc3\xa4" },
	{ "=?utf-8?q?=C3?= =?iso-8859-1?q?=E4?=", BAD "\xc3\xa4" },
	{ "=?utf-8?q?a b?=", "a b" },
	{ "=?utf-8?x?a?= =?utf-8?q?a =?", "=?utf-8?x?a?= =?utf-8?q?a =?" },
	{ "=??q?a?=", "=??q?a?=" },
	{ "=?=?=?utf-8?q?z?=", "=?=?z" },
	{ "=?utf-8?q?"
	  "?=x",
	  "x" },
	{ "=?x-none?q?=E4?=", BAD },
	{ "raw \xc3\xa4 \xe4", "raw \xc3\xa4 " BAD },
	{ "=?", "=?" },
	{ "=?utf-8?q?a?", "=?utf-8?q?a?" },
};

static void test_words(void **state)
{
	struct mime_charsets *cs = mime_charsets_new();

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct buf out;

		buf_init(&out, 1000);
		mime_words_decode(cs, span_str(values[i].in), &out);
		assert_string_equal(buf_cstr(&out), values[i].want);
		buf_free(&out);
	}
	mime_charsets_free(&cs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodings), cmocka_unit_test(test_qp_runs), cmocka_unit_test(test_cte),
		cmocka_unit_test(test_cte_of_part),
		cmocka_unit_test(test_charsets),  cmocka_unit_test(test_known),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
