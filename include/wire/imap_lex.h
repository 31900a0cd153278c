/*
 * Reads client commands from bytes as they come (RFC 3501, LITERAL+ of RFC 7888,
 * literal8 of RFC 3516). Takes every byte it is fed exactly once: linear however the
 * input is cut, and the result does not depend on the cuts.
 *
 * Use: imap_lex_start with the command's arena, then imap_lex_feed until it reports
 * something; imap_lex_start again for the next command (a fresh or reset arena).
 *
 *	IMAP_LEX_MORE      all input is used; feed more
 *	IMAP_LEX_NAME      tag and name are known (once a command): the moment for
 *	                   imap_lex_stream; feed on
 *	IMAP_LEX_CONTINUE  write "+ OK\r\n", send it, feed on: a synchronising literal that
 *	                   will be collected comes next
 *	IMAP_LEX_LITERAL   a literal that the caller wants for himself (imap_lex_stream) comes
 *	                   next; see below
 *	IMAP_LEX_COMMAND   the command is complete
 *	IMAP_LEX_BAD       the command was bad (imap_lex_why says so in a sentence); it has been
 *	                   skipped to its end, non-synchronising literals included: the stream
 *	                   is in step. tag may be empty: answer with "*"
 *	IMAP_LEX_FATAL     as BAD, but the stream cannot be followed further: say BYE and close
 *
 * Leniencies: a bare LF ends a line; runs of blanks separate; a blank before the end of
 * line is ignored; "(" may touch the atom before it. NUL outside literals is FATAL.
 *
 * Streamed literals (APPEND): after imap_lex_stream(lex, n) at NAME, literals that come
 * when at least n top-level arguments are complete are not collected. On LITERAL the
 * command's arguments so far (open lists included) may be inspected, then one of:
 *	imap_lex_taken    the caller sends "+ OK\r\n" if the literal is synchronising, takes
 *	                  exactly size bytes off the stream himself, then calls this; an argument
 *	                  with streamed = true is added, feed on (next message, rest of the line)
 *	imap_lex_collect  it is small: read it as any other (CONTINUE may follow)
 *	imap_lex_skip     the command is answered already
 */
#ifndef WIRE_IMAP_LEX_H
#define WIRE_IMAP_LEX_H

#include "wire/imap_args.h"

struct imap_lex;

enum imap_lex_event {
	IMAP_LEX_MORE,
	IMAP_LEX_NAME,
	IMAP_LEX_CONTINUE,
	IMAP_LEX_LITERAL,
	IMAP_LEX_COMMAND,
	IMAP_LEX_BAD,
	IMAP_LEX_FATAL,
};

struct imap_lex_limits {
	size_t line_max;      /* bytes of a command without its literals */
	size_t literal_max;   /* collected literal bytes of a command, all together */
	uint64_t skip_max;    /* largest non-synchronising literal that is skipped rather than FATAL */
	uint64_t plus_max;    /* largest one that is taken (LITERAL-, RFC 7888 section 5); 0: any */
	bool utf8;            /* quoted strings must be UTF-8 (RFC 9755 section 3) */
	uint32_t args_max;    /* arguments of a command, all depths; at most 1,000,000 */
	uint32_t depth_max;   /* nesting of lists and sections; 0: no lists at all */
};

extern const struct imap_lex_limits imap_lex_session; /* 1 MiB, 1 MiB, 1 GiB, 10,000, 32 */
extern const struct imap_lex_limits imap_lex_preauth; /* 8 KiB, 4 KiB, 64 KiB, 70, 1 (the ID list) */

struct imap_literal {
	uint64_t size;
	bool sync;     /* the client waits for "+ " */
	bool literal8;
};

/* Never NULL. limits are copied. About 200 bytes, and token memory only while a token is cut by the input's end. */
struct imap_lex *imap_lex_new(const struct imap_lex_limits *limits);
void imap_lex_free(struct imap_lex **lex);

/* Forgets everything and begins a command; arena is borrowed until the next start or free. */
void imap_lex_start(struct imap_lex *lex, struct arena *arena);

void imap_lex_utf8(struct imap_lex *lex); /* limits.utf8, from the next start on */

/* Takes *used_r bytes of in (always all of them for MORE). After COMMAND, BAD, FATAL: start before feeding again. */
enum imap_lex_event imap_lex_feed(struct imap_lex *lex, struct span in, size_t *used_r);

const struct imap_command *imap_lex_command(const struct imap_lex *lex);
const char *imap_lex_why(const struct imap_lex *lex); /* after BAD and FATAL; a constant */
const char *imap_lex_code(const struct imap_lex *lex); /* likewise: "TOOBIG" when plus_max was passed, else NULL */
bool imap_lex_idle(const struct imap_lex *lex);       /* no byte of a command has come yet */

void imap_lex_stream(struct imap_lex *lex, uint32_t min_args);
struct imap_literal imap_lex_literal(const struct imap_lex *lex); /* after LITERAL */
const struct imap_arg *imap_lex_level(const struct imap_lex *lex); /* the innermost list that is open; NULL: none */
bool imap_lex_taken(struct imap_lex *lex);   /* false: argument or memory limit; the command is being skipped (feed gives BAD) */
void imap_lex_collect(struct imap_lex *lex);

/*
 * Gives the rest of the command up, whatever the lexer stands at: the following feeds skip
 * it and end with BAD without a sentence (imap_lex_why is ""): the caller has answered.
 * A synchronising literal that was not asked for ends the command at once.
 */
void imap_lex_skip(struct imap_lex *lex);

#endif
