/*
 * The records of the index: encoders and decoders of their bodies. Drawn once, above each encoder in
 * schema.c, and in doc/formats.md. Pure functions over bytes; decoders treat their input as hostile
 * (ERR_CORRUPT) and the spans they give point into it.
 *
 * Invariants: integers in values are little-endian and unaligned. Message, map, change and cache
 * records are kept under a "space", a number that a mailbox owns; emptying a mailbox gives it a new
 * space, so big removals can be finished later.
 */
#ifndef INDEX_SCHEMA_H
#define INDEX_SCHEMA_H

#include "frame.h"

#include "index/index.h"

enum {
	REC_NAME_MAX = 500, /* LMDB keys end at 511 bytes */
	REC_KEY_MAX = 255,  /* of a store */
	REC_HINT_MAX = 1024,
	REC_TEXT_MAX = 65535, /* token, keywords */
	REC_CACHE_MAX = 16 << 20,
	REC_SCRATCH_MAX = 128 << 20, /* the largest record: a change of 2^24 scattered messages */
	MAP_UIDS = 1024,             /* UIDs of a map block */
	MAP_WORDS = MAP_UIDS / 64,
	MAP_FLAGS = 5,
};

/* The environment's own record, under mailbox id 0. */
struct env_rec {
	uint32_t next_id;  /* of a mailbox or space */
	uint64_t next_seq; /* of a to-do */
	uint32_t purges;   /* spaces waiting to be removed */
	uint64_t txn;      /* that wrote it: the last one, or this is an old page */
	uint64_t todos;    /* of all mailboxes, so that a lost one is noticed */
	uint64_t file;     /* env_file_id of the data file: a copy, as of a backup, is older than what clients were told */
	uint64_t of;       /* and of the directory of the mail: another's may lie in this place; 0: not known */
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
size_t cache_head_size(struct span body); /* in front of the fields; never more than there is */
/* want: bits of enum idx_field. The others are as if they were not there, and not looked at. */
enum err cache_decode(struct span body, unsigned want, struct idx_cache *c_r);
enum err todo_decode(struct span body, struct idx_todo *t_r);

enum { REC_TODO_PURGE = 255 }; /* ours: a space to be removed; under mailbox 0, sequence = space */

#endif
