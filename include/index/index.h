/*
 * The index: what IMAP asks, answered fast. One LMDB environment a user, a cache of the
 * folders: it may be deleted at any time while no process has it open, and damage is found (every record
 * carries a version and a checksum) and answered by ERR_CORRUPT, upon which the caller
 * calls idx_destroy and rebuilds from the store.
 *
 * Life cycle: idx_open; transactions; idx_close. Opened after the last fork, once per process and environment.
 * Transactions: many readers, one writer; none lives across a return to the event loop (law 3). Spans that a
 * transaction hands out point into the map and die with it, or with the next write in it.
 * A read and the write may be open together; cursors of ours survive writes in the same transaction.
 * Failures: an error inside a write (other than a plain ERR_NOTFOUND or ERR_EXISTS) sticks: idx_commit
 * repeats it and nothing is written.
 * Map growth: a write that finds the map full fails with ERR_LIMIT; once no transaction is open, idx_write_retry
 * grows the map and says that the whole transaction should be run again (idx_update does that loop for you).
 * Durability: commits are not synced one by one. Before the first commit of a process a synced mark
 * ("dirty, in this boot") is made; the last process to close syncs and clears it. idx_open finding a mark of another
 * boot discards the environment (rebuilt_r true).
 * Crash guard: two processes that died within opening or a transaction, with no clean close between, or one that said
 * that it was the environment's fault (idx_blame, or LMDB that met what cannot be), make the next idx_open set it aside
 * (data.mdb.bad) and start anew (rebuilt_r true).
 * Replaced: when another process destroyed the environment or its directory is gone, transactions begin with
 * ERR_CORRUPT; idx_destroy is then harmless to the new one: close, open, go on.
 *
 * Nothing here knows stores, paths inside mail folders, or IMAP. Formats: src/index/frame.h, schema.h and doc/formats.md.
 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/mailflags.h"
#include "base/set.h"
#include "base/span.h"

#include <sys/types.h>

struct idx;
struct idx_txn;
struct guard;

/* The environments that a process has open, for the handler of a signal that it dies of. Zeroed: none. */
struct idx_roll {
	struct guard *first;
};

struct idx_config {
	const char *dir;    /* made (0700, or as mode says) when missing, not its parents; absolute */
	/* The directory of the mail that it is a cache of: one made for another directory is discarded. NULL: nobody asks. */
	const char *of;
	bool flat;          /* dir is somebody else's: our files are called roost.index and the like */
	mode_t mode;        /* of files, 0: 0600; for others than the owner where several users share the environment */
	bool memory;        /* INDEX=MEMORY: nameless files below dir (NULL: /dev/shm, else /tmp), gone with the process */
	uint64_t map_max;   /* bytes; 0: 64 GiB */
	uint64_t map_start; /* bytes; 0: 64 MiB. Address space only; doubles when full */
	uint64_t cache_max; /* bytes that cache records may take; 0: 1 GiB. Beyond it new messages displace old ones */
	struct idx_roll *roll; /* borrowed until idx_close: where it is noted; NULL: nowhere */
};

/* rebuilt_r: the environment is empty: new, or the old one was discarded. ERR_CANNOT: a network file system. */
enum err idx_open(const struct idx_config *config, struct idx **i_r, bool *rebuilt_r, struct errtext *t);
/* Why another one, which was there at idx_open, was not to be used: a sentence about "it"; NULL: there was none. */
const char *idx_discarded(const struct idx *i);
/*
 * The process dies of what it read (SIGBUS, SIGSEGV): of those it has a transaction in, or is opening, none is to be used
 * again. Called by the signal's handler.
 */
void idx_blame(const struct idx_roll *r);
void idx_close(struct idx **i);                  /* syncs, clears the mark; NULL allowed; no transaction open */
/* Marks the environment unusable and removes its files; close and open again. No transaction may be open. */
enum err idx_destroy(struct idx *i, struct errtext *t);
/*
 * For an idle user: unmaps the data, frees what LMDB keeps; the next transaction maps it again (about 0.1 ms). Nothing is
 * synced, nobody else notices. No-op while a transaction is open.
 */
void idx_rest(struct idx *i);
enum err idx_sync(struct idx *i);                /* everything committed so far to disk; clears the mark when alone */
void idx_check_readers(struct idx *i);           /* clears slots of dead processes, purges removed mailboxes: every minute */

enum err idx_read(struct idx *i, struct idx_txn **x_r, struct errtext *t);
enum err idx_write(struct idx *i, struct idx_txn **x_r, struct errtext *t);
enum err idx_commit(struct idx_txn **x, struct errtext *t); /* ends it either way, nulls */
void idx_abort(struct idx_txn **x);                          /* NULL allowed; also ends a read */

