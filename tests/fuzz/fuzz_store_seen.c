/* roost-seen of anybody: what is read is a set, and what is written of it is read as the same. */
#include "src/store/seen.h"

#include "base/must.h"

#include <stdio.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void written_again(uint32_t uidvalidity, const struct set *uids)
{
	struct set again = SET_EMPTY, rest = SET_EMPTY;
	struct buf out;
	uint32_t v;

	buf_init(&out, 1 << 20);
	must(seen_encode(uidvalidity, uids, &out));
	must(seen_decode(buf_span(&out), &v, &again));
	must(v == uidvalidity && set_count(&again) == set_count(uids));
	set_copy(&rest, &again);
	set_remove_set(&rest, uids);
	must(rest.n == 0);
	set_free(&again);
	set_free(&rest);
	buf_free(&out);
}

/* The input with a right checksum, for what lies behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct set uids = SET_EMPTY;
	struct buf text;
	uint32_t v;

	if (seen_decode(span_of(data, n), &v, &uids))
		written_again(v, &uids);
	buf_init(&text, 1 << 20);
	buf_add(&text, data, n);
	buf_printf(&text, " %08x\n", XXH32(data, n, 0));
	if (seen_decode(buf_span(&text), &v, &uids))
		written_again(v, &uids);
	buf_free(&text);
	set_free(&uids);
	return 0;
}
