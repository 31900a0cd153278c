/*
 * A store: how mail lies on disk. It knows where the bytes of a message are, which
 * messages a mailbox holds, and the little identity that the folder itself carries
 * (UIDs, UIDVALIDITY, flags, keyword names, subscriptions). Everything that IMAP asks
 * beyond that (modseqs, history, caches, search) is kept once, above, by index and box.
 *
 * Rules for every slot:
 * - Mailbox names are storage names: modified UTF-7 levels joined by ops->separator; "INBOX"
 *   is the inbox. Names reach a store only through store_name_valid.
 * - Keys name messages within a mailbox and never change (Maildir: the base name before ":2,").
 *   They are opaque bytes to everybody else, 1..255 long. A hint is what the store last saw of the
 *   rest of the name (Maildir: 'n' or 'c' for new/ or cur/, then everything from ":2," on; mbox: where it begins);
 *   callers keep it beside the key and hand it back; a stale hint costs time, never correctness. One that begins with 'n'
 *   says that no program has taken the message out of the arrivals.
 * - A lock that another program may hold is tried once: ERR_INUSE, and the caller retries later.
 *   Nothing here sleeps.
 * - Two-step actions are idempotent: expunging what is gone, or setting flags that are set,
 *   succeeds.
 * - Bytes first, facts second (law 1): commit returns when the message is durable according to
 *   enum store_sync; a failed fsync is ERR_IO, the staged file is dropped, never retried.
 * - Other programs change the folder at any time. Missing in one scan is not gone: see scan.
 *
 * Failures return enum err; no logging here. errtext names the path relative to the mail root.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/mailflags.h"
#include "base/set.h"
#include "base/span.h"
#include "codec/pack.h"

#include <sys/types.h>

enum store_sync {
	STORE_SYNC_NEVER,     /* mail_fsync=never */
	STORE_SYNC_OPTIMIZED, /* sync what adds mail or names */
	STORE_SYNC_ALWAYS,    /* also what flags or removes */
};

/* How an mbox is locked, in this order; ended by MBOX_LOCK_NONE. */
enum mbox_lock_kind {
	MBOX_LOCK_NONE,
	MBOX_LOCK_FCNTL,
	MBOX_LOCK_FLOCK,
	MBOX_LOCK_LOCKF,
	MBOX_LOCK_DOTLOCK,
	MBOX_LOCK_DOTLOCK_TRY, /* as dotlock, but where the directory may not be written to it is left out */
};

/*
 * Makes and removes NAME.lock beside the INBOX at path, where we may not write: somebody else does it for us. take is tried
 * once, as a lock of ours: ERR_INUSE; ERR_PERM where nobody does.
 */
struct store_locker {
	enum err (*take)(void *ctx, const char *path, struct errtext *t);
	void (*drop)(void *ctx, const char *path);
	void *ctx;
};

/* The mbox_* settings. Zeroed: Debian's defaults, but for dirty_syncs. */
struct store_mbox {
	const enum mbox_lock_kind *read_locks, *write_locks; /* must outlive the store; NULL: the defaults */
	int dotlock_change_timeout; /* seconds that a lock file may stand while the mbox does not change */
	bool dirty_syncs; /* a file that has grown is taken to be the same as before but for that, for the time being */
	bool very_dirty_syncs; /* for good */
	bool md5_all;     /* all header lines tell a message again in a file that we may not write to, not only apop3d's */
	bool write_now;   /* flags reach the file before they are acknowledged: the caller's business */
	struct store_locker locker; /* zeroed: none */
};

/* How a Maildir is written and read: the maildir_* settings and the zlib plugin's. Zeroed: Dovecot's defaults. */
struct store_maildir_how {
	bool no_links;       /* maildir_copy_with_hardlinks = no */
	bool very_dirty;     /* maildir_very_dirty_syncs */
	bool no_sizes;       /* maildir_broken_filename_sizes */
	enum pack_kind pack; /* new messages are compressed so; PACK_NONE: not */
	int pack_level;      /* as pack_level */
};