bool idx_write_retry(struct idx *i); /* after a failed write: the map was grown, run it again */

/* Runs fn in a write transaction and commits; after map growth, again from the start. fn must be repeatable. */
enum err idx_update(struct idx *i, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		    struct errtext *t);

/* --- mailboxes ------------------------------------------------------------------ */

/* The mailbox record, decoded. Strings are spans into the transaction. */
struct idx_box {
	uint32_t id;             /* the index's own number, never reused while the environment lives */
	struct span name;        /* store id (1 byte, caller's namespace number) + storage name; 1..500 bytes */
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint64_t highestmodseq;  /* >= 1; the next change gets highestmodseq + 1; below 2^63 (RFC 7162) */
	uint64_t log_floor;      /* changes at or below it are no longer in the log */
	uint32_t messages, unseen, deleted; /* kept by idx_msg_*; writers need not fill them */
	uint32_t recent_from;    /* UIDs >= this are \Recent to the next read-write session */
	uint64_t vsize;          /* sum of known CRLF sizes; kept by idx_msg_* */
	uint32_t unsized;        /* messages whose CRLF size is not known; likewise */
	uint8_t guid[16];
	uint32_t flags;          /* caller's: e.g. todo pending, numbers unsynced */
	struct span token;       /* of the last scan; at most 65,535 bytes, as keywords */
	struct span keywords;    /* names, each NUL-terminated, in bit order; empty name: free slot */
};

enum err idx_box_find(struct idx_txn *x, struct span name, struct idx_box *b_r);      /* ERR_NOTFOUND */
enum err idx_box_get(struct idx_txn *x, uint32_t id, struct idx_box *b_r);
/* ERR_EXISTS. b->id, zero counters and log_floor = highestmodseq are written into *b. */
enum err idx_box_create(struct idx_txn *x, struct idx_box *b);
/*
 * Writes all but name, counters and sizes, which have their own calls: a b read before idx_msg_put is safe
 * to put after it. highestmodseq and log_floor never go back: smaller ones are ignored; raising highestmodseq
 * here (a floor, an adoption) starts the change log afresh there.
 */
enum err idx_box_put(struct idx_txn *x, const struct idx_box *b);
enum err idx_box_rename(struct idx_txn *x, uint32_t id, struct span name);            /* ERR_EXISTS */
enum err idx_box_remove(struct idx_txn *x, uint32_t id);                              /* and all its records */
/* Removes all message, change and cache records (rescan from nothing); keeps the record, its modseq, its to-dos. */
enum err idx_box_empty(struct idx_txn *x, uint32_t id);
enum err idx_box_next(struct idx_txn *x, struct span after, struct idx_box *b_r);     /* by name; ERR_NOTFOUND at the end */

/* --- messages ------------------------------------------------------------------- */

/*
 * One message. Writers fill all; idx_msg_put keeps the uid map (a bitmap a block of 1,024 UIDs: present, and one
 * for each system flag), the counters of the mailbox record and nothing else: modseq bookkeeping is idx_change's,
 * uidnext the caller's. Ascending UIDs are fastest. Spans may point into the same transaction.
 */
struct idx_msg {
	uint32_t uid;
	struct mail_flags flags;
	uint64_t modseq;
	int64_t internaldate;
	int64_t savedate;
	int64_t sent;          /* what box packs into it; 0: not known */
	uint64_t size, vsize;  /* UINT64_MAX: unknown */
	uint8_t emailid[16];   /* object id; zero: none */
	struct span key, hint; /* the store's; key 1..255 bytes, hint at most 1,024 */
};

enum err idx_msg_get(struct idx_txn *x, uint32_t box, uint32_t uid, struct idx_msg *m_r); /* ERR_NOTFOUND */
enum err idx_msg_put(struct idx_txn *x, uint32_t box, const struct idx_msg *m);           /* new or changed */
enum err idx_msg_remove(struct idx_txn *x, uint32_t box, uint32_t uid);                   /* with its cache record */

/* A walk in ascending UID order over message records, optionally with their cache records in step. */
struct idx_walk;
enum err idx_walk_begin(struct idx_txn *x, uint32_t box, bool with_cache, struct idx_walk **w_r);
/* The first message with UID >= uid. ERR_NOTFOUND at the end. cache_r (may be NULL): for idx_cache_decode, or empty. */
enum err idx_walk_to(struct idx_walk *w, uint32_t uid, struct idx_msg *m_r, struct span *cache_r);
void idx_walk_end(struct idx_walk **w); /* before the transaction ends; NULL allowed */

