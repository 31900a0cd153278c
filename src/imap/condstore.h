/* What the modules CONDSTORE and QRESYNC (RFC 7162) share. */
#ifndef IMAP_CONDSTORE_H
#define IMAP_CONDSTORE_H

#include "core.h"

struct imap_fetch;

/*
 * The client is CONDSTORE-aware from now on (section 3.1): unsolicited FETCH responses carry UID and MODSEQ.
 * The first time, HIGHESTMODSEQ of the selected mailbox is told.
 */
void imap_condstore_enable(struct imap_session *s);

/* What FETCH (CHANGEDSINCE n [VANISHED]) asks and finds: f->since, made by imap_since_get. */
struct imap_since {
	struct view_since found;  /* own: cleaned up by the arena */
	bool given, done;         /* CHANGEDSINCE was there; found is filled */
	void *extra;              /* arena: of VANISHED */
};

struct imap_since *imap_since_get(struct imap_fetch *f); /* NULL: the arena's limit */
/* Leaves only changed messages to be fetched. STEP_DONE, the command answered when that failed; STEP_WAITING. */
enum step imap_since_find(struct imap_fetch *f);

#endif
