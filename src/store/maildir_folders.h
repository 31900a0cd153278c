/* What the two layouts of Maildir folders share. */
#ifndef STORE_MAILDIR_FOLDERS_H
#define STORE_MAILDIR_FOLDERS_H

#include "keytab.h"
#include "maildir.h"

#include <dirent.h>

enum {
	SWEEP_LIST = 1000,    /* entries removed in passing by a list */
	SWEEP_REMOVE = 50000, /* by a remove */
	LIST_FOLDERS_MAX = 200000,
};

/* --- maildir_trash.c --- */

bool folder_is_dir(int fd, const char *name);   /* no symbolic link */
bool folder_is_there(int fd, const char *name);
/* Of a directory, never onto another. 0, or -1 and errno. */
int folder_move(int from_fd, const char *from, int to_fd, const char *to);
DIR *folder_entries(int fd); /* fd stays the caller's */
bool folder_entry_is_dir(int fd, const struct dirent *de);
void folder_draft_name(struct maildir *m, char out[MAILDIR_NAME_MAX + 1]);

/* The directory for drafts and trash, made where it is missing; -1 and errno. */
int trash_work(struct maildir *m);
const char *trash_work_name(const struct maildir *m); /* where the folders begin: no folder is called so */
bool trash_is(int fd, const char *name);
/* Renames from/dirname to the new trash into/aside. 0, or -1 and errno. */
int trash_put(struct maildir *m, int from, const char *dirname, int into, char aside[MAILDIR_NAME_MAX + 1]);
/* Leaves of parent/dirname only the directories that are mailboxes below it. 0, or -1 and errno. */
int trash_but_children(struct maildir *m, int parent, const char *dirname, int into);
void trash_empty(struct maildir *m, int root, const char *name, size_t *budget);
void trash_sweep(struct maildir *m, int root, size_t budget);

/* --- maildir_make.c --- */

/* What came or went in parent, and among the control files, is on disk. */
enum err folder_sync(struct maildir *m, int parent, struct errtext *t);
/* The directory in which path (maildir_path and kin) lies; -1 and errno. */
int folder_parent(struct maildir *m, const char *path, bool make);
/* Control files elsewhere that a mailbox of this name left must not become the next one's. */
void control_drop(struct maildir *m, const char *name);

/* --- maildir_moving.c --- */

/*
 * Before a directory of the folders is renamed (paths as maildir_dir_path), and after: what lies under CONTROL= goes with it.
 * ERR_EXISTS.
 */
enum err moving_begin(struct maildir *m, const char *from, const char *to);
enum err moving_end(struct maildir *m, const char *from, const char *to, bool moved);

/* --- maildir_listing.c --- */

struct listed {
	bool selectable;
	uint64_t id, seen;
	struct span use;
};

/* Folders by name, each once. */
struct listing {
	struct keytab tab;
	struct listed *folder; /* own; by number in tab; uses in pool */
	size_t cap;
	struct pool pool;
	struct buf use, name; /* own: scratch */
	bool trash;
};

void listing_init(struct listing *l);
/* A folder, or (not selectable) a level: of two of one name the folder stays. */
void listing_add(struct listing *l, struct span name, struct listed f);
enum err listing_give(const struct listing *l, struct arena *a, struct store_folder **f_r, size_t *n_r);
void listing_free(struct listing *l);
/* Is there a cur/ in root/dirname, and what is the folder known by? But for its use. */
bool listing_cur(int root, const char *dirname, struct listed *f_r);
/* The special uses of that folder, in l->use. */
struct span listing_use(struct maildir *m, struct listing *l, int root, const char *dirname, uint64_t id);

#endif
