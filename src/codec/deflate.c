#include "codec/deflate.h"
#include "base/mem.h"
#include "base/must.h"

#include <limits.h>
#include <zlib.h>

enum {
	DEFLATE_STEP = 16384,  /* room taken at a time */
	DEFLATE_WINDOW = -15,  /* raw, 32 KiB */
	DEFLATE_MEM_LEVEL = 8,
	DEFLATE_HISTORY = 32768, /* what the other side may refer to */
	DEFLATE_AT_BLOCK = 128,  /* z_stream.data_type after inflate: between blocks, no bits are left over */
};

struct inflater {
	z_stream z;
	bool more;
	bool resting;    /* z is ended; history is what it knew */
	bool at_block;
	struct span history; /* own */
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
	if (!(*z)->resting)
		inflateEnd(&(*z)->z);
	free((void *)(uintptr_t)(*z)->history.p);
	free(*z);
	*z = NULL;
}

void inflater_rest(struct inflater *z)
{
	Bytef *history;
	uInt n = DEFLATE_HISTORY;

	if (z->resting || z->more || !z->at_block)
		return;
	history = mem_alloc(DEFLATE_HISTORY);
	if (inflateGetDictionary(&z->z, history, &n) == Z_OK) {
		z->history = span_of(n ? mem_grow(history, n, 1) : history, n);
		inflateEnd(&z->z);
		z->resting = true;
	} else {
		free(history);
	}
}

static bool inflater_wake(struct inflater *z)
{
	struct span h = z->history;

	if (!z->resting)
		return true;
	memset(&z->z, 0, sizeof(z->z));
	if (inflateInit2(&z->z, DEFLATE_WINDOW) != Z_OK)
		return false;
	z->resting = false;
	z->history = span_of(NULL, 0);
	if (h.n)
		must(inflateSetDictionary(&z->z, (const Bytef *)h.p, (uInt)h.n) == Z_OK);
	free((void *)(uintptr_t)h.p);
	return true;
}

enum err inflater_run(struct inflater *z, struct span *in, size_t room, struct buf *out)
{
	if (!inflater_wake(z))
		return ERR_MEMORY;
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
		z->at_block = z->z.data_type == DEFLATE_AT_BLOCK;
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

/* RFC 1951 section 3.2.4: not the last block, stored; the length, low byte first; its complement. */
size_t deflate_stored_head(size_t n, char head[DEFLATE_STORED_HEAD])
{
	if (n > UINT16_MAX)
		return 0;
	head[0] = 0;
	for (int i = 0; i < 2; i++) {
		head[1 + i] = (char)(n >> 8 * i);
		head[3 + i] = (char)(~n >> 8 * i);
	}
	return DEFLATE_STORED_HEAD;
}
