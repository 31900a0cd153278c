/*
 * Mail is stored with LF line ends: CRLF becomes LF. Where a CR stands before the CRLF both bytes are kept, for dropping
 * one would leave a line end that reads as CRLF and loses a byte; a CR without LF, an LF without CR and NUL are kept
 * as they are. So what came with CRLF line ends is read back byte for byte; only a bare LF comes back as CRLF.
 */
#ifndef BASE_LF_H
#define BASE_LF_H

#include "base/span.h"

struct lf_form {
	bool held;     /* the last byte was a CR: what follows decides */
	bool after_cr; /* and the one before it was a CR too */
};

#define LF_FORM_START { false, false }

/* Writes in, converted, to out, which has room for in.n + 1 bytes; returns how many. */
size_t lf_form(struct lf_form *f, struct span in, char *out);

/* At the end of all input: the CR still held, if any, to out (1 byte). */
size_t lf_form_end(struct lf_form *f, char *out);

#endif
