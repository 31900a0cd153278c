/*
 * 8-bit octets in the header of a message that comes: without ENABLE UTF8=ACCEPT they are refused where that is offered
 * (RFC 9755 section 4), for cmd_append.c.
 */
#ifndef IMAP_HEADER8_H
#define IMAP_HEADER8_H

#include "base/span.h"

struct imap_session;

/* Watches the bytes as they come, cut anywhere. Zeroed at the start of a message. */
struct imap_header8 {
	bool body;   /* the empty line came */
	bool text;   /* something stands in the present line */
	bool found;
};

void imap_header8_watch(struct imap_header8 *h, struct span bytes);
bool imap_header8_refused(const struct imap_session *s); /* ext_utf8.c: in this session, as it is now */

#endif
