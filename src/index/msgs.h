/* Message records within the room. */
#ifndef INDEX_MSGS_H
#define INDEX_MSGS_H

#include "map.h"

/*
 * The record of uid, which the map block s says is present; ERR_CORRUPT when it is missing or not
 * the one that the map knows (flags, tag).
 */
enum err msg_load(struct idx_txn *x, const struct box_slot *box, const struct map_slot *s,
		  uint32_t uid, struct idx_msg *m_r);

#endif
