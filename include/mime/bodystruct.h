/*
 * BODY and BODYSTRUCTURE as IMAP spells them (RFC 3501 section 7.4.2), in one walk over the tree.
 *
 * Content-* fields are read from the part headers in message; sizes and lines come from the tree,
 * in CRLF form. RFC 2231 parameters are shown as sent (names with their stars). At most
 * MIME_PARAMS_MAX parameters of a field and MIME_LANGS_MAX languages are shown. out's maximum
 * bounds the result: check out->failed.
 */
#ifndef MIME_BODYSTRUCT_H
#define MIME_BODYSTRUCT_H

#include "mime/tree.h"

enum { MIME_PARAMS_MAX = 128, MIME_LANGS_MAX = 128 };

/* extended: BODYSTRUCTURE with all extension data; else BODY. */
void mime_bodystruct_add(struct span message, const struct mime_tree *t, bool extended,
			 struct buf *out);
/* fields: of the message's own header, read already. */
struct mime_fields;
void mime_bodystruct_write(struct span message, const struct mime_tree *t, const struct mime_fields *fields,
			   bool extended, struct buf *out);

/*
 * BODY made from a cached BODYSTRUCTURE, so that the cache holds only one of the two. ERR_CORRUPT
 * when structure is not what mime_bodystruct_add wrote (out is then unchanged).
 */
enum err mime_body_from_structure(struct span structure, struct buf *out);

#endif
