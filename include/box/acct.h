/*
 * A user's mail as one process sees it: his namespaces and stores, his index, and the
 * mailboxes that are open now. One acct a user and process; every session and delivery of
 * the user in this process shares it, which is how IDLE hears of a delivery without asking the disk.
 *
 * Nothing here waits: what may meet another program's lock, or may be long, is a step function (base/step.h),
 * called again until STEP_DONE; STEP_WAITING means "again in about 50 ms, with jitter".
 * Mailbox names here are client names: modified UTF-7, namespace prefix and separator included; "INBOX" in any case.
 */
#ifndef BOX_ACCT_H
#define BOX_ACCT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/set.h"
#include "base/step.h"
#include "store/store.h"

struct idx_roll;

enum acct_ns_type { ACCT_PRIVATE, ACCT_SHARED, ACCT_PUBLIC };
enum acct_list { ACCT_LIST_NO, ACCT_LIST_CHILDREN, ACCT_LIST_YES };

/* A mailbox {} section: a client name below the namespace prefix, its special use, whether to make it. */
struct acct_mailbox {
	const char *name;        /* without prefix; modified UTF-7; namespace separator */
	const char *special_use; /* "\\Drafts" ...; several separated by a blank; or NULL */
	bool create, subscribe;
	/* name may be a pattern (* and ?) for these: */
	uint64_t expunge_after;  /* seconds after its saving a message goes by itself; 0: never */
	uint64_t expunge_beyond; /* messages that may be there, the oldest go; 0: any number */
};

struct acct_ns {
	const char *prefix;   /* "" or "INBOX." */
	char separator;       /* 0: the store's own */
	bool inbox, hidden, subscriptions;
	bool optional;        /* where it cannot be opened the account does without it */
	enum acct_list list;
	enum acct_ns_type type;
	const struct store_ops *ops;
	struct store_config store;
	/* The index of a root that several users share, as in idx_config; NULL: it is in the account's own. */
	const char *index_dir;
	bool index_flat;
	mode_t index_mode;
	/* Another user's: the store's INBOX is called as the prefix without its last separator. */
	bool foreign_inbox;
	bool empty_new;       /* maildir_empty_new: who only looks leaves no arrivals in the folder either */
	const struct acct_mailbox *mailbox;
	size_t mailboxes;
};

/* A namespace for each user who shares: his is made when it is needed. */
struct acct_share {
	const char *prefix; /* what all of them begin with; ended by the separator or "" */
	char separator;
	bool hidden;
	enum acct_list list;
	/* Whose is the mailbox of this name, or the namespace of this prefix? False: it is in none of these. */
	bool (*match)(void *ctx, const struct acct_share *share, struct span name, struct buf *user_r);
	/* The namespace, in the arena. ERR_NOTFOUND and others: he shares nothing. */
	enum err (*make)(void *ctx, const struct acct_share *share, struct span user, struct arena *ar,
			 const struct acct_ns **ns_r, struct errtext *t);
	void *ctx;
	const void *source; /* the maker's own */
};

/*
 * Watching directories for changes by other programs: lent by the process. changed(arg) is called out of the loop,
 * once for all that happened since to names that cares answers true for (NULL: any).
 */
struct acct_watcher {
	void *(*add)(void *ctx, const char *dir, bool (*cares)(const char *name, bool dir), void (*changed)(void *arg),
		     void *arg); /* NULL: cannot */
	void (*remove)(void *ctx, void *handle);
	/*
	 * How often a name that matters came, went or changed in the directory, up to now (a rename within it: twice). Only
	 * differences mean something; one that could not be counted exactly is huge.
	 */
	uint64_t (*count)(void *ctx, void *handle);
	void *ctx;
};

struct acct_config {
	const char *user;
	const struct acct_ns *ns; /* ns[i].inbox is true for exactly one */
	size_t namespaces;
	const struct acct_share *share;
	size_t shares;            /* at most 32 */
	const char *index_dir;    /* one environment for all private namespaces */
	bool index_memory, index_flat; /* flat: as in idx_config */
	/* Where the index goes when index_dir is on a network file system or may not be written; NULL: nowhere, it fails. */
	const char *index_fallback;
	bool pooled;              /* other accounts of this process may have the same shared roots */
	const char *scratch_dir;  /* for nameless files: what is too large to be unpacked in memory; NULL: index_dir */
	uint64_t index_cache_max; /* bytes, as in idx_config */
	struct idx_roll *index_roll; /* likewise */
	unsigned max_keyword_length; /* mail_max_keyword_length: 50 */
	uint64_t lock_wait_ms;    /* most that another program's lock is waited for; 0: as long as is usual */
	struct acct_watcher watcher; /* zeroed: none */
};

struct acct;

/*
 * Opens stores and index; creates what mailbox {} sections ask for (auto = create / subscribe) at first need.
 * config is borrowed as long as the acct lives.
 */
