/*
 * What the files of box share: the account, its spaces (namespaces with their stores), the open
 * mailboxes, and the ways into the index.
 *
 * Invariants:
 * - Every write goes through rec_update, mailbox_update or shelf_update: they end the read transactions of
 *   all walks first, because the map can only grow when none is open.
 * - What a write function computes for RAM is applied after its commit, never inside: it may be run again.
 * - mailbox.id is 0 when the index does not know the mailbox (never adopted, or the index was rebuilt).
 * - The crash-ordering law: arrive.c (bytes first), expunge.c and todo.c (facts first) and nowhere else.
 */
#ifndef BOX_ROOM_H
#define BOX_ROOM_H

#include "base/buf.h"
#include "box/acct.h"
#include "box/view.h"
#include "codec/pack.h"
#include "index/index.h"

#include <uthash.h>

enum {
	NAME_MAX_STORAGE = 400,
	SLICE_US = 4000,          /* a slice of work */
	REC_TEXT = 16384,         /* token and keyword names of a mailbox record */
	MODSEQ_STEP = 1000000,    /* how far ahead of the given ones the floor is noted */
	MODSEQ_SLACK = 8,         /* most that one transaction gives */
	CHANGES_KEPT = 20000,     /* change records kept a mailbox, */
	CHANGES_MORE = 1000,      /* and so many more until they are cut to that */
	SHARERS_MOST = 60,        /* other users whose mailboxes an account has open: */
	SHARERS_ROOM = SHARERS_MOST + 1, /* and one who may take the place of another */
	LOAD_MAX = APPEND_MOST,   /* the largest message that is parsed */
	LOAD_LARGE = 16 << 20,    /* a larger one is in memory no longer than it must, and of an account two at a time */
};

/* idx_box.flags */
enum box_flag {
	BOX_ADOPTING = 0x01, /* being filled from the folder: what is there is not all */
	BOX_UNSYNCED = 0x02, /* UIDs were given whose lines are not on disk: sync_numbers before they leave */
};

/* An index environment, and what is owed in it: the account's, and one for each root that several users share. */
struct shelf {
	struct acct *acct;          /* borrowed */
	const struct acct_ns *ns;   /* borrowed: whose root it is; NULL: the account's */
	const char *dir;            /* borrowed: where it lies, as ns or acct_config say; NULL: in memory */
	struct idx *idx;            /* own; NULL when reopening failed: tried again */
	bool vacant;                /* nobody's: for the next one */
	unsigned opened;            /* how often: another one has other numbers on its to-do list */
	bool todo;                  /* the to-do list may hold something */
	bool todo_failed;           /* and something on it could not be done */
	uint64_t todo_after, todo_at; /* drained up to here; not before this clock_ms */
};

/* A namespace at work. */
struct space {
	struct acct *acct;        /* borrowed */
	const struct acct_ns *ns; /* borrowed: acct_config */
	struct space *twin;       /* another with the same place, whose store this is: its names mean the other's; or NULL */
	struct store *store;      /* own, but for a twin's */
	struct shelf *shelf;      /* borrowed: where its index is */
	uint8_t number;           /* first byte of its names there */
	const struct acct_share *share; /* borrowed: acct_config; NULL: not another user's */
	char *sharer;             /* own: whose it is; follows number there; NULL when share is, */
	struct arena *arena;      /* own: what ns is in; so is this */
	uint64_t used;            /* when it was: acct.uses then */
	char sep;                 /* between levels of client names */
	bool made;                /* mailbox {} sections have been seen to */
};

struct mailbox;
struct view_walk;
struct mime_charsets;
struct thread_kept;
struct thread_learnt;
struct aging;

