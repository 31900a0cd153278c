/*
 * A conversation with one user's worker: roostadm's half of ipc/mailcmd.h. And what all conversations of
 * one command have in common.
 */
#ifndef ADM_TALK_H
#define ADM_TALK_H

#include "adm.h"

enum {
	TALKS_MAX = 8, /* at once */
	ASK_MAX = 300 << 10,
	STATUS_STOPPED = 130,
};

struct talk {
	const char *user; /* borrowed */
	int fd;           /* own; -1: not connected, or over */
	struct buf out;   /* own: to be sent */
	size_t sent;
	off_t data_at;    /* of the message to be saved */
	bool data_done;
	struct buf in;    /* own: not looked at yet */
	bool eof, over;   /* nothing more comes; the status came */
	/* Where the reader is in the record under way. */
	char type;        /* 0: at its beginning */
	bool escaped;     /* a backslash stood last */
	struct buf line;  /* own: a record that is no row */
	/* Of two that are joined. */
	struct talk *other; /* borrowed: whom records for another go to; NULL: nobody */
	uint64_t raw;       /* bytes left of a piece for it */
};

/* What is asked of a worker. */
struct ask {
	const char *command; /* borrowed */
	const char *path;    /* borrowed: the socket of the server that is asked; NULL: the run's */
	struct buf words;    /* own: all that follows, but --dry-run */
};

struct run {
	const struct adm *a;
	const struct mailcmd *cmd;
	struct server server;
	struct users users;
	struct ask ask;
	const char *source;     /* whose messages are taken; NULL: each user's own. borrowed */
	const char *outside;    /* location of messages that are nobody's here; NULL: none. borrowed */
	struct ask give, take;  /* of him, and of the other */
	int data_fd;            /* -1: none */
	struct printer *printer;
	struct progress progress;
	int status;
	bool dry;
};

/* Tells; the first status that is not OK is the run's. */
void run_fail(struct run *r, const char *user, int status, struct span text);

/* A word of it: escaped. */
void ask_add(struct ask *a, const char *word);

/* t need not be initialized. When it cannot begin it is over. */
void talk_begin(struct run *r, struct talk *t, const char *user, const struct ask *ask);
/* What has come so far: printed, told, handed on. */
void talk_read(struct run *r, struct talk *t);
void talk_end(struct run *r, struct talk *t); /* complains when it was not over and nobody stopped us */
/* Until something can be sent, has come, or a signal: n at most TALKS_MAX. */
void talks_wait(struct run *r, struct talk *const *talk, size_t n);

/* --- relay.c: from another user --- */

/* arg: what stands behind the options; source: import's -U. Does nothing when each user's own messages are meant. */
void relay_prepare(struct run *r, int args, char **arg, const char *source, bool subscribe);
/* One user. */
void relay_run(struct run *r, const char *user);

/* --- outside.c: import from where no worker of a user may look --- */

bool outside_location(const char *text); /* is it for us to open? */
/* A server whose only mail is there, as user would have it. STATUS_OK or told. */
int outside_begin(struct run *r, const char *user, struct server *s_r);

#endif
