/* The result options of one SEARCH or SORT (RFC 4731, RFC 4466 section 2.6), for the modules that add some. */
#ifndef IMAP_ESEARCH_H
#define IMAP_ESEARCH_H

#include "search.h"

enum esearch_item {
	ESEARCH_MIN = 0x1,
	ESEARCH_MAX = 0x2,
	ESEARCH_ALL = 0x4,
	ESEARCH_COUNT = 0x8,
	ESEARCH_OTHER = 0x10, /* a module's own item stands for ALL where nothing else was asked for */
};

/*
 * What RETURN asked for; s->option. A modifier of IMAP_OF_RETURN gets the struct imap_search as its state and
 * sets bits here.
 */
struct esearch {
	unsigned items;            /* enum esearch_item */
	const uint32_t *order;     /* borrowed: the numbers as sorted (RFC 5267); NULL: ascending */
	/* Appends " NAME value" of a module's own item; NULL: none. */
	void (*other)(struct imap_search *s, struct buf *out);
	size_t at;                 /* writing order: what comes next */
	bool begun;
};

#endif