struct acct {
	const struct acct_config *config; /* borrowed */
	struct space *space;              /* own */
	size_t spaces;
	uint64_t uses;                    /* of other users' */
	struct missed *missed;            /* own: who was found to share nothing */
	bool spaces_stay;                 /* none may go, not even to make room for another */
	struct shelf *shelf;              /* own: first the account's */
	size_t shelves;
	struct mailbox *boxes;            /* own: those open */
	struct place *places;             /* own, by name */
	struct folders *folders;          /* own: for those who listen; NULL: nobody does */
	struct view_walk *walks;          /* borrowed: those that may hold a read transaction */
	struct mime_charsets *charsets;   /* own; made when first needed */
	char asked[8][65];                /* names of header fields that were searched for lately and are not cached */
	unsigned asked_n;                 /* how many ever: the next goes to this place, modulo 8 */
	struct thread_kept *threads;      /* own: the last result of THREAD */
	struct thread_learnt *learnt;     /* own: what it was made of */
	struct aging *aging;              /* own: NULL: nothing is being looked at for its age */
	const char *note;                 /* sentence for the log, or NULL: static, or in */
	char *told;                       /* own */
	unsigned unpackings, loadings;    /* of large messages: under way; in memory */
	bool closing, passive;
	uint64_t kept_at;                 /* clock_ms of the last house-keeping */
};

struct sync;
struct arrivals;

/* Keyword names are kept as long as the mailbox is open, so that views may hold pointers to them. */
struct keyword {
	struct keyword *next;
	char name[];
};

struct owing_entry {
	uint64_t seq; /* on the to-do list of the index */
	uint32_t uid;
	struct mail_flags flags;
};

struct owing {
	struct owing_entry *e; /* own */
	size_t n, cap;
	bool lost;             /* the index that knew of them is gone, whoever makes the next one */
};

struct mailbox {
	struct mailbox *next;
	struct acct *acct;       /* borrowed */
	struct space *space;     /* borrowed */
	char *name;              /* own: storage name */
	struct store_box *sb;    /* own; NULL: reopened when needed (mailbox_store) */
	uint32_t id;
	unsigned refs;
	struct view *views;      /* borrowed */
	bool dead;               /* deleted */
	bool readonly;           /* may not be written to */
	bool own_seen;           /* but for \Seen, which is this user's alone */
	uint32_t epoch;          /* raised when the change log cannot be trusted to lead from old modseqs to new ones */
	uint32_t uidvalidity;    /* last seen in the record; 0: never */
	uint64_t floor;          /* the modseq floor that the folder notes; 0: not read yet */
	struct sync *sync;       /* own: the scan under way */
	uint64_t scans;          /* finished ones */
	unsigned repairs;        /* of the index, since the last finished one */
	struct set missing;      /* UIDs that the last scan missed */
	bool unsure;             /* of what was there before the last scan did not look at all */
	unsigned placing;        /* commands of which some messages are in the folder and others are not: nothing is looked for */
	bool unlooked;           /* meanwhile somebody would have looked */
	unsigned unsynced;       /* how often a sync of the folder failed */
	struct arrivals *late;   /* own: deliveries to be numbered and indexed soon (arrive.h); holds a reference */
	struct owing owing;      /* flags that the folder does not have yet */
	uint64_t rescan_at;      /* clock_ms; holds a reference. 0: no second look is due */
	struct place *place;     /* own: a reference */
	uint64_t settle_at;      /* clock_ms: the record's token is older than our own changes; holds a reference. 0: no */
	unsigned settle_tries;
	unsigned waits;          /* looks at messages that we may not number, since there were none */
	struct keyword *pool;    /* own */
	const char *keyword[MAIL_KEYWORDS_MAX]; /* into pool; NULL: free */
	uint32_t keywords_serial;
};

/* A mailbox's name and what belongs to it also while the mailbox is not open: its watches and who wants to hear of it. */
struct place {
	struct acct *acct;       /* borrowed */
	unsigned refs;
	struct mailbox *mb;      /* borrowed: the open one */
	struct heed *heeds;      /* own */
	void *watch[4];          /* own: the process's */
	unsigned watches;
	uint64_t dirs;           /* which directories they are on (store_ops.dirs) */
	uint64_t made;           /* changes of ours through store handles that are closed */
	uint64_t known;          /* the index has all that others did up to this count (mailbox_foreign); KNOWN_NOT */
	unsigned adding;         /* arrivals that are in the folder and not yet in the index: known is KNOWN_NOT, */
	uint64_t held;           /* and this what it will be when they are */
	UT_hash_handle hh;
	char name[];             /* which index, and as in there */
};