/* Where a store lives. All paths absolute, already expanded; borrowed only during store_open. */
struct store_config {
	const char *root;  /* the mail root (Maildir: INBOX itself) */
	const char *inbox; /* INBOX= elsewhere, or NULL */
	/* CONTROL= root for uidlist, keywords, subscriptions; NULL: beside the mail */
	const char *control;
	/*
	 * Where \Seen is kept that is this user's alone (store_ops.set_seen): of all mailboxes (INDEXPVT=), or of those that hold
	 * a dovecot-shared; NULL: of none.
	 */
	const char *seen;
	bool seen_all;
	const char *subscriptions; /* SUBSCRIPTIONS= file name; NULL: the driver's own */
	const char *dirname;  /* DIRNAME= (LAYOUT=fs): the directory of a folder's messages within its own; NULL: itself */
	bool dirname_control; /* FULLDIRNAME=: so it is below control */
	const char *boxdir;   /* MAILBOXDIR= (LAYOUT=fs): where below root the folders begin; NULL: at root */
	bool utf8;            /* names on disk are UTF-8, not modified UTF-7 */
	bool prune;           /* NO-NOSELECT: levels that hold nothing are removed */
	bool folders_only;    /* no inbox is kept here: "INBOX" is a folder as any other */
	const char *hostname; /* for unique names */
	bool readonly;
	enum store_sync sync;
	mode_t dir_mode; /* new directories; 0: as the root's own mode, else 0700 */
	struct store_mbox mbox;
	struct store_maildir_how maildir;
};

struct store;     /* one mail root */
struct store_box; /* one open mailbox of it */

#define STORE_SIZE_UNKNOWN UINT64_MAX

/* One message as the folder tells it. Spans live in the scan's arena. */
struct store_msg {
	struct span key;
	struct span hint;
	uint32_t uid;            /* 0: the folder has not numbered it */
	struct mail_flags flags; /* MAIL_RECENT set when no program has moved it out of new/ */
	uint64_t size;           /* bytes, of a compressed one when unpacked; STORE_SIZE_UNKNOWN: ask locate */
	uint64_t vsize;          /* with every LF as CRLF; or STORE_SIZE_UNKNOWN */
	struct span uidl;        /* POP3 UIDL that the folder carries; empty: none */
	uint32_t pop3_order;     /* its place among POP3's messages, if the folder carries that; 0: behind those that have one */
	uint8_t guid[16];        /* what it is, wherever it lies: see store_guid */
};

struct store_scan {
	/* numbered ones first, ascending by UID; then unnumbered in numbering order */
	struct store_msg *msg;
	size_t n;
	/* the folder did not change during the pass and its times are older than their granule */
	bool settled;
	/*
	 * Only what is new was looked at. What others may have done to the rest is found by scan, not by scan_new: a caller who
	 * wants to be sure, now or in a while, does that.
	 */
	bool unsure;
	struct span token; /* for changed(): what the folder looked like when the pass began */
};

/* What the folder carries of its own identity. */
struct store_identity {
	uint32_t uidvalidity;
	uint32_t uidnext;
	uint8_t guid[16];
	/* from roost-extra: no modseq at or below it may be given again; 0: none noted */
	uint64_t modseq_floor;
	/* this call took a new UIDVALIDITY (the folder had none, or a damaged list) */
	bool renewed;
	/* there was no list at all, which is news only where a list was known */
	bool missing;
	/* static sentence for the log: why it was renewed, what was repaired; NULL: nothing */
	const char *note;
};

/* What identity shall tell from now on. 0, NULL: as it is. */
struct store_identify {
	uint32_t uidvalidity;
	uint32_t uidnext; /* at least */
	const uint8_t *guid;
};

/* Where the bytes are: a descriptor that the caller owns (and closes), and a range. */
struct store_object {
	int fd;
	uint64_t offset;
	uint64_t length;
	int64_t mtime; /* INTERNALDATE: seconds since 1970 */
	int64_t ctime; /* save date, when nothing better is known */
	bool maybe_packed; /* the bytes may be compressed: their first ones tell (codec/pack.h) */
};

/*
 * A message on its way in. The store fills fd; the writer appends to it; commit or abort ends it.
 */
struct store_stage {
	struct store_box *box; /* borrowed */
	int fd;                /* read-write; owned by the stage; -1 for a linked or settled one */
	void *priv;            /* the store's own */
};

/* What commit is told, and what it answers. */
struct store_commit {
	struct store_stage *stage; /* consumed, also on failure, but not when commit_many says ERR_INUSE */
	struct mail_flags flags;
	int64_t internaldate; /* 0: now; out: of now, where the file's own time does not tell it */
	uint64_t vsize;       /* or STORE_SIZE_UNKNOWN */
	bool recent;          /* into new/ (a delivery); else cur/ */
	bool copy;            /* guid is that of the original, which the copy keeps */
	uint8_t guid[16];     /* in for a copy; out for others */
	struct span key;      /* out: in the arena given */
	struct span hint;     /* out */
	uint64_t size;        /* out; as store_msg's */
	bool altered;         /* out: header lines were left out: nothing learnt from the staged bytes holds */
	enum err err;         /* out: of this one */
};

