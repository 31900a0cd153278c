/*
 * What all records share: keys, and the frame around a value with its checksum and version. Drawn in frame.c. Pure
 * functions over bytes.
 *
 * Invariant: integers in keys are big-endian, so that LMDB's byte order is number order.
 */
#ifndef INDEX_FRAME_H
#define INDEX_FRAME_H

#include "base/buf.h"
#include "base/err.h"

/* One LMDB database each; it also seeds the checksum: no record passes for one of another kind. */
enum rec_kind { REC_BOX, REC_NAME, REC_MAP, REC_MSG, REC_LOG, REC_CACHE, REC_TODO, REC_KINDS };

enum {
	REC_FRAME = 5, /* checksum and version in front of every body */
	REC_VERSION = 5,
};

struct rec_key {
	uint8_t b[12];
	size_t n;
};

/* Mailbox: id, 0 being the environment's own record. */
struct rec_key rec_key32(uint32_t a);
/* Message and cache: space, uid. Map: space, uid / 1024. */
struct rec_key rec_key32_32(uint32_t a, uint32_t b);
/* Changes: space, modseq. To-do: mailbox, sequence. */
struct rec_key rec_key32_64(uint32_t a, uint64_t b);
struct span rec_key_span(const struct rec_key *k);
uint64_t rec_key_number(const struct rec_key *k); /* of a key of eight bytes; else 0 */
/* False when the key has another length. */
bool rec_key_read32_32(struct span key, uint32_t *a_r, uint32_t *b_r);
bool rec_key_read32_64(struct span key, uint32_t *a_r, uint64_t *b_r);

/* Empties out, leaves room for the frame and body bytes, counts them in. Where the body begins; NULL without memory. */
char *rec_begin(struct buf *out, size_t body);
/* Of bytes inside a body that are checked by themselves: the fields of a cache record. */
uint32_t rec_sum(struct span bytes);
/* Fills the frame of the record that out holds alone (body from REC_FRAME on). Returns its checksum. */
uint32_t rec_seal(enum rec_kind kind, struct span key, struct buf *out);
/* Checks the frame. ERR_CORRUPT. sum_r may be NULL. */
enum err rec_open(enum rec_kind kind, struct span key, struct span value, struct span *body_r,
		  uint32_t *sum_r);

#endif
