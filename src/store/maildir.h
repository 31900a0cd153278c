/*
 * The Maildir driver's own view of itself: what its files share. Not for other rooms.
 *
 * A mailbox is a directory with cur/, new/ and tmp/. INBOX is the mail root (or INBOX=). "A.B" is the directory ".A.B"
 * in the root (Maildir++); "A/B" is A/B, or with DIRNAME= A/B/DIRNAME (LAYOUT=fs). Control files (list of UIDs,
 * keywords, roost-extra) lie in the mailbox directory, or under CONTROL= in a directory named likewise; there INBOX has
 * one, too. All that follows from a name is in maildir_path.c.
 */
#ifndef STORE_MAILDIR_H
#define STORE_MAILDIR_H

#include "keytab.h"
#include "maildir_name.h"
#include "uidlist.h"

#include "store/dotlock.h"
#include "store/store.h"

#include <sys/stat.h>

struct extra;
struct names;
struct seen;

enum { MAILDIR_PATH_MAX = 1024 }; /* of a mailbox below its root, with the NUL */

struct maildir {
	struct store head;
	char *root, *inbox, *control; /* own; inbox, control: NULL when in the root */
	char *control_boxes;          /* own: MAILBOXDIR= below control, as in Dovecot; NULL: none */
	char *boxes;                  /* own: where the folders begin */
	char *dirname, *subscriptions; /* own; dirname may be NULL */
	char *seen;                   /* own; NULL: \Seen is nobody's own */
	bool seen_all, seen_root;     /* of all mailboxes; the root has a dovecot-shared */
	bool fs, utf8, prune, folders_only, dirname_control; /* as configured; fs: LAYOUT=fs */
	int root_fd;                  /* own */
	int boxes_fd;                 /* own when not equal to root_fd */
	int work_fd;                  /* own when not equal to root_fd: drafts and trash; -1: not there yet */
	bool swept;                   /* trash of earlier processes has been seen to */
	/* own when not equal to root_fd; control_fd -1: not made yet */
	int inbox_fd, control_fd;
	char *lock_host;              /* own; as in lock files */
	char host[128];               /* as in file names */
	bool readonly;
	enum store_sync sync;
	mode_t dir_mode, file_mode;
	struct store_maildir_how how;
	uint32_t counter;             /* of names made by this process */
	uint64_t random;              /* likewise */
	struct keymap plain;          /* own: folders (store_folder.id) that were found to have no special use */
};

/* What is known of dovecot-uidlist, up to the offset end. */
struct list_state {
	bool known;              /* false: nothing below holds */
	bool present, damaged;   /* a file is there; its header does not parse */
	dev_t dev;
	ino_t ino;
	uint64_t seen;           /* the size it had */
	struct timespec mtime;
	uint64_t end;            /* behind the last complete line taken; seen > end: a torn tail */
	uint64_t tail_hash;      /* of that line, to see that a grown file is the same file */
	uint32_t tail_n;
	struct uidlist_header head; /* more is not kept; next is the true one */
	uint32_t last;           /* highest UID listed */
	size_t records;          /* 0 also when only the ends were read */
	uint64_t lost;           /* bytes of damaged lines behind the last good record */
	bool mend;               /* must be written anew rather than appended to */
	/* keys in new/ or unnumbered: their UID as of end, 0: none. Absent key: unknown */
	struct keymap in_play;
};

/* cur/ and new/ as they looked: a scan's token, and what proves a listing of names. */
struct stamp {
	int64_t cur_sec, new_sec;
	uint32_t cur_nsec, new_nsec;
	/* changed so lately that another change may hide behind the same time */
	uint8_t cur_young, new_young;
};