struct store_folder {
	const char *name; /* storage name */
	bool selectable;  /* false: exists only as a level above others */
	const char *special_use; /* as it was made with; NULL: none */
	uint64_t seen;    /* what glance need not look at again a moment later; 0: nothing */
	uint64_t id;      /* stays the same when it is renamed; no other has it, sooner or later. 0: not known */
};

enum store_path { STORE_PATH_MAIL, STORE_PATH_CONTROL };

struct store_ops {
	const char *driver;    /* "maildir" */
	char separator;        /* between levels of a storage name */
	const char *bad_chars; /* may not occur within a level; the caller says so to the client */
	const char *const *reserved; /* names that no level may have, ended by NULL; or NULL: none */
	bool dots;             /* a level may begin with one */
	unsigned shared_keywords; /* others find so many of a mailbox's keywords in it; the rest is in a file of ours alone */
	bool leaves;           /* a mailbox (but the inbox) has none below it */
	/*
	 * expunge and set_flags only note what shall be, and their _done does it, for all of the batch: ERR_INUSE there leaves
	 * everything noted, any other failure drops it. Who keeps a to-do list crosses nothing off before.
	 */
	bool late;

	/* Does this root look like ours? ERR_OK, ERR_NOTFOUND. Creates nothing. */
	enum err (*probe)(const struct store_config *config);
	/*
	 * Makes the root directory (not INBOX: that is create's) when it is missing and not
	 * read-only; else ERR_NOTFOUND.
	 */
	enum err (*open)(const struct store_config *config, struct store **s_r, struct errtext *t);
	void (*close)(struct store *s);

	/*
	 * Folders. list is unsorted, in the arena, without duplicates, INBOX included when it
	 * exists. create makes missing parents' directories only where the format needs them;
	 * ERR_EXISTS. special_use (RFC 6154; words parted by one blank; NULL: none) stays with the
	 * mailbox wherever it is renamed to; ERR_CANNOT when it cannot be kept. remove:
	 * ERR_NOTFOUND; crash-safe (renamed away first, then deleted; leftovers finished by a later
	 * call). rename moves the mailbox and everything below it, subscriptions excluded; renaming
	 * INBOX is the caller's business (create and move). All are durable when they return, as
	 * sync says.
	 */
	enum err (*list)(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r,
			 struct errtext *t);
	enum err (*create)(struct store *s, const char *name, const char *special_use,
			   struct errtext *t);
	enum err (*remove)(struct store *s, const char *name, struct errtext *t);
	enum err (*rename)(struct store *s, const char *from, const char *to, struct errtext *t);

	/*
	 * Subscriptions: names as the subscriptions file holds them, translated to storage names.
	 */
	enum err (*subscriptions)(struct store *s, struct arena *a, const char ***names_r,
				  size_t *n_r, struct errtext *t);
	enum err (*subscribe)(struct store *s, const char *name, bool on, struct errtext *t);

	/*
	 * May be NULL. Directories whose change means that list or subscriptions may answer something else, borrowed until
	 * close; at most 4. cares_r: whether a change of this name (dir: of a directory's) in one of them
	 * matters.
	 */
	size_t (*watch_list)(struct store *s, const char *paths[4], bool (**cares_r)(const char *name, bool dir));
	/* May be NULL. One more such directory for this folder: where those below it come and go; in the arena; or NULL. */
	const char *(*folder_dir)(struct store *s, const char *name, struct arena *a);

	/* One mailbox. Opening touches as little as possible and takes no lock. ERR_NOTFOUND. */
	enum err (*box_open)(struct store *s, const char *name, struct store_box **b_r,
			     struct errtext *t);
	void (*box_close)(struct store_box *b);

	/*
	 * May be NULL. What would make the next call of identity, scan or scan_new long is done a slice at a time: ERR_AGAIN,
	 * call again; ERR_INUSE. They themselves do whatever of it is left.
	 */
	enum err (*prepare)(struct store_box *b, struct errtext *t);

	/*
	 * Reads, or adopts when the folder has none yet, uidvalidity, uidnext, guid. A re-created
	 * mailbox gets a greater UIDVALIDITY, within the same second too. ERR_INUSE when it must be
	 * written and is locked.
	 */
	enum err (*identity)(struct store_box *b, struct store_identity *id_r, struct errtext *t);

	/*
	 * May be NULL. The messages keep their UIDs, and uidnext is never lowered. Durable when it returns. ERR_INUSE;
	 * ERR_LIMIT: the folder cannot carry such a number.
	 */
	enum err (*identify)(struct store_box *b, const struct store_identify *want, struct errtext *t);

