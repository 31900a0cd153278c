/*
 * What Dovecot calls LZ4: blocks of LZ4 in a frame of its own.
 *
 *	"Dovecot-LZ4" 0d 2a 9b c5, largest plain chunk (4 bytes)      once
 *	length of the block (4 bytes), the block                      for each chunk; numbers big-endian
 *
 * There is no mark at the end: a file that ends between two blocks is whole.
 */
#include "pack.h"

#include "base/mem.h"

#ifdef HAVE_LZ4
#include <lz4.h>

enum {
	LZ4_MAGIC = 15,
	LZ4_HEAD = LZ4_MAGIC + 4,
	LZ4_CHUNK = 64 << 10,
	LZ4_CHUNK_MOST = 1 << 20, /* of others */
};

static const char magic[] = "Dovecot-LZ4\x0d\x2a\x9b\xc5";

struct lz4 {
	bool begun;        /* the head is read or written */
	size_t chunk;      /* the largest plain one */
	struct buf block;  /* own: the head, or a block with its length, as far as it is there */
	struct buf plain;  /* own: a chunk */
	size_t given;      /* of plain (unpacking) or of block (packing), what went out */
};

static uint32_t lz4_number(const char *p)
{
	const unsigned char *u = (const unsigned char *)p;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

static void lz4_put_number(struct buf *out, uint32_t v)
{
	for (int shift = 24; shift >= 0; shift -= 8)
		buf_add_char(out, (char)(v >> shift));
}

static void *lz4_open(void)
{
	struct lz4 *z = mem_alloc(sizeof(*z));

	buf_init(&z->block, (size_t)LZ4_compressBound(LZ4_CHUNK_MOST) + 4);
	buf_init(&z->plain, LZ4_CHUNK_MOST);
	return z;
}

static void *lz4_pack_open(int level)
{
	return lz4_open();
}

static void lz4_close(void *state)
{
	struct lz4 *z = state;

	buf_free(&z->block);
	buf_free(&z->plain);
	free(z);
}

/* Up to n bytes into block; false: there were not so many yet. */
static bool lz4_gather(struct lz4 *z, struct pack_io *io, size_t n)
{
	struct span piece = span_cut(io->in, 0, n - z->block.n);

	buf_add_span(&z->block, piece);
	io->in = span_from(io->in, piece.n);
	return z->block.n == n;
}

static enum err lz4_read_head(struct lz4 *z, struct pack_io *io)
{
	if (!lz4_gather(z, io, LZ4_HEAD))
		return ERR_OK;
	z->chunk = lz4_number(z->block.p + LZ4_MAGIC);
	if (memcmp(z->block.p, magic, LZ4_MAGIC) != 0 || !z->chunk || z->chunk > LZ4_CHUNK_MOST)
		return ERR_CORRUPT;
	z->begun = true;
	buf_clear(&z->block);
	return ERR_OK;
}

/* One block into plain, when all of it is there. */
static enum err lz4_read_block(struct lz4 *z, struct pack_io *io)
{
	size_t n;
	int got;

	if (z->block.n < 4 && !lz4_gather(z, io, 4))
		return ERR_OK;
	n = lz4_number(z->block.p);
	if (n == 0 || n > (size_t)LZ4_compressBound((int)z->chunk))
		return ERR_CORRUPT;
	if (!lz4_gather(z, io, 4 + n))
		return z->block.failed ? ERR_MEMORY : ERR_OK;
	buf_clear(&z->plain);
	if (!buf_reserve(&z->plain, z->chunk))
		return ERR_MEMORY;
	got = LZ4_decompress_safe(z->block.p + 4, z->plain.p, (int)n, (int)z->chunk);
	if (got < 0)
		return ERR_CORRUPT;
	z->plain.n = (size_t)got;
	z->given = 0;
	buf_clear(&z->block);
	return ERR_OK;
}

static void lz4_give(struct pack_io *io, struct span from, size_t *given)
{
	struct span piece = span_cut(from, *given, io->room);

	if (!piece.n)
		return;
	memcpy(io->out, piece.p, piece.n);
	io->out += piece.n;
	io->room -= piece.n;
	*given += piece.n;
}

static enum err lz4_unpack(void *state, struct pack_io *io)
{
	struct lz4 *z = state;
	enum err e = ERR_OK;

	if (!z->begun)
		e = lz4_read_head(z, io);
	for (; !e && z->begun; e = lz4_read_block(z, io)) {
		lz4_give(io, buf_span(&z->plain), &z->given);
		if (!io->room || !io->in.n)
			break;
	}
	return e;
}

static bool lz4_unpack_whole(const void *state)
{
	const struct lz4 *z = state;

	return z->begun && !z->block.n && z->given == z->plain.n;
}

static bool lz4_block(struct lz4 *z)
{
	int most = LZ4_compressBound((int)z->plain.n), n;

	if (!buf_reserve(&z->block, 4 + (size_t)most))
		return false;
	n = LZ4_compress_default(z->plain.p, z->block.p + z->block.n + 4, (int)z->plain.n, most);
	lz4_put_number(&z->block, (uint32_t)n);
	z->block.n += (size_t)n;
	buf_clear(&z->plain);
	return true;
}

static enum err lz4_pack(void *state, struct pack_io *io, bool last)
{
	struct lz4 *z = state;

	if (!z->begun) {
		buf_add(&z->block, magic, LZ4_MAGIC);
		lz4_put_number(&z->block, LZ4_CHUNK);
		z->begun = true;
	}
	for (;;) {
		struct span piece;

		lz4_give(io, buf_span(&z->block), &z->given);
		if (z->given < z->block.n)
			return ERR_OK;
		buf_clear(&z->block);
		z->given = 0;
		piece = span_cut(io->in, 0, LZ4_CHUNK - z->plain.n);
		buf_add_span(&z->plain, piece);
		io->in = span_from(io->in, piece.n);
		if (!z->plain.n || (z->plain.n < LZ4_CHUNK && !last))
			return last ? ERR_CLOSED : ERR_OK;
		if (!lz4_block(z))
			return ERR_MEMORY;
	}
}

const struct pack_coder pack_lz4 = { "lz4", 1, 9, 1, lz4_open, lz4_close, lz4_unpack,
				     lz4_pack_open, lz4_close, lz4_pack, lz4_unpack_whole };
#endif
