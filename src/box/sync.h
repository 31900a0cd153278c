/*
 * One scan of a folder on its way into the index: sync.c leads it through its phases, adopt.c
 * compares and writes.
 *
 * Invariants: scan.msg is ascending by UID from SYNC_DIFF on; op holds what the comparison found, in that order.
 * What sessions do meanwhile, of this process or another, is newer than the scan: owed and skip say which UIDs to leave
 * alone; the to-do list before the scan and the change log since are where that is known from.
 */
#ifndef BOX_SYNC_H
#define BOX_SYNC_H

#include "room.h"

enum sync_phase { SYNC_BEGIN, SYNC_SCAN, SYNC_NUMBER, SYNC_DIFF, SYNC_APPLY, SYNC_MISSING, SYNC_VANISH, SYNC_FINISH };

enum op_kind { OP_ADD, OP_FLAGS, OP_HINT, OP_REPLACE };

struct op {
	const struct store_msg *m; /* into the scan */
	enum op_kind kind;
	bool live;                 /* decided by the transaction under way */
};

struct sync {
	enum sync_phase phase;
	struct arena *arena;       /* own: the scan */
	struct store_scan scan;
	struct store_identity id;
	struct buf keywords, token; /* own; token: of the record, for scan_new */
	bool whole;                /* all of the folder was scanned, not only the arrivals */
	bool sure;                 /* as it shall be, because the last scan was not */
	bool fresh;                /* the index is filled from nothing */
	bool lost;                 /* the index knew nothing of the mailbox */
	bool wrote;                /* something changed: tell the views */
	bool news;                 /* others had changed the folder: another process may have told the index before */
	bool again;                /* a look was asked for since the scan: this one does not count as that */
	bool unnumbered;           /* some have no UID, and we may not give them one, or could not yet */
	uint64_t waits_since;      /* for the lock that numbers are given under; 0: does not */
	bool outrun;               /* the log no longer reaches back to the scan: it is made anew */
	uint64_t since;            /* the modseq before the scan; later changes of others are newer than it */
	unsigned passes, renumbered;
	bool young;                /* the folder had changed a moment before the scan (mailbox_guard_young) */
	uint64_t foreign;          /* what others had done when the scan began (mailbox_foreign) */
	uint64_t scanned;          /* clock_ms when the scan was over */
	size_t at;                 /* in scan.msg (diff), in op (apply) */
	uint32_t uid;              /* diff: next UID of the index to look at; missing: next to locate */
	struct op *op;             /* own */
	size_t ops, ops_cap;
	struct set owed;           /* the index's flags are newer than the folder's */
	struct set skip;           /* expunged, or added, behind the scan's back */
	struct set missing, candidates, vanished;
};

/* Each does a slice; *more_r: call again. */
enum err adopt_diff(struct mailbox *mb, bool *more_r, struct errtext *t);
enum err adopt_apply(struct mailbox *mb, bool *more_r, struct errtext *t);
enum err adopt_vanish(struct mailbox *mb, bool *more_r, struct errtext *t);
enum err adopt_finish(struct mailbox *mb, struct errtext *t);

#endif
