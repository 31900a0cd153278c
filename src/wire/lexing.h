/*
 * The lexer's inside, shared by its two rooms only: imap_lex.c (words, lists, lines) and imap_lex_literal.c (literals, and
 * what is skipped).
 */
#ifndef WIRE_LEXING_H
#define WIRE_LEXING_H

#include "wire/imap_lex.h"

#include "base/buf.h"

enum { TAIL_MAX = 24 }; /* "{18446744073709551615+}" CR */

enum lex_state {
	LEX_TAG,
	LEX_NAME,
	LEX_GAP,    /* an argument may begin */
	LEX_AFTER,  /* an argument is complete */
	LEX_ATOM,
	LEX_BRACKET, /* behind the ']' of a section */
	LEX_QUOTED,
	LEX_ESCAPE,
	LEX_TILDE,
	LEX_SIZE,
	LEX_CLOSE,
	LEX_HEAD_CR,
	LEX_HEAD_LF,
	LEX_LITERAL,
	LEX_CR,
	LEX_SKIP,
	LEX_SKIP_LITERAL,
	LEX_HANDED, /* the caller has the stream: a literal he asked for */
	LEX_ENDED,
};

struct imap_lex {
	struct imap_lex_limits limits;
	struct arena *arena; /* borrowed */
	struct imap_command cmd;
	struct imap_arg *parent, *last; /* arena: where the next argument is hung */
	uint32_t depth, nargs;
	enum lex_state state;
	enum imap_lex_event event;
	enum imap_lex_event pending; /* came up outside of a feed; MORE: none */
	bool sections;  /* "BODY[" may be special in this command */
	bool streaming;
	bool sync_due;  /* CONTINUE was reported and not yet answered by a feed */
	bool size_seen; /* LEX_SIZE: at least one digit */
	uint32_t stream_min;
	size_t line_n;
	size_t literal_total; /* collected so far */
	struct imap_literal lit;
	char *lit_p;          /* arena: where its bytes go */
	uint64_t lit_left;
	struct buf tok;       /* own: the beginning of a cut token */
	const char *why;      /* constant */
	bool toobig;
	uint8_t tail_n;
	char tail[TAIL_MAX];  /* last bytes of a line being skipped */
};

/* ---- imap_lex.c ---- */

void lex_set_state(struct imap_lex *lex, enum lex_state state);
void lex_end_with(struct imap_lex *lex, enum imap_lex_event event, const char *why);
/*
 * The line is bad from here on: nothing of it is kept, the stream is followed to its end.
 * Takes no byte (returns 0); what stood before the bad byte is taken by the caller.
 */
size_t lex_fail(struct imap_lex *lex, const char *why);
size_t lex_fail_char(struct imap_lex *lex, char c, const char *why); /* because of c; NUL is FATAL */
struct imap_arg *lex_add_arg(struct imap_lex *lex, enum imap_arg_type type); /* NULL: no memory, failed */
void lex_arg_done(struct imap_lex *lex);

/* ---- imap_lex_literal.c ---- */

/* Keeps the last bytes of the line that is skipped, for the literal that may stand there. */
void lex_tail_add(struct imap_lex *lex, struct span s);
void lex_literal_head(struct imap_lex *lex, bool literal8); /* behind its '{' */

/* Steps of their states: what they took of in. */
size_t lex_on_tilde(struct imap_lex *lex, struct span in);
size_t lex_on_size(struct imap_lex *lex, struct span in);
size_t lex_on_close(struct imap_lex *lex, struct span in);
size_t lex_on_head_cr(struct imap_lex *lex, struct span in);
size_t lex_on_head_lf(struct imap_lex *lex, struct span in);
size_t lex_on_literal(struct imap_lex *lex, struct span in);
size_t lex_on_skip(struct imap_lex *lex, struct span in);
size_t lex_on_skip_literal(struct imap_lex *lex, struct span in);

#endif
