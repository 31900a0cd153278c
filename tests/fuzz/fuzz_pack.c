/* Any bytes as a compressed file, in small rooms: never more output than asked for, always an end, and nothing behind it. */
#include "base/must.h"
#include "codec/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { OUT_MOST = 1 << 20 };

static void unpack(enum pack_kind kind, struct span in, size_t room)
{
	struct unpacker *u;
	enum err e = unpacker_new(kind, &u);
	size_t total = 0;
	struct buf out;

	if (e)
		return;
	buf_init(&out, 32768);
	while (!e && (in.n || unpacker_more(u)) && total < OUT_MOST) {
		size_t had = in.n;

		buf_clear(&out);
		e = unpacker_run(u, &in, room, &out);
		must(out.n <= room);
		must(e || in.n < had || out.n || !unpacker_more(u));
		total += out.n;
	}
	must(e == ERR_OK || e == ERR_CORRUPT || e == ERR_MEMORY);
	buf_free(&out);
	unpacker_free(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span in = span_of(data, n);
	enum pack_kind kind = pack_kind_of(span_cut(in, 0, PACK_MAGIC));

	unpack(kind, in, 1 + n % 4096);
	if (n)
		unpack(PACK_GZ + data[0] % 4, span_from(in, 1), 1 + n % 4096);
	return 0;
}
