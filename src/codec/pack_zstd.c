/* Zstandard. */
#include "pack.h"

#ifdef HAVE_ZSTD
#include <zstd.h>
#include <zstd_errors.h>

static void *zstd_unpack_open(void)
{
	return ZSTD_createDCtx(); /* windows beyond 128 MiB are refused */
}

static void zstd_unpack_close(void *state)
{
	ZSTD_freeDCtx(state);
}

static void zstd_moved(const ZSTD_inBuffer *in, const ZSTD_outBuffer *out, struct pack_io *io)
{
	io->in = span_from(io->in, in->pos);
	io->out += out->pos;
	io->room -= out->pos;
}

static enum err zstd_unpack(void *state, struct pack_io *io)
{
	ZSTD_inBuffer in = { io->in.p, io->in.n, 0 };
	ZSTD_outBuffer out = { io->out, io->room, 0 };
	size_t res = ZSTD_decompressStream(state, &out, &in);

	if (ZSTD_isError(res))
		return ZSTD_getErrorCode(res) == ZSTD_error_memory_allocation ? ERR_MEMORY : ERR_CORRUPT;
	zstd_moved(&in, &out, io);
	return res == 0 ? ERR_CLOSED : ERR_OK;
}

static void *zstd_pack_open(int level)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();

	if (c)
		ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, level);
	return c;
}

static void zstd_pack_close(void *state)
{
	ZSTD_freeCCtx(state);
}

static enum err zstd_pack(void *state, struct pack_io *io, bool last)
{
	ZSTD_inBuffer in = { io->in.p, io->in.n, 0 };
	ZSTD_outBuffer out = { io->out, io->room, 0 };
	size_t res = ZSTD_compressStream2(state, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);

	if (ZSTD_isError(res))
		return ERR_MEMORY; /* nothing else can happen to well-formed calls */
	zstd_moved(&in, &out, io);
	return last && res == 0 ? ERR_CLOSED : ERR_OK;
}

const struct pack_coder pack_zstd = { "zstd", 1, 22, 3, zstd_unpack_open, zstd_unpack_close, zstd_unpack,
				      zstd_pack_open, zstd_pack_close, zstd_pack };
#endif
