/*
 * Decoders and search: the first byte chooses, the second is the chunk size. Whole or in chunks,
 * the result is the same, and it is valid UTF-8 where that is promised.
 */
#include "mime/search.h"

#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void decode(enum mime_cte cte, struct span in, size_t chunk, struct buf *out)
{
	struct mime_decoder d;

	mime_decoder_init(&d, cte);
	for (size_t i = 0; i < in.n; i += chunk)
		mime_decoder_add(&d, span_cut(in, i, chunk), out);
	mime_decoder_end(&d, out);
}

static void check_cte(enum mime_cte cte, struct span in, size_t chunk)
{
	struct buf a, b;

	buf_init(&a, 2 * in.n + 100);
	buf_init(&b, 2 * in.n + 100);
	decode(cte, in, in.n + 1, &a);
	decode(cte, in, chunk, &b);
	must(!a.failed && span_eq(buf_span(&a), buf_span(&b)));
	must(a.n <= in.n);
	buf_free(&a);
	buf_free(&b);
}

static void convert(struct mime_charsets *cs, const char *charset, struct span in, size_t chunk,
		    struct buf *out)
{
	struct mime_to_utf8 u;

	mime_to_utf8_init(&u, cs, span_str(charset));
	for (size_t i = 0; i < in.n; i += chunk)
		mime_to_utf8_add(&u, span_cut(in, i, chunk), out);
	mime_to_utf8_end(&u, out);
}

static void check_charset(struct mime_charsets *cs, const char *charset, struct span in,
			  size_t chunk)
{
	struct buf out;

	buf_init(&out, 100 * in.n + 100);
	convert(cs, charset, in, chunk, &out);
	must(!out.failed && utf8_valid(buf_span(&out)));
	buf_free(&out);
}

static void check_utf8(struct mime_charsets *cs, struct span in, size_t chunk)
{
	struct buf a, b;

	buf_init(&a, 4 * in.n + 100);
	buf_init(&b, 4 * in.n + 100);
	convert(cs, "utf-8", in, in.n + 1, &a);
	convert(cs, "utf-8", in, chunk, &b);
	must(span_eq(buf_span(&a), buf_span(&b)));
	buf_clear(&a);
	mime_words_decode(cs, in, &a);
	must(a.failed || utf8_valid(buf_span(&a)));
	buf_free(&a);
	buf_free(&b);
}

/* The matcher against the plain way. */
static void check_matcher(struct span in, size_t chunk)
{
	struct mime_matcher m;
	struct span needle = span_cut(in, 0, chunk % 8), text = span_from(in, chunk % 8);

	if (!mime_matcher_init(&m, needle))
		return;
	for (size_t i = 0; i < text.n; i += chunk)
		mime_matcher_add(&m, span_cut(text, i, chunk));
	must(m.found == (span_search(text, span_of(m.needle, m.n)) != SIZE_MAX));
	mime_matcher_free(&m);
}

static void check_search(struct mime_charsets *cs, struct span in, size_t budget)
{
	struct mime_tree t = { 0 };
	struct mime_matcher m;
	struct mime_search s;

	must(mime_matcher_init(&m, SPAN("needle")));
	mime_tree_parse(in, &t);
	mime_search_init(&s, cs, in, &t, &m, 1, true);
	while (mime_search_step(&s, budget) == STEP_SLICE)
		;
	mime_search_free(&s);
	mime_search_header(cs, in, SPAN("subject"), &m);
	mime_tree_free(&t);
	mime_matcher_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const charsets[] = { "utf-8", "iso-8859-1", "iso-2022-jp", "gb18030",
						"utf-7", "utf-16",     "big5",	      "x" };
	struct mime_charsets *cs;
	struct span in = span_of(data, n);
	size_t chunk;

	if (n < 2)
		return 0;
	chunk = 1u + (unsigned char)in.p[1];
	cs = mime_charsets_new();
	check_cte(MIME_CTE_BASE64, span_from(in, 2), chunk);
	check_cte(MIME_CTE_QP, span_from(in, 2), chunk);
	check_charset(cs, charsets[(unsigned char)in.p[0] % 8], span_from(in, 2), chunk);
	check_utf8(cs, span_from(in, 2), chunk);
	check_matcher(span_from(in, 2), chunk);
	check_search(cs, span_from(in, 2), chunk);
	mime_charsets_free(&cs);
	return 0;
}
