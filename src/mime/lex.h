/*
 * The lexical tokens of RFC 5322 section 3.2, read from a field value that may still be folded.
 *
 * Every reader moves forward only. A comment or quoted string without an end is found out once: its
 * opening byte is then refused, there and later, so that no input makes us look for an end again
 * and again.
 */
#ifndef MIME_LEX_H
#define MIME_LEX_H

#include "base/buf.h"

struct lex {
	struct span in; /* borrowed */
	size_t pos;
	struct buf *comment; /* borrowed, may be NULL: the last comment's text */
	bool open_comment;   /* from here on no comment ends */
	bool open_quote;     /* from here on no quoted string ends */
};

/* The next byte, or -1 at the end. */
static inline int lex_peek(const struct lex *l)
{
	return l->pos < l->in.n ? (unsigned char)l->in.p[l->pos] : -1;
}

void lex_cfws(struct lex *l); /* blanks, line ends, comments; stops at '(' that has no end */
bool lex_quoted(struct lex *l, struct buf *out);  /* appends the text; false (not moved) unless a
						     complete quoted string begins here */
bool lex_literal(struct lex *l, struct buf *out); /* "[...]", appended with its brackets */
struct span lex_atom(struct lex *l);              /* atext without dots; 8-bit bytes belong to it */
struct span lex_dot_atom(struct lex *l);          /* atext and dots in any order, no blanks */
struct span lex_token(struct lex *l);             /* RFC 2045 token */
void lex_until(struct lex *l,
	       const char *stops); /* raw: on to the first byte of stops, or the end */

#endif
