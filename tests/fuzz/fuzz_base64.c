/* Whatever decodes must encode to the same text again: the decoder accepts only the canonical spelling. */
#include "base/base64.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = span_of(data, n);
	struct buf raw, text;

	buf_init(&raw, n);
	buf_init(&text, n + 4);
	if (base64_decode(in, &raw)) {
		base64_encode(buf_span(&raw), &text);
		must(span_eq(buf_span(&text), in));
	}
	buf_free(&raw);
	buf_free(&text);
	return 0;
}
