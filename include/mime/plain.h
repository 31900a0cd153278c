/*
 * A message as a person reads it, in UTF-8: of every part the header, its fields unfolded and their encoded words decoded, an
 * empty line if it has one, and the body of a part without parts inside: without its transfer encoding and, when it is text,
 * converted. Left out is what lies between parts, and a body that is encoded in a way nobody knows. Pausable.
 */
#ifndef MIME_PLAIN_H
#define MIME_PLAIN_H

#include "base/step.h"
#include "mime/decode.h"
#include "mime/tree.h"

struct mime_plain {
	struct mime_charsets *cs;     /* borrowed */
	struct span message;          /* borrowed */
	const struct mime_tree *tree; /* borrowed */
	uint32_t part;                /* where we are */
	bool body;
	uint64_t pos;
	bool open, text;              /* dec is in use; conv is */
	struct mime_decoder dec;
	struct mime_to_utf8 conv;
	struct buf raw;               /* own */
};

void mime_plain_init(struct mime_plain *p, struct mime_charsets *cs, struct span message, const struct mime_tree *tree);
/* Appends what about budget stored bytes come to; line ends are those of the message. STEP_SLICE: there is more. */
enum step mime_plain_step(struct mime_plain *p, size_t budget, struct buf *out);
void mime_plain_free(struct mime_plain *p); /* zeroed: allowed */

#endif
