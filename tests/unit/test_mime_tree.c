#include "mime/tree.h"
#include "mime/crlf.h"
#include "mime/fields.h"

#include <setjmp.h>
#include <stdarg.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/*
 * A part as kind and body in CRLF form with its lines: t "text", m(...) a message, x(...) a
 * multipart, o other.
 */
static void render(struct span message, const struct mime_tree *t, uint32_t i, struct buf *out)
{
	const struct mime_part *p = &t->part[i];
	char kind = p->flags & MIME_PART_MULTIPART ? 'x' : p->flags & MIME_PART_MESSAGE ? 'm' : 'o';

	buf_add_char(out, p->flags & MIME_PART_TEXT ? 't' : kind);
	if (p->child == MIME_NONE) {
		buf_add_char(out, '"');
		for (size_t k = 0; k < p->body_size; k++) {
			char c = mime_part_body(message, p).p[k];

			buf_add_char(out, c == '\n' ? '/' : c == '\r' ? '^' : c);
		}
		buf_add_char(out, '"');
	}
	buf_printf(out, "%u+%u", (unsigned)(p->body_size + p->body_bare), p->body_lines);
	if (p->child == MIME_NONE)
		return;
	buf_add_char(out, '(');
	for (uint32_t c = p->child; c != MIME_NONE; c = t->part[c].next) {
		assert_int_equal(t->part[c].parent, i);
		render(message, t, c, out);
	}
	buf_add_char(out, ')');
}

#define MP(b) "Content-Type: multipart/mixed; boundary=" b "\n"
#define RFC822 "Content-Type: message/rfc822\n"

static const struct {
	const char *in, *want;
} trees[] = {
	{ "", "t\"\"0+0" },
	{ "A: b", "t\"\"0+0" },
	{ "A: b\n\nx\ny", "t\"x/y\"4+1" },
	{ "A: b\r\n\r\nx\r\ny\r\n", "t\"x^/y^/\"6+2" },
	{ "Content-Type: image/png\n\nx", "o\"x\"1+0" },
	{ "Content-Type: garbage\n\nx", "t\"x\"1+0" },
	{ MP("b") "\npre\n--b\n\none\n--b\nA: b\n\ntwo\n\n--b--\nepi\n",
	  "x49+11(t\"one\"3+0t\"two/\"5+1)" },
	{ "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n",
	  "x19+4(t\"one\"3+0)" },
	{ MP("\"b c\"") "\n--b c\n\none", "x12+2(t\"one\"3+0)" },
	/* Trailing blanks; a line that only begins with the boundary; the empty part at the end. */
	{ MP("b") "\n--b \t\n\n1\n--bb\n\n2\n--b\n", "x28+7(t\"1\"1+0t\"2\"1+0t\"\"0+0)" },
	/* Without its line end the last delimiter opens nothing. */
	{ MP("b") "\n--b\n\n1\n--b", "x13+3(t\"1\"1+0)" },
	{ MP("b") "\nno part", "x\"no part\"7+0" },
	{ "Content-Type: multipart/mixed\n\n--b\n\n1", "x\"--b//1\"8+2" },
	{ MP("b") "\n--b--\n--b\n\n1", "x\"--b--/--b//1\"15+3" },
	{ MP("b") "\n--b\nA: no blank line\n--b\n\n1\n--b--", "x38+5(t\"\"0+0t\"1\"1+0)" },
	/*
	 * An outer boundary ends inner parts; the longer of two that match counts, then the inner.
	 */
	{ MP("a") "\n--a\n" MP("b") "\n--b\n\n1\n--a\n\n2\n--a--",
	  "x75+9(x8+2(t\"1\"1+0)t\"2\"1+0)" },
	{ MP("a") "\n--a\n" MP("ab") "\n--ab\n\n1\n--ab--\n--a--", "x75+7(x17+3(t\"1\"1+0))" },
	{ MP("ab") "\n--ab\n" MP("a") "\n--a\n\n1\n--ab--", "x67+6(x8+2(t\"1\"1+0))" },
	{ MP("a") "\n--a\n" MP("a") "\n--a\n\n1\n--a--\n--a\n\n2\n--a--",
	  "x82+10(x15+3(t\"1\"1+0)t\"2\"1+0)" },
	{ RFC822 "\nA: b\n\nx", "m9+2(t\"x\"1+0)" },
	{ RFC822 "\n", "m0+0(t\"\"0+0)" },
	{ RFC822 "\n" RFC822 "\nA: b\n\nx", "m41+4(m9+2(t\"x\"1+0))" },
	{ MP("b") "\n--b\n" RFC822 "\nA: b\n--b--", "x48+4(m4+0(t\"\"0+0))" },
	{ "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: b\n\nx\n--b\nContent-Type: "
	  "text/plain\n\nA\n--b--",
	  "x59+9(m9+2(t\"x\"1+0)t\"A\"1+0)" },
	{ MP("\"\"") "\n--\n\nx\n----", "x13+3(t\"x\"1+0)" },
};

