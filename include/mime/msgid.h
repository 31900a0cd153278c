/* Lists of message ids: Message-ID, In-Reply-To, References (RFC 5322 section 3.6.4). */
#ifndef MIME_MSGID_H
#define MIME_MSGID_H

#include "base/buf.h"

/*
 * Appends the next id of a field value, without its angle brackets and without quoting, so that ids that are
 * spelled differently compare equal (RFC 5256 section 3); case counts. *rest moves behind it. False: no more.
 * What stands between ids, and what is no id, is skipped. Linear over all calls.
 */
bool mime_msgid_next(struct span *rest, struct buf *out);

#endif
