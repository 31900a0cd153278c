/* The result options of one SEARCH or SORT (RFC 4731, RFC 4466 section 2.6), for the modules that add some. */
#ifndef IMAP_ESEARCH_H
#define IMAP_ESEARCH_H

#include "search.h"

enum esearch_item {
	ESEARCH_MIN = 0x1,
	ESEARCH_MAX = 0x2,
	ESEARCH_ALL = 0x4,
	ESEARCH_COUNT = 0x8,
	ESEARCH_PARTIAL = 0x10,
	ESEARCH_UPDATE = 0x20, /* shows nothing, but ALL is not meant then */
};

/* PARTIAL's range (RFC 9394). */
struct esearch_range {
	uint32_t first, last; /* 1 and up, first <= last */
	bool from_end;        /* 1 is the last result */
	struct span text;     /* arena: as the client wrote it */
};

/* Where the range lies among n results: *n_r from position *from_r (0 is the first) on. */
void imap_range_place(const struct esearch_range *r, uint64_t n, uint64_t *from_r, uint64_t *n_r);

/*
 * What RETURN asked for; s->option. A modifier of IMAP_OF_RETURN gets the struct imap_search as its state and
 * sets bits here.
 */
struct esearch {
	unsigned items;               /* enum esearch_item */
	struct esearch_range partial;
	const uint32_t *order;        /* borrowed: the numbers as sorted (RFC 5267); NULL: ascending */
	size_t at, end;               /* writing order: what comes next, and where it ends */
	bool begun, comma;
	const struct imap_arg *update; /* arena: what UPDATE FETCHes of new messages; NULL: nothing */
};

/* "* ESEARCH (TAG "x") UID": how every such line begins. */
void imap_esearch_head(struct buf *out, struct span tag, bool uid);

#endif
