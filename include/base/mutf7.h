/* Modified UTF-7 (RFC 3501 section 5.1.3), in which IMAP spells mailbox names, to UTF-8 and back. */
#ifndef BASE_MUTF7_H
#define BASE_MUTF7_H

#include "base/buf.h"

/*
 * Strict: exactly one spelling per name. Refuses 8-bit bytes, controls, printable ASCII in
 * base64, superfluous shifts ("&AOk-&AOk-"), lone surrogates, non-zero padding bits.
 * Appends to out only on success.
 */
bool mutf7_to_utf8(struct span mutf7, struct buf *out);

/* The inverse; false (nothing appended) when utf8 is not valid UTF-8. */
bool mutf7_from_utf8(struct span utf8, struct buf *out);

#endif
