/*
 * What Dovecot's index of a mailbox says that its user has seen: dovecot.index.pvt with INDEXPVT=, dovecot.index with
 * dovecot-shared. Each is a base, written now and then, and a log of what was done since. Only read, and without Dovecot's
 * locks: what is half written is not there yet. Not here: what becomes of it (seen.c).
 */
#ifndef STORE_DOVECOT_SEEN_H
#define STORE_DOVECOT_SEEN_H

#include "base/err.h"
#include "base/set.h"
#include "base/span.h"

struct dovecot_seen {
	struct set uids;      /* own; of UIDs that are gone nothing is to be believed */
	uint32_t uidvalidity; /* 0: not known */
	/* So far the log has been followed: of which file (0: none), and up to which offset. */
	uint32_t log_seq;
	uint64_t log_end;
};

/* What the base says, in place of all that d holds. False: it is damaged, of another machine or version; d is as it was. */
bool dovecot_seen_base(struct dovecot_seen *d, struct span file);
/* What the log says beyond log_end; one from before log_seq says nothing. False: it is none. */
bool dovecot_seen_log(struct dovecot_seen *d, struct span file);

/*
 * Goes on from where d was left. Where the log has been cut off since, what the base says is added to what d has. dir_fd: the
 * mailbox's index directory; index: the base's name. ERR_NOTFOUND: there is no log, or (d is as it was) nothing of use.
 */
enum err dovecot_seen_follow(struct dovecot_seen *d, int dir_fd, const char *index);

#endif
