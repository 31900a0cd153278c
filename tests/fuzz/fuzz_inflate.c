/* Any bytes, in small rooms: never more output than asked for, and always an end. */
#include "base/must.h"
#include "codec/deflate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inflater *z = inflater_new();
	struct span in = span_of(data, n);
	enum err e = ERR_OK;
	struct buf out;

	buf_init(&out, 4096);
	while (!e && (in.n || inflater_more(z))) {
		size_t had = in.n;

		buf_clear(&out);
		e = inflater_run(z, &in, 1 + n % 4096, &out);
		must(out.n <= 1 + n % 4096);
		must(e || in.n < had || out.n || !inflater_more(z));
	}
	must(e == ERR_OK || e == ERR_CORRUPT || e == ERR_CLOSED);
	buf_free(&out);
	inflater_free(&z);
	return 0;
}