	/*
	 * The keyword names, index = bit; NULL-name slots are free. And one more: the bit it got,
	 * or ERR_LIMIT, ERR_INUSE.
	 */
	enum err (*keywords)(struct store_box *b, struct arena *a,
			     const char **names /* MAIL_KEYWORDS_MAX */, struct errtext *t);
	enum err (*keyword_add)(struct store_box *b, const char *name, unsigned *bit_r,
				struct errtext *t);

	/*
	 * Cheap: can the folder differ from what token (of an earlier scan) saw? Empty token: true.
	 */
	enum err (*changed)(struct store_box *b, struct span token, bool *changed_r);
	/* May be NULL. The same of a mailbox that is not open, without opening it. seen: as the list just told, or 0. */
	enum err (*glance)(struct store *s, const char *name, uint64_t seen, struct span token, bool *changed_r);

	/*
	 * Everything in the mailbox now. New mail in new/ is reported where it is; adopt moves
	 * nothing. ERR_LIMIT beyond the arena. A message missing here is gone only when a later,
	 * settled scan misses it too and locate says ERR_EXPUNGED. UIDs told here are on disk.
	 */
	enum err (*scan)(struct store_box *b, struct arena *a, struct store_scan *scan_r,
			 struct errtext *t);

	/*
	 * May be NULL. As scan, but only of the arrivals, when token, of an earlier
	 * scan, proves that nothing else changed: whatever is not reported with a hint 'n' and had
	 * none is as it was. ERR_CANNOT: a whole scan is needed.
	 */
	enum err (*scan_new)(struct store_box *b, struct span token, struct arena *a,
			     struct store_scan *scan_r, struct errtext *t);

	/*
	 * Finds the message's bytes; looks beyond a stale hint. ERR_EXPUNGED when it is really not
	 * there. hint_r (arena may be NULL when not wanted) tells the true hint. ERR_INUSE: the
	 * folder changes too fast to tell. ERR_AGAIN: a slice of the work is done, call again.
	 */
	enum err (*locate)(struct store_box *b, struct span key, struct span hint,
			   struct store_object *o_r, struct arena *a, struct span *hint_r,
			   struct errtext *t);

	/*
	 * Adding. stage opens an unseen file; commit_many makes a batch durable and visible with
	 * shared syncs (each: fsync file; all renames; one fsync of the directory) and reports per
	 * message; abort drops. size_hint lets it refuse early (ERR_NOSPACE).
	 */
	enum err (*stage)(struct store_box *b, uint64_t size_hint, struct store_stage *st_r,
			  struct errtext *t);
	enum err (*commit_many)(struct store_box *b, struct store_commit *c, size_t n,
				struct arena *a, struct errtext *t);
	/*
	 * May be NULL. A part of a command's messages, to be followed by commit_many of the last of them: visible, but not
	 * durable before that. When the command fails, the caller removes them.
	 */
	enum err (*place_many)(struct store_box *b, struct store_commit *c, size_t n,
			       struct arena *a, struct errtext *t);
	void (*abort)(struct store_stage *st);
	/*
	 * May be NULL. The bytes of these are complete: makes them durable and closes their descriptors, so that any number
	 * can wait for commit_many. On failure the caller aborts them.
	 */
	enum err (*settle)(struct store_box *b, struct store_commit *c, size_t n, struct errtext *t);
	/*
	 * May be NULL: stage a copy of a message of another mailbox of the same driver without
	 * copying bytes (hard link).
	 * ERR_CANNOT: not possible here, copy the bytes (commit_many may say so, too). The copy keeps the original's
	 * INTERNALDATE. from stays open until commit or abort; a message that goes before the commit fails it with
	 * ERR_EXPUNGED.
	 */
	enum err (*link)(struct store_box *from, struct span key, struct span hint,
			 struct store_box *to, struct store_stage *st_r, struct errtext *t);

	/*
	 * Numbering, under the folder's lock: rereads what others added, gives UIDs to keys[]
	 * (those that have one keep it), appends them to the folder's list. uids[i] is written for
	 * each, and keys[i] (in the arena) where a number makes another key of it. next_r: the
	 * folder's uidnext afterwards. synced: the lines are on disk when it
	 * returns; else the caller must call sync_numbers before any of these UIDs leaves in an
	 * answer. ERR_EXPUNGED: others changed what the keys were made of: scan again.
	 */
	enum err (*number)(struct store_box *b, struct span *keys, size_t n, bool synced, uint32_t *uids,
			   uint32_t *next_r, struct arena *a, struct errtext *t);
	enum err (*sync_numbers)(struct store_box *b, struct errtext *t);

