/*
 * The master: compiles the configuration, binds sockets, starts and restarts the helpers, routes
 * connections to workers. It parses nothing that a client sent.
 *
 * Ownership: struct master owns everything reached from it. A child belongs to one generation of
 * the configuration and keeps it alive; a session belongs to a worker and to a user entry.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "conf/conf.h"
#include "io/loop.h"
#include "ipc/chan.h"

#include <sys/types.h>
#include <uthash.h>

enum {
	EXIT_CONFIG = 89,    /* as Dovecot's exit status for a broken configuration */
	CONF_ROLE_COUNT = 8, /* descriptors of a generation, by process row */
	TICKET_LIFE_MS = 60000,
	EARLY_LIFE_MS = 2000, /* how long a handoff waits for its ticket */
	EARLY_MAX = 200,       /* such of one child */
	END_GRACE_MS = 5000,   /* from closing its channel to being killed */
	QUIT_GRACE_MS = 10000, /* from asking to killing */
	POOL_SESSIONS = 500,   /* sessions in one pooled worker */
};

struct master;
struct child;
struct worker;
struct proc_spawn;

/* --- generation.c: one state of the configuration file --- */

struct generation {
	uint32_t number;
	struct conf *conf;            /* own */
	int conf_fd[CONF_ROLE_COUNT]; /* own; sealed, one a process row; -1: none */
	unsigned refs;                /* the master's own and one a child */
};

/* Errors and warnings have been logged when it fails; NULL then. */
struct generation *generation_load(const char *path, uint32_t number);

/* Certificate and key are of use, as far as TLS is wanted; false: logged. Waits for a process that tries. */
bool generation_try_tls(const struct generation *g, const char *libexec);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation **g);

/* --- procs.c: THE process table --- */

enum proc_user {
	PROC_USER_INTERNAL,
	PROC_USER_LOGIN,
	PROC_USER_ROOT,
	PROC_USER_SPOOL, /* as INTERNAL, with mail_privileged_group, in the directory of inboxes */
	PROC_USER_LATER,
};

struct proc_row {
	enum msg_role role;
	enum conf_role conf_role;
	const char *name;    /* in ps and log */
	const char *program; /* below libexec */
	enum proc_user user; /* LATER: whoever owns the mail (ASSIGN) */
	bool chroot;         /* base_dir/empty */
	unsigned peers;      /* roles it gets a channel to */
	unsigned (*count)(const struct conf *c);
};

enum { PROC_AUTH, PROC_AUTHWORKER, PROC_LOGIN, PROC_CONTROL, PROC_DOTLOCK, PROC_WORKER, PROC_ROWS };
extern const struct proc_row proc_rows[PROC_ROWS];

/* --- children.c: processes that run --- */

struct child {
	uint32_t number;
	unsigned row; /* index into proc_rows */
	pid_t pid;
	struct chan *chan;        /* own */
	struct generation *gen;   /* own reference */
	struct loop_child *watch; /* own */
	struct worker *worker;    /* borrowed; workers only, NULL for a spare */
	struct master *m;
	uint64_t started; /* loop_now; so are the next two */
	uint64_t given;   /* when a worker got whom it serves */
	uint64_t lost;    /* when its channel was gone; 0: is not */
	bool ready, quitting;
	struct loop_timer end;    /* its channel is gone: it has so long to go */
	struct child *prev, *next;
};

void children_fill(struct master *m);        /* starts what is missing, back-off respected */
struct child *child_spare(struct master *m); /* an unassigned worker of this generation; started
						when there is none; NULL: cannot */
void child_quit(struct child *c);
void children_quit_old(struct master *m); /* after a reload */
void children_quit_all(struct master *m);
struct child *child_find(struct master *m, uint32_t number);

/* --- template.c: where workers come from --- */

struct template {
	pid_t pid; /* 0: none */
	int fd;    /* own; for orders */
	unsigned generation;
	uint64_t not_before; /* loop_now */
};

/* A worker, as proc_spawn; a copy of the template if there can be one. */
enum err template_spawn(struct master *m, const struct proc_spawn *s, pid_t *pid_r, int *fd_r, struct errtext *why);
void template_drop(struct master *m);  /* the next worker needs a new one */
bool template_crashed(int status);     /* a copy that ended so has told somebody something of the layout of its like */

/* --- listeners.c --- */

struct listener {
	char *key;      /* own: "127.0.0.1:143" or path */
	char *protocol; /* own */
	bool ssl;
	int fd;        /* own */
	unsigned seen; /* generation that wants it */
	struct listener *next;
};

/*
 * Binds what the new generation asks for and is not bound yet; failures are logged and counted.
 * commit closes what nobody wants.
 */
unsigned listeners_open(struct master *m, const struct generation *g);
void listeners_commit(struct master *m, const struct generation *g);
void listeners_send(struct master *m, struct child *c);
void listeners_close(struct master *m);

/* --- tickets.c --- */

/* What auth said of a user: copies of msg_conn's and msg_user's strings. */
struct ticket {
	uint8_t id[TICKET_SIZE];
	uint32_t holder;                    /* the child that may redeem it */
	uint64_t made;                      /* loop_now */
	char *service, *user, *home, *mail; /* own */
	char *extra;                        /* own; NUL-terminated key=value strings */
	size_t extra_n;
	uid_t uid;
	gid_t gid;
	UT_hash_handle hh;
};

