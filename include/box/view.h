/*
 * A view: what one session sees of one open mailbox. It is a set of UIDs (runs, so that 100,000
 * messages cost a few bytes), a modseq up to which the session has been told, and what it has yet to be told.
 *
 * Sequence numbers change only in view_update with expunge allowed; between two such calls every number
 * keeps its meaning, whatever happens elsewhere. UIDs that vanished stay in the view until then; asking for their
 * bytes gives ERR_EXPUNGED.
 * Several views of one mailbox in one process share the open mailbox; a change made through one
 * calls the others' notify function, which only schedules.
 */
#ifndef BOX_VIEW_H
#define BOX_VIEW_H

#include "base/buf.h"
#include "box/acct.h"
#include "mime/decode.h"

struct view;
struct mime_section;
struct mime_tree;

/*
 * Opening is two steps: view_open (quick; ERR_NOTFOUND, ERR_CANNOT), then view_refresh until STEP_DONE, then view_update once,
 * whose result is the state to announce. A read-write view claims \Recent; a read-only one only looks.
 */
enum err view_open(struct acct *a, const char *name, bool readonly, struct view **v_r, struct errtext *t);
void view_close(struct view **v); /* NULL allowed */
/* From now on a read-write view leaves \Recent to others. Before its first update. */
void view_leave_recent(struct view *v);
/* look: another program may have changed the folder: view_refresh is needed, view_update alone does not see it. */
void view_set_notify(struct view *v, void (*fn)(void *ctx, bool look), void *ctx);

/*
 * Looks at the folder and adopts what other programs did, when it changed (always: force). STEP_WAITING: its lock
 * is held elsewhere; a caller that need not know may go on with what the index has. err_r is written with STEP_DONE.
 */
enum step view_refresh(struct view *v, bool force, enum err *err_r, struct errtext *t);
/* The next view_refresh, as the first does, also finds what looks at what was new alone have left for later. */
void view_make_sure(struct view *v);
/* Has changes by other programs told through notify from now on. False: cannot; view_refresh from time to time. */
bool view_watch(struct view *v);

struct view_changes {
	uint32_t *expunged;     /* sequence numbers, descending, each as it is when its turn comes; arena */
	size_t expunged_n;
	struct set vanished;    /* the same messages as UIDs; arena-free: caller must set_free */
	struct set flags;       /* UIDs whose flags, keywords or modseq the session should hear; set_free */
	bool exists_changed, recent_changed, keywords_changed;
};
void view_changes_free(struct view_changes *c);

/*
 * Brings the view up to date with the index: O(changes). expunge: numbers may change now.
 * ERR_NOTFOUND (here and from view_refresh): the mailbox was deleted, or replaced by one with another UIDVALIDITY;
 * the session must leave it. ERR_INUSE: first update, and the folder could not be numbered yet.
 */
enum err view_update(struct view *v, bool expunge, struct arena *a, struct view_changes *c_r, struct errtext *t);

/*
 * From now on view_update leaves new messages out of the view, or keeps changes of flags to itself, until it is told
 * otherwise.
 */
void view_hold(struct view *v, bool fresh, bool flags);

/* The state as of the last view_update. */
struct view_state {
	const char *name;       /* client name */
	bool readonly;
	bool seen_only;         /* but \Seen, which is this user's own there, may be changed */
	uint32_t exists, recent, uidvalidity, uidnext;
	uint32_t first_unseen;  /* sequence number as of view_open's first update; 0: none */
	uint64_t highestmodseq; /* all up to here has been told */
	bool behind;            /* news could not be told yet, or a walk met a change before it was told: highestmodseq waits */
	const char *const *keywords; /* MAIL_KEYWORDS_MAX slots, NULL where free; valid until the next update or new_keywords */
	uint8_t guid[16];
};
const struct view_state *view_state(const struct view *v);

/* Numbers. 0: no such. set translation drops numbers that do not exist. */
uint32_t view_uid(const struct view *v, uint32_t seq);
uint32_t view_seq(const struct view *v, uint32_t uid);
const struct set *view_uids(const struct view *v);
const struct set *view_gone(const struct view *v); /* among them: vanished, and not told yet */
void view_seqs_to_uids(const struct view *v, const struct set *seqs, struct set *uids_r);
void view_uids_to_seqs(const struct view *v, const struct set *uids, struct set *seqs_r);

/* --- since a modseq (RFC 7162) -------------------------------------------------- */

