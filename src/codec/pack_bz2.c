/* bzip2. */
#include "pack.h"

#include "base/mem.h"

#ifdef HAVE_BZ2
#include <bzlib.h>
#include <limits.h>

static void bz2_feed(bz_stream *z, const struct pack_io *io)
{
	z->next_in = (char *)(uintptr_t)io->in.p;
	z->avail_in = io->in.n < INT_MAX ? (unsigned)io->in.n : INT_MAX;
	z->next_out = io->out;
	z->avail_out = (unsigned)io->room;
}

static void bz2_moved(const bz_stream *z, struct pack_io *io)
{
	io->in = span_from(io->in, (size_t)(z->next_in - io->in.p));
	io->out = z->next_out;
	io->room = z->avail_out;
}

static void *bz2_unpack_open(void)
{
	bz_stream *z = mem_alloc(sizeof(*z));

	if (BZ2_bzDecompressInit(z, 0, 0) == BZ_OK)
		return z;
	free(z);
	return NULL;
}

static void bz2_unpack_close(void *state)
{
	BZ2_bzDecompressEnd(state);
	free(state);
}

static enum err bz2_unpack(void *state, struct pack_io *io)
{
	int res;

	bz2_feed(state, io);
	res = BZ2_bzDecompress(state);
	bz2_moved(state, io);
	if (res == BZ_OK)
		return ERR_OK;
	if (res == BZ_STREAM_END)
		return ERR_CLOSED;
	return res == BZ_MEM_ERROR ? ERR_MEMORY : ERR_CORRUPT;
}

static void *bz2_pack_open(int level)
{
	bz_stream *z = mem_alloc(sizeof(*z));

	if (BZ2_bzCompressInit(z, level, 0, 0) == BZ_OK)
		return z;
	free(z);
	return NULL;
}

static void bz2_pack_close(void *state)
{
	BZ2_bzCompressEnd(state);
	free(state);
}

static enum err bz2_pack(void *state, struct pack_io *io, bool last)
{
	bool all = last && io->in.n < INT_MAX;
	int res;

	if (!io->in.n && !last)
		return ERR_OK;
	bz2_feed(state, io);
	res = BZ2_bzCompress(state, all ? BZ_FINISH : BZ_RUN);
	bz2_moved(state, io);
	return res == BZ_STREAM_END ? ERR_CLOSED : ERR_OK;
}

const struct pack_coder pack_bz2 = { "bz2", 1, 9, 9, bz2_unpack_open, bz2_unpack_close, bz2_unpack,
				     bz2_pack_open, bz2_pack_close, bz2_pack };
#endif