enum err acct_open(const struct acct_config *config, struct acct **a_r, struct errtext *t);
/* All views must be closed. Drains the to-do list (bounded to 2 s; the rest waits for the next open), syncs the index. */
void acct_close(struct acct **a);
const struct acct_config *acct_config_of(const struct acct *a);
/* As long as it is on nothing is made unasked: no mailbox of a mailbox {} section, no INBOX. Who only looks sets it. */
void acct_passive(struct acct *a, bool on);
/*
 * Something that belongs into the log (a UIDVALIDITY renewed and why, an index rebuilt): a sentence, once, good until
 * the next call here; else NULL.
 */
const char *acct_note(struct acct *a);

/*
 * Disk work owed: flag renames, finished expunges, a second look at messages that a scan missed. Call within a second
 * after acct_busy turns true, again while STEP_SLICE. STEP_DONE: nothing can be done now; while acct_busy is
 * still true, again in some 300 ms. Also once a minute for house-keeping.
 */
bool acct_busy(const struct acct *a);
enum step acct_work(struct acct *a);
/* A session or delivery ended: from now on acct_work also removes what mailbox {} sections say is too old (acct_busy). */
void acct_autoexpunge(struct acct *a);
/* Nobody asked for anything lately: gives back what is quickly had again. Any call may follow. */
void acct_rest(struct acct *a);

/* --- folders -------------------------------------------------------------------- */

enum folder_flag {
	FOLDER_NOSELECT = 0x01,     /* a level above mailboxes and none itself; cannot be selected */
	FOLDER_NONEXISTENT = 0x02,  /* only subscribed */
	FOLDER_CHILDREN = 0x04,     /* has children */
	FOLDER_SUBSCRIBED = 0x08,
	FOLDER_SUBSCRIBED_CHILD = 0x10, /* some descendant is subscribed (CHILDINFO) */
	FOLDER_MARKED = 0x20,       /* holds \Recent messages, as far as the index knows */
	FOLDER_NOINFERIORS = 0x40,
	FOLDER_UNLISTED = 0x80,     /* list = no: only for those who ask below its prefix */
	FOLDER_REFUSED = 0x100,     /* set by who finds out: a mailbox that this user may not open */
};

struct folder {
	const char *name;        /* client name */
	char separator;
	unsigned flags;          /* enum folder_flag */
	const char *special_use; /* or NULL */
	const char *prefix;      /* of its namespace, */
	enum acct_ns_type type;  /* and what that is */
	uint64_t id, seen;       /* as store_folder's */
};

/*
 * All folders of all namespaces, missing parent levels and non-existing subscriptions included,
 * sorted by name (INBOX first), in the arena.
 */
enum err acct_folders(struct acct *a, struct arena *ar, struct folder **f_r, size_t *n_r, struct errtext *t);

/*
 * ERR_EXISTS, ERR_CANNOT (name not possible here; the sentence says why), ERR_NOTFOUND, ERR_PERM.
 * A trailing separator is allowed everywhere and means nothing.
 */
enum err acct_create(struct acct *a, const char *name, const char *special_use /* NULL: none */, struct errtext *t);
enum err acct_delete(struct acct *a, const char *name, struct errtext *t);
/* Renaming INBOX moves its messages into the new mailbox: a step, state in *job (zeroed at first). */
struct acct_rename {
	const char *from, *to; /* borrowed until done */
	enum err err;
	struct errtext text;
	void *priv;
};
enum step acct_rename(struct acct *a, struct acct_rename *job);
void acct_rename_free(struct acct_rename *job); /* only needed when it is given up before STEP_DONE; so for those below */
enum err acct_subscribe(struct acct *a, const char *name, bool on, struct errtext *t);

/* Does a mailbox of this name exist and can it be selected? ERR_OK, ERR_NOTFOUND, ERR_CANNOT (not a possible name). */
enum err acct_exists(struct acct *a, const char *name, struct errtext *t);
/* Where it lies, for people; or would, if there were such a mailbox. ERR_CANNOT: nowhere that has a name. */
enum acct_path_kind { ACCT_PATH_MAIL, ACCT_PATH_CONTROL, ACCT_PATH_INDEX };
enum err acct_path(struct acct *a, const char *name, enum acct_path_kind kind, struct arena *ar, const char **path_r,
		   struct errtext *t);

/* STATUS without selecting. A step: the folder may have to be scanned. */
struct acct_status {
	const char *name; /* borrowed */
	uint64_t seen;    /* folder.seen, of a list that is not older than a moment; or 0 */
	bool sizes;       /* size is wanted: messages whose size is not known yet are looked at */
	enum err err;     /* out, as all below */
	struct errtext text;
	uint32_t messages, recent, uidnext, uidvalidity, unseen, deleted;
	uint64_t highestmodseq;
	uint64_t size;    /* CRLF octets of all; without sizes: of those that are known */
	uint8_t guid[16];
	void *priv;
};
enum step acct_status(struct acct *a, struct acct_status *job);
void acct_status_free(struct acct_status *job);

/*
 * Gives a mailbox another UIDVALIDITY, or GUID, or raises its UIDNEXT: roostadm mailbox update. A step. Its messages keep their
 * UIDs; with another UIDVALIDITY it is another mailbox to clients, and sessions that have it open end.
 */