/*
 * What happened after modseq to the UIDs known to a client. O(changes) while the change log reaches back to it;
 * else (complete false) changed comes from the records, and vanished is all of known that is not there. So it is with a modseq
 * above any that the mailbox gave. Messages that the view still holds are not vanished: view_update tells them.
 */
struct view_since {
	uint64_t modseq;
	const struct set *known; /* borrowed; NULL: every UID below UIDNEXT */
	bool complete;           /* out, as all below */
	struct set changed;      /* among the view's UIDs: changed or new */
	struct set vanished;     /* may hold UIDs that the client never heard of */
};
/* ERR_NOTFOUND as view_update; ERR_INUSE: the folder must be read anew, and another program has locked it. */
enum err view_since(struct view *v, struct view_since *s, struct errtext *t);
void view_since_free(struct view_since *s);

/* --- facts ---------------------------------------------------------------------- */

enum view_want {
	WANT_VSIZE = 0x01,     /* RFC822.SIZE must be known */
	WANT_ENVELOPE = 0x02,
	WANT_BODYSTRUCTURE = 0x04,
	WANT_BODY = 0x08,
	WANT_PARTS = 0x10,
	WANT_HEADERS = 0x20,
	WANT_PREVIEW = 0x40,
	WANT_PREVIEW_KEPT = 0x100, /* the preview if it is cached */
	WANT_THREADID = 0x200,
	WANT_ASKED = 0x800,    /* asked, if it is cached */
	WANT_SENT = 0x400,     /* the Date field's date */
	WANT_DATES = 0x80,     /* internaldate and savedate must be known (else they may be 0: not looked at yet) */
};

struct message_facts {
	uint32_t seq, uid;
	struct mail_flags flags; /* MAIL_RECENT included for this view */
	bool new_keywords;       /* view_state has just got names that these flags need */
	uint64_t modseq;
	int64_t internaldate, savedate;
	int64_t sent;            /* for box itself: packed */
	uint64_t size;           /* octets as stored; UINT64_MAX: not looked at yet */
	uint64_t vsize;          /* CRLF octets: RFC822.SIZE */
	uint8_t emailid[16];     /* RFC 8474: the content's, the same in every copy */
	uint8_t threadid[16];    /* with WANT_THREADID */
	/* As wanted; valid until the next call, or any change to the account. */
	struct span key;         /* what the store calls it */
	struct span envelope, bodystructure, body, parts, headers, preview, asked;
};

/*
 * A walk over some UIDs of the view, ascending. Wanted facts that are not cached are made from the bytes and cached
 * (in batches, the last when the walk ends). view_walk_next: ERR_OK, ERR_NOTFOUND at the end, an error that
 * view_err_passes for a message whose bytes are gone or cannot be read (facts hold seq, uid, flags; go on), others fatal
 * (ERR_INUSE: the mailbox went, or is being read anew); but ERR_AGAIN says that it is still being unpacked or looked into:
 * the next call goes on with that. Only facts that are made from the bytes (all that is wanted but WANT_DATES) take that.
 * The caller must call view_walk_pause before it returns to the event loop.
 */
static inline bool view_err_passes(enum err e)
{
	return e == ERR_EXPUNGED || e == ERR_IO || e == ERR_LIMIT || e == ERR_PERM;
}

struct view_walk;
enum err view_walk_begin(struct view *v, const struct set *uids, unsigned want, struct view_walk **w_r,
			 struct errtext *t);
enum err view_walk_next(struct view_walk *w, struct message_facts *f_r, struct errtext *t);
void view_walk_back(struct view_walk *w); /* the next will be the last one, once more */
void view_walk_pause(struct view_walk *w);
void view_walk_end(struct view_walk **w); /* NULL allowed */

/* --- bytes ---------------------------------------------------------------------- */

/*
 * One message's bytes in CRLF form, whatever form they are stored in. RFC822.SIZE, section sizes and the octets read
 * agree to the byte. Reading is sequential or random; sequential costs one pass. message_read appends up to max octets
 * from offset to out, which must have room for one more; fewer only at the end. A file changed underneath gives
 * ERR_EXPUNGED or ERR_IO, never garbage lengths: message_read then pads nothing; the caller ends the connection if a
 * literal was announced.
 */
