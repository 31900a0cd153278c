/*
 * Structured Content-* fields (RFC 2045 section 5, RFC 2183, RFC 2231): a value and its parameters.
 */
#ifndef MIME_CONTENT_H
#define MIME_CONTENT_H

#include "base/buf.h"
#include "mime/bodystruct.h"
#include "mime/fields.h"

struct content_type {
	struct span type;    /* borrowed from the field */
	struct span subtype; /* borrowed */
	struct span params;  /* borrowed: from the first ';' on */
};

/* False when value is no valid content type: RFC 2045 section 5.2 then wants text/plain. */
bool content_type_parse(struct span value, struct content_type *t_r);

/* The single token of Content-Transfer-Encoding; empty when the value is anything else. */
struct span content_token(struct span value);

/* The token that begins value (Content-Disposition), and the parameters that follow it. */
struct span content_value(struct span value, struct span *params_r);

/*
 * The parameters in the order in which IMAP shows them: the plain ones as sent, then those of RFC
 * 2231 by name, continuations joined under "name" (or "name*" when any piece is percent-encoded).
 * At most MIME_PARAMS_MAX are read. What cannot be read as a parameter is left out.
 */
struct content_param {
	struct span name, value; /* borrowed from text */
};

struct content_params {
	struct buf text; /* own */
	size_t n;
	struct content_param p[MIME_PARAMS_MAX];
};

/* ps: zeroed, or used before. */
void content_params_parse(struct span params, struct content_params *ps);
void content_params_free(struct content_params *ps);

/* The value of the first parameter of that name (case-insensitive); false when absent. */
bool content_params_find(const struct content_params *ps, const char *name, struct span *value_r);

/*
 * What one header block says about its part: raw values of the first field of each name; p is NULL
 * when absent.
 */
struct content_fields {
	bool mime; /* MIME-Version or Content-Type is there: the others count */
	struct span type, encoding, id, description, disposition, md5, language, location;
};

void content_fields_read(struct span header, struct content_fields *f_r);
void content_fields_of(const struct mime_fields *fields, struct content_fields *f_r); /* of a block read already */

/* To UTF-8 from the charset that a part's Content-Type names; what names none is tried as UTF-8, of which ASCII is a part. */
struct mime_charsets;
struct mime_to_utf8;
void content_converter(const struct content_fields *f, struct mime_charsets *cs, struct mime_to_utf8 *conv);

#endif
