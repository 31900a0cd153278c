/*
 * NOTIFY at work, shared by its rooms only: ext_notify.c (the command, the hook, what wakes it), notify_boxes.c (other
 * mailboxes, told of by STATUS) and notify_folders.c (folders, told of by LIST).
 */
#ifndef IMAP_NOTIFY_H
#define IMAP_NOTIFY_H

#include "fetch.h"
#include "notify_spec.h"

#include "box/heed.h"

struct watched; /* notify_boxes.c */

/* A folder to be told of. */
struct named {
	struct named *prev, *next;
	unsigned event; /* NOTIFY_NAME or NOTIFY_SUBSCRIPTION; 0: the client did it itself */
	char *old;      /* own; or NULL */
	char name[];
};

struct imap_notify {
	struct imap_session *s;
	struct notify_spec spec; /* its arena: own */

	/* notify_boxes.c's */
	struct watched *boxes;    /* own, by name */
	struct watched *queue;
	struct watched *asking;   /* whose status is being asked for */
	struct acct_status job;
	struct watched *selected; /* the one that is selected, as of the last look */

	/* notify_folders.c's */
	struct folder_heed *folders; /* own; NULL: nobody needs to know */
	struct named *names;         /* own */
	size_t names_n;
	struct named *moved; /* own: renamed ones, of whose mailboxes the client goes on to know what it knew */
	struct loop_timer folder;
	bool look, looking; /* the folders may have changed; we are finding out */

	bool resolve;       /* other mailboxes may match now */
	bool all;           /* while NOTIFY SET runs: what was held back is told */
	bool overflow;      /* there is more than can be told (section 5.8) */
	struct loop_timer again, poll;
	struct imap_standing fetch; /* own: of new messages */
};

/* ---- ext_notify.c ---- */

enum { NOTIFY_LIST_ARENA = 64 << 20 }; /* of a listing of all folders */

/* Something is to be told; by the one that serves the session, not by one that is still being set up. */
void notify_due(struct imap_notify *n);
void notify_again(struct imap_notify *n); /* the same, a little later */

/* ---- notify_boxes.c ---- */

/* Which mailboxes match now; those that are new are asked for, what the client knows of the others stays. */
enum err notify_boxes_resolve(struct imap_notify *n);
/* While a mailbox is selected the client hears of it otherwise: what it has been told is what it knows. */
void notify_boxes_selected(struct imap_notify *n);
/* Tells what NOTIFY SET tells at first, of *at (n->boxes) and those behind it; called until STEP_DONE. */
enum step notify_boxes_first(struct imap_notify *n, struct watched **at);
/* Tells what changed in those that were reported. Likewise; where a lock prevents it, notify_again. */
enum step notify_boxes_tell(struct imap_notify *n);
bool notify_boxes_heeded(struct imap_notify *n); /* somebody tells of changes in every one */
void notify_boxes_poll(struct imap_notify *n);   /* the others may have changed */
void notify_boxes_clear(struct imap_notify *n);

/* ---- notify_folders.c ---- */

/* From now on n hears of folders. */
enum err notify_folders_heed(struct imap_notify *n, struct errtext *t);
void notify_folders_look(struct imap_notify *n); /* finds out what other programs did, if they may have done something */
/* LISTs what happened. Until STEP_DONE, or STEP_OUTPUT_FULL. */
enum step notify_folders_tell(struct imap_notify *n);
/* Is the client told of d? f: all folders. */
bool notify_folders_tells(const struct imap_notify *n, const struct named *d, const struct folder *f, size_t count);
void notify_folders_moved(struct imap_notify *n); /* drops the first of n->moved */
void notify_folders_clear(struct imap_notify *n);

#endif
