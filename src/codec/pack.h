/* What the kinds of compressed files are to pack.c and unpack.c: a table of steps each. Not for other floors. */
#ifndef CODEC_PACK_ROOM_H
#define CODEC_PACK_ROOM_H

#include "codec/pack.h"

/* Where a step reads and writes; it moves both. */
struct pack_io {
	struct span in;
	char *out;
	size_t room;
};

struct pack_coder {
	const char *name;
	int level_least, level_most, level_usual;
	/* State of a stream, or NULL when memory is short. */
	void *(*unpack_open)(void);
	void (*unpack_close)(void *state);
	/* Goes on as far as input and room allow. ERR_CLOSED: the stream ended; ERR_CORRUPT, ERR_MEMORY. */
	enum err (*unpack)(void *state, struct pack_io *io);
	void *(*pack_open)(int level);
	void (*pack_close)(void *state);
	/* The same; ERR_CLOSED: last, and all is out. */
	enum err (*pack)(void *state, struct pack_io *io, bool last);
	/* May be NULL. Of a format without a mark at its end: could it be here? */
	bool (*unpack_whole)(const void *state);
};

/* Without the library: NULL. */
const struct pack_coder *pack_coder(enum pack_kind kind);
extern const struct pack_coder pack_gz, pack_bz2, pack_zstd, pack_lz4;

#endif