struct view {
	struct view *next;
	struct mailbox *mb;      /* a reference */
	char *name;              /* own: client name */
	bool readonly, leave_recent, opened;
	void (*notify)(void *ctx, bool look);
	void *ctx;
	struct set uids;         /* what the session numbers */
	struct set recent;       /* among uids */
	struct set gone;         /* among uids: vanished, not yet told */
	struct set flags;        /* among uids: changed, not yet told */
	bool hold_flags;         /* nor will they be */
	bool hold;               /* what is new waits, */
	struct set waiting, waiting_recent; /* here */
	uint32_t top;            /* UIDs from here on are new to the session */
	uint32_t uidvalidity, epoch, keywords_serial;
	uint64_t absorbed;       /* the modseq up to which gone and flags are complete */
	bool refreshing;
	bool sure;               /* the next refresh looks at all that has not been looked at */
	uint64_t want_scans;
	struct message *last;    /* own: the message opened last */
	const char *keyword[MAIL_KEYWORDS_MAX];
	uint64_t named;          /* the bits of those that have a name, or were found to have none */
	struct view_state state;
};

void view_name_keywords(struct view *v); /* takes the mailbox's names */

/* A mailbox record whose spans outlive writes. */
struct rec {
	struct idx_box b;
	char text[REC_TEXT];
};

/* --- acct.c --------------------------------------------------------------------- */

struct mime_charsets *acct_charsets(struct acct *a);
bool acct_asked(struct acct *a, struct span name); /* was this header field searched for before? From now on it was. */

/* --- shelf.c -------------------------------------------------------------------- */

/* Once all stores are open; every space has its shelf then. And after all mailboxes are closed. */
enum err shelves_open(struct acct *a, struct errtext *t);
void shelves_close(struct acct *a);
enum err shelf_open(struct shelf *s, struct errtext *t);     /* s->idx is there afterwards */
struct shelf *shelf_owing(const struct acct *a, uint64_t now); /* one with a to-do list to be drained by then; or NULL */
enum err shelf_repair(struct shelf *s, struct errtext *t);   /* after ERR_CORRUPT: an empty index; every id in it 0 */
void shelf_owe(struct shelf *s);                             /* the to-do list holds something */
enum err shelf_update(struct shelf *s, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		      struct errtext *t);
enum err shelf_read(struct shelf *s, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t), void *arg,
		    struct errtext *t);

/* The index that a namespace's records go to: finds or opens it; sets shelf and number (unless it is another user's). */
enum err shelf_find(struct space *s, struct errtext *t);
bool shelf_leaves(const struct space *s); /* can it be closed when s goes (nothing is owed there), or stay without it? */
void shelf_left(struct space *s);         /* s goes: its shelf is closed unless others use it */

/* --- sharers.c ------------------------------------------------------------------- */

/*
 * Another user's namespace that holds a mailbox of this name, made when need be; NULL: none does. It stays as long as some
 * mailbox of it is open or heeded, and until more than SHARERS_MOST others were asked for since. ERR_LIMIT: so many are in use.
 */
enum err sharer_space(struct acct *a, struct span name, struct space **s_r, struct errtext *t);
/* ERR_NOTFOUND: he shares nothing. */
enum err sharer_of(struct acct *a, const struct acct_share *share, struct span user, struct space **s_r, struct errtext *t);
void sharers_free(struct acct *a);

/* --- names.c -------------------------------------------------------------------- */

struct name {
	struct space *space;
	char storage[NAME_MAX_STORAGE];
};

