#include "codec/deflate.h"
#include "base/mem.h"
#include "base/must.h"

#include <limits.h>
#include <zlib.h>

enum {
	DEFLATE_STEP = 16384,  /* room taken at a time */
	DEFLATE_WINDOW = -15,  /* raw, 32 KiB */
	DEFLATE_MEM_LEVEL = 8,
};

struct inflater {
	z_stream z;
	bool more;
};

struct deflater {
	z_stream z;
};

static unsigned deflate_step(size_t n, size_t most)
{
	return (unsigned)(n < most ? n : most);
}

static void deflate_feed(z_stream *z, struct span in)
{
	z->next_in = (Bytef *)(uintptr_t)in.p;
	z->avail_in = deflate_step(in.n, INT_MAX);
}

struct inflater *inflater_new(void)
{
	struct inflater *z = mem_alloc(sizeof(*z));

	if (inflateInit2(&z->z, DEFLATE_WINDOW) == Z_OK)
		return z;
	free(z);
	return NULL;
}

void inflater_free(struct inflater **z)
{
	if (!*z)
		return;
	inflateEnd(&(*z)->z);
	free(*z);
	*z = NULL;
}

enum err inflater_run(struct inflater *z, struct span *in, size_t room, struct buf *out)
{
	while (room && (in->n || z->more)) {
		unsigned step = deflate_step(room, DEFLATE_STEP);
		int res;

		if (!buf_reserve(out, step))
			return ERR_LIMIT;
		deflate_feed(&z->z, *in);
		z->z.next_out = (Bytef *)out->p + out->n;
		z->z.avail_out = step;
		res = inflate(&z->z, Z_SYNC_FLUSH);
		out->n += step - z->z.avail_out;
		room -= step - z->z.avail_out;
		*in = span_from(*in, in->n - z->z.avail_in);
		z->more = z->z.avail_out == 0 && res == Z_OK;
		if (res == Z_STREAM_END)
			return ERR_CLOSED;
		if (res != Z_OK && res != Z_BUF_ERROR)
			return res == Z_MEM_ERROR ? ERR_MEMORY : ERR_CORRUPT;
	}
	return ERR_OK;
}

bool inflater_more(const struct inflater *z)
{
	return z->more;
}

struct deflater *deflater_new(int level)
{
	struct deflater *z = mem_alloc(sizeof(*z));

	if (deflateInit2(&z->z, level, Z_DEFLATED, DEFLATE_WINDOW, DEFLATE_MEM_LEVEL,
			 Z_DEFAULT_STRATEGY) == Z_OK)
		return z;
	free(z);
	return NULL;
}

void deflater_free(struct deflater **z)
{
	if (!*z)
		return;
	deflateEnd(&(*z)->z);
	free(*z);
	*z = NULL;
}

enum err deflater_run(struct deflater *z, struct span in, enum deflate_flush flush, struct buf *out)
{
	static const int modes[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH };

	must(in.n <= INT_MAX);
	deflate_feed(&z->z, in);
	do {
		int res;

		if (!buf_reserve(out, DEFLATE_STEP))
			return ERR_LIMIT;
		z->z.next_out = (Bytef *)out->p + out->n;
		z->z.avail_out = DEFLATE_STEP;
		res = deflate(&z->z, modes[flush]);
		must(res == Z_OK || res == Z_BUF_ERROR); /* nothing else can happen to well-formed calls */
		out->n += DEFLATE_STEP - z->z.avail_out;
	} while (z->z.avail_out == 0);
	return ERR_OK;
}
