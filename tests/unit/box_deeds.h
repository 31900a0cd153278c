/*
 * What a user does in a day, for tests in which something fails: each deed is tried, whatever became of those before, and what
 * was acknowledged is noted. Afterwards all that was must be true, with the index that was left behind and without it.
 */
#ifndef TESTS_UNIT_BOX_DEEDS_H
#define TESTS_UNIT_BOX_DEEDS_H

#include "tests/unit/box_house.h"

enum { DEEDS_TEXTS = 8 };

/* What was tried, and acknowledged. No pointers: it may lie in memory that processes share. */
struct deeds {
	bool added[DEEDS_TEXTS];   /* text i is in INBOX; the last but one: in Third */
	uint32_t uid[DEEDS_TEXTS]; /* its UID, if told */
	bool flagged, keyword;     /* of text 0 */
	bool written;              /* and the disk work owed for that was done */
	bool expunged;             /* text 1 */
	bool copied, moved;        /* text 0 to Other; text 2 to Other */
	bool tried_expunge, tried_move;
	bool renamed, tried_rename; /* Third to Fourth */
	bool subscribed;            /* Third, if not renamed */
	bool deleted;               /* Fifth */
	bool identified;            /* Other: another GUID, a greater UIDNEXT */
	bool away;                  /* INBOX to Archive: all but the last text */
	uint32_t uidvalidity, uidnext; /* of INBOX, the last that were told */
	uint64_t highestmodseq;
};

const char *deeds_text(int i); /* of message i */
void deeds_do(struct house *h, struct deeds *k);
/* One more message, as by a client that tries again: a failure that is over must not last. */
bool deeds_last(struct house *h, struct deeds *k);
/* without_index: it was lost, and whoever did the deeds may have died before he wrote what he owed. */
void deeds_check(struct house *h, const struct deeds *k, const char *where, bool without_index);
bool deeds_all_done(const struct deeds *k);

#endif
