/*
 * Address lists (RFC 5322 section 3.4 with the obsolete syntax of 4.4), one address at a time.
 *
 * Groups, source routes, quoted strings, comments and the old "addr (Name)" are understood;
 * what is broken is reported as well as possible and never stops the walk. Linear time, no
 * recursion: comment nesting is a counter. Encoded words stay as they are.
 *
 * What is missing gets Dovecot's stand-ins, for clients see them in ENVELOPE: MISSING_MAILBOX,
 * MISSING_DOMAIN, SYNTAX_ERROR as domain, INVALID_ROUTE. Empty members ("a@b,,c@d") are skipped
 * (RFC 5322 section 4.4).
 *
 * A group is reported as IMAP wants it (RFC 3501 section 7.4.2): MIME_ADDR_GROUP with the group's
 * name in mailbox, its members, MIME_ADDR_GROUP_END.
 *
 * Life cycle: mime_addrs_init, mime_addrs_next until false, mime_addrs_free.
 * Limit: MIME_ADDRS_MAX reports; the rest of the field is ignored (an open group is still ended).
 */
#ifndef MIME_ADDRESS_H
#define MIME_ADDRESS_H

#include "base/buf.h"

enum { MIME_ADDRS_MAX = 10000 };

enum mime_addr_kind { MIME_ADDR_MAILBOX, MIME_ADDR_GROUP, MIME_ADDR_GROUP_END };

/*
 * Unquoted and unfolded parts; p is NULL when the part is absent (IMAP: NIL). Borrowed from the
 * walk until its next call.
 */
struct mime_addr {
	enum mime_addr_kind kind;
	struct span name;    /* display name */
	struct span route;   /* "@a,@b" */
	struct span mailbox; /* local part, or the group's name */
	struct span domain;
	bool broken; /* not an address by the grammar: what is missing got a stand-in, as Dovecot
			spells it */
};

struct mime_addrs {
	struct span in; /* borrowed */
	size_t pos;
	unsigned count;
	bool in_group;
	bool open_comment; /* from pos on no comment ends; the same for quoted strings: what keeps
			      the walk linear */
	bool open_quote;
	struct buf text;    /* own: what the last report points into */
	struct buf comment; /* own */
};

void mime_addrs_init(struct mime_addrs *w, struct span value); /* a field value, folds allowed */
bool mime_addrs_next(struct mime_addrs *w, struct mime_addr *a_r);
void mime_addrs_free(struct mime_addrs *w);

/*
 * The mailbox (local part) of the first address of the value, for SORT (RFC 5256); appends nothing
 * when there is none.
 */
void mime_addr_first_mailbox(struct span value, struct buf *out);

#endif
