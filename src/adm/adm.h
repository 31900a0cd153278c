/* roostadm: asks the server, prints what it says. Exit status: enum mailcmd_status. */
#ifndef ADM_ADM_H
#define ADM_ADM_H

#include "base/buf.h"
#include "ipc/mailcmd.h"

#include <signal.h>
#include <stdio.h>
#include <sys/types.h>

enum { ADM_PATH = 4096 };

/* What stood before the command. */
struct adm {
	const char *program; /* as we were called: roostadm or doveadm */
	const char *conf;
	const char *socket;  /* NULL: that of the configuration */
	const char *format;  /* NULL: the command's own */
};

/* --- main.c --- */

extern volatile sig_atomic_t adm_stopped; /* the signal; 0: none */
void adm_catch_signals(void);             /* from now on SIGINT and SIGTERM only say so */

/* --- server.c: the one that runs, or one for the time being --- */

struct server {
	char path[ADM_PATH]; /* of its control socket */
	pid_t pid;           /* 0: it was there */
	char dir[64];
	int dir_fd;          /* own; -1: none was made */
};

struct conf;

/* Those below say STATUS_OK, or have told why not. */
int adm_conf(const struct adm *a, struct conf **c_r); /* the configuration; the caller frees it */
int server_path(const struct adm *a, char *out, size_t n);
int server_connect(const char *path); /* -1: errno */
/* Finds the running server, or starts one without listeners, which ends with us. STATUS_OK or told. */
int server_find(const struct adm *a, struct server *s_r);
/* One under settings of its own (lines of a configuration), for the time being. STATUS_OK or told. */
int server_begin(const struct adm *a, const char *settings, struct server *s_r);
void server_end(struct server *s);

/* --- users.c: whose mail --- */

struct users {
	char **name; /* own */
	size_t n;
	bool many;   /* asked for as many: rows begin with the name */
};

/* From -A, -F, or -u, which may be a mask; none: who calls. STATUS_OK or told. */
int users_find(const struct adm *a, bool all, const char *file, const char *user, struct users *u_r);
void users_free(struct users *u);

/* --- print.c: rows to text --- */

struct printer;

/* NULL: no such format. to: borrowed. */
struct printer *printer_new(const char *format, FILE *to);
/* user: put in front of every row from now on; NULL: nothing. */
void printer_columns(struct printer *p, struct span fields, const char *user);
void printer_cell(struct printer *p);                      /* the next cell begins */
void printer_add(struct printer *p, struct span piece);    /* of it */
void printer_row(struct printer *p);                       /* the row ends */
bool printer_end(struct printer **p); /* false: something could not be written, or not in this format; told */

/* --- progress.c --- */

struct progress {
	bool tty, shown;
	uint64_t began_ms, told_ms;
	size_t users_done, users;
	uint64_t before, last; /* messages of the mailboxes before this one, and of this one so far */
};

void progress_init(struct progress *p, size_t users);
void progress_show(struct progress *p, const char *user, uint64_t done, uint64_t goal, struct span what);
void progress_clear(struct progress *p); /* before anything else is printed */

/* --- mail.c, ctl.c: the commands --- */

int mail_run(const struct adm *a, const struct mailcmd *cmd, int argc, char **argv);
int ctl_run(const struct adm *a, int argc, char **argv); /* -1: no such command */
void ctl_usage(FILE *to);

#endif