static void test_trees(void **state)
{
	struct mime_tree t = { 0 };

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct span in = span_str(trees[i].in);
		struct buf out;

		buf_init(&out, 10000);
		mime_tree_parse(in, &t);
		render(in, &t, 0, &out);
		assert_string_equal(buf_cstr(&out), trees[i].want);
		assert_int_equal(mime_tree_size(&t), mime_crlf_size(in));
		buf_free(&out);
	}
	mime_tree_free(&t);
}

static void test_nul(void **state)
{
	struct mime_tree t = { 0 };

	mime_tree_parse(SPAN("A: b\n\nx\0y"), &t);
	assert_true(t.part[0].flags & MIME_PART_NUL);
	assert_int_equal(t.part[0].body_size, 3);
	mime_tree_parse(SPAN("A: b\n\nxy"), &t);
	assert_false(t.part[0].flags & MIME_PART_NUL);
	mime_tree_free(&t);
}

static uint32_t depth_of(const struct mime_tree *t, uint32_t i)
{
	uint32_t d = 1;

	for (; t->part[i].parent != MIME_NONE; i = t->part[i].parent)
		d++;
	return d;
}

static void same_trees(const struct mime_tree *a, const struct mime_tree *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_memory_equal(&a->part[i], &b->part[i], sizeof(a->part[i]));
}

/* What is written is read back. */
static void check_coding(const struct mime_tree *t)
{
	struct mime_tree u = { 0 };
	struct buf out;

	buf_init(&out, 4 << 20);
	mime_tree_encode(t, &out);
	assert_int_equal(mime_tree_decode(buf_span(&out), &u), ERR_OK);
	same_trees(t, &u);
	mime_tree_free(&u);
	buf_free(&out);
}

static void check_depth(unsigned nested, bool multiparts)
{
	struct mime_tree t = { 0 };
	struct buf in;

	buf_init(&in, 1 << 20);
	for (unsigned i = 0; i < nested; i++) {
		if (multiparts)
			buf_printf(&in, MP("b%u.") "\n--b%u.\n", i, i);
		else
			buf_add_str(&in, RFC822 "\n");
	}
	buf_add_str(&in, "\nx");
	mime_tree_parse(buf_span(&in), &t);
	assert_int_equal(t.n, nested < MIME_DEPTH_MAX ? nested + 1 : MIME_DEPTH_MAX);
	assert_int_equal(depth_of(&t, (uint32_t)t.n - 1), t.n);
	assert_int_equal(t.part[t.n - 1].child, MIME_NONE);
	check_coding(&t);
	mime_tree_free(&t);
	buf_free(&in);
}

static void test_depth(void **state)
{
	for (unsigned n = MIME_DEPTH_MAX - 2; n < MIME_DEPTH_MAX + 3; n++) {
		check_depth(n, true);
		check_depth(n, false);
	}
	check_depth(10000, true);
	check_depth(10000, false);
}

static void check_count(unsigned children)
{
	struct mime_tree t = { 0 };
	struct buf in;

	buf_init(&in, 4 << 20);
	buf_add_str(&in, MP("b") "\n");
	for (unsigned i = 0; i < children; i++)
		buf_add_str(&in, "--b\n\nx\n");
	mime_tree_parse(buf_span(&in), &t);
	assert_int_equal(t.n, children < MIME_PARTS_MAX ? children + 1 : MIME_PARTS_MAX);
	assert_int_equal(t.part[0].children, t.n - 1);
	assert_int_equal(mime_tree_size(&t), mime_crlf_size(buf_span(&in)));
	check_coding(&t);
	mime_tree_free(&t);
	buf_free(&in);
}

static void test_count(void **state)
{
	for (unsigned n = MIME_PARTS_MAX - 2; n < MIME_PARTS_MAX + 2; n++)
		check_count(n);
	check_count(100000);
}

/* Every damaged byte, every cut: refused, or a tree that stays inside itself; never a crash. */
static void check_damage(struct span good)
{
	struct mime_tree t = { 0 };
	struct buf bad;

	buf_init(&bad, 10000);
	for (size_t i = 0; i < good.n; i++) {
		assert_int_equal(mime_tree_decode(span_cut(good, 0, i), &t), ERR_CORRUPT);
		for (int bit = 0; bit < 8; bit++) {
			buf_clear(&bad);
			buf_add_span(&bad, good);
			bad.p[i] ^= (char)(1 << bit);
			if (mime_tree_decode(buf_span(&bad), &t) == ERR_OK)
				assert_true(t.n >= 1);
		}
	}
	buf_clear(&bad);
	buf_add_span(&bad, good);
	buf_add_char(&bad, '\0');
	assert_int_equal(mime_tree_decode(buf_span(&bad), &t), ERR_CORRUPT);
	mime_tree_free(&t);
	buf_free(&bad);
}