struct acct_identify {
	const char *name;     /* borrowed until done */
	uint32_t uidvalidity; /* 0: stays */
	uint32_t uidnext;     /* at least; 0: stays */
	const uint8_t *guid;  /* borrowed until done; NULL: stays */
	enum err err;         /* out */
	struct errtext text;
	void *priv;
};
enum step acct_identify(struct acct *a, struct acct_identify *job);
void acct_identify_free(struct acct_identify *job);

/* Throws away what the index knows of a mailbox (NULL: all) and builds it anew from the folder: roostadm reindex. */
struct acct_reindex {
	const char *name;
	enum err err;
	struct errtext text;
	uint32_t mailboxes, messages; /* done so far */
	void *priv;
};
enum step acct_reindex(struct acct *a, struct acct_reindex *job);
void acct_reindex_free(struct acct_reindex *job);

/*
 * Compares what the index has of a mailbox with the folder and the messages' bytes: roostadm verify. Owed work is done and
 * the folder looked at first; nothing is mended. found is told each difference that stays; uid 0: of the mailbox itself.
 */
struct acct_verify {
	const char *name;
	void (*found)(void *ctx, uint32_t uid, const char *what);
	void *ctx;
	enum err err; /* out, as all below */
	struct errtext text;
	uint64_t differences;
	uint64_t done, goal; /* messages */
	void *priv;
};
enum step acct_verify(struct acct *a, struct acct_verify *job);
void acct_verify_free(struct acct_verify *job);

/* What the folder says by itself; nothing is adopted, nothing written. */
struct acct_survey {
	const char *name;
	void (*message)(void *ctx, const struct store_msg *m); /* may be NULL */
	void *ctx;
	uint32_t messages, unnumbered, last_uid; /* out, as all below */
	uint32_t uidvalidity, uidnext;           /* 0: it has none that a message has been numbered under */
	unsigned keywords, keywords_ours;        /* ours: of these, what only we can read */
	const char *note;                        /* as store_identity's */
};
enum err acct_survey(struct acct *a, struct acct_survey *s, struct errtext *t);

/*
 * Another server takes the mailbox for a while: raise is where its modseqs have to begin for clients that know ours; owed flags
 * go to the folder; and ours go on far above from here on (note), every message with a new one. What clients learn here
 * between this and the switch is not counted in. A step; given up or killed it may be done again.
 */
struct acct_release {
	const char *name;
	bool note;
	enum err err; /* out, as all below */
	struct errtext text;
	uint64_t raise;
	bool own_seen;       /* \Seen is this user's own here: */
	struct set seen;     /* that he has seen; the caller frees it */
	uint64_t done, goal; /* messages */
	void *priv;
};
enum step acct_release(struct acct *a, struct acct_release *job);
void acct_release_free(struct acct_release *job);
/* HIGHESTMODSEQ is at least this from now on. Of a mailbox that acct_status has just told of. ERR_INUSE: later again. */
enum { ACCT_MODSEQ_MOST_BITS = 62 };
enum err acct_raise_modseq(struct acct *a, const char *name, uint64_t least, struct errtext *t);

/* --- adding --------------------------------------------------------------------- */

/*
 * Adding messages to one mailbox: begin, then for each message start, write..., end; then finish as a step.
 * Bytes may hold CRLF or LF line ends; they are stored as base/lf.h says, counted as CRLF.
 * Nothing is visible before finish is done; all or none. ENVELOPE and structure are cached on the way.
 * append_free at any time (aborts what is unfinished).
 */
struct append;
enum { APPEND_MOST = 1 << 30 }; /* octets of one message; more give ERR_LIMIT */
enum err append_begin(struct acct *a, const char *name, struct append **p_r, struct errtext *t); /* ERR_NOTFOUND: [TRYCREATE] */
enum err append_start(struct append *p, uint64_t size_hint, uint8_t flags, const char *const *keywords,
		      size_t nkeywords, int64_t internaldate /* 0: now */, struct errtext *t);
enum err append_write(struct append *p, struct span bytes, struct errtext *t);
enum err append_end(struct append *p, struct errtext *t);
/*
 * A delivery: the descriptor of the message just started, for another process to write LF-form bytes to;
 * append_write puts trace headers in front first. recent: the message goes to new/.
 */
enum err append_fd(struct append *p, int *fd_r, struct errtext *t);
void append_recent(struct append *p);
/* number: give UIDs now (APPENDUID); without, a delivery to a mailbox that nobody watches may stay unnumbered. */
enum step append_finish(struct append *p, bool number, enum err *err_r, struct errtext *t);
uint32_t append_uidvalidity(const struct append *p);
const struct set *append_uids(const struct append *p); /* in the order started: ascending */
/*
 * Of the message that append_end closed last, until the next start: a header field, decoded, "" when absent (only the fields
 * that the index keeps: message-id, subject, from and kin); its size as stored and in CRLF form.
 */
struct span append_header(const struct append *p, const char *name);
void append_sizes(const struct append *p, uint64_t *size_r, uint64_t *vsize_r);
void append_free(struct append **p);

#endif
