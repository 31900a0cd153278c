/*
 * ENVELOPE as IMAP spells it (RFC 3501 section 7.4.2): "(date subject from sender reply-to to cc
 * bcc in-reply-to message-id)".
 *
 * Strings are quoted, or literals when they hold 8-bit bytes or are long; folds are undone; encoded
 * words stay; a NUL (which IMAP forbids) becomes U+FFFD, a bare CR a blank. Runs of blanks in the
 * subject and in display names are shown as one. Fields that occur more than once: address lists
 * are joined, of the others the last counts. Absent fields are NIL, empty ones "", empty address
 * lists NIL; Sender and Reply-To default to From.
 *
 * out's maximum bounds the result: check out->failed.
 */
#ifndef MIME_ENVELOPE_H
#define MIME_ENVELOPE_H

#include "base/buf.h"

/* header: the header block (may reach into the body; only the block is read). */
void mime_envelope_add(struct span header, struct buf *out);

#endif