struct maildir_box {
	struct store_box head;
	struct maildir *m;         /* borrowed: head.store */
	char *name;                /* own; storage name */
	char *dirname;             /* own; maildir_path: "" for INBOX */
	int dir_fd, cur_fd, new_fd; /* own; dir_fd is the store's for INBOX */
	int control_fd;            /* own when not dir_fd; -1: not made yet */
	dev_t dev;                 /* of cur/; 0: not looked at yet */
	char *cur_path, *new_path; /* own; for watchers; made on demand */
	struct list_state list;
	struct extra *extra;       /* own; NULL until needed */
	struct seen *seen;         /* own; NULL unless head.own_seen */
	bool extra_fresh;          /* read since the batch of flags under way began */
	struct names *names;       /* own; NULL: no listing kept */
	uint32_t letters_seen;     /* keyword letters met in file names */
	/* list records without a file at the last scan, and expunged since */
	size_t missing;
	uint64_t made;             /* names that came or went by our hand in cur/ and new/ */
	bool cur_dirty, new_dirty; /* renames or unlinks not synced yet (mail_fsync=always) */
	bool placed_cur, placed_new; /* names of messages on their way in, not synced yet */
	bool list_dirty;           /* the list may hold UIDs that are not on disk */
	const struct dotlock *lock; /* borrowed while the list is locked by us; else NULL */
	bool tmp_swept;
};

static inline struct maildir *maildir_of(struct store *s)
{
	return (struct maildir *)s;
}

static inline struct maildir_box *maildir_box_of(struct store_box *b)
{
	return (struct maildir_box *)b;
}

/* maildir.c */
/* control_fd is there afterwards. */
enum err maildir_control_make(struct maildir_box *b, struct errtext *t);
enum err maildir_root_control_make(struct maildir *m, struct errtext *t);
enum err maildir_stamp(struct maildir_box *b, struct stamp *s_r);
/* Of a mailbox that need not be open. seen: maildir_seen of its cur/ a moment ago, or 0. */
enum err maildir_stamp_at(struct maildir *m, const char *name, uint64_t seen, struct stamp *s_r);
/* A time in one number; 0: too young, or too strange, to be relied on. */
uint64_t maildir_seen(int64_t sec, uint32_t nsec);
bool maildir_stamp_same(const struct stamp *before, const struct stamp *after);

/* maildir_number.c: dovecot-uidlist.lock, tried once. b->lock points to l until the unlock. */
enum err maildir_uidlist_lock(struct maildir_box *b, struct dotlock *l, struct errtext *t);
void maildir_uidlist_unlock(struct maildir_box *b, struct dotlock *l);

/* maildir_path.c */
/* Is INBOX the root, or a directory of its own? */
bool maildir_is_inbox(const struct maildir *m, const char *name);
/* Where the mailbox lies, below boxes_fd; "" for the inbox. And where its control files lie, below control_fd. False: not a
 * valid name. */
bool maildir_path(const struct maildir *m, const char *name, char out[MAILDIR_PATH_MAX]);
bool maildir_control_path(const struct maildir *m, const char *name, char out[MAILDIR_PATH_MAX]);
/* The same without DIRNAME: what holds the folders below, too. */
bool maildir_dir_path(const struct maildir *m, const char *name, char out[MAILDIR_PATH_MAX]);
/* The level of a name that a directory shows (Maildir++: without its dot), appended; false: none. */
bool maildir_level(const struct maildir *m, const char *dirname, struct buf *out);

/* maildir_list.c */
enum err maildir_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r,
		      struct errtext *t);
enum err maildir_create(struct store *s, const char *name, const char *special_use, struct errtext *t);
/* LAYOUT=fs */
const char *maildir_fs_folder_dir(struct store *s, const char *name, struct arena *a);
size_t maildir_watch_list(struct store *s, const char *paths[4], bool (**cares_r)(const char *name, bool dir));
enum err maildir_remove(struct store *s, const char *name, struct errtext *t);
enum err maildir_rename(struct store *s, const char *from, const char *to, struct errtext *t);

/* maildir_fs.c */
enum err maildir_fs_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r,
			 struct errtext *t);
enum err maildir_fs_remove(struct store *s, const char *name, struct errtext *t);
enum err maildir_fs_rename(struct store *s, const char *from, const char *to, struct errtext *t);

/* maildir.c: a UIDVALIDITY that no mailbox of this root had (uidvalidity.h). */
enum err maildir_uidvalidity_claim(struct maildir *m, uint32_t above, uint32_t *v_r,
				   struct errtext *t);

enum err maildir_uidvalidity_given(struct maildir *m, uint32_t v, struct errtext *t);

