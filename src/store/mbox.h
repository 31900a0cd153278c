/*
 * The mbox driver's own view of itself: what its files share. Not for other rooms.
 *
 * A mailbox is a regular file of messages, each begun by a From_ line (mbox_from.h); folders are
 * directories, so a mailbox has no children. INBOX is INBOX= (/var/mail/user), else "inbox" in the
 * root. What the file cannot carry lies beside in .imap/NAME/ of the control root: roost-extra
 * (extra.h), and roost-journal while the file is being rewritten (mbox_journal.c).
 *
 * Keys are UIDs in decimal; a message without one has a key from its place and its header, good until it gets one.
 * Hints are file offsets of From_ lines, with an 'n' before them as long as the message is recent: its Status has no O.
 */
#ifndef STORE_MBOX_H
#define STORE_MBOX_H

#include "extra.h"
#include "mbox_head.h"

#include "store/dotlock.h"
#include "store/store.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <time.h>

enum {
	MBOX_UID_MAX = UINT32_MAX - 2,
	MBOX_SLICE_US = 4000,
};

struct mbox_root {
	struct store head;
	char *root, *inbox;           /* own */
	char *control;                /* own; NULL: the root */
	int root_fd;                  /* own */
	int control_root_fd;          /* own when not root_fd */
	int control_fd;               /* own; .imap in that; -1: not made yet */
	char *host;                   /* own; as in lock files */
	bool readonly, folders_only;  /* as configured */
	char *subscriptions;          /* own: file name */
	enum store_sync sync;
	mode_t dir_mode, file_mode;
	struct store_mbox set;        /* settings; lists borrowed from static memory */
};

/* One message in the file, as parsed. */
struct mbox_msg {
	uint64_t at;       /* of the From_ line */
	uint64_t body_n;   /* bytes */
	uint64_t vsize;    /* of what clients see, LF as CRLF */
	int64_t date;      /* of the From_ line */
	uint64_t keywords;
	uint32_t from_n;   /* From_ line, with LF */
	uint32_t head_n;   /* header with the empty line */
	uint32_t visible_n; /* of those, what clients see, but for cut_n */
	uint32_t uid;      /* believed; 0: none */
	uint8_t flags;     /* enum mail_flag */
	uint8_t gap_n;     /* bytes behind the body that belong to no message */
	uint8_t cut_n;     /* of the empty line behind the header, which is all that parts it from the next: not shown */
	uint8_t guid[16];  /* of what clients see: the same for a copy, wherever it lies */
};

static inline uint64_t mbox_msg_body(const struct mbox_msg *m)
{
	return m->at + m->from_n + m->head_n;
}

static inline uint64_t mbox_msg_end(const struct mbox_msg *m)
{
	return mbox_msg_body(m) + m->body_n + m->gap_n;
}

struct mbox_stamp {
	uint64_t size;
	int64_t sec;
	uint32_t nsec;
	uint16_t young; /* 1: changed so lately that another change may hide behind the same time */
	uint16_t grown; /* 1: of a map that is grown */
	uint64_t ino;
};

/* The file as last parsed. */
struct mbox_map {
	bool known;
	bool grown;              /* of what was before its growth nobody has looked whether it is as it was */
	struct mbox_stamp stamp; /* when it was parsed or last written by us */
	struct mbox_told {
		struct mbox_stamp stamp; /* a token of this was given; */
		size_t n;        /* these were there then and have not moved since, but for what only heads tell. 0: none */
	} told[2];               /* by the last scan, and by the last mbox_token */
	struct mbox_msg *msg;    /* own; in the order of the file, the pseudo message left out */
	size_t n, cap;
	uint64_t end;            /* where the parsed part ends */
	bool based, pseudo;      /* the file begins with a base; it is that of a pseudo message */
	struct mbox_msg first;   /* the message that carries or would carry the base */
	uint32_t validity, last; /* of the base; 0: none */
	char *name[MAIL_KEYWORDS_MAX]; /* own; keywords of the base */
	bool names_more;         /* it lists others */
	size_t unnumbered;
};

/* A change that waits for the end of the batch. */
struct mbox_change {
	uint32_t uid;
	size_t order; /* of a message's changes the last holds */
	bool expunge;
	bool claim; /* only that it is not recent any more: void when another program said so before. flags do not count */
	struct mail_flags flags;
};

/* UIDs that the file does not carry: mbox_beside.h. */
struct beside {
	uint32_t validity, next; /* 0: nothing known */
	struct {
		uint32_t uid;
		uint8_t sum[16];
	} *m; /* own; ascending */
	size_t n, cap;
};

