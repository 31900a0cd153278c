/*
 * The uid map: which UIDs exist, and their system flags, a bitmap a block of 1,024 UIDs. A
 * transaction keeps the few blocks it works on; a write keeps them back until map_flush, which also
 * keeps the mailbox's map_sum.
 */
#ifndef INDEX_MAP_H
#define INDEX_MAP_H

#include "boxes.h"

/* The block of uid; an empty one where none is stored. Valid until the next map_slot call. */
enum err map_slot(struct idx_txn *x, struct box_slot *box, uint32_t uid, struct map_slot **s_r);
/* The smallest UID present >= uid, and its block. ERR_NOTFOUND: none. */
enum err map_next(struct idx_txn *x, struct box_slot *box, uint32_t uid, uint32_t *uid_r,
		  struct map_slot **s_r);

bool map_has(const struct map_slot *s, uint32_t uid);
uint8_t map_flags(const struct map_slot *s, uint32_t uid);
uint8_t map_tag(const struct map_slot *s, uint32_t uid);
void map_set(struct map_slot *s, uint32_t uid, uint8_t flags,
	     uint8_t tag); /* present; marks it dirty */
void map_clear(struct map_slot *s, uint32_t uid);

enum err map_flush(struct idx_txn *x);
void map_drop(struct idx_txn *x, const struct box_slot *box); /* forgets its blocks, unwritten */

#endif
