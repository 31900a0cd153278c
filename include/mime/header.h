/*
 * Walks the fields of a header block (RFC 5322 section 2.2), as senders spell it.
 *
 * A block ends behind the first empty line (LF or CRLF), or at the end of the bytes.
 * A line that begins with blank or tab continues the field before it. A line without
 * a colon is reported as a field whose name is the whole line and whose value is empty.
 * NULs and 8-bit bytes are bytes like others. One pass, linear, no memory.
 *
 * Limits: fields that begin beyond MIME_HEADER_MAX bytes are not reported; of a field,
 * at most MIME_FIELD_MAX bytes are shown in value (whole is always complete).
 * All spans are borrowed from the message.
 */
#ifndef MIME_HEADER_H
#define MIME_HEADER_H

#include "base/buf.h"

enum {
	MIME_HEADER_MAX = 10 << 20,
	MIME_FIELD_MAX = 1 << 20,
};

struct mime_field {
	struct span name;  /* no blanks before the colon; empty when the line begins with a colon */
	struct span value; /* leading blanks skipped; folds inside kept, the last line end dropped */
	struct span whole; /* the field to the byte, with its line ends */
	bool colon;        /* false: a line without a colon */
};

struct mime_header {
	struct span bytes; /* borrowed: begins at the first field, may reach into the body */
	size_t pos;        /* of the next field; after the walk: where the body begins */
};

static inline struct mime_header mime_header_of(struct span bytes)
{
	return (struct mime_header){ bytes, 0 };
}

/* The next field; false at the end of the block: then h->pos is where the body begins. */
bool mime_header_next(struct mime_header *h, struct mime_field *f_r);

/* Length of the header block, the empty line included. */
size_t mime_header_size(struct span bytes);

/* The first field of that name (case-insensitive); false when absent. */
bool mime_header_find(struct span bytes, const char *name, struct mime_field *f_r);

/* Appends value unfolded: line ends dropped, the blanks behind them kept. NULs stay. */
void mime_field_unfold(struct span value, struct buf *out);

/*
 * Appends the fields of the block whose names are (or with invert: are not) in names, each whole
 * and as stored, then the empty line that ends the block, if the block has one (RFC 3501
 * HEADER.FIELDS, HEADER.FIELDS.NOT). Line ends are as stored; mime_crlf_add makes them CRLF.
 */
void mime_header_filter(struct span bytes, const struct span *names, size_t n, bool invert,
			struct buf *out);

#endif