	/*
	 * Removing and flags. hint_r as in locate. ERR_EXPUNGED from set_flags and claim when it is gone.
	 * Both move a message out of the arrivals (new/ to cur/): that is how \Recent ends. claim does no more, its flags
	 * stay as the folder has them; where another program was faster, what that one did stands: ERR_NOTFOUND, or nothing
	 * happens.
	 */
	enum err (*expunge)(struct store_box *b, struct span key, struct span hint,
			    struct errtext *t);
	/* end of a batch: sync as configured, compact lists */
	enum err (*expunge_done)(struct store_box *b, struct errtext *t);
	enum err (*set_flags)(struct store_box *b, struct span key, struct span hint,
			      struct mail_flags flags, struct arena *a, struct span *hint_r,
			      struct errtext *t);
	enum err (*claim)(struct store_box *b, struct span key, struct span hint, struct arena *a, struct span *hint_r,
			  struct errtext *t);
	enum err (*flags_done)(struct store_box *b, struct errtext *t);
	/*
	 * May be NULL where no mailbox has own_seen. These were seen, those not (anymore), as only this user knows. Durable
	 * when it returns. ERR_INUSE.
	 */
	enum err (*set_seen)(struct store_box *b, const struct set *on, const struct set *off, struct errtext *t);

	/* The modseq floor in roost-extra: raised, durable when it returns. */
	enum err (*set_modseq_floor)(struct store_box *b, uint64_t floor, struct errtext *t);

	/*
	 * Directories whose change means "scan again"; borrowed until box_close. At most 4; 0: their
	 * names lead elsewhere now. Who watches by name asks again afterwards.
	 */
	size_t (*watch)(struct store_box *b, const char *paths[4]);
	/*
	 * May be NULL, for people. Where the messages of a mailbox lie (a directory or a file), or its list of UIDs, its
	 * keywords and what is ours; or would lie, if it were there. In the arena; NULL at its limit, or not a possible name.
	 */
	const char *(*path)(struct store *s, const char *name, enum store_path what, struct arena *a);
	/*
	 * May be NULL, then so is token. How many changes of names this handle itself made in them
	 * since it was opened: a file that came or went counts one, a renamed one two.
	 */
	uint64_t (*made)(struct store_box *b);
	/* Not NULL unless made is: a number for those very directories, whatever their names. */
	uint64_t (*dirs)(struct store_box *b);
	/*
	 * A token of the folder as it is now, for a caller who knows that a scan would find nothing
	 * new; before: the one until now, which was true until this box changed something. ERR_INUSE: it changed so
	 * lately that another change may hide behind the same time.
	 */
	enum err (*token)(struct store_box *b, struct span before, struct arena *a, struct span *token_r);
};

/* The known drivers by name; NULL when unknown. "maildir-fs" is LAYOUT=fs of "maildir". */
const struct store_ops *store_driver(const char *name);
extern const struct store_ops store_maildir, store_maildir_fs, store_mbox;

/* A store in RAM, for tests; and a decorator whose n-th call of a fallible slot fails. */
extern const struct store_ops store_memory;
struct store_faulty {
	const struct store_ops *inner;
	unsigned fail_at; /* 1 = the next call; 0 = never */
	enum err with;
	/* With ERR_OK the call does not fail: this comes before it, as what another process does just then. */
	void (*meanwhile)(void);
	unsigned calls;
};
/* Its store_config.hostname carries a struct store_faulty * in tests: see store/faulty.c. */
const struct store_ops *store_faulty_ops(void);

enum { STORE_NAME_MAX = 255 }; /* bytes of a storage name */

/*
 * Is this a storage name that may become a path: levels non-empty, no NUL, control byte, '/' (but as separator),
 * leading '~' or (unless ops->dots) '.', level not "." or ".." or reserved, <= STORE_NAME_MAX bytes.
 */
bool store_name_valid(const struct store_ops *ops, const char *name);

/*
 * The identity of a message's content (RFC 8474 EMAILID): that of its original for a copy of ours, what the folder
 * names as such, else made from the key. Text of 32 lower-case hex digits is the identity itself, any other is hashed.
 */
void store_guid(struct span text, uint8_t guid_r[16]);

/*
 * Every store and every open mailbox begins with this, so that store_ops can be found from either.
 */
struct store {
	const struct store_ops *ops;
};
struct store_box {
	const struct store_ops *ops;
	struct store *store; /* borrowed */
	bool readonly;       /* as the store is configured, or its directory or file may not be written to */
	bool own_seen;       /* \Seen is told by set_seen, also where readonly: set_flags leaves the folder's alone */
};

#endif
