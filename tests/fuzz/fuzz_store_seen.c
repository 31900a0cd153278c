/* roost-seen of anybody: what is read is a set, and what is written of it is read as the same. */
#include "src/store/seen.h"

#include "base/must.h"

#include <stdio.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void written_again(const struct seen_facts *f)
{
	struct seen_facts again = { .floor = 0 };
	struct set rest = SET_EMPTY;
	struct buf out;

	buf_init(&out, 1 << 20);
	must(seen_encode(f, &out));
	must(seen_decode(buf_span(&out), &again));
	must(again.d.uidvalidity == f->d.uidvalidity && again.floor == f->floor && again.d.log_seq == f->d.log_seq &&
	     again.d.log_end == f->d.log_end && set_count(&again.d.uids) == set_count(&f->d.uids));
	set_copy(&rest, &again.d.uids);
	set_remove_set(&rest, &f->d.uids);
	must(rest.n == 0);
	set_free(&again.d.uids);
	set_free(&rest);
	buf_free(&out);
}

/* The input with a right checksum, for what lies behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct seen_facts f = { .floor = 0 };
	struct buf text;

	if (seen_decode(span_of(data, n), &f))
		written_again(&f);
	buf_init(&text, 1 << 20);
	buf_add(&text, data, n);
	buf_printf(&text, " %08x\n", XXH32(data, n, 0));
	if (seen_decode(buf_span(&text), &f))
		written_again(&f);
	buf_free(&text);
	set_free(&f.d.uids);
	return 0;
}
