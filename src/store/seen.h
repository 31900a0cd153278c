/*
 * roost-seen: which messages of a mailbox that others use, too, one user has seen. A file for each such mailbox, in a
 * directory of the user's own; it bears the mailbox's GUID, so that whoever renames the mailbox takes it along. Format above
 * the encoder (seen.c). It is no cache: nothing else knows it. What Dovecot keeps of the same comes into it (dovecot_seen.h)
 * when it is first read, and again whenever Dovecot has noted more.
 */
#ifndef STORE_SEEN_H
#define STORE_SEEN_H

#include "dovecot_seen.h"

#include "base/buf.h"

#include <sys/stat.h>

/* As written. */
struct seen_facts {
	struct dovecot_seen d; /* own: seen here and there, under this UIDVALIDITY */
	uint64_t floor;        /* of the modseqs in this user's index; 0: none noted */
};

struct seen {
	struct seen_facts f;
	struct stat was;   /* the file as it was when it was read */
	bool known;
	struct stat theirs; /* Dovecot's log as it was followed */
	bool followed;
	bool unsaved;      /* f holds what the file does not */
	bool news;         /* something of Dovecot's was taken over; the reader clears it when he has told all */
};

/* Of which mailbox, and its UIDs of now. */
struct seen_of {
	const uint8_t *guid; /* 16 bytes; borrowed */
	uint32_t uidvalidity;
	const char *path;  /* borrowed: Dovecot's directory of the mailbox below dir_fd; NULL: none */
	const char *index; /* borrowed: what its index is called there */
};

void seen_free(struct seen *s); /* zeroed: allowed */

/*
 * What the file in dir_fd (-1: there is none) says, and Dovecot's index. A missing or damaged one, or of another UIDVALIDITY,
 * says nothing.
 */
enum err seen_read(struct seen *s, int dir_fd, const struct seen_of *of, struct errtext *t);

struct seen_change {
	const struct set *on, *off; /* borrowed; may be NULL */
	uint64_t floor;             /* at least */
	bool sync;
};

/* On top of what other processes wrote; writes when that changes anything. ERR_INUSE. */
enum err seen_change(struct seen *s, int dir_fd, const struct seen_of *of, const struct seen_change *c, struct errtext *t);

bool seen_encode(const struct seen_facts *f, struct buf *out);
/* Replaces *f_r; false: damaged. */
bool seen_decode(struct span file, struct seen_facts *f_r);

#endif
