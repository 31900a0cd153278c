/*
 * roost-extra of anybody. Each line is taken as it is, and again with the checksum that it lacks.
 */
#include "src/store/extra.h"

#include "base/buf.h"
#include "base/must.h"

#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct extra *x = extra_new();
	struct span text = span_of(data, n), line;
	struct buf sealed;

	extra_take(x, text);
	buf_init(&sealed, 1 << 20);
	while (span_split(&text, '\n', &line)) {
		buf_add_span(&sealed, line);
		buf_printf(&sealed, " %08x\n", XXH32(line.p, line.n, 0));
	}
	extra_take(x, buf_span(&sealed));
	for (unsigned bit = 0; bit < 64; bit++)
		must(bit >= 26 || !extra_keyword(x, bit));
	must((extra_keywords_of(x, SPAN("a")) & 0x3ffffff) == 0);
	must(!extra_pending(x));
	buf_free(&sealed);
	extra_free(&x);
	return 0;
}