static void test_encode(void **state)
{
	struct mime_tree t = { 0 }, u = { 0 };

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct buf out;

		buf_init(&out, 10000);
		mime_tree_parse(span_str(trees[i].in), &t);
		mime_tree_encode(&t, &out);
		assert_int_equal(mime_tree_decode(buf_span(&out), &u), ERR_OK);
		same_trees(&t, &u);
		check_damage(buf_span(&out));
		buf_free(&out);
	}
	mime_tree_free(&t);
	mime_tree_free(&u);
}

/* A tree of another message must not lead outside of this one. */
static void test_foreign(void **state)
{
	struct mime_tree t = { 0 };
	struct span other = SPAN("A: b");

	mime_tree_parse(SPAN(RFC822 "\nA: b\n\nxxxxxxxxxxxxxxxx"), &t);
	for (size_t i = 0; i < t.n; i++) {
		assert_true(mime_part_header(other, &t.part[i]).n <= other.n);
		assert_int_equal(mime_part_body(other, &t.part[i]).n, 0);
	}
	mime_tree_free(&t);
}

static void same_fields(const struct mime_fields *a, const struct mime_fields *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->all, b->all);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->f[i].name, b->f[i].name);
		assert_true(span_eq(a->f[i].value, b->f[i].value));
	}
}

/* Parsed first bytes first, then by step. */
static void parse_cut(struct span in, size_t first, size_t step, struct mime_tree *t, struct mime_fields *f)
{
	struct mime_parser *p = mime_parser_new(in, t, f);
	size_t slices = 1;

	for (enum step s = mime_parser_step(p, first); s != STEP_DONE; slices++)
		s = mime_parser_step(p, step);
	assert_int_equal(slices, in.n <= first ? 1 : 1 + (in.n - first - 1) / step + 1);
	mime_parser_free(&p);
	assert_null(p);
}

/* However a message is cut into slices, within lines, line ends, boundaries and headers: the tree is that of the whole. */
static void check_cuts(struct span in)
{
	struct mime_tree t = { 0 }, u = { 0 };
	struct mime_fields f = { 0 }, g = { 0 };

	mime_tree_parse_fields(in, &t, &f);
	for (size_t cut = 1; cut <= in.n; cut++) {
		parse_cut(in, cut, in.n, &u, &g);
		same_trees(&t, &u);
		same_fields(&f, &g);
		parse_cut(in, cut, cut, &u, &g);
		same_trees(&t, &u);
		same_fields(&f, &g);
	}
	mime_tree_free(&t);
	mime_tree_free(&u);
	mime_fields_free(&f);
	mime_fields_free(&g);
}

static void test_cuts(void **state)
{
	static const char odd[] =
		"Subject: odd\r\nDate: now\n\tfolded\n" MP("\"a--\"") "MIME-Version: 1.0\r\n\r\n"
		"before\n--a\n--a--\r\nSubject: \r\n\r\n\r\r\n-\n--\n-- a--\n--a--x\n" RFC822 "\n" MP("a--b") "\r\n"
		"--a--b\n\n--a--b\n" MP("c") "\n--c\n\0\n--c--\r\n--a--b\r\nno end of header\n--a--b--\nbehind\n"
		"--a--\n" RFC822 "\n" RFC822 "\r\n\r--a--\r\n\r\n--a----\n\n--a--\nA: b\n\n--a--b";
	struct buf long_lines;

	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++)
		check_cuts(span_str(trees[i].in));
	check_cuts(span_of(odd, sizeof(odd) - 1));
	buf_init(&long_lines, 10000);
	buf_add_str(&long_lines, MP("x") "\n--x");
	for (int i = 0; i < 300; i++)
		buf_add_str(&long_lines, i == 150 ? "\r\n\r\n--x" : "--x\r");
	check_cuts(buf_span(&long_lines));
	buf_free(&long_lines);
}

/* Given up midway. */
static void test_given_up(void **state)
{
	struct mime_tree t = { 0 };
	struct mime_parser *p = mime_parser_new(SPAN(MP("x") "\n--x\n\nbody\n--x--\n"), &t, NULL);

	assert_int_equal(mime_parser_step(p, 50), STEP_SLICE);
	mime_parser_free(&p);
	mime_tree_parse(SPAN("A: b\n\nc"), &t);
	assert_int_equal(t.n, 1);
	mime_tree_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),  cmocka_unit_test(test_nul),
		cmocka_unit_test(test_depth),  cmocka_unit_test(test_count),
		cmocka_unit_test(test_encode), cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_cuts),   cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
