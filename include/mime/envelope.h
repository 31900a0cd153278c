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
#include "mime/fields.h"

/* header: the header block (may reach into the body; only the block is read). */
void mime_envelope_add(struct span header, struct buf *out);
void mime_envelope_write(const struct mime_fields *fields, struct buf *out); /* of a block read already */

/* Reading it again, for SORT. */
enum mime_envelope_field {
	MIME_ENVELOPE_DATE,
	MIME_ENVELOPE_SUBJECT,
	MIME_ENVELOPE_FROM,
	MIME_ENVELOPE_SENDER,
	MIME_ENVELOPE_REPLY_TO,
	MIME_ENVELOPE_TO,
	MIME_ENVELOPE_CC,
	MIME_ENVELOPE_BCC,
	MIME_ENVELOPE_IN_REPLY_TO,
	MIME_ENVELOPE_MESSAGE_ID,
};

/* Appends the string; false: NIL, or no envelope. */
bool mime_envelope_text(struct span envelope, enum mime_envelope_field field, struct buf *out);

/*
 * The first address of a list: of a group, its name as mailbox. Replaces the three; what is NIL is empty. False: no
 * address.
 */
struct mime_envelope_address {
	struct buf name, mailbox, host; /* own */
};
bool mime_envelope_first(struct span envelope, enum mime_envelope_field field, struct mime_envelope_address *a);

#endif
