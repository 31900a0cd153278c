/*
 * The environment and its transactions, for the other files of this room. LMDB's hard corners (map
 * full, map resized, stale readers, panic, truncated files) end in env.c; its calls occur in env.c,
 * kv.c and compact.c only.
 */
#ifndef INDEX_ENV_H
#define INDEX_ENV_H

#include "guard.h"
#include "schema.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

struct idx {
	char *dir; /* own */
	int dirfd;
	bool memory, flat;
	mode_t mode;
	uint64_t map_max, map_start, cache_max;
	struct guard guard;
	struct MDB_env *env; /* own; NULL at rest and after a failed reopening */
	unsigned db[REC_KINDS];
	unsigned txns;         /* open ones */
	bool grow;             /* the map was full: grow it before the next transaction */
	bool panicked;         /* LMDB gave up: reopen before the next transaction */
	bool gone;             /* destroyed */
	const char *discarded; /* a constant: why the one before was not to be used, or NULL */
	uint64_t looked_us;    /* clock_us when the file was last seen to be there */
	uint64_t file;         /* env_file_id of the data file */
	uint64_t of;           /* and of the directory of the mail; 0: nobody asks */
	uint64_t reserved;     /* bytes of the data file that have disk blocks */
	struct idx_txn *spare; /* own; kept for the next transaction */
};

struct box_slot;

/* A block of the uid map that the transaction works on; see map.h. */
struct map_slot {
	struct box_slot *box; /* borrowed from the transaction; NULL: slot is free */
	uint32_t no;          /* uid / MAP_UIDS */
	bool dirty;
	bool stored; /* in the database, with stored_sum */
	uint32_t stored_sum;
	struct map_block b;
};

enum { MAP_SLOTS = 4 };

/* What the counters hold of a message; uid 0: of none. */
struct counted {
	uint32_t space, uid;
	uint8_t flags;
	uint64_t vsize;
};

struct idx_txn {
	struct idx *i;
	struct MDB_txn *t;
	bool write;
	enum err failed;                   /* sticky, of a write */
	struct MDB_cursor *cur[REC_KINDS]; /* opened when first used */
	uint64_t last[REC_KINDS];          /* number of the key that kv_open found last; 0: none */
	struct counted counted;            /* the message read last, which mostly is the one written next */
	struct env_rec env;
	bool env_loaded, purged;
	bool wrote;             /* anything */
	struct box_slot *boxes; /* own, list */
	unsigned map_turn;      /* the slot to be given up next */
	struct buf scratch;     /* the record being encoded */
	struct map_slot map[MAP_SLOTS];
};

/* NEW becomes DATA when it is complete; whatever else bears the name is a torn one. */
enum env_file { ENV_DATA, ENV_LOCK, ENV_GUARD, ENV_NEW, ENV_BAD };
const char *env_file(const struct idx *i, enum env_file f);
/* A file that we made: readable for whom mode says, and in the group of the directory. */
void env_share(const struct idx *i, int fd);

const char *env_db_name(enum rec_kind kind);

/* The kind that fits an LMDB or errno code; notes growth and panic in i. */
enum err env_err(struct idx *i, int rc);

/* LMDB's begin, after adopting what other processes did to the map; an LMDB code. */
int env_txn_start(struct idx *i, bool write, struct MDB_txn **t_r);
/* Before a transaction, when no other is open: grows or reopens as an earlier one found necessary. */
enum err env_mend(struct idx *i);

/* After a commit: keeps disk blocks in hand, so that small writes succeed on a full disk. */
void env_reserve(struct idx *i);

/*
 * With the door locked, nobody else inside and no transaction open: where it pays, a new data file takes the place of the
 * old one, complete and on disk. True: it did; the environment must be closed, for it is the old file that it has open.
 */
bool env_compact(struct idx *i);

/* False: somebody removed the file of the data, or while it is not open that of the guard. */
bool env_named(const struct idx *i);

/* Which file it is: another for a copy. fd and "", or a directory and a name in it. 0: cannot say. */
uint64_t env_file_id(int fd, const char *name);

/* LMDB calls a write that was cut short by a full disk EIO. */
bool env_disk_full(struct idx *i);

/* The first transaction after opening: writes the environment's own record, or finds it sound. */
enum err txn_first(struct idx *i, bool fresh);

/* That record within x; changes are committed with whatever else is written. ERR_CORRUPT: an old one. */
enum err env_get(struct idx_txn *x, struct env_rec **r_r);

/* Makes a failure stick to a write; returns e. ERR_OK, ERR_NOTFOUND and ERR_EXISTS do not stick. */
enum err txn_fail(struct idx_txn *x, enum err e);

#endif
