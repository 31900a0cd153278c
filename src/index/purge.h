/*
 * Removing what a mailbox leaves behind: the records of a space, a bounded number at a time. A
 * space that could not be removed at once is noted as a to-do under mailbox 0; nobody can see its
 * records any more.
 */
#ifndef INDEX_PURGE_H
#define INDEX_PURGE_H

#include "env.h"

/* Gives the space up; small ones go at once. */
enum err purge_space(struct idx_txn *x, uint32_t space);
/* Removes up to budget records of spaces given up earlier. */
enum err purge_some(struct idx_txn *x, size_t budget);

#endif
