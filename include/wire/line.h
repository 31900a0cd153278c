/*
 * Lines of LMTP, SASL exchanges and IDLE's DONE; dot-stuffing of DATA (RFC 5321 4.5.2).
 *
 * Policy for DATA: only CRLF ends a line and only CRLF "." CRLF ends the message (or
 * "." CRLF as the very first bytes). Bare CR, bare LF and NUL are bytes like any others and
 * are handed on unchanged: they never begin a line for the dot rules, so nothing can be
 * smuggled past a neighbour that sees lines otherwise.
 */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include "base/buf.h"

enum line_event {
	LINE_MORE,     /* all input is used */
	LINE_READY,    /* a line */
	LINE_TOO_LONG, /* a line above the limit was skipped to its end */
	LINE_BAD,      /* a line with NUL or a bare CR, or ended by a bare LF where that is not allowed; skipped */
};

struct line_reader {
	struct buf b;  /* own: the beginning of a line whose end has not come; no memory otherwise */
	bool lf_ok;    /* a bare LF ends a line too (IMAP); LMTP says no (RFC 5321 2.3.8) */
	bool too_long; /* skipping */
};

void line_init(struct line_reader *r, size_t max, bool lf_ok); /* max: without the line end */
void line_free(struct line_reader *r);

/*
 * Takes *used_r bytes of in. On READY line_r is the line without its end, borrowed
 * from in or from the reader until the next call.
 */
enum line_event line_feed(struct line_reader *r, struct span in, size_t *used_r, struct span *line_r);

enum dot_state { DOT_LINE_START, DOT_DOT, DOT_DOT_CR, DOT_TEXT, DOT_CR, DOT_DONE };

struct dot_decoder {
	enum dot_state state;
};

void dot_init(struct dot_decoder *d);

/*
 * Takes bytes off the front of *in until there is a piece of the message to hand on.
 * True: *piece_r (not empty; borrowed from in or constant). False: nothing more can be
 * got from *in: it is used up, or the end has come (d->state == DOT_DONE, *in stands behind it).
 * Pieces are as large as the input allows: they break only at a removed dot.
 */
bool dot_next(struct dot_decoder *d, struct span *in, struct span *piece_r);

#endif
