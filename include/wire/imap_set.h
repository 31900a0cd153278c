/* Sequence sets (RFC 3501 sequence-set): text to struct set. Back to text: imap_write_set. */
#ifndef WIRE_IMAP_SET_H
#define WIRE_IMAP_SET_H

#include "base/set.h"

/*
 * "1:*,5,7:3,*": star is the number that "*" stands for (highest sequence number or UID);
 * when it is 0 (empty mailbox) items with "*" add nothing. Ranges may be written backwards.
 * Strict: no 0, no leading zeros, no empty items, no overflow, no blanks. set_r is
 * replaced, only on success. Numbers above star are kept: for sequence numbers the caller
 * compares set_max. Costs O(n log n) for any order. "$" is not handled here.
 */
bool imap_set_parse(struct span text, uint32_t star, struct set *set_r);

/* Is text spelled like a sequence set (or "$")? For telling sets from keywords in SEARCH. */
bool imap_set_looks(struct span text);

#endif
