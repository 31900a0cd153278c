/* Any bytes as a message: the fields that are cached, the preview, and the cached header lines read back. */
#include "src/box/made.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct mime_charsets *cs;
	struct mime_tree tree = { NULL, 0, 0 };
	struct span name, value, rest;
	struct idx_cache c;
	struct made m;

	if (!cs)
		cs = mime_charsets_new();
	made_init(&m);
	made_from(&m, cs, span_of((const char *)data, n), true);
	made_cache(&m, &c);
	must(m.vsize >= n && m.vsize <= 2 * n);
	rest = c.field[IDX_HEADERS];
	while (made_headers_next(&rest, &name, &value))
		must(made_header_kept(name));
	if (c.field[IDX_PARTS].p)
		must(mime_tree_decode(c.field[IDX_PARTS], &tree) == ERR_OK && tree.n == m.tree.n);
	mime_tree_free(&tree);
	/* And the bytes as a cache record of headers. */
	rest = span_of((const char *)data, n);
	while (made_headers_next(&rest, &name, &value))
		must(value.n <= n);
	made_free(&m);
	return 0;
}