/* ERR_CANNOT: not a possible name; the sentence says why. */
enum err name_resolve(struct acct *a, const char *client, struct name *n_r, struct errtext *t);
void name_client(const struct space *s, const char *storage, struct buf *out);
bool name_is_inbox(const struct name *n);
struct span name_index(const struct space *s, const char *storage, char *out /* NAME_MAX_STORAGE + 1 */);
/* And back: the space of the shelf, and the storage name within name. NULL: there is none, or none anymore. */
struct space *name_of_index(const struct shelf *shelf, const char *name, const char **storage_r);
size_t name_index_head(const struct space *s); /* how much stands before the storage name there */
/* The space whose subscriptions file holds names of s, and the storage name there. */
enum err name_subscription(struct acct *a, const char *client, struct name *n_r, struct errtext *t);
/* And back: what clients call a name in the subscriptions file of s. A sharer is met. */
void name_subscribed(struct acct *a, const struct space *s, const char *stored, struct buf *out);

/* --- folders.c ------------------------------------------------------------------ */

/* Creates and subscribes what mailbox {} sections ask for, once. */
enum err space_make(struct acct *a, struct space *s, struct errtext *t);
bool folder_always_subscribed(const struct acct *a, const char *client); /* auto = subscribe */

/* --- mailbox.c ------------------------------------------------------------------ */

enum err mailbox_open(struct acct *a, const char *client, struct mailbox **mb_r, struct errtext *t);
enum err mailbox_open_storage(struct acct *a, struct space *s, const char *storage, struct mailbox **mb_r,
			      struct errtext *t);
struct mailbox *mailbox_find(struct acct *a, const struct space *s, const char *storage); /* no new reference */
void mailbox_close(struct mailbox **mb); /* NULL allowed */
void mailbox_notify(struct mailbox *mb, const struct view *except); /* the index knows something new, by our hand */
void mailbox_found(struct mailbox *mb); /* or because a look found it */
void mailbox_stirred(struct mailbox *mb); /* the folder may hold something new */
enum err mailbox_store(struct mailbox *mb, struct store_box **b_r, struct errtext *t);
bool mailbox_readonly(const struct mailbox *mb);
void mailbox_look_again(struct mailbox *mb); /* a message was not where it should be: scan soon (acct_work) */
void mailbox_look_at(struct mailbox *mb, uint64_t when); /* the same, clock_ms; 0: no need. The caller holds a reference */
/* The bit of a keyword name (ASCII case-insensitive), or -1. */
int mailbox_keyword(const struct mailbox *mb, const char *name);
/*
 * The bits of keyword names; those that are new are added to the folder and the index. ERR_INUSE, ERR_CANNOT; ERR_LIMIT: not
 * all of them have room, then none is added.
 */
enum err mailbox_keywords_add(struct mailbox *mb, const char *const *names, size_t n, uint64_t *bits_r,
			      struct errtext *t);
void mailbox_take_keywords(struct mailbox *mb, struct span names); /* as idx_box.keywords */

/* --- rec.c ---------------------------------------------------------------------- */

typedef enum err (*rec_fn)(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t);

enum rec_kind {
	REC_FACTS, /* gives modseqs */
	REC_NEWS,  /* too: of messages that are not in the index yet */
	REC_NOTES, /* none: caches, hints, flags of the record */
};

/* Raw: the mailbox must have an id; ERR_CORRUPT is the caller's business. */
enum err rec_read(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t);
enum err rec_update(struct mailbox *mb, enum rec_kind kind, rec_fn fn, void *arg, struct errtext *t);
/*
 * Mended: an unknown mailbox is adopted first, a damaged index rebuilt. Those who ask for messages (mailbox_read,
 * mailbox_begin) or change some (REC_FACTS) find all of them: a mailbox that is being filled is so to the end before.
 */
enum err mailbox_read(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t);
enum err mailbox_peek(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t); /* it may be being filled */
enum err mailbox_begin(struct mailbox *mb, struct idx_txn **x_r, struct errtext *t); /* the caller ends the transaction */
enum err mailbox_update(struct mailbox *mb, enum rec_kind kind, rec_fn fn, void *arg, struct errtext *t);
enum err mailbox_ready(struct mailbox *mb, struct errtext *t);           /* the index knows it, though perhaps not all of it */
enum err rec_find(struct mailbox *mb, bool *found_r, struct errtext *t); /* sets mb->id */
enum err mailbox_sync_numbers(struct mailbox *mb, struct errtext *t);    /* when BOX_UNSYNCED */

