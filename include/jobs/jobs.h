/*
 * What the administrator asks of one user's mail: a session of the service "adm" in the worker. One
 * connection brings one command (ipc/mailcmd.h), is answered in records and ended.
 *
 * Work is done in slices of a few milliseconds, beside the user's other sessions. When the peer goes away the command
 * stops at the end of its slice; whatever it had done by then is complete, and the same command again does the rest.
 */
#ifndef JOBS_JOBS_H
#define JOBS_JOBS_H

#include "box/acct.h"
#include "io/loop.h"

struct jobs;

struct jobs_config {
	struct loop *loop;  /* borrowed */
	struct acct *acct;  /* borrowed; outlives the session */
	int fd_take;        /* SOCK_STREAM to roostadm */
	struct span input;  /* what has been read from it already; copied */
	const char *user;   /* borrowed */
	/*
	 * import: another place where this user's mail lies, spelled as mail_location. The account's own stays as it is;
	 * config_r lives in the arena.
	 */
	enum err (*location)(void *ctx, const char *text, struct arena *a, struct acct_config *config_r, struct errtext *t);
	void (*on_busy)(void *ctx);                   /* acct_busy may have turned true */
	void (*on_note)(void *ctx, const char *line); /* for the log */
	void (*on_end)(void *ctx);                    /* once, from the loop; the session frees itself then */
	void *ctx;
};

struct jobs *jobs_new(const struct jobs_config *config); /* never NULL */
void jobs_free(struct jobs **j); /* gives up what is under way; on_end is not called; NULL allowed */

#endif
