/*
 * The strings of ENVELOPE and BODYSTRUCTURE (RFC 3501 section 4.3): quoted where that is allowed
 * and short, else literals.
 *
 * What header fields hold is made fit for IMAP on the way: NUL (which no string may hold) becomes
 * U+FFFD, a bare CR a blank.
 */
#ifndef MIME_WIRETEXT_H
#define MIME_WIRETEXT_H

#include "base/buf.h"

void wiretext_add(struct buf *out, struct span s);     /* always a string, "" when empty */
void wiretext_add_nil(struct buf *out, struct span s); /* NIL when s.p is NULL */
void wiretext_add_field(
	struct buf *out,
	struct span s); /* a raw field value, unfolded first; NIL when s.p is NULL */
void wiretext_add_human(
	struct buf *out,
	struct span s); /* the same, runs of blanks shown as one, none at the ends */

#endif
