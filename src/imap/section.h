/*
 * BODY[section]<partial> of a message, for whoever takes bytes out of messages: FETCH, and CATENATE, which must get the
 * same ones (RFC 4469 section 3).
 */
#ifndef IMAP_SECTION_H
#define IMAP_SECTION_H

#include "box/view.h"
#include "mime/section.h"
#include "wire/imap_args.h"

struct imap_section {
	struct span text;           /* arena: "1.HEADER.FIELDS", without the names */
	struct mime_section section;
	const struct span *names;   /* arena: of HEADER.FIELDS */
	size_t names_n;
	bool partial;               /* only these octets of it; what lies beyond its end is left out */
	uint64_t origin, length;

	/* Of the message that imap_section_find looked into. */
	struct message_bytes bytes; /* nil: it has no such part */
	uint64_t at, end;           /* what is still to be read */
};

/* The arguments between the brackets of BODY[...]; a NULL: none. False: malformed. *s_r but for the partial is filled. */
bool imap_section_parse(struct arena *arena, const struct imap_arg *a, struct imap_section *s_r);
/* The same from text, as URLs have it: "HEADER.FIELDS (To)". */
bool imap_section_from_text(struct arena *arena, struct span text, struct imap_section *s_r);

bool imap_section_is_header(const struct imap_section *s);

enum err imap_section_find(struct imap_section *s, struct message *m, struct errtext *t);
/*
 * Appends the next piece, at most 64 KiB, while at < end. IMAP forbids NUL in strings: it is shown as 0x80, so that
 * sizes stay. An error means that the bytes are not what they were.
 */
enum err imap_section_read(struct imap_section *s, struct buf *out, struct errtext *t);

#endif
