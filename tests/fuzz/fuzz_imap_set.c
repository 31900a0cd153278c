/* Sets: what parses is written back and parses to the same set. */
#include "base/must.h"
#include "wire/imap_set.h"
#include "wire/imap_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct set a = SET_EMPTY, b = SET_EMPTY;
	struct buf text;

	buf_init(&text, 1 << 24);
	if (imap_set_parse(span_of(data, size), size % 5 ? 17 : 0, &a)) {
		must(imap_set_looks(span_of(data, size)));
		imap_write_set(&text, &a);
		must(a.n == 0 || imap_set_parse(buf_span(&text), 1, &b));
		must(a.n == b.n);
		for (size_t i = 0; i < a.n; i++) {
			must(a.r[i].first == b.r[i].first && a.r[i].last == b.r[i].last);
			must(a.r[i].first <= a.r[i].last && a.r[i].first > 0);
			must(i == 0 || a.r[i - 1].last + 1 < a.r[i].first);
		}
	}
	set_free(&a);
	set_free(&b);
	buf_free(&text);
	return 0;
}