enum err ticket_add(struct master *m, struct msg_in *in);
struct ticket *ticket_take(struct master *m, const uint8_t id[TICKET_SIZE],
			   uint32_t holder); /* NULL: no such, too old, not his */
void ticket_free(struct ticket **t);
bool ticket_known(const struct master *m, const uint8_t id[TICKET_SIZE]);
void tickets_expire(struct master *m);
void tickets_free(struct master *m);

/* --- sessions.c: who is logged in --- */

struct user {
	char *name;            /* own */
	struct worker *worker; /* where his sessions meet; NULL: none now */
	char *inbox;           /* own: his mbox in the directory of inboxes; NULL: none there */
	uint32_t door;         /* the child that can have it locked */
	struct session *sessions;
	UT_hash_handle hh;
};

struct session {
	uint32_t number;
	struct user *user;
	struct worker *worker;
	char *service, *rip, *id; /* own */
	int64_t since;            /* wall seconds */
	bool secured;
	struct session *prev, *next; /* of the user */
	UT_hash_handle hh;           /* by number */
};

struct session *session_add(struct master *m, struct worker *w, const struct ticket *t,
			    const struct msg_conn *c);
void session_remove(struct master *m, struct session *s);
struct session *session_find(struct master *m, uint32_t number);
struct user *user_find(struct master *m, const char *name);
unsigned user_count(const struct user *u, const char *service, struct span rip);

/* --- workers.c: which worker serves whom --- */

struct worker {
	struct child *child;
	enum worker_kind kind;
	uid_t uid;
	gid_t gid;
	char *key; /* own: user name, or root of the pool */
	unsigned sessions;
	bool leaving; /* asked to go: takes nothing new */
	struct worker *prev, *next;
};

/* A login or control child redeems a ticket. */
enum err worker_handoff(struct master *m, struct child *from, struct msg_in *in);
/*
 * auth sends the ticket before it answers login, but over another socket: the master may read
 * login's HANDOFF first. Such a one waits here for its ticket.
 */
struct early {
	uint8_t id[TICKET_SIZE];
	uint32_t from;   /* the child that sent it */
	uint32_t number; /* id of the message */
	struct buf body; /* own */
	int fd;          /* own */
	uint64_t came;   /* loop_now */
	struct early *prev, *next;
};
void worker_ticket_came(struct master *m, const uint8_t id[TICKET_SIZE]);
void worker_expire_early(struct master *m);
void worker_gone(struct master *m, struct worker *w); /* its process ended */
void worker_idle(struct master *m, struct worker *w); /* it says so */

/* --- owner.c: as whom, and where --- */

struct owner {
	uid_t uid;
	gid_t gid;
	char *root[64]; /* own: trees the worker may touch */
	bool more_roots; /* than root holds: an error */
	size_t roots;
	char *pool_root; /* own: the tree that holds the homes of his like */
	char *inbox;     /* own: the file of INBOX=, of mboxes; NULL: none */
	gid_t group[32]; /* mail_access_groups */
	size_t groups;
};

/* Checks ids against first/last_valid_*; finds the directories. t says which setting refuses. */
enum err owner_find(const struct master *m, const struct ticket *t, struct owner *o_r,
		    struct errtext *e);
void owner_free(struct owner *o);

/* --- spool.c: inboxes in a directory where their owners may not write --- */

/* The directory that holds all INBOX= mboxes, when mail_privileged_group is set. Own; NULL: none. */
char *spool_dir(const struct conf *c);
gid_t spool_gid(const struct conf *c); /* (gid_t)-1: no such group */
void spool_check(const struct conf *c); /* logs what is amiss with that */
/* His inbox is there, and his worker has the way to its lock. */
void spool_open(struct master *m, struct user *u, const struct owner *o);
void spool_renew(struct master *m); /* the process that locks is a new one */

/* --- ctl.c: the administrator's commands --- */

enum err ctl_request(struct master *m, struct child *from, struct msg_in *in);

/* --- main.c --- */

struct backoff {
	unsigned failures;
	uint64_t not_before;
};

struct master {
	struct loop *loop;
	const char *conf_path;
	const char *libexec;
	bool root; /* effective uid 0: separate ids */
	bool stopping;
	bool alone; /* serves the administrator only */
	uid_t login_uid, internal_uid;
	gid_t login_gid, internal_gid;
	char *empty_dir; /* own: base_dir/empty, the chroot */
	char *pid_path;  /* own */
	struct generation *gen;
	struct listener *listeners;
	struct child *children;
	struct template template;
	struct worker *workers;
	struct ticket *tickets;
	struct early *early; /* handoffs that wait for their ticket */
	struct user *users;
	struct session *sessions;
	struct backoff backoff[PROC_ROWS];
	struct loop_timer fill_timer, tick_timer, kill_timer;
	uint32_t next_child, next_session;
	int64_t since; /* wall seconds */
};

bool master_reload(struct master *m); /* false: refused, logged */
void master_stop(struct master *m);

#endif
