/*
 * The records of the index: keys, frame, encoders, decoders. Drawn once, above each encoder in
 * schema.c, and in doc/formats.md. Pure functions over bytes; decoders treat their input as hostile
 * (ERR_CORRUPT) and the spans they give point into it.
 *
 * Invariants: integers in keys are big-endian, so that LMDB's byte order is number order; integers
 * in values are little-endian and unaligned. Message, map, change and cache records are kept under
 * a "space", a number that a mailbox owns; emptying a mailbox gives it a new space, so big removals
 * can be finished later.
 */
#ifndef INDEX_SCHEMA_H
#define INDEX_SCHEMA_H

#include "index/index.h"

/* One LMDB database each; it also seeds the checksum: no record passes for one of another kind. */
enum rec_kind { REC_BOX, REC_NAME, REC_MAP, REC_MSG, REC_LOG, REC_CACHE, REC_TODO, REC_KINDS };

enum {
	REC_FRAME = 5, /* checksum and version in front of every body */
	REC_VERSION = 1,
	REC_NAME_MAX = 500, /* LMDB keys end at 511 bytes */
	REC_KEY_MAX = 255,  /* of a store */
	REC_HINT_MAX = 1024,
	REC_TEXT_MAX = 65535, /* token, keywords */
	REC_CACHE_MAX = 16 << 20,
	REC_SCRATCH_MAX = 128 << 20, /* the largest record: a change of 2^24 scattered messages */
	MAP_UIDS = 1024,	     /* UIDs of a map block */
	MAP_WORDS = MAP_UIDS / 64,
	MAP_FLAGS = 5,
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

/* Fills the frame of the record that out holds alone (body from REC_FRAME on). Returns its checksum. */
uint32_t rec_seal(enum rec_kind kind, struct span key, struct buf *out);
/* Checks the frame. ERR_CORRUPT. sum_r may be NULL. */
enum err rec_open(enum rec_kind kind, struct span key, struct span value, struct span *body_r,
		  uint32_t *sum_r);

/* The environment's own record, under mailbox id 0. */
struct env_rec {
	uint32_t next_id;  /* of a mailbox or space */
	uint64_t next_seq; /* of a to-do */
	uint32_t purges;   /* spaces waiting to be removed */
	uint64_t txn;	   /* that wrote it: the last one, or this is an old page */
	uint64_t todos;	   /* of all mailboxes, so that a lost one is noticed */
};

struct box_rec {
	struct idx_box pub;
	uint32_t space;
	uint32_t todos; /* likewise of this one */
	uint32_t map_sum; /* XOR of the checksums of its map blocks: a lost or old one shows */
};

struct map_block {
	uint64_t present[MAP_WORDS];
	uint64_t flag[MAP_FLAGS][MAP_WORDS]; /* in the order of enum mail_flag */
	uint8_t tag[MAP_UIDS]; /* low byte of the checksum of the message: a lost or old one shows */
};

/*
 * Encoders replace what out holds by a frame yet to be sealed and the body; out->failed tells of no
 * memory. Spans of the struct must not point into out.
 */
void env_encode(const struct env_rec *r, struct buf *out);
void box_encode(const struct box_rec *r, struct buf *out);
void name_encode(uint32_t id, struct buf *out);
void map_encode(const struct map_block *b, struct buf *out);
void msg_encode(const struct idx_msg *m, struct buf *out);
void log_encode(const struct set *changed, const struct set *vanished,
		struct buf *out); /* NULL: empty */
void cache_encode(const struct idx_cache *c, struct buf *out);
void todo_encode(const struct idx_todo *t, struct buf *out);

/* Decoders of bodies. Whatever the key says (id, uid, seq, box) is the caller's to fill. */
enum err env_decode(struct span body, struct env_rec *r_r);
enum err box_decode(struct span body, struct box_rec *r_r);
enum err name_decode(struct span body, uint32_t *id_r);
enum err map_decode(struct span body, struct map_block *b_r);
enum err msg_decode(struct span body, struct idx_msg *m_r);
enum err log_decode(struct span body, struct set *changed,
		    struct set *vanished); /* adds; partly on failure */
enum err cache_decode(struct span body, struct idx_cache *c_r);
enum err todo_decode(struct span body, struct idx_todo *t_r);

enum { REC_TODO_PURGE = 255 }; /* ours: a space to be removed; under mailbox 0, sequence = space */

#endif
