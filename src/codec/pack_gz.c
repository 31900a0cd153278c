/* gzip by zlib. */
#include "pack.h"

#include "base/mem.h"

#include <limits.h>
#include <zlib.h>

enum {
	GZ_WINDOW = 15 + 16, /* 32 KiB, with gzip's header and trailer */
	GZ_MEM_LEVEL = 9,
};

static void gz_feed(z_stream *z, const struct pack_io *io)
{
	z->next_in = (Bytef *)(uintptr_t)io->in.p;
	z->avail_in = io->in.n < INT_MAX ? (uInt)io->in.n : INT_MAX;
	z->next_out = (Bytef *)io->out;
	z->avail_out = (uInt)io->room;
}

static void gz_moved(const z_stream *z, struct pack_io *io)
{
	io->in = span_from(io->in, (size_t)((const char *)z->next_in - io->in.p));
	io->out = (char *)z->next_out;
	io->room = z->avail_out;
}

static void *gz_unpack_open(void)
{
	z_stream *z = mem_alloc(sizeof(*z));

	if (inflateInit2(z, GZ_WINDOW) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static void gz_unpack_close(void *state)
{
	inflateEnd(state);
	free(state);
}

static enum err gz_unpack(void *state, struct pack_io *io)
{
	z_stream *z = state;
	int res;

	gz_feed(z, io);
	res = inflate(z, Z_NO_FLUSH);
	gz_moved(z, io);
	switch (res) {
	case Z_STREAM_END:
		return ERR_CLOSED;
	case Z_OK:
	case Z_BUF_ERROR: /* nothing to do with so little */
		return ERR_OK;
	case Z_MEM_ERROR:
		return ERR_MEMORY;
	default:
		return ERR_CORRUPT;
	}
}

static void *gz_pack_open(int level)
{
	z_stream *z = mem_alloc(sizeof(*z));

	if (deflateInit2(z, level, Z_DEFLATED, GZ_WINDOW, GZ_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static void gz_pack_close(void *state)
{
	deflateEnd(state);
	free(state);
}

static enum err gz_pack(void *state, struct pack_io *io, bool last)
{
	z_stream *z = state;
	int res;

	gz_feed(z, io);
	res = deflate(z, last && z->avail_in == io->in.n ? Z_FINISH : Z_NO_FLUSH);
	gz_moved(z, io);
	return res == Z_STREAM_END ? ERR_CLOSED : ERR_OK;
}

const struct pack_coder pack_gz = { "gz", 1, 9, 6, gz_unpack_open, gz_unpack_close, gz_unpack,
				    gz_pack_open, gz_pack_close, gz_pack };
