/* Folding takes any bytes, answers valid UTF-8, and folding that once more changes nothing. */
#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf once, twice;

	buf_init(&once, 64 * n + 64);
	buf_init(&twice, 64 * 64 * n + 64);
	utf8_fold(span_of(data, n), &once);
	must(!once.failed && utf8_valid(buf_span(&once)));
	utf8_fold(buf_span(&once), &twice);
	must(!twice.failed && utf8_valid(buf_span(&twice)));
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
