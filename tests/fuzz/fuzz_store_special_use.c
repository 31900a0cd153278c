/* roost-use of anybody: what is read is what is written again. */
#include "src/store/special_use.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span uses = span_of(data, n), read;
	struct buf out;

	buf_init(&out, SPECIAL_USE_MAX);
	if (special_use_encode(uses, &out)) {
		must(special_use_decode(buf_span(&out), &read));
		must(span_eq(read, uses));
	}
	buf_clear(&out);
	if (special_use_decode(span_of(data, n), &read)) {
		must(special_use_encode(read, &out));
		must(out.n == n);
	}
	buf_free(&out);
	return 0;
}