/* maildir_uidlist.c */
typedef void list_visit(void *arg, const struct uidlist_record *r);
/*
 * Brings b->list up to date. full: reads from the start and shows every record to fn; else only
 * what is new is read and shown. No list: ERR_OK with list.present false. Takes no lock.
 */
enum err maildir_uidlist_read(struct maildir_box *b, bool full, list_visit *fn, void *arg,
			      struct errtext *t);
/*
 * Shows the records with this UID or a greater one, without reading what lies before them; changes nothing that is known of
 * the list. ERR_CANNOT: it is damaged there; some may have been shown.
 */
enum err maildir_uidlist_tail(struct maildir_box *b, uint32_t uid, list_visit *fn, void *arg);

/* maildir_number.c */
enum err maildir_identity(struct store_box *sb, struct store_identity *id_r, struct errtext *t);
enum err maildir_identify(struct store_box *sb, const struct store_identify *want, struct errtext *t);
enum err maildir_number(struct store_box *sb, struct span *keys, size_t n, bool synced, uint32_t *uids,
			uint32_t *next_r, struct arena *a, struct errtext *t);
enum err maildir_sync_numbers(struct store_box *sb, struct errtext *t);
/* Leaves dead records out, if worth it. ERR_INUSE is no harm. */
enum err maildir_uidlist_compact(struct maildir_box *b, struct errtext *t);

/* maildir_keywords.c; parse fills name[0..25], empty before, with spans into text */
void maildir_keywords_parse(struct span text, struct span name[MAILDIR_LETTERS]);
/* Has every letter a name, in a mailbox that another served so far? What he has beyond them lies in his index. */
bool maildir_keywords_elsewhere(struct maildir_box *b);
enum err maildir_keywords(struct store_box *sb, struct arena *a, const char **names,
			  struct errtext *t);
enum err maildir_keyword_add(struct store_box *sb, const char *name, unsigned *bit_r,
			     struct errtext *t);

/* maildir_courier.c: what Courier left, taken over when a folder is opened for the first time */
struct subs_file;
/*
 * Of a folder without dovecot-uidlist: its header but for the GUID, and its records in version 3. ERR_NOTFOUND: nothing
 * of use.
 */
enum err maildir_courier_uids(struct maildir_box *b, struct uidlist_header *h_r, struct buf *records, size_t *n_r);
enum err maildir_courier_keywords(struct maildir_box *b, struct errtext *t); /* before the UIDs; may be done twice */
/* For fuzzing: how many keywords these name, the text of :list and of one message's file. */
unsigned maildir_courier_names(struct span list, struct span message);
enum err maildir_courier_subscriptions(struct maildir *m, const struct subs_file *f, struct errtext *t);

/* maildir_moving.c: a rename that another process began and could not finish; cheap when there is none */
void moving_finish(struct maildir *m);

/* maildir_seen.c */
void maildir_seen_open(struct maildir *m);      /* the root is open */
void maildir_seen_begin(struct maildir_box *b); /* is \Seen the user's own here? */
void maildir_seen_end(struct maildir_box *b);
enum err maildir_seen_refresh(struct maildir_box *b, struct errtext *t); /* the list of UIDs has been read */
bool maildir_seen_has(const struct maildir_box *b, uint32_t uid);
bool maildir_seen_news(struct maildir_box *b); /* Dovecot noted something that no scan of all has told */
void maildir_seen_told(struct maildir_box *b); /* one did */
bool maildir_seen_elsewhere(struct maildir *m, const char *name); /* may that be? Of a mailbox that need not be open */
/* The modseqs of who has an index of his own have a floor of their own. Of a mailbox with own_seen. */
uint64_t maildir_seen_floor(const struct maildir_box *b); /* as of the last refresh; 0: none noted */
enum err maildir_seen_raise(struct maildir_box *b, uint64_t floor, struct errtext *t);
enum err maildir_set_seen(struct store_box *sb, const struct set *on, const struct set *off, struct errtext *t);
/* What goes into a file's name, which has these flags now. */
struct mail_flags maildir_seen_not(const struct maildir_box *b, struct mail_flags flags, struct mail_flags now);
/* A mailbox made below a root that has a dovecot-shared gets one. */
enum err maildir_shared_make(struct maildir *m, int fd);