struct mbox_box {
	struct store_box head;
	struct mbox_root *r;  /* borrowed: head.store */
	char *name;           /* own; storage name */
	char *path;           /* own; of the file */
	int dir_fd;           /* own; the directory that it is in */
	const char *base;     /* its name there; within path */
	int fd;               /* own; -1: there is no file */
	bool writable;        /* fd is open for writing */
	enum pack_kind packed; /* fd's bytes are: mbox_packed.c */
	int plain;            /* own; -1: not unpacked */
	uint64_t plain_n;     /* bytes in that */
	struct mbox_unpacking *unpacking; /* own; plain is becoming that */
	struct mbox_parsing *parsing;     /* own; the map is becoming that of plain; NULL: it is not */
	struct mbox_stamp plain_of; /* the file that it was unpacked from */
	int control_fd;       /* own; .imap/NAME; -1: not made yet */
	struct extra *extra;  /* own; NULL until needed */
	struct mbox_map map;
	struct {
		uint32_t validity, last;
	} seen;               /* the last base that the file had */
	struct beside beside;
	struct mbox_change *change; /* own */
	size_t changes, change_cap;
	char *added[MAIL_KEYWORDS_MAX]; /* own; keyword names that the base does not list yet */
	int locked;           /* F_RDLCK, F_WRLCK; F_UNLCK: no */
	struct dotlock dotlock;
	bool lent;            /* the lock file is one that r->set.locker made */
};

static inline struct mbox_root *mbox_root_of(struct store *s)
{
	return (struct mbox_root *)s;
}

/* Where dovecot-uidvalidity lies, as in Dovecot; only when control_fd is there. */
static inline int mbox_validity_dir(const struct mbox_root *r)
{
	return r->control ? r->control_root_fd : r->control_fd;
}

static inline struct mbox_box *mbox_box_of(struct store_box *b)
{
	return (struct mbox_box *)b;
}

/* Where the messages are to be read, and how many bytes there are. */
static inline int mbox_bytes(const struct mbox_box *b)
{
	return b->packed ? b->plain : b->fd;
}

static inline uint64_t mbox_bytes_n(const struct mbox_box *b, const struct mbox_stamp *now)
{
	return b->packed ? b->plain_n : now->size;
}

/* mbox.c */
enum err mbox_box_open(struct store *s, const char *name, struct store_box **b_r, struct errtext *t);
void mbox_box_close(struct store_box *sb);
/* control_fd is there afterwards. */
enum err mbox_control_make(struct mbox_box *b, struct errtext *t);

/*
 * mbox_lock.c: the configured locks, each tried once (ERR_INUSE), on the file that the path names now; a journal left
 * behind is finished first. type: F_RDLCK, F_WRLCK. With no file fd is -1 and the lock is held all the same.
 */
enum err mbox_lock(struct mbox_box *b, int type, struct errtext *t);
/* The same; ERR_AGAIN: of a compressed file a slice was unpacked, and it is not locked. */
enum err mbox_lock_some(struct mbox_box *b, int type, struct errtext *t);
void mbox_unlock(struct mbox_box *b);
enum err mbox_stamp(struct mbox_box *b, struct mbox_stamp *s_r);
/*
 * The file is locked and known to us as it is: it gets a time of our own, finer than the kernel's tick, so that whoever
 * changes it after us, and be it at once, leaves another one.
 * changed: we wrote to it since it was as in before. Dovecot tells changes by the size and the second, so that second is
 * left behind, if need be for the next one, which has not come yet.
 */
enum err mbox_stamp_own(struct mbox_box *b, const struct mbox_stamp *before, bool changed, struct mbox_stamp *s_r);
bool mbox_stamp_same(const struct mbox_stamp *a, const struct mbox_stamp *b);

/* mbox_map.c: b->map is that of the locked file afterwards, as surely as asked for. */
enum mbox_look {
	/*
	 * With mbox_dirty_syncs, of a file that has grown only what is new: the map is grown, and a message must be looked at
	 * (mbox_map_holds) before its place or its flags are believed.
	 */
	MBOX_LOOK_NEW,
	MBOX_LOOK_HEADS, /* each message is where it was, and its flags are those of now */
	MBOX_LOOK_ALL,
};
enum err mbox_map_update(struct mbox_box *b, enum mbox_look look, struct errtext *t);
/* A slice of it, for a compressed file that is unpacked and locked. ERR_AGAIN. What is left mbox_map_update does. */
enum err mbox_map_some(struct mbox_box *b);
void mbox_parsing_drop(struct mbox_box *b);
void mbox_map_free(struct mbox_map *m);
/*
 * The map tells what we wrote already: the stamp is taken. Where messages are at other places, from this one on (SIZE_MAX: none),
 * the last is looked at.
 */
