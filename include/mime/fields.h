/*
 * The fields of a header block that somebody here asks for, found in one walk: ENVELOPE, BODYSTRUCTURE, the structure of
 * the message and the cache of the index take theirs from the same table.
 *
 * Names are compared as ASCII, in any case. At most MIME_FIELDS_MAX of them are noted, and those that mime_header_next
 * reports; the rest of the block is as if it were not there.
 */
#ifndef MIME_FIELDS_H
#define MIME_FIELDS_H

#include "base/span.h"

enum { MIME_FIELDS_MAX = 100000 };

/* The shorter names first: mime_name_of goes by length. */
enum mime_name {
	MIME_TO,
	MIME_CC,
	MIME_BCC,
	MIME_DATE,
	MIME_FROM,
	MIME_SENDER,
	MIME_SUBJECT,
	MIME_LIST_ID,
	MIME_REPLY_TO,
	MIME_MESSAGE_ID,
	MIME_REFERENCES,
	MIME_CONTENT_ID,
	MIME_IN_REPLY_TO,
	MIME_CONTENT_MD5,
	MIME_VERSION,
	MIME_CONTENT_TYPE,
	MIME_CONTENT_LANGUAGE,
	MIME_CONTENT_LOCATION,
	MIME_CONTENT_DESCRIPTION,
	MIME_CONTENT_DISPOSITION,
	MIME_CONTENT_ENCODING,
	MIME_NAMES /* how many there are; and: none of these */
};

enum mime_name mime_name_of(struct span name);
struct span mime_name_text(enum mime_name name); /* in lower case */

struct mime_fields {
	struct mime_named {
		enum mime_name name;
		struct span value; /* borrowed from the message; as in struct mime_field */
	} *f;                      /* own: in the order of the header */
	size_t n, cap;
	bool all; /* the whole block was walked */
};

/* header: the block; what is behind it is not read. fs: zeroed, or used before. */
void mime_fields_read(struct span header, struct mime_fields *fs);
void mime_fields_free(struct mime_fields *fs); /* leaves it zeroed */

/* Of a field that occurs more than once the last counts; p is NULL when it is absent. */
struct span mime_fields_last(const struct mime_fields *fs, enum mime_name name);

#endif
