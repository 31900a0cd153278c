/*
 * The worker: what happens after login, as the owner of the mail. It starts knowing nothing (a
 * spare); ASSIGN makes it one user's, or a pool's; every ATTACH brings a connection: an IMAP
 * session, a delivery, or the administrator's job.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "box/acct.h"
#include "conf/conf.h"
#include "imap/session.h"
#include "index/index.h"
#include "io/watch.h"
#include "jobs/jobs.h"
#include "proc/helper.h"

#include <uthash.h>

struct account;
struct job;

struct worker {
	struct helper h;
	struct conf *conf;     /* own */
	struct confine_filter *filter; /* own; NULL: not made in advance */
	enum worker_kind kind; /* 0: a spare */
	bool quitting;
	bool acl_told;         /* the log knows that a dovecot-acl is not read */
	struct account *accounts;  /* by user name */
	struct job *jobs;          /* everything attached */
	struct idx_roll indexes;   /* those that are open */
	struct watch_set *watches; /* own; NULL: none to be had, sessions poll */
	struct door *doors;        /* to lock files that we may not make ourselves */
	struct loop_timer linger, tick, rest;
	char hostname[256];
};

/* --- accounts.c: users whose mail is open here --- */

struct account {
	struct worker *w;
	char *user, *home;   /* own */
	char *mail;          /* own: what the userdb said, or "" */
	struct arena *arena; /* own: the configuration of acct */
	struct acct_config config;
	struct acct *acct; /* own */
	unsigned jobs;
	bool busy; /* the work timer is armed */
	struct loop_timer work, close, rest;
	UT_hash_handle hh;
};

/* Finds or opens; ERR_* with a sentence. The caller adds to jobs. */
enum err account_get(struct worker *w, const struct msg_user *u, struct account **a_r,
		     struct errtext *t);
/* One job less; session: one after which old mail goes (autoexpunge), not the administrator's command. */
void account_release(struct account *a, bool session);
void account_busy(struct account *a);    /* disk work is owed: do it within a second */
void account_stir(struct account *a);    /* something goes on: what it takes goes back when it has gone quiet */
void accounts_close(struct worker *w);   /* at exit: drains */

/* --- account_config.c: what the settings say of them --- */

/* The namespaces of the settings, with this user's directories: fills a->config. extra: as in struct msg_user. */
enum err account_config(struct account *a, struct span extra, struct errtext *t);
/* Another place where this user's mail lies, written as mail_location; its index is in RAM. config_r: in ar. */
enum err account_location(const struct account *a, const char *text, struct arena *ar, struct acct_config *config_r,
			  struct errtext *t);

/* --- attach.c: what is attached --- */

struct job {
	struct worker *w;
	struct account *a;
	uint32_t number;           /* the master's */
	char *service, *id, *rip;  /* own */
	char *name;                /* own: how the log calls it */
	const struct conf *conf;   /* borrowed: the settings for this connection and user */
	struct conf *own_conf;     /* own: when the userdb gave him some; else NULL */
	struct imap_session *imap; /* borrowed: frees itself */
	struct delivery *delivery; /* frees itself at its end */
	struct jobs *admin;        /* own */
	int fd;                    /* own; -1, or as long as it is none of these three */
	struct job *prev, *next;
};

enum err attach(void *ctx, struct chan *c, struct msg_in *m); /* MSG_ATTACH */
enum err kick(void *ctx, struct chan *c, struct msg_in *m);   /* MSG_KICK */
void job_end(struct job *j);                                  /* tells the master, frees */
void jobs_quit(struct worker *w);                             /* says BYE to all */
void jobs_last_words(const struct worker *w);                 /* likewise, while it dies: for a signal's handler */

/* Memory that was needed for a moment goes back to the system soon, also when others never pause. */
void worker_rest(struct worker *w);

/* --- doors.c: the lock files of inboxes where we may not write --- */

enum err door_came(void *ctx, struct chan *c, struct msg_in *m); /* MSG_LOCK_DOOR */
struct store_locker doors_locker(struct worker *w);
void doors_close(struct worker *w);

/* --- imap.c, deliver.c, admin.c: the three services --- */

enum err imap_attach(struct job *j, const struct msg_conn *conn, struct span tag, struct span input,
		     int fd_take);
enum err deliver_attach(struct job *j, const struct msg_conn *conn, struct span detail,
			int fd_take);
enum err admin_attach(struct job *j, struct span input, int fd_take);

#endif