struct message;
struct message_bytes {
	uint64_t size;          /* CRLF octets */
	bool nil;               /* the section does not exist: NIL */
	bool holds_parts;       /* a numbered section's part is a multipart, or a message inside */
	struct message *msg;    /* borrowed */
	uint64_t from, to;      /* stored range, when it is one */
	struct span made;       /* filtered header bytes, in the message's arena, when it is not */
	uint64_t at, at_stored; /* where sequential reading stands */
};
/*
 * m: to NULL, or to what ERR_AGAIN left there (also if it was for another UID): a compressed message is unpacked a slice at a
 * time, and until then nothing may be done with it but to call again, or to close it. After other failures (ERR_EXPUNGED)
 * there is NULL.
 */
enum err message_open(struct view *v, uint32_t uid, struct message **m, struct errtext *t);
void message_close(struct message **m); /* NULL allowed */
/*
 * section NULL: the whole message. names: of HEADER.FIELDS and HEADER.FIELDS.NOT (else NULL, 0); not kept. ERR_AGAIN: the
 * structure of a large message is found a slice at a time.
 */
enum err message_section(struct message *m, const struct mime_section *section, const struct span *names, size_t n,
			 struct message_bytes *b_r, struct errtext *t);
enum err message_read(struct message_bytes *b, uint64_t offset, size_t max, struct buf *out, struct errtext *t);
/* How the part that the section's numbers name is encoded; ERR_CTE: in a way that nobody knows. */
enum err message_encoding(struct message *m, const struct mime_section *part, enum mime_cte *cte_r, struct errtext *t);
/* The structure; borrowed until message_close. ERR_AGAIN, as above. */
enum err message_parts(struct message *m, const struct mime_tree **tree_r, struct errtext *t);
unsigned message_links(const struct message *m); /* names that its file has; at least 1 */
/* The message as stored, whole, when it is at most max bytes (search); borrowed until message_close. ERR_AGAIN, as above. */
enum err message_stored(struct message *m, size_t max, struct span *bytes_r, struct errtext *t);

/* --- changing ------------------------------------------------------------------- */

enum view_store_mode { VIEW_FLAGS_SET, VIEW_FLAGS_ADD, VIEW_FLAGS_REMOVE };

struct view_store {
	enum view_store_mode mode;
	uint8_t system;               /* enum mail_flag */
	const char *const *keywords;  /* names; new ones are added to the mailbox (ERR_LIMIT when full) */
	size_t keywords_n;
	bool silent;                  /* the session does not want to hear of its own change; else it hears of all uids */
	uint64_t unchangedsince;      /* UINT64_MAX: no condition; 0: always fails */
	struct set modified;          /* out: UIDs that failed the condition, the flags in question being others; set_free */
	bool owed;                    /* box's own, false at first: the index has it, the folder shall before the answer */
};
/*
 * Atomic over uids; those that are gone are passed over. Answered from the index; file names follow (acct_work), or are
 * there first (mail_fsync=always, mbox_lazy_writes=no). ERR_READONLY; ERR_INUSE: another program has a lock, retry with the
 * same s, which goes on where it was.
 */
enum err view_store(struct view *v, const struct set *uids, struct view_store *s, struct errtext *t);

/* Removes those of uids (NULL: all) that carry \Deleted: facts with a to-do, then the disk, then STEP_DONE. */
enum { VIEW_EXPUNGE_BATCH = 500 }; /* as many go from the index at once */
struct view_expunge {
	const struct set *uids;
	bool unflagged;      /* also those without \Deleted */
	enum err err;
	struct errtext text;
	struct set expunged; /* out; set_free */
	void *priv;
};
enum step view_expunge(struct view *v, struct view_expunge *job);

/*
 * COPY and MOVE. All or nothing for copies; MOVE removes from the source after the copies are durable: given up it leaves
 * nothing in both places when it is of no more than VIEW_EXPUNGE_BATCH messages.
 * source and dest: the two COPYUID sets, same order (ascending).
 */
struct view_copy {
	const struct set *uids;
	const char *dest;   /* ERR_NOTFOUND: [TRYCREATE] */
	bool move;
	bool skip_gone;     /* what is expunged is left out; else nothing is copied then (RFC 2180 section 4.4) */
	enum err err;       /* out, as below */
	struct errtext text;
	uint32_t uidvalidity;
	struct set source, dest_uids;
	uint64_t done;      /* messages taken along so far, while it works */
	void *priv;
};
enum step view_copy(struct view *v, struct view_copy *job);
void view_copy_free(struct view_copy *job); /* also aborts */
void view_expunge_free(struct view_expunge *job);

#endif
