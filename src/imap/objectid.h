/* Object identifiers (RFC 8474) as they are spelled: a letter for their kind, and 32 hex digits. */
#ifndef IMAP_OBJECTID_H
#define IMAP_OBJECTID_H

#include "base/buf.h"

enum imap_objectid_kind { IMAP_MAILBOXID = 'F', IMAP_EMAILID = 'M', IMAP_THREADID = 'T' };

/* Appends "(id)". */
void imap_objectid_add(enum imap_objectid_kind kind, const uint8_t id[16], struct buf *out);

#endif
