/*
 * SASL exchanges, server side: the only place that knows Cyrus SASL. One exchange is one attempt:
 * after OK or FAIL it is freed, never used again.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include "base/err.h"
#include "base/span.h"

/*
 * Once a process, before it is confined: loads the plug-ins of the mechanisms that are served,
 * and no others.
 */
enum err exchange_init(struct errtext *t);
void exchange_done(void);

/* Whether this build serves mechanism mech at all ("PLAIN", "LOGIN"). */
bool exchange_serves(struct span mech);

struct exchange;

/* Called once, during a step, with what the client says it is. True: the password is right. */
typedef bool exchange_check_fn(void *ctx, struct span user, struct span password);

enum exchange_state {
	EXCHANGE_MORE, /* send *out_r to the client, give its answer to exchange_step */
	EXCHANGE_OK,   /* and check said true */
	EXCHANGE_FAIL,
};

/* ERR_NOTFOUND: no such mechanism; ERR_TEMP: the library failed. service: "imap". */
enum err exchange_new(struct span mech, const char *service, exchange_check_fn *check, void *ctx,
		      struct exchange **x_r, struct errtext *t);
void exchange_free(struct exchange **x); /* NULL allowed; nulls */

/*
 * first: in is the initial response (has_in: there was one). *out_r is borrowed until the next
 * call.
 */
enum exchange_state exchange_start(struct exchange *x, bool has_in, struct span in, struct span *out_r);
enum exchange_state exchange_step(struct exchange *x, struct span in, struct span *out_r);

#endif
