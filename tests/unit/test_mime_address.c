#include "mime/address.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static void add_part(struct buf *out, struct span s)
{
	if (s.p)
		buf_add_span(out, s);
	else
		buf_add_char(out, '-');
}

/* "name|route|mailbox|domain" each, "{mailbox" opens and "}" closes a group; '-' is absent. */
static void render(struct span in, struct buf *out)
{
	struct mime_addrs w;
	struct mime_addr a;

	mime_addrs_init(&w, in);
	while (mime_addrs_next(&w, &a)) {
		if (out->n)
			buf_add_char(out, ' ');
		if (a.kind == MIME_ADDR_MAILBOX) {
			add_part(out, a.name);
			buf_add_char(out, '|');
			add_part(out, a.route);
			buf_add_char(out, '|');
			add_part(out, a.mailbox);
			buf_add_char(out, '|');
			add_part(out, a.domain);
		} else {
			buf_add_char(out, a.kind == MIME_ADDR_GROUP ? '{' : '}');
			buf_add_span(out, a.mailbox);
		}
	}
	mime_addrs_free(&w);
}

static const struct {
	const char *in, *want;
} lists[] = {
	{ "", "" },
	{ " \r\n ", "" },
	{ "(just a comment)", "" },
	{ "ann@x.example", "-|-|ann|x.example" },
	{ "Ann <ann@x.example>", "Ann|-|ann|x.example" },
	{ "Ann B. Cee <ann@x.example>, bob@y.example",
	  "Ann B. Cee|-|ann|x.example -|-|bob|y.example" },
	{ "\"Cee, Ann \\\"A\\\"\" <ann@x.example>", "Cee, Ann \"A\"|-|ann|x.example" },
	{ "ann@x.example (Ann Cee)", "Ann Cee|-|ann|x.example" },
	{ "ann@x.example (Ann (the\r\n first) \\) Cee)", "Ann (the first) ) Cee|-|ann|x.example" },
	{ "Ann <ann@x.example> (not a name)", "Ann|-|ann|x.example" },
	{ "(one) ann (two) @ (three) x (four) . example", "four|-|ann|x.example" },
	{ "ann . cee @ x . example", "-|-|ann.cee|x.example" },
	{ "\"ann cee\"@x.example", "-|-|ann cee|x.example" },
	{ "\"\"@x.example", "-|-||x.example" },
	{ "ann@[192.0.2.1]", "-|-|ann|[192.0.2.1]" },
	{ "<@a,@b:ann@x.example>", "-|@a,@b|ann|x.example" },
	{ "Friends: ann@x, Bob <bob@y>;, cee@z", "{Friends -|-|ann|x Bob|-|bob|y } -|-|cee|z" },
	{ "undisclosed-recipients:;", "{undisclosed-recipients }" },
	{ "Open: ann@x", "{Open -|-|ann|x }" },
	{ "Open:", "{Open }" },
	{ "a: b: c@d;", "{a -|-|b|MISSING_DOMAIN }" },
	{ ",, ann@x ,, bob@y,", "-|-|ann|x -|-|bob|y" },
	{ "g: , ann@x , ;", "{g -|-|ann|x }" },
	{ "=?utf-8?q?=C3=84?= <ann@x>", "=?utf-8?q?=C3=84?=|-|ann|x" },
	{ "\xc3\x84 <ann@x>", "\xc3\x84|-|ann|x" },
	{ "ann", "-|-|ann|MISSING_DOMAIN" },
	{ "Ann Cee", "Ann Cee|-|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "Ann <>", "Ann|-|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "Ann <ann@>", "Ann|-|ann|SYNTAX_ERROR" },
	{ "Ann <ann@x, bob@y", "Ann|-|ann|SYNTAX_ERROR -|-|bob|y" },
	{ "Ann <@x>", "Ann|INVALID_ROUTE|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "@x", "-|-|MISSING_MAILBOX|x" },
	{ "ann@", "-|-|ann|MISSING_DOMAIN" },
	{ "ann cee@x", "ann cee|-|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "\"no end <ann@x>, bob@y", "-|-|MISSING_MAILBOX|MISSING_DOMAIN -|-|bob|y" },
	{ "ann@x (no end, bob@y", "-|-|ann|x -|-|bob|y" },
	{ "ann@x bob@y, cee@z", "-|-|ann|x -|-|cee|z" },
	{ "ann@x\rTo: bob@y, cee@z", "-|-|ann|x" },
	{ "ann@x,\r bob@y\r\n , cee@z\r", "-|-|ann|x -|-|bob|y -|-|cee|z" },
	{ "ann@x\\", "-|-|ann|x" },
	{ "\"ann\\", "-|-|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "(\\", "-|-|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "<", "-|-|MISSING_MAILBOX|SYNTAX_ERROR" },
	{ "[", "-|-|MISSING_MAILBOX|MISSING_DOMAIN" },
	{ "a@[", "-|-|a|MISSING_DOMAIN" },
};

static void test_lists(void **state)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct buf out;

		buf_init(&out, 1000);
		render(span_str(lists[i].in), &out);
		assert_string_equal(buf_cstr(&out), lists[i].want);
		buf_free(&out);
	}
}

static void test_nul(void **state)
{
	struct buf out;

	buf_init(&out, 1000);
	render(SPAN("a\0b@c, d@e"), &out);
	assert_string_equal(buf_cstr(&out), "-|-|a|MISSING_DOMAIN -|-|d|e");
	buf_free(&out);
}

static void test_cap(void **state)
{
	struct mime_addrs w;
	struct mime_addr a;
	struct buf in;
	unsigned n = 0;

	buf_init(&in, 1 << 20);
	buf_add_str(&in, "g:");
	for (unsigned i = 0; i < MIME_ADDRS_MAX + 10; i++)
		buf_add_str(&in, "a@b,");
	mime_addrs_init(&w, buf_span(&in));
	while (mime_addrs_next(&w, &a))
		n++;
	assert_int_equal(n, MIME_ADDRS_MAX + 1);
	assert_int_equal(a.kind, MIME_ADDR_GROUP_END);
	mime_addrs_free(&w);
	buf_free(&in);
}

static void test_first_mailbox(void **state)
{
	struct buf out;

	buf_init(&out, 100);
	mime_addr_first_mailbox(SPAN("Ann <ann@x>, bob@y"), &out);
	assert_string_equal(buf_cstr(&out), "ann");
	buf_clear(&out);
	mime_addr_first_mailbox(SPAN(""), &out);
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_cap),
		cmocka_unit_test(test_first_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
