/*
 * Mailbox names: modified UTF-7 (RFC 3501 section 5.1.3) to UTF-8 and back, what a
 * name may hold, and LIST patterns. Inside the server names are UTF-8.
 */
#ifndef WIRE_IMAP_NAME_H
#define WIRE_IMAP_NAME_H

#include "base/buf.h"

enum { IMAP_PATTERN_MAX = 2048 }; /* bytes of a LIST pattern; longer ones match nothing */

/*
 * Strict: exactly one spelling per name. Refuses 8-bit bytes, controls, printable ASCII in
 * base64, superfluous shifts ("&AOk-&AOk-"), lone surrogates, non-zero padding bits.
 * Appends to out only on success.
 */
bool imap_name_to_utf8(struct span mutf7, struct buf *out);

/* The inverse; false (nothing appended) when utf8 is not valid UTF-8. */
bool imap_name_from_utf8(struct span utf8, struct buf *out);

/*
 * Valid UTF-8 without control characters (C0, DEL, C1), U+2028, U+2029, noncharacters; not empty. Separators are the
 * caller's matter.
 */
bool imap_name_valid(struct span utf8);

/* Is this INBOX, in any case? */
bool imap_name_is_inbox(struct span name);

/*
 * LIST matching in at most n*m steps, no recursion: "*" any run, "%" any run without sep
 * (sep 0: none, both are alike). A first level INBOX of the name is compared without
 * regard to case. Bytes, so pattern and name must be in the same encoding.
 */
bool imap_name_match(struct span pattern, struct span name, char sep);

/* Could the pattern match some name below this one (name + sep + anything)? */
bool imap_name_match_below(struct span pattern, struct span name, char sep);

#endif