/* --- sync.c --------------------------------------------------------------------- */

/* Adopts what the folder holds, when it changed (always: force). */
enum step mailbox_sync(struct mailbox *mb, bool force, enum err *err_r, struct errtext *t);
void sync_free(struct sync **s);
/* While a scan is under way: these UIDs are newer in the index than in the scan. */
void sync_touched(struct mailbox *mb, const struct set *changed, const struct set *vanished);

/* Is there anything to do? As cheaply as can be; what it finds out is remembered (known). */
enum err mailbox_compare(struct mailbox *mb);

/* --- known.c -------------------------------------------------------------------- */

#define KNOWN_NOT UINT64_MAX

/* How many changes other programs made while it was watched; KNOWN_NOT: it is not. */
uint64_t mailbox_foreign(struct mailbox *mb);
bool mailbox_watch(struct mailbox *mb); /* from now on, as long as its place is held; false: cannot */
struct place *place_get(struct acct *a, struct space *s, const char *storage); /* a new reference */
void place_put(struct place *p);
bool place_within(const struct space *s); /* is there any of this namespace? */
void place_knows(struct place *p, uint64_t count); /* sets known; KNOWN_NOT: something may be in the folder that nobody saw */
void place_adding(struct place *p);
void place_added(struct place *p, bool indexed); /* once for each adding; false: the index has not got it */
void place_enter(struct mailbox *mb); /* mb is open under its name, */
void place_leave(struct mailbox *mb); /* or no more */
/* Around changes of ours in the folder: so that they are not taken for those of others. */
void mailbox_guard(struct mailbox *mb);
void mailbox_guarded(struct mailbox *mb);
/* Before a scan: true, and watched from here on, when a token of the folder would be too young to prove anything. */
bool mailbox_guard_young(struct mailbox *mb, struct store_box *sb);
/* Some mailbox whose record should have a new token, at a time or (UINT64_MAX) ever; and giving it one. */
bool mailbox_settles(const struct acct *a, uint64_t now, struct mailbox **mb_r);
void mailbox_settle(struct mailbox *mb);     /* may free mb when nobody else holds it */
void mailbox_settle_not(struct mailbox *mb); /* likewise */
void mailboxes_settle_now(struct acct *a);   /* the account closes: a tick of the clock is waited for, no more */

/* --- heed.c --------------------------------------------------------------------- */

void place_tell(struct place *p, bool found); /* to those who heed it (heed_fn) */
/* The folders are going to change by our hand; */
void folders_changing(struct acct *a);
/* they did. from and to (client names, or NULL): one was renamed; only from: it went; only to: it came. */
void folders_changed(struct acct *a, const char *from, const char *to);
void folders_space(struct acct *a, const struct space *s); /* there is one more */
void folders_subscribed(struct acct *a, const struct space *s, const char *storage, bool on);

/* --- threadid.c ------------------------------------------------------------------ */

/* From the header lines that the index keeps (made.h). */
void threadid_of(struct span headers, const uint8_t emailid[16], uint8_t out[16]);

/* --- view.c, update.c ----------------------------------------------------------- */

struct message;
void view_forget_msg(struct view *v);
void view_name(struct view *v); /* takes the mailbox's name, which is new */

/* --- since.c -------------------------------------------------------------------- */

/* Adds the UIDs whose records have a higher modseq: O(messages), for when the log cannot tell. */
enum err since_records(struct idx_txn *x, uint32_t box, uint64_t since, struct set *changed);

/* --- walk.c --------------------------------------------------------------------- */

void acct_pause_walks(struct acct *a);

/* --- kept.c, learnt.c ----------------------------------------------------------- */

