/*
 * The databases of users as the configuration lists them: passdbs say whether a password is
 * right, userdbs say as whom and where the mail lies. Lives in the auth-worker; may block. Logs
 * what went wrong, as Dovecot words it:
 *
 *	passwd-file(user,rip,<session>): unknown user
 *	passwd-file(user,rip,<session>): Password mismatch
 */
#ifndef AUTH_USERS_H
#define AUTH_USERS_H

#include "base/arena.h"
#include "conf/conf.h"
#include "fields.h"

#include <sys/types.h>

/* Who asks, for whom: lives as long as its arena. */
struct who {
	struct arena *a;       /* borrowed */
	const char *user;      /* normalised; a passdb's user= replaces it */
	const char *service;   /* "imap", "lmtp", "adm" */
	const char *session;
	const char *rip, *lip; /* "" where there is none */
	const char *mech;      /* "PLAIN"; "" for a lookup */
	struct fields passdb;  /* what the passdbs said */
};

enum verdict {
	VERDICT_OK,
	VERDICT_BAD,      /* no such user or wrong password: the same to the client */
	VERDICT_UNKNOWN,  /* lookups: no such user */
	VERDICT_DISABLED, /* right password, but nologin */
	VERDICT_TEMP,     /* a database failed, or what it says cannot be used; logged */
};

/* As whom to serve a user. Strings in the arena of the request. */
struct account {
	const char *user;
	uid_t uid;
	gid_t gid;
	const char *home;  /* absolute, or "" */
	const char *mail;  /* a mail_location, % variables not expanded; "" for the configured one */
	struct span extra; /* NUL-terminated "key=value" strings */
};

enum { ACCOUNT_EXTRA_MAX = 8192 };

struct users;

/* c: borrowed. Never NULL: a database whose args are wrong is logged, and fails every time. */
struct users *users_new(const struct conf *c);
void users_free(struct users **u);

/*
 * BAD for all that the client must not tell apart. *reason_r: "" or what a DISABLED user hears
 * (arena).
 */
enum verdict users_verify(struct users *u, struct who *w, struct span password, const char **reason_r);

/*
 * authenticated: users_verify said OK for w, so that nobody asks again whether the user exists.
 */
enum verdict users_account(struct users *u, struct who *w, bool authenticated, struct account *a_r);

/*
 * Directories that hold files of the databases (their paths up to the first variable); a: for the
 * list. NULL-terminated.
 */
const char **users_dirs(const struct users *u, struct arena *a);

/* Whether a database asks the name service, which may open sockets and files anywhere. */
bool users_need_nss(const struct users *u);

#endif
