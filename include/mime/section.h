/*
 * Which bytes BODY[section] means (RFC 3501 section 6.4.5).
 *
 * The answer is a range of stored bytes and its size in CRLF form; the caller streams it through
 * mime/crlf.h. HEADER.FIELDS and HEADER.FIELDS.NOT are answered with the range of the whole header:
 * the caller filters it with mime_header_filter.
 */
#ifndef MIME_SECTION_H
#define MIME_SECTION_H

#include "mime/tree.h"

enum mime_section_kind {
	MIME_SECTION_ALL,    /* "" or "1.2" */
	MIME_SECTION_HEADER, /* "HEADER" or "1.2.HEADER" */
	MIME_SECTION_TEXT,
	MIME_SECTION_MIME,       /* "1.2.MIME" */
	MIME_SECTION_FIELDS,     /* "HEADER.FIELDS" */
	MIME_SECTION_FIELDS_NOT, /* "HEADER.FIELDS.NOT" */
};

struct mime_section {
	enum mime_section_kind kind;
	uint32_t depth;                /* numbers in path; 0: the message itself */
	uint32_t path[MIME_DEPTH_MAX]; /* each >= 1 */
};

struct mime_range {
	uint64_t off;  /* in stored bytes, from the start of the message */
	uint64_t size; /* in stored bytes */
	uint64_t crlf; /* in CRLF form */
};

/*
 * "", "TEXT", "1.2.HEADER", "header.fields.not" (any case), without brackets and without the list
 * of names. ERR_SYNTAX when it is none (MIME without a number included), ERR_LIMIT when deeper than
 * MIME_DEPTH_MAX.
 */
enum err mime_section_parse(struct span text, struct mime_section *s_r);

/*
 * ERR_NOTFOUND: there is no such part, or HEADER/TEXT was asked of a part that is not a message
 * (IMAP answers NIL). part_r (may be NULL): the part that the numbers lead to; for the HEADER, TEXT
 * or FIELDS of a message/rfc822, the message inside.
 */
enum err mime_section_find(const struct mime_tree *t, const struct mime_section *s,
			   struct mime_range *range_r, uint32_t *part_r);

#endif
