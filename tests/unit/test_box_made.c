/* What the bytes of a message tell: the cached fields, the header lines, the preview. */
#include "src/box/made.h"

#include "tests/unit/test.h"

static struct made m;
static struct mime_charsets *cs;

static int begin(void **state)
{
	cs = mime_charsets_new();
	made_init(&m);
	return 0;
}

static int end(void **state)
{
	made_free(&m);
	mime_charsets_free(&cs);
	return 0;
}

static struct span field(const char *message, enum idx_field f)
{
	struct idx_cache c;

	made_from(&m, cs, span_str(message), true);
	made_cache(&m, &c);
	return c.field[f];
}

static void is(struct span got, const char *want)
{
	if (!span_eq_str(got, want))
		fail_msg("got \"%.*s\", not \"%s\"", (int)got.n, got.p ? got.p : "(null)", want);
}

static void test_headers(void **state)
{
	struct span lines = field("From: a@b\nX-Other: no\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\n folded\n"
				  "To: x@y\nto: z@y\nBroken line\n\nFrom: body\n", IDX_HEADERS);
	struct span rest = lines, name, value;

	is(lines, "from: a@b\nsubject: Gr\xc3\xbc\xc3\x9f" "e folded\nto: x@y\nto: z@y\n");
	assert_true(made_headers_next(&rest, &name, &value));
	is(name, "from");
	is(value, "a@b");
	assert_true(made_headers_next(&rest, &name, &value));
	assert_true(made_headers_next(&rest, &name, &value));
	assert_true(made_headers_next(&rest, &name, &value));
	is(value, "z@y");
	assert_false(made_headers_next(&rest, &name, &value));
	assert_true(made_header_kept(SPAN("SUBJECT")));
	assert_false(made_header_kept(SPAN("X-Other")));
}

/* A line end hidden in an encoded word must not become a line of the cache. */
static void test_hidden_line(void **state)
{
	is(field("Subject: =?utf-8?q?a=0Afrom:_evil?=\n\n", IDX_HEADERS), "subject: a from: evil\n");
}

static void test_empty_headers(void **state)
{
	struct span lines = field("X: y\n\n", IDX_HEADERS);

	assert_non_null(lines.p); /* known to be none, not unknown */
	assert_int_equal(lines.n, 0);
}

static void test_too_many(void **state)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 2000; i++)
		buf_add_str(&b, "To: somebody@somewhere.example.org, somebody.else@example.org\n");
	buf_add_str(&b, "\nbody\n");
	assert_null(field(buf_cstr(&b), IDX_HEADERS).p);
	assert_non_null(field(buf_cstr(&b), IDX_ENVELOPE).p);
	buf_free(&b);
}

static void test_preview(void **state)
{
	is(field("Subject: x\n\nhello \n  world\n", IDX_PREVIEW), "hello world");
	is(field("Content-Type: text/html; charset=iso-8859-1\n\n<html><b>Gr\xfc\xdf" "e</b>\n<i>you</i>", IDX_PREVIEW),
	   "Gr\xc3\xbc\xc3\x9f" "e you");
	is(field("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\nno\n--x\n"
		 "Content-Type: text/plain; charset=\"utf-8\"\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n--x--\n",
		 IDX_PREVIEW), "hello");
	is(field("MIME-Version: 1.0\nContent-Type: image/png\n\n\x89PNG", IDX_PREVIEW), "");
}

static void html(const char *body, const char *shown)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	buf_printf(&b, "Content-Type: text/html; charset=utf-8\n\n%s", body);
	is(field(buf_cstr(&b), IDX_PREVIEW), shown);
	buf_free(&b);
}

static void test_preview_html(void **state)
{
	html("<style>p > b { }</style>one<!-- <b> -->two<script>3 < 4</SCRIPT >five", "one two five");
	html("a&amp;b&nbsp;&lt;&gt;&#65;&#x20AC;&quot;", "a&b <>A\xe2\x82\xac\"");
	html("&frob; &#xd800; &#99999999; & &amp &", "&frob; \xef\xbf\xbd \xef\xbf\xbd & &amp &");
	html("seen<style>never ends", "seen");
	html("seen<!-- never ends", "seen");
	html("seen<", "seen");
}

