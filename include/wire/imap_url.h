/*
 * IMAP URLs that name a message, a part of it or some octets of that on this server (RFC 5092), in the relative forms
 * that CATENATE takes (RFC 4469 section 3; ;PARTIAL= is RFC 5550 section 5.7.1):
 *
 *	/mailbox;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=origin.length
 *	;UID=n/;SECTION=s/;PARTIAL=origin.length          in the mailbox that is selected
 *
 * What names a server, a user, a search, or carries an authorisation (;URLAUTH=) is refused. So are relative paths
 * (section 7.2) and dot segments: a mailbox is named by its whole name.
 */
#ifndef WIRE_IMAP_URL_H
#define WIRE_IMAP_URL_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

enum { IMAP_URL_MAX = 8192 }; /* octets; longer ones are refused */

struct imap_url {
	struct span mailbox;     /* arena: UTF-8, as it stands in the URL; empty: the selected one */
	uint32_t uidvalidity;    /* 0: not said */
	uint32_t uid;
	struct span section;     /* arena: what stands in BODY[...]; empty: the whole message */
	bool partial;
	uint64_t origin, length; /* of the part; length 0: up to its end */
};

/* ERR_SYNTAX. */
enum err imap_url_parse(struct span text, struct arena *arena, struct imap_url *url_r);

/*
 * A URL as the client wrote it, for the code BADURL: at most IMAP_URL_SHOWN octets of it; what a URL and a response code
 * cannot hold is percent-encoded.
 */
enum { IMAP_URL_SHOWN = 1000 };
void imap_url_show(struct span text, struct buf *out);

#endif
