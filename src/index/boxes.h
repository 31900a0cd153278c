/*
 * The mailbox records that a transaction works on. In a write they are kept back, so that ten
 * thousand messages cost one mailbox record, and written by box_flush.
 */
#ifndef INDEX_BOXES_H
#define INDEX_BOXES_H

#include "env.h"

struct box_slot {
	struct box_slot *next;
	struct box_rec rec;
	char *text; /* own; what rec's spans point into in a write. NULL: they point into the map */
	bool dirty;
};

/* The record of mailbox id; stays until the transaction ends or the mailbox is deleted. ERR_NOTFOUND. */
enum err box_slot(struct idx_txn *x, uint32_t id, struct box_slot **s_r);
enum err box_flush(struct idx_txn *x);
void box_slots_free(struct idx_txn *x);

#endif