static void test_preview_length(void **state)
{
	struct span preview;
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "Subject: x\nContent-Type: text/plain; charset=utf-8\n\n");
	for (int i = 0; i < 3000; i++)
		buf_add_str(&b, "\xc3\xa4");
	preview = field(buf_cstr(&b), IDX_PREVIEW);
	assert_int_equal(preview.n, 400);
	buf_free(&b);
}

static void test_size(void **state)
{
	made_from(&m, cs, SPAN("A: b\nC: d\r\n\nx"), false);
	assert_int_equal(m.vsize, 15);
	assert_false(m.have[IDX_PREVIEW]);
	made_from(&m, cs, SPAN(""), true);
	assert_int_equal(m.vsize, 0);
}

/* The date of the last Date field, its zone with it, in one number. */
static void test_sent(void **state)
{
	static const struct mime_date dates[] = {
		{ 0, 0 }, { -1, -1439 }, { 1, 1439 }, { 253402300799, 60 }, { -62167219200, 0 }
	};
	struct mime_date d;

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		assert_true(sent_date(sent_pack(dates[i]), &d));
		assert_int_equal(d.utc, dates[i].utc);
		assert_int_equal(d.zone, dates[i].zone);
	}
	made_from(&m, cs, SPAN("Subject: x\n\n"), false);
	assert_int_equal(m.sent, SENT_NONE);
	assert_false(sent_date(m.sent, &d));
	made_from(&m, cs, SPAN("Date: 1 Jan 2020 00:00:00 +0000\nDate: 2 Jan 1970 01:00:00 +0100\n\n"), false);
	assert_true(sent_date(m.sent, &d));
	assert_int_equal(d.utc, 86400);
	assert_int_equal(d.zone, 60);
}

/* Fields that clients ask for: the names stand in front, those that are missing too. */
static void test_asked(void **state)
{
	struct span message = SPAN("X-A: one\n two\nx-b: =?utf-8?q?=C3=A4?=\nX-a: three\nOther: x\n\nX-A: body\n");
	struct span rest, value;
	struct buf out, none;

	buf_init(&out, 1 << 20);
	buf_init(&none, 1 << 20);
	assert_true(made_asked_add(cs, message, SPAN("x-a x-none"), &out));
	assert_string_equal(buf_cstr(&out), "x-a x-none\nx-a: one two\nx-a: three\n");
	assert_true(made_asked_has(buf_span(&out), SPAN("X-None")));
	assert_false(made_asked_has(buf_span(&out), SPAN("x-b")));
	assert_false(made_asked_has(buf_span(&out), SPAN("x-")));
	rest = buf_span(&out);
	assert_true(made_headers_find(&rest, SPAN("X-A"), &value));
	assert_true(span_eq_str(value, "one two"));
	assert_true(made_headers_find(&rest, SPAN("X-A"), &value));
	assert_true(span_eq_str(value, "three"));
	assert_false(made_headers_find(&rest, SPAN("X-A"), &value));
	assert_true(made_asked_name(SPAN("X-Foo")));
	assert_false(made_asked_name(SPAN("")));
	assert_false(made_asked_name(SPAN("a b")));
	assert_false(made_asked_name(SPAN("a\nb")));
	assert_false(made_asked_name(SPAN("a:")));
	/* Too much of it: nothing. */
	buf_clear(&out);
	buf_add_str(&out, "X-A: ");
	while (out.n < 100000)
		buf_add_str(&out, "yyyyyyyyyy\n ");
	buf_add_str(&out, "\n\n");
	value = buf_span(&out);
	assert_false(made_asked_add(cs, value, SPAN("x-a"), &none));
	assert_int_equal(none.n, 0);
	buf_free(&none);
	buf_free(&out);
}

#define T(t) cmocka_unit_test_setup_teardown(t, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sent), T(test_asked), T(test_headers), T(test_hidden_line), T(test_empty_headers), T(test_too_many), T(test_preview),
		T(test_preview_html),
		T(test_preview_length), T(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
