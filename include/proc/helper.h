/*
 * The part of a helper program's main() that is the same for all: what the master left on the fixed descriptors, the
 * loop, the channel to the master, the confinement, the death of the master.
 *
 *	struct helper h;
 *	helper_init(&h, argc, argv);
 *	... conf_import(h.conf, ROLE) ...
 *	helper_start(&h, ROLE_LOGIN, rows, n, conf_log_form(conf), ctx);
 *	loop_run(h.loop);
 *
 * rows holds, besides the program's own messages, HELPER_ROWS; its BEGIN handler is the program's: it calls
 * helper_confine and then serves.
 */
#ifndef PROC_HELPER_H
#define PROC_HELPER_H

#include "ipc/chan.h"
#include "proc/confine.h"
#include "proc/spawn.h"

/* Exit status when something of ours is amiss, as when the master hands over what cannot be read. */
enum { EXIT_INTERNAL = 81 };

struct helper {
	struct proc_child self;
	struct loop *loop;
	struct chan *master;   /* own */
	struct span conf;      /* bytes of the sealed configuration; own; empty when none */
	void *ctx;             /* the program's */
	struct log_form form;  /* borrowed strings: of log lines */
};

/* Exits with a log line when the program was not started by the master. */
void helper_init(struct helper *h, int argc, char **argv);

/*
 * When the master has started the program as a template (proc/template.h): waits for orders and returns in each copy, which is
 * a helper called name from then on. Else returns at once. Before it, everything that copies may share; a template
 * has no loop.
 */
bool helper_is_template(const struct helper *h);
void helper_copies(struct helper *h, const char *name);

/*
 * Opens the channel. The context of its handlers is h (h->ctx is the program's own). When the
 * channel closes, the process exits: the master's death ends everybody. form: borrowed for ever.
 */
void helper_start(struct helper *h, enum msg_role role, const struct chan_row *rows, size_t n,
		  struct log_form form, void *ctx);

/* What helper_start does first; for a program that has something to log without a channel. */
void helper_log_begin(const struct log_form *form);

/* At the end of main(), when the loop has stopped: the channel gets its last words out. */
void helper_free(struct helper *h);

/*
 * Handles MSG_BEGIN: confines with what the message says laid over c (uid, gid, chroot), logs
 * what was left out, answers READY. Any failure ends the process.
 */
enum err helper_confine(struct helper *h, struct msg_in *m, struct confine *c);

/* The same for a worker, whose ASSIGN has been read into c by its caller. Does not answer. */
void helper_become(struct helper *h, const struct confine *c);

/* Our name in lock files: that of the setting, else of the machine. */
void helper_hostname(const char *setting, char *out, size_t n);

/* MSG_LOG: log to the descriptors that come along. */
enum err helper_log(void *ctx, struct chan *c, struct msg_in *m);

/* MSG_QUIT, for a program that has nothing to finish first: stops the loop. */
enum err helper_quit(void *ctx, struct chan *c, struct msg_in *m);

#define HELPER_ROWS { MSG_LOG, helper_log }

#endif
