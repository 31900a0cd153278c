/* What reading and writing dovecot-uidlist share: the bookkeeping of struct list_state. */
#ifndef STORE_LIST_STATE_H
#define STORE_LIST_STATE_H

#include "maildir.h"

#define LIST_NAME "dovecot-uidlist"

/* Nothing is known any more. */
void list_forget(struct list_state *u);

/* The last complete line and where it ended. */
void list_took(struct list_state *u, struct span line, uint64_t end);

/* The file that was read or written is this one, as it is now. */
void list_seen(struct list_state *u, const struct stat *st);

/* Is it still just as it was seen? */
bool list_unchanged(const struct list_state *u, const struct stat *st);

#endif
