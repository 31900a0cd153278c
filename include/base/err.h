/*
 * The errors of the house: about twenty kinds, one table from each to what the
 * protocols say (imap/fail.c, lmtp replies).
 *
 * A fallible call returns enum err, 0 meaning success. Where a human needs a
 * sentence, the call takes a struct errtext * last (may be NULL), and writes it
 * only on failure. The sentence names the offending file, setting or token and
 * never holds secrets or mail content.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/banned.h"

enum err {
	ERR_OK = 0,
	ERR_SYNTAX,      /* the peer's words do not parse: BAD, 501 */
	ERR_NOTFOUND,    /* no such mailbox, user, message: [NONEXISTENT] */
	ERR_EXISTS,      /* [ALREADYEXISTS] */
	ERR_PERM,        /* no right to do that: [NOPERM] */
	ERR_CANNOT,      /* can never be done: [CANNOT] */
	ERR_LIMIT,       /* a cap of ours: [LIMIT], 552 */
	ERR_OVERQUOTA,   /* the user's quota: [OVERQUOTA], 552 5.2.2 */
	ERR_NOSPACE,     /* disk or map full: [OVERQUOTA], 452 4.3.1 */
	ERR_IO,          /* EIO and kin: [SERVERBUG], 451 4.3.0 */
	ERR_CORRUPT,     /* damaged data of ours or of the folder: [CORRUPTION] */
	ERR_INUSE,       /* locked by another: [INUSE], 451; retrying helps */
	ERR_EXPUNGED,    /* message gone: [EXPUNGEISSUED] */
	ERR_TEMP,        /* temporary failure elsewhere: [UNAVAILABLE], 451 */
	ERR_MEMORY,      /* a per-connection or per-command budget is spent */
	ERR_PROTO,       /* a peer process broke the message rules */
	ERR_CLOSED,      /* end of stream, peer gone */
	ERR_AUTH,        /* [AUTHENTICATIONFAILED] */
	ERR_CHARSET,     /* [BADCHARSET] */
	ERR_CTE,         /* [UNKNOWN-CTE] */
	ERR_READONLY,    /* mailbox is open read-only: [READ-ONLY] */
	ERR_AGAIN,       /* no failure: some of it is done and the time slice used; call again soon, others first */
};

struct errtext {
	char text[256];
};

/* Short constant English name ("not found"), for logs. */
const char *err_name(enum err e);

/* The kind that fits an errno (ENOENT -> ERR_NOTFOUND, ENOSPC/EDQUOT -> ERR_NOSPACE, ...; default ERR_IO). */
enum err err_from_errno(int errnum);

/* Writes a sentence (truncated to fit); t may be NULL. Returns e, so that "return err_say(...)" reads well. */
enum err err_say(struct errtext *t, enum err e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* As err_say, from the current errno: appends ": " and its text; returns err_from_errno(errno). */
enum err err_sys(struct errtext *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
