/*
 * Whole compressed files, told by their first bytes: gzip (RFC 1952), bzip2, Zstandard (RFC 8878) and what Dovecot
 * calls LZ4. Which of them but gzip this build knows was decided by configure.
 *
 * Everything goes in pieces and output is bounded by the caller, so that a small file cannot fill memory: an unpacker holds
 * at most some 130 MiB (a Zstandard file that asks for the largest window), of gzip 40 KiB. How much may come out of one file
 * is the caller's to say.
 */
#ifndef CODEC_PACK_H
#define CODEC_PACK_H

#include "base/buf.h"
#include "base/err.h"

enum pack_kind { PACK_NONE, PACK_GZ, PACK_BZ2, PACK_ZSTD, PACK_LZ4 };

enum { PACK_MAGIC = 16 }; /* bytes at the front that tell */

/* What begins like this; also kinds that this build does not know. A message of RFC 5322 never does. */
enum pack_kind pack_kind_of(struct span head);
/* "gz", "bz2", "zstd", "lz4"; PACK_NONE: not known to this build. */
enum pack_kind pack_named(const char *name);
/* A level that the format has, the usual one for 0 and for what it has not. */
int pack_level(enum pack_kind kind, int level);

struct unpacker;
/* ERR_CANNOT: not known to this build; ERR_MEMORY. */
enum err unpacker_new(enum pack_kind kind, struct unpacker **u_r);
void unpacker_free(struct unpacker **u); /* NULL allowed; nulls */
/*
 * Takes bytes off the front of *in and appends at most room bytes to out. Returns with *in empty and nothing waiting inside,
 * or with the room used up: then call again, also with an empty *in, while unpacker_more. Several packed files in a row
 * are one. ERR_CORRUPT: not what it began as; ERR_LIMIT: out refuses; ERR_MEMORY.
 */
enum err unpacker_run(struct unpacker *u, struct span *in, size_t room, struct buf *out);
bool unpacker_more(const struct unpacker *u);  /* output may be waiting inside */
bool unpacker_whole(const struct unpacker *u); /* the input may end here */

/*
 * A packed file read as a plain one: length bytes from offset of fd, which is borrowed. packed_read appends at most room bytes,
 * and now and then none, until packed_over. ERR_CORRUPT: also when the file ends too early; ERR_LIMIT: out refuses; ERR_MEMORY;
 * what reading says.
 */
struct packed;
enum err packed_open(enum pack_kind kind, int fd, uint64_t offset, uint64_t length, struct packed **p_r); /* as unpacker_new */
enum err packed_read(struct packed *p, size_t room, struct buf *out);
bool packed_over(const struct packed *p);
void packed_close(struct packed **p); /* NULL allowed; nulls */

struct packer;
/* level as pack_level. ERR_CANNOT, ERR_MEMORY. */
enum err packer_new(enum pack_kind kind, int level, struct packer **p_r);
void packer_free(struct packer **p); /* NULL allowed; nulls */
/* Appends what there is of the packed form of all given so far to out; last: all of it. ERR_LIMIT: out refuses; ERR_MEMORY. */
enum err packer_run(struct packer *p, struct span in, bool last, struct buf *out);

#endif
