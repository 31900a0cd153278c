/*
 * One request in the auth-worker: an authentication or a lookup, from the question to the answer.
 * Knows no messages: worker_main.c translates.
 */
#ifndef AUTH_TRY_H
#define AUTH_TRY_H

#include "users.h"

struct asker {
	const struct conf *conf; /* borrowed */
	struct users *users;     /* borrowed */
};

/* The client's side, copied by the try. */
struct try_conn {
	struct span service, session, rip, lip;
	bool secured;
};

struct try;

enum try_state {
	TRY_CHALLENGE, /* try_out is for the client */
	TRY_OK,        /* try_account */
	TRY_FAIL,      /* try_verdict, try_reason, try_given */
};

struct try *try_new(const struct asker *k, const struct try_conn *c);
void try_free(struct try **t); /* NULL allowed; nulls */

enum try_state try_start(struct try *t, struct span mech, bool has_in, struct span in);
enum try_state try_step(struct try *t, struct span in);
enum try_state try_lookup(struct try *t, struct span user);

struct span try_out(const struct try *t);                 /* until the next step */
const struct account *try_account(const struct try *t);   /* until try_free */
enum verdict try_verdict(const struct try *t);
bool try_mech_refused(const struct try *t);               /* unknown, not configured, or not without TLS */
const char *try_reason(const struct try *t);
const char *try_given(const struct try *t);               /* the user name as it came, or "" */

#endif
