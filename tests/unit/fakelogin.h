/*
 * A login process's surroundings in one loop: an auth, a master and delivery workers that play their
 * parts through real channels, and a client's end of a connection. For the tests and the fuzz target of login.
 *
 * auth: password "secret" is right; users "temp*" fail temporarily; deliveries: "nobody*" unknown, "temp*" temporary.
 */
#ifndef TESTS_UNIT_FAKELOGIN_H
#define TESTS_UNIT_FAKELOGIN_H

#include "../../src/login/login.h"
#include "base/buf.h"

enum { FAKE_MAIL_MAX = 64 };

struct fake_mail {
	struct fake *f;
	struct chan *chan;  /* own: the worker's end */
	int fd;             /* own: the staged file */
	char detail[64], recipient[256], sender[256];
	bool staged, committed;
	struct buf content; /* after the commit */
};

struct fake {
	struct loop *loop;
	struct conf *conf;
	struct login login;
	struct chan *login_master; /* login's end */
	struct chan *master, *auth; /* the others' ends */
	int client;                /* the peer of the connection */
	struct buf out;            /* what the client has read */
	bool client_eof;
	struct fake_mail mail[FAKE_MAIL_MAX];
	unsigned mails;
	struct buf handed;         /* "service|tag|input|" of every handoff */
	int session;               /* own: the descriptor of the last IMAP handoff */
	/* how the others behave */
	bool handoff_fails;        /* the limit is reached */
	bool stage_fails, commit_fails; /* for recipients that begin with "full" */
	bool mute;                 /* workers do not answer */
	bool slow;                 /* auth answers no lookup until fake_answer_late */
	uint32_t late_id;          /* the last lookup that waits so */
	unsigned aborted;          /* AUTH_ABORTs that auth has had */
	unsigned peers_lost;       /* PEER_LOSTs that the master has had */
};

void fake_start(struct fake *f, const char *settings); /* lines of configuration, over what the tests want */
void fake_connect(struct fake *f, const struct front *front);
void fake_connect_tls(struct fake *f, const struct front *front, bool tls);
/* Sends, lets everybody work, returns all the client has got since the last call (valid until the next). */
const char *fake_say(struct fake *f, const char *text);
const char *fake_send(struct fake *f, struct span bytes);
void fake_run(struct fake *f);
void fake_answer_late(struct fake *f, uint32_t id, const char *user); /* USER_OK, whether it is still wanted or not */
void fake_hang_up(struct fake *f);
void fake_stop(struct fake *f);

#endif
