/*
 * roost-seen: which messages of a mailbox that others use, too, one user has seen. A file for each such mailbox, in a
 * directory of the user's own; it bears the mailbox's GUID, so that whoever renames the mailbox takes it along. Format above
 * the encoder (seen.c). It is no cache: nothing else knows it.
 */
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/set.h"

#include <sys/stat.h>

struct seen {
	struct set uids;   /* own: under this UIDVALIDITY */
	uint32_t uidvalidity;
	struct stat was;   /* the file as it was when it was read */
	bool known;
};

/* Of which mailbox, and its UIDs of now. */
struct seen_of {
	const uint8_t *guid; /* 16 bytes; borrowed */
	uint32_t uidvalidity;
};

void seen_free(struct seen *s); /* zeroed: allowed */

/* What the file in dir_fd (-1: there is none) says. A missing or damaged one, or of another UIDVALIDITY, says nothing. */
enum err seen_read(struct seen *s, int dir_fd, const struct seen_of *of, struct errtext *t);
/* Adds and takes away, on top of what other processes wrote; writes when that changes anything. ERR_INUSE. */
enum err seen_change(struct seen *s, int dir_fd, const struct seen_of *of, const struct set *on, const struct set *off,
		     bool sync, struct errtext *t);

bool seen_encode(uint32_t uidvalidity, const struct set *uids, struct buf *out);
bool seen_decode(struct span file, uint32_t *uidvalidity_r, struct set *uids_r); /* replaces *uids_r; false: damaged */

#endif
