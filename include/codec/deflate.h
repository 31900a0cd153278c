/*
 * Raw DEFLATE (RFC 1951) in pieces, as COMPRESS=DEFLATE (RFC 4978) carries it.
 *
 * Both directions take what is there and answer what can be had; output is bounded by the
 * caller, so that a small input cannot fill memory. Not for whole files with headers (gzip).
 */
#ifndef CODEC_DEFLATE_H
#define CODEC_DEFLATE_H

#include "base/buf.h"
#include "base/err.h"

struct inflater;
struct deflater;

/* NULL when memory is short (about 40 KiB). */
struct inflater *inflater_new(void);
void inflater_free(struct inflater **z); /* NULL allowed; nulls */

/*
 * Takes bytes off the front of *in and appends at most room bytes to out. Returns with *in
 * empty or the room used up; then call again with more room (also with an empty *in, while
 * inflater_more). ERR_CORRUPT: no DEFLATE data; ERR_CLOSED: the stream's last block ended
 * (what follows stays in *in); ERR_LIMIT: out refuses.
 */
enum err inflater_run(struct inflater *z, struct span *in, size_t room, struct buf *out);
/*
 * No more input for a while: gives the memory back but for what the peer may still refer to. Does nothing in the
 * middle of a block or while inflater_more. inflater_run goes on as if nothing had been.
 */
void inflater_rest(struct inflater *z);
bool inflater_more(const struct inflater *z); /* output may be waiting inside */

/* level 1..9. NULL when memory is short (about 270 KiB). */
struct deflater *deflater_new(int level);
void deflater_free(struct deflater **z); /* NULL allowed; nulls */

enum deflate_flush {
	DEFLATE_MORE, /* keep what compresses better together */
	DEFLATE_SYNC, /* everything so far can be read by the peer */
	DEFLATE_FULL, /* and nothing after it refers to what was before */
};

/*
 * Appends the compressed form of all of in to out, which must have 16 KiB more room than
 * that takes. ERR_LIMIT when it refuses: the stream is broken then.
 */
enum err deflater_run(struct deflater *z, struct span in, enum deflate_flush flush, struct buf *out);

/*
 * What stands before n bytes that follow as they are, where a flush ended, and its length; 0: they are too many (65,535).
 * Needs no deflater; may be called by the handler of any signal.
 */
enum { DEFLATE_STORED_HEAD = 5 };
size_t deflate_stored_head(size_t n, char head[DEFLATE_STORED_HEAD]);

#endif
