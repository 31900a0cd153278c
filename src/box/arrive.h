/*
 * Messages on their way into a mailbox, from APPEND, a delivery or COPY: staged, then made durable and visible
 * (bytes first), numbered, and only then written into the index (facts second). What fails after the
 * bytes are durable is not lost: the next scan adopts it.
 */
#ifndef BOX_ARRIVE_H
#define BOX_ARRIVE_H

#include "room.h"

struct arrival {
	int64_t internaldate, savedate, sent;
	uint32_t source;                       /* of a copy: the original's UID */
	struct buf text;                       /* own: cache fields one after another */
	size_t off[IDX_FIELDS], n[IDX_FIELDS]; /* n SIZE_MAX: not cached */
};

enum arrive_phase { ARRIVE_READY, ARRIVE_COMMIT, ARRIVE_NUMBER, ARRIVE_INDEX };

struct arrivals {
	struct mailbox *mb;          /* a reference */
	struct arena *arena;         /* own: keys and hints */
	struct store_commit *commit; /* own, as the two that run along with it */
	struct arrival *arrival;
	uint32_t *uid;
	size_t n, cap;
	size_t committed;            /* the first so many are in the folder, durable when all are */
	size_t settled;              /* the first so many need no descriptor any more */
	bool placing;                /* counted in the mailbox's */
	unsigned unsynced;           /* the mailbox's, when the first was placed */
	enum arrive_phase phase;
	bool number;                 /* the caller wants UIDs */
	bool skip_gone;              /* a copy whose original went meanwhile is left out, and no failure */
	struct set dropped;          /* arrival.source of these */
	bool synced;
	uint64_t since;              /* clock_ms when waiting for the folder's lock began */
	uint32_t uidvalidity;        /* 0: not known */
	struct set uids;             /* in the index, or at least numbered */
	bool adding;                 /* its place was told (place_adding) */
	size_t text;                 /* bytes of all arrival.text, of those that wait (mailbox.late) */
};

void arrivals_init(struct arrivals *r, struct mailbox *mb); /* takes over the reference */
void arrivals_free(struct arrivals *r); /* aborts; when not all is committed, what is goes again */
/* Takes over the stage; the caller fills commit and arrival of the last one. */
void arrivals_add(struct arrivals *r, const struct store_stage *stage);
void arrival_init(struct arrival *a);
void arrival_cache(struct arrival *a, const struct idx_cache *c);
/* The bytes of the last are complete. When many wait with their descriptors, they are synced and closed. */
enum err arrivals_settle(struct arrivals *r, struct errtext *t);
/* At once, for stores that cannot settle: makes durable and visible what is staged; on failure everything is taken back. */
enum err arrivals_commit(struct arrivals *r, struct errtext *t);
enum step arrivals_step(struct arrivals *r, enum err *err_r, struct errtext *t);
/* Numbers and indexes the deliveries that wait. Drops their reference: the caller needs one of its own to go on with mb. */
void arrivals_flush(struct mailbox *mb);
bool arrivals_late(const struct acct *a); /* do any wait? */
void arrivals_flush_all(struct acct *a);

#endif
