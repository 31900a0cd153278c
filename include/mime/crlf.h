/*
 * Mail is stored with LF or CRLF; IMAP shows CRLF. Everything that a client sees as a size or an
 * offset is in the CRLF form: each LF that has no CR before it counts as two bytes. A CR without
 * LF is a byte like others.
 *
 * A conversion state remembers the byte before; a range that begins inside a message
 * may begin with MIME_CRLF_START, since parts never begin between a CR and its LF.
 */
#ifndef MIME_CRLF_H
#define MIME_CRLF_H

#include "base/buf.h"

struct mime_crlf {
	bool after_cr; /* the last source byte eaten was CR */
	bool owes_lf;  /* the CR that we put in front of a bare LF went out, its LF not yet */
};

/* clang-format off */
#define MIME_CRLF_START { false, false }
/* clang-format on */

/* Bytes of in when every bare LF is CRLF. */
uint64_t mime_crlf_size(struct span in);

/* Appends all of in, converted; out's maximum is the caller's cap (check out->failed). */
void mime_crlf_add(struct mime_crlf *st, struct span in, struct buf *out);

/* As mime_crlf_add, but appends at most max bytes; returns how many source bytes were eaten. */
size_t mime_crlf_copy(struct mime_crlf *st, struct span in, size_t max, struct buf *out);

/*
 * For partial fetches: sets *st to stand at CRLF offset voff of in and returns the source
 * offset to go on from (in.n when voff is beyond the end). Linear in what is skipped.
 */
size_t mime_crlf_seek(struct mime_crlf *st, struct span in, uint64_t voff);

#endif