enum err mbox_map_written(struct mbox_box *b, size_t moved, struct errtext *t);
/* Is the map's message where the map has it? now_r (may be NULL): as it is now, what the header says. */
bool mbox_map_holds(struct mbox_box *b, const struct mbox_msg *m, struct mbox_msg *now_r);
/* The message whose From_ line is at at, if it is the one with this UID; its uid is set. ERR_NOTFOUND. */
enum err mbox_map_one(struct mbox_box *b, uint64_t at, uint32_t uid, struct mbox_msg *m_r);
struct mbox_msg *mbox_map_find(struct mbox_map *m, uint32_t uid); /* NULL: not there */
/* One message, from the locked file: its header (without the From_ line) into text. */
enum err mbox_head_load(struct mbox_box *b, const struct mbox_msg *m, struct buf *text, struct errtext *t);

/* mbox_packed.c: is it a compressed file, by its name and its first bytes? */
enum pack_kind mbox_packed_kind(int dir_fd, const char *base);
/* The locked file, if it is one, is unpacked as it is now. ERR_AGAIN: call again, also when it was let go of meanwhile. */
enum err mbox_unpack(struct mbox_box *b, struct errtext *t);
void mbox_unpacked_drop(struct mbox_box *b);

/* mbox_rewrite.c: brings the locked file to what b->change and b->added ask for, and empties these. */
struct mbox_want {
	bool number;      /* messages without a UID get one */
	uint32_t reserve; /* so many UIDs more than messages need: the last of the base is theirs */
	uint32_t validity, last; /* of the base, the last at least; 0: as they are */
	bool sync;        /* writes in place are synced; whatever else is written always is, but for mail_fsync=never */
};
enum err mbox_rewrite(struct mbox_box *b, const struct mbox_want *want, struct errtext *t);
/* A change that waits for it; a later one of the same message replaces an earlier one. */
void mbox_change_add(struct mbox_box *b, const struct mbox_change *c);
void mbox_changes_drop(struct mbox_box *b);
/* The names of the base and those that wait, by bit. */
void mbox_names(const struct mbox_box *b, const char *names[MAIL_KEYWORDS_MAX]);

/*
 * mbox_base.c: the UIDVALIDITY for a file that has none, and the last UID given under it: what was noted when the file was
 * last seen empty, else a new one. use: it is about to be written into the file.
 */
enum err mbox_base_claim(struct mbox_box *b, bool use, uint32_t *validity_r, uint32_t *last_r, struct errtext *t);
enum err mbox_identity(struct store_box *sb, struct store_identity *id_r, struct errtext *t);
enum err mbox_identify(struct store_box *sb, const struct store_identify *want, struct errtext *t);
/* The GUID of now is noted: it stays when the name changes. */
enum err mbox_guid_keep(struct store_box *sb, struct errtext *t);
enum err mbox_keywords(struct store_box *sb, struct arena *a, const char **names, struct errtext *t);
enum err mbox_keyword_add(struct store_box *sb, const char *name, unsigned *bit_r, struct errtext *t);
enum err mbox_set_modseq_floor(struct store_box *sb, uint64_t floor, struct errtext *t);

/* mbox_scan.c */
char *mbox_hint(struct arena *a, uint64_t at, bool recent); /* NULL: no room */
enum err mbox_prepare(struct store_box *sb, struct errtext *t);
enum err mbox_changed(struct store_box *sb, struct span token, bool *changed_r);
enum err mbox_token(struct store_box *sb, struct span before, struct arena *a, struct span *token_r);
enum err mbox_scan(struct store_box *sb, struct arena *a, struct store_scan *scan_r, struct errtext *t);
enum err mbox_scan_new(struct store_box *sb, struct span token, struct arena *a, struct store_scan *scan_r,
		       struct errtext *t);
enum err mbox_number(struct store_box *sb, struct span *keys, size_t n, bool synced, uint32_t *uids, uint32_t *next_r,
		     struct arena *a, struct errtext *t);
enum err mbox_sync_numbers(struct store_box *sb, struct errtext *t);
enum err mbox_locate(struct store_box *sb, struct span key, struct span hint, struct store_object *o_r, struct arena *a,
		     struct span *hint_r, struct errtext *t);

/* mbox_save.c */
enum err mbox_stage(struct store_box *sb, uint64_t size_hint, struct store_stage *st_r, struct errtext *t);
enum err mbox_commit_many(struct store_box *sb, struct store_commit *c, size_t n, struct arena *arena, struct errtext *t);
void mbox_abort(struct store_stage *st);
/* An open file without a name, in the control directory; -1 and errno. */
int mbox_scratch(struct mbox_box *b);

/* mbox_folders.c */
bool mbox_is_inbox(const struct mbox_root *r, const char *name);
/* The directory that a mailbox other than INBOX is in. */
enum err mbox_dir_open(struct mbox_root *r, const char *name, int *dir_r, struct errtext *t);
enum err mbox_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r, struct errtext *t);
enum err mbox_create(struct store *s, const char *name, const char *special_use, struct errtext *t);
enum err mbox_remove(struct store *s, const char *name, struct errtext *t);
enum err mbox_rename(struct store *s, const char *from, const char *to, struct errtext *t);

#endif
