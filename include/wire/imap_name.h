/*
 * Mailbox names: what a name may hold, and LIST patterns. Their spelling: base/mutf7.h.
 */
#ifndef WIRE_IMAP_NAME_H
#define WIRE_IMAP_NAME_H

#include "base/buf.h"

enum { IMAP_PATTERN_MAX = 2048 }; /* bytes of a LIST pattern; longer ones match nothing */

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
