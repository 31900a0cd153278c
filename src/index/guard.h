/*
 * The guard: one small shared file ("guard") beside the data that says which processes have the
 * environment open, what each was doing when it died, whether the data may be newer than the disk,
 * and whether the data was replaced.
 *
 * Layout (4,096 bytes, native byte order: it never leaves the machine; unreadable means fresh):
 *
 *	offset size
 *	     0    8  "roostgrd"
 *	     8    4  layout version, 1
 *	    12    4  generation: goes up when the environment is discarded; whoever opened an older one must close
 *	    16    1  deaths within opening or a transaction since the last clean close
 *	    17    1  dirty: 0 clean; 1 dirty, perhaps not yet on disk; 2 dirty and that is on disk
 *	    24   40  boot id of the dirty mark, NUL-terminated
 *	    64  128  a byte a process: 0 free, 1 open, 2 opening or within a transaction
 *
 * A process holds an open-file-description lock on its own byte as long as it lives: a byte that is
 * set but not locked is that of a dead one. The lock on byte 0, the door, is held while opening,
 * closing and discarding; that on byte 1, the turn, while working on the to-do list. The slot bytes are written through a
 * shared mapping: noting a transaction costs no system call.
 */
#ifndef INDEX_GUARD_H
#define INDEX_GUARD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct guard_page;
struct idx_roll;

struct guard {
	int fd;
	struct guard_page *page; /* own, mapped */
	unsigned slot;
	uint32_t generation;
	bool marked;   /* this process has made sure of the dirty mark */
	bool nameless; /* the file was unlinked on purpose */
	bool fresh;    /* there was none, or no sound one, when it was opened */
	struct idx_roll *roll; /* borrowed: where it is one of those below; NULL: nowhere */
	struct guard *next, *prev;
};

enum guard_verdict {
	GUARD_KEEP,    /* the environment may be opened */
	GUARD_DISCARD, /* not trusted: dirty in another boot, or the guard itself is new */
	GUARD_ASIDE,   /* it killed two processes, or one for certain */
};

struct idx;

/*
 * Registers this process, and itself in roll (may be NULL), and leaves the door locked; the file lies in the directory of
 * idx, by the name and for whom it says. ERR_INUSE: the door stayed locked for three seconds, or all slots are taken.
 */
enum err guard_open(struct guard *g, const struct idx *idx, struct idx_roll *roll, struct errtext *t);
/* have_data: there is a data file, which only who has locked the door can tell. */
enum guard_verdict guard_judge(const struct guard *g, bool have_data);
void guard_renew(struct guard *g);  /* door locked: discarded; clean, generation + 1 */
void guard_settle(struct guard *g); /* opened: idle, unlocks the door */

/* May transactions go on? ERR_CORRUPT: replaced or removed by somebody. */
enum err guard_check(const struct guard *g, bool file); /* file: that it was not removed, too */
void guard_busy(struct guard *g, bool busy);

void guard_rest(struct guard *g);   /* nothing goes on: the page is no longer ours to hold in memory */

/* Before the first commit: the synced mark. No-op when this process made sure before. */
enum err guard_mark(struct guard *g);

bool guard_lock(struct guard *g, bool wait); /* the door; false: not got */
void guard_unlock(struct guard *g);
bool guard_turn(struct guard *g, bool wait);
void guard_turn_end(struct guard *g);
bool guard_dirty(const struct guard *g);
bool guard_alone(struct guard *g);   /* door locked: does no other living process have it open? */
void guard_clean(struct guard *g);   /* door locked, alone, data synced: no longer dirty */
void guard_forgive(struct guard *g); /* door locked: a clean close; forget deaths */

/* The data is why this process dies: they are not to be opened again. For the handler of any signal, too. */
void guard_blame(struct guard *g);

/* Frees the slot, closes. The door is unlocked with it. */
void guard_close(struct guard *g);

#endif