/* All UIDs, from the uid map: O(blocks); replaces *uids_r. And those with (want set) or without one system flag. */
enum err idx_uids(struct idx_txn *x, uint32_t box, struct set *uids_r);
enum err idx_uids_flagged(struct idx_txn *x, uint32_t box, uint8_t flag, bool want, struct set *uids_r);
/* Smallest UID without MAIL_SEEN; 0: none. */
enum err idx_first_unseen(struct idx_txn *x, uint32_t box, uint32_t *uid_r);

/* --- changes -------------------------------------------------------------------- */

/*
 * The log of a mailbox: one record a transaction, under the modseq that the transaction gave to all that it touched.
 * idx_change raises highestmodseq by one, writes the record and returns the modseq, which the caller
 * puts into the messages it writes. changed and vanished may be NULL or empty. Only highestmodseq (and log_floor) of *b is
 * read and written.
 */
enum err idx_change(struct idx_txn *x, struct idx_box *b, const struct set *changed, const struct set *vanished,
		    uint64_t *modseq_r);

/*
 * What happened after since: UIDs changed (or new) and still there, UIDs vanished (both sets are replaced; vanished may
 * hold UIDs that came and went since). When since < log_floor or > highestmodseq the log
 * cannot tell: complete_r is false, nothing is written, and the caller compares UIDs and modseqs itself. O(records).
 */
enum err idx_changes(struct idx_txn *x, const struct idx_box *b, uint64_t since, struct set *changed_r,
		     struct set *vanished_r, bool *complete_r);
/* Drops the oldest records until at most keep are left; raises log_floor. */
enum err idx_changes_trim(struct idx_txn *x, struct idx_box *b, size_t keep);

/* --- cache ---------------------------------------------------------------------- */

/* Fields of a cache record; each a byte string whose format belongs to its writer in box. */
enum idx_field {
	IDX_ENVELOPE,      /* IMAP wire text with its parentheses */
	IDX_BODYSTRUCTURE, /* IMAP wire text */
	IDX_BODY,          /* IMAP wire text, no extension data */
	IDX_PARTS,         /* mime/section.h: part offsets */
	IDX_HEADERS,       /* chosen header fields for search, sort, thread: "name: value" lines, unfolded, decoded */
	IDX_PREVIEW,
	IDX_ASKED,         /* header fields that clients searched for again and again: their names, then lines as above */
	IDX_FIELDS
};

enum { IDX_ALL_FIELDS = (1 << IDX_FIELDS) - 1 };

struct idx_cache {
	struct span field[IDX_FIELDS]; /* p NULL: not cached. 16 MiB in all: ERR_LIMIT */
};

enum err idx_cache_get(struct idx_txn *x, uint32_t box, uint32_t uid, struct idx_cache *c_r); /* ERR_NOTFOUND */
/* Of idx_walk_to. want: bits of enum idx_field; only these are checked and given out. */
enum err idx_cache_decode(struct span raw, unsigned want, struct idx_cache *c_r);
/*
 * Writes exactly these fields (others of the message are kept when merge). ERR_NOTFOUND: no such message. Nothing is written
 * when the cache is as large as it may be and all that is in it is of newer messages.
 */
enum err idx_cache_put(struct idx_txn *x, uint32_t box, uint32_t uid, const struct idx_cache *c, bool merge);

/* --- to-do ---------------------------------------------------------------------- */

/*
 * Disk work owed: removals and flag changes not yet done in the folder, and messages that are to leave its arrivals as
 * they are (claims). FIFO by sequence number; goes with its mailbox.
 */
enum idx_todo_kind { IDX_TODO_EXPUNGE = 1, IDX_TODO_FLAGS = 2, IDX_TODO_CLAIM = 3, IDX_TODO_KINDS };

struct idx_todo {
	uint64_t seq;              /* written by idx_todo_add */
	uint32_t box;
	enum idx_todo_kind kind;
	uint32_t uid;
	struct mail_flags flags;   /* the target (informative: the message record rules while it exists) */
	struct span key, hint;
};

enum err idx_todo_add(struct idx_txn *x, struct idx_todo *t);
enum err idx_todo_next(struct idx_txn *x, uint32_t box /* 0: any */, uint64_t after, struct idx_todo *t_r); /* ERR_NOTFOUND */
enum err idx_todo_done(struct idx_txn *x, uint32_t box, uint64_t seq); /* done twice is fine */
/*
 * Whoever works on the list has the turn, from reading it until what is done is off it: two processes at once would give
 * a file each the flags that it read, and the older ones might come last. False: another has it (wait: for seconds).
 */
bool idx_turn(struct idx *i, bool wait);
void idx_turn_end(struct idx *i);

#endif
