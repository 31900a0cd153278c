/*
 * One client command as a tree of arguments (RFC 3501 section 9, RFC 7888, RFC 3516),
 * and the typed readers over it.
 *
 * Everything here lies in the command's arena and lives as long as it. The readers
 * return false when the argument is NULL or of another kind, write only on success,
 * and never answer the client: the caller says BAD.
 */
#ifndef WIRE_IMAP_ARGS_H
#define WIRE_IMAP_ARGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

enum imap_arg_type {
	IMAP_ARG_ATOM,     /* atoms, numbers, sets, flags, LIST patterns; NIL too */
	IMAP_ARG_QUOTED,   /* "..." with the escapes resolved; may hold 8-bit bytes, never CR, LF, NUL */
	IMAP_ARG_LITERAL,  /* {n}: any bytes but NUL */
	IMAP_ARG_LITERAL8, /* ~{n}: any bytes */
	IMAP_ARG_LIST,     /* ( ... ) */
	IMAP_ARG_SECTION,  /* BODY[...]<...> and kin, only in FETCH, UID FETCH and NOTIFY */
};

/*
 * SECTION: s is the word before '[' ("BODY.PEEK"), child the arguments between the
 * brackets (for "HEADER.FIELDS (From To)" an atom and a list; NULL for "[]"), tail
 * what follows ']' ("<0.100>") or empty. BODY without brackets is an atom.
 */
struct imap_arg {
	enum imap_arg_type type;
	bool streamed;           /* a literal whose s.n bytes the caller took himself; s.p is NULL */
	uint32_t count;          /* LIST, SECTION: number of children */
	struct span s;           /* arena: text without quotes; SECTION: the word */
	struct span tail;        /* arena: SECTION only */
	struct imap_arg *child;  /* arena: first child of LIST and SECTION */
	struct imap_arg *next;   /* arena: sibling */
	struct imap_arg *parent; /* arena: NULL at top level */
};

struct imap_command {
	struct span tag;            /* arena: as sent; empty while unknown (answer with "*") */
	struct span name;           /* arena: upper case: "FETCH", "UID" */
	const struct imap_arg *args; /* arena: first top-level argument, NULL when there is none */
	uint32_t count;             /* top-level arguments complete so far */
};

bool imap_arg_is_nil(const struct imap_arg *a);                  /* the atom NIL */
bool imap_arg_word(const struct imap_arg *a, const char *word);   /* this atom, ASCII case ignored */
bool imap_arg_atom(const struct imap_arg *a, struct span *s_r);
bool imap_arg_string(const struct imap_arg *a, struct span *s_r); /* quoted or collected literal */
bool imap_arg_astring(const struct imap_arg *a, struct span *s_r); /* atom or string; the atom NIL is the text NIL */
bool imap_arg_nstring(const struct imap_arg *a, struct span *s_r, bool *nil_r);
bool imap_arg_number64(const struct imap_arg *a, uint64_t *v_r); /* at most 2^63-1 (RFC 9051 number64) */
bool imap_arg_list(const struct imap_arg *a, const struct imap_arg **first_r); /* first NULL for "()" */

/* A with all below it, not what follows it, in another arena; NULL at its limit. */
struct imap_arg *imap_arg_copy(const struct imap_arg *a, struct arena *arena);

/* The <origin.length> behind a SECTION; absent (empty tail) gives *present_r false. False when malformed or length is 0. */
bool imap_arg_partial(const struct imap_arg *section, bool *present_r, uint64_t *origin_r, uint64_t *length_r);

/* "1-Feb-1994" as atom or string: days since 1970-01-01 (negative before). Impossible days are refused. */
bool imap_arg_date(const struct imap_arg *a, int64_t *day_r);

struct imap_flags {
	uint8_t system;              /* enum mail_flag, the five that are stored */
	uint32_t count;
	const struct span *keywords; /* arena: as sent, no two equal (case ignored) */
};

/*
 * Flags: either one LIST or, as STORE allows, the siblings from a on.
 * ERR_SYNTAX with a sentence for \Recent, unknown \Flags, bad keywords; ERR_MEMORY at the arena's limit.
 */
enum err imap_arg_flags(const struct imap_arg *a, struct arena *arena, struct imap_flags *f_r, struct errtext *why);

#endif
