/* What of a client's ID list (RFC 2971) belongs into the log. */
#ifndef WIRE_IMAP_ID_H
#define WIRE_IMAP_ID_H

#include "base/buf.h"
#include "wire/imap_args.h"

/*
 * Appends "name=value, name=value" of the fields that wanted names (imap_id_log: "*" is all, else words parted by blanks),
 * in the client's order, each quoted for a log line. A list that is not one of pairs ends where it ceases to be.
 */
void imap_id_pick(const struct imap_arg *list, struct span wanted, struct buf *out);

#endif