void threads_rest(struct acct *a);   /* forgets a large result, and much that was learnt */
void learnt_age(struct acct *a, uint64_t now); /* of what has not been of use for minutes even more */
void threads_forget(struct acct *a);

/* Is the message among the arrivals (store.h), as far as the index knows? */
static inline bool hint_arrived(struct span hint)
{
	return hint.n && hint.p[0] == 'n';
}

/* --- todo.c --------------------------------------------------------------------- */

/*
 * Works on the list of one mailbox (NULL: of all) for a slice. *err_r tells why some is left for later: ERR_INUSE when only
 * other programs' locks are in the way, or another process is at it.
 */
enum step todo_drain(struct shelf *s, struct mailbox *mb, enum err *err_r, struct errtext *t);

/* --- expunge.c ------------------------------------------------------------------ */

/* Messages on their way out: facts with a to-do in one transaction, then the disk. In batches; see removal_step. */
struct removal;
/* uids is copied. flagged: only those that carry \Deleted. */
struct removal *removal_new(struct mailbox *mb, const struct set *uids, bool flagged);
enum step removal_step(struct removal *r, enum err *err_r, struct errtext *t);
void removal_free(struct removal **r); /* NULL allowed; what is begun stays on the to-do list */

/* --- bytes.c -------------------------------------------------------------------- */

/* All bytes of a range into out (cleared first). ERR_IO when there are fewer, ERR_LIMIT beyond LOAD_MAX or out's maximum. */
enum err bytes_load(int fd, uint64_t offset, uint64_t length, struct buf *out, struct errtext *t);
enum err bytes_short(struct errtext *t); /* a file has fewer: says so */

/* --- object.c ------------------------------------------------------------------- */

/* A message's bytes, plain: where the store has them, or, of a compressed message, a nameless file that only we know. */
struct unpacking;
struct object {
	int fd;            /* own; -1: none */
	uint64_t offset, length;
	int64_t mtime, ctime;
	bool unpacked;
	enum pack_kind kind;         /* not PACK_NONE: they are still packed */
	struct unpacking *unpacking; /* own, or NULL */
};
#define OBJECT_CLOSED ((struct object){ .fd = -1 })

/* Finds a message's bytes as they lie on disk (store_ops.locate). */
enum err object_find(struct mailbox *mb, struct span key, struct span hint, struct object *o_r, struct errtext *t);
/*
 * Finds them and unpacks them. o: OBJECT_CLOSED; or as ERR_AGAIN left it, which says that a slice of the work is done: call
 * again, or object_close; or open, and nothing happens. Other failures close it: ERR_IO also when a compressed message is
 * damaged, or there is no room to unpack it; ERR_LIMIT when it would be larger than LOAD_MAX. An unpacked one keeps no more
 * than 256 KiB in memory.
 * l: NULL when not all of the bytes are wanted.
 */
struct loaded;
enum err object_open(struct mailbox *mb, struct span key, struct span hint, struct object *o, struct loaded *l,
		     struct errtext *t);
void object_close(struct object *o); /* closed already: nothing */

/*
 * Those bytes as one span: read into memory, or mapped, where nobody can take them from under the map. object_open forgets
 * what was loaded before and may load the bytes itself; loaded_get then has nothing left to do.
 */
struct loaded {
	struct buf buf;       /* own: few */
	void *map;            /* own: many, */
	size_t map_n, got;    /* of which so many are there */
	struct acct *counted; /* borrowed: among whose loadings this is; or NULL */
	struct span bytes;    /* p NULL: not all of them are loaded */
};
void loaded_init(struct loaded *l);
/*
 * ERR_AGAIN: many are read a slice at a time: call again, with the same o. ERR_LIMIT beyond LOAD_MAX. turn: the account,
 * for those who give more than LOAD_LARGE back soon, whatever their client does, and wait for each other; else NULL.
 */
enum err loaded_get(struct loaded *l, struct acct *turn, const struct object *o, struct errtext *t);
void loaded_free(struct loaded *l); /* may be used again */

#endif
