/* What the connections of one login process share: who is there, who auth is, who answers whom, and the end. */
#include "base/log.h"
#include "login.h"

#include <utlist.h>

void login_accept(struct login *l, const struct front *front, bool tls, int fd_take)
{
	client_new(l, front, tls, fd_take);
}

void login_check_end(struct login *l)
{
	if (l->quitting && !l->by_number)
		loop_stop(l->loop);
}

/* An answer for a client that has gone meanwhile is nothing wrong. */
enum err login_answer(struct login *l, struct msg_in *m)
{
	struct client *c;

	HASH_FIND(hh, l->by_number, &m->id, sizeof(m->id), c);
	if (!c || !c->asking)
		return ERR_OK;
	c->asking = c->asking_auth = false;
	return c->front->answer(c, m);
}

static enum err on_auth_answer(void *ctx, struct chan *chan, struct msg_in *m)
{
	return login_answer(ctx, m);
}

static const struct chan_row auth_rows[] = {
	{ MSG_AUTH_CHALLENGE, on_auth_answer },
	{ MSG_AUTH_OK, on_auth_answer },
	{ MSG_AUTH_FAIL, on_auth_answer },
	{ MSG_USER_OK, on_auth_answer },
	{ MSG_USER_FAIL, on_auth_answer },
};

static void drop_auth(struct login *l)
{
	struct client *c, *next;

	chan_free(&l->auth);
	DL_FOREACH_SAFE(l->by_age, c, next) {
		if (c->asking_auth)
			c->asking = c->asking_auth = false;
		c->front->auth_lost(c);
	}
}

static void on_auth_closed(void *ctx, struct chan *chan, enum err why)
{
	struct login *l = ctx;

	if (!l->quitting && why != ERR_CLOSED)
		log_error("channel to auth: %s", chan_why(chan));
	drop_auth(l);
	if (l->master && !l->quitting)
		chan_send_empty(l->master, MSG_PEER_LOST, 0);
}

void login_set_auth(struct login *l, int fd_take)
{
	if (l->auth)
		drop_auth(l);
	l->auth = chan_new(l->loop, fd_take, ROLE_LOGIN, ROLE_AUTH, auth_rows, sizeof(auth_rows) / sizeof(auth_rows[0]),
			   on_auth_closed, l);
}

void login_quit(struct login *l)
{
	struct client *c, *next;

	l->quitting = true;
	DL_FOREACH_SAFE(l->by_age, c, next)
		c->front->quit(c);
	login_check_end(l);
}