/* maildir_scan.c */
enum err maildir_changed(struct store_box *sb, struct span token, bool *changed_r);
enum err maildir_glance(struct store *s, const char *name, uint64_t seen, struct span token, bool *changed_r);
enum err maildir_scan(struct store_box *sb, struct arena *a, struct store_scan *scan_r,
		      struct errtext *t);
enum err maildir_token(struct store_box *sb, struct span before, struct arena *a, struct span *token_r);
enum err maildir_scan_new(struct store_box *sb, struct span token, struct arena *a,
			  struct store_scan *scan_r, struct errtext *t);
/*
 * Every message file in one directory ('c' or 'n'): its whole name split in two. fn answers an
 * error to stop.
 */
typedef enum err readdir_visit(void *arg, char dir, struct span base, struct span rest);
enum err maildir_readdir(struct maildir_box *b, char dir, readdir_visit *fn, void *arg);

/* maildir_find.c */
struct found {
	char dir;                          /* 'c' or 'n' */
	char file[MAILDIR_NAME_MAX + 1];   /* whole name */
	size_t base_n;
};
/* From a hint, if it makes sense. */
bool maildir_found_hint(struct span key, struct span hint, struct found *f_r);
void maildir_names_drop(struct maildir_box *b);
/*
 * Listings that prove every absence; ERR_INUSE when there are none to be had now. Within a tick of the clock one alone proves
 * nothing, for it misses what is renamed just then: gone is what none of them met (maildir_names_has).
 */
enum err maildir_names_proof(struct maildir_box *b);
bool maildir_names_has(const struct maildir_box *b, struct span base);
static inline int maildir_dir_fd(const struct maildir_box *b, char dir)
{
	return dir == 'n' ? b->new_fd : b->cur_fd;
}
enum err maildir_locate(struct store_box *sb, struct span key, struct span hint,
			struct store_object *o_r, struct arena *a, struct span *hint_r,
			struct errtext *t);
/* Where the message is, and its file as statx sees it. */
enum err maildir_look(struct maildir_box *b, struct span key, struct span hint, struct found *f_r,
		      struct statx *st_r, struct errtext *t);
/* Another name for the file that was found; looked for again if need be. ERR_CANNOT: no links here; ERR_EXISTS. */
enum err maildir_link_to(struct maildir_box *b, const struct found *f, int dir_fd, const char *name);
enum err maildir_expunge(struct store_box *sb, struct span key, struct span hint,
			 struct errtext *t);
enum err maildir_expunge_done(struct store_box *sb, struct errtext *t);
enum err maildir_set_flags(struct store_box *sb, struct span key, struct span hint,
			   struct mail_flags flags, struct arena *a, struct span *hint_r,
			   struct errtext *t);
enum err maildir_claim(struct store_box *sb, struct span key, struct span hint, struct arena *a, struct span *hint_r,
		       struct errtext *t);
enum err maildir_flags_done(struct store_box *sb, struct errtext *t);

/* maildir_save.c */
enum err maildir_stage(struct store_box *sb, uint64_t size_hint, struct store_stage *st_r,
		       struct errtext *t);
enum err maildir_commit_many(struct store_box *sb, struct store_commit *c, size_t n,
			     struct arena *a, struct errtext *t);
enum err maildir_place_many(struct store_box *sb, struct store_commit *c, size_t n,
			     struct arena *a, struct errtext *t);
enum err maildir_settle(struct store_box *sb, struct store_commit *c, size_t n, struct errtext *t);
void maildir_abort(struct store_stage *st);
enum err maildir_link(struct store_box *from, struct span key, struct span hint,
		      struct store_box *to, struct store_stage *st_r, struct errtext *t);
int maildir_tmp_open(struct maildir_box *b); /* a descriptor of tmp/, which is made if need be; -1 and errno */

/* maildir_pack.c */
/*
 * The plain bytes of the file called name in tmp/, whose descriptor is *fd, give way to their compressed form (m->how.pack), and
 * *fd to a descriptor of that. On failure the plain file stands.
 */
enum err maildir_pack(struct maildir_box *b, const char *name, int *fd);
/* Does this file hold something compressed? */
bool maildir_packed(int fd);

/* Removes forgotten files; bounded, once per open mailbox. */
void maildir_tmp_sweep(struct maildir_box *b);

#endif
