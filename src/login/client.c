/* A connection: its stream, its clock, its way to a worker. What is said on it is the front's matter. */
#include "base/log.h"
#include "base/mem.h"
#include "login.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

static const struct stream_limits relay_limits = { .in_max = 65536 };

static void on_input(void *ctx)
{
	struct client *c = ctx;

	c->front->input(c);
}

static void on_secured(void *ctx)
{
	struct client *c = ctx;

	c->handshake = false;
	if (c->greeted) {
		c->front->secured(c);
		return;
	}
	c->greeted = true;
	c->front->greet(c);
}

/* "Connection closed", and the error if there is one; without parentheses, which log filters take for the story of the login. */
static const char *why_closed(const struct client *c, char *out, size_t n)
{
	const char *why = stream_why(c->stream);

	if (strcmp(why, "closed") == 0)
		return "Connection closed";
	snprintf(out, n, "Connection closed: %s", why);
	for (char *p = out; *p; p++) {
		if (*p == '(' || *p == ')')
			*p = '|';
	}
	return out;
}

static void on_closed(void *ctx, enum err why)
{
	struct client *c = ctx;
	char text[256];

	if (!c->finishing) /* else it has been said why */
		c->front->gone(c, why_closed(c, text, sizeof(text)));
	client_close(&c);
}

static const struct stream_handler client_stream = {
	.input = on_input,
	.secured = on_secured,
	.closed = on_closed,
};

static void on_timer(void *ctx)
{
	struct client *c = ctx;

	c->front->timeout(c);
}

void client_timer(struct client *c, uint64_t ms)
{
	if (ms == 0)
		loop_timer_stop(c->login->loop, &c->timer);
	else
		loop_timer_set(c->login->loop, &c->timer, ms, on_timer, c);
}

void client_login_timer(struct client *c)
{
	uint64_t used = loop_now(c->login->loop) - c->since;

	client_timer(c, used < LOGIN_TIME_MS ? LOGIN_TIME_MS - used : 1);
}

bool client_tls(const struct client *c)
{
	return c->stream && stream_is_tls(c->stream);
}

bool client_may_starttls(const struct client *c)
{
	return c->login->tls && !client_tls(c) && conf_enum(c->conf, CONF_SSL) != CONF_SSL_NO;
}

bool client_plaintext_ok(const struct client *c)
{
	if (client_tls(c))
		return true;
	if (conf_enum(c->conf, CONF_SSL) == CONF_SSL_REQUIRED)
		return false;
	return c->local_peer || !conf_bool(c->conf, CONF_DISABLE_PLAINTEXT_AUTH);
}

bool client_starttls(struct client *c)
{
	if (stream_start_tls(c->stream, c->login->tls, c->front->alpn) != ERR_OK)
		return false;
	c->handshake = true;
	client_timer(c, HANDSHAKE_TIME_MS);
	return true;
}

static bool counts(const struct client *c)
{
	return c->front == &front_imap;
}

static void origin_enter(struct client *c)
{
	struct origin *o, key = { .waiting = 0 };

	net_origin(&c->remote, key.net);
	HASH_FIND(hh, c->login->origins, key.net, sizeof(key.net), o);
	if (!o) {
		o = mem_alloc(sizeof(*o));
		memcpy(o->net, key.net, sizeof(o->net));
		HASH_ADD(hh, c->login->origins, net, sizeof(o->net), o);
	}
	o->waiting++;
	c->origin = o;
}

static void origin_leave(struct client *c)
{
	struct origin *o = c->origin;

	c->origin = NULL;
	if (!o || --o->waiting)
		return;
	HASH_DEL(c->login->origins, o);
	free(o);
}

/* No longer one of those that have to log in. */
static void stop_waiting(struct client *c)
{
	if (!c->prev)
		return;
	DL_DELETE(c->login->by_age, c);
	c->prev = c->next = NULL;
	c->login->waiting -= counts(c) ? 1 : 0;
	origin_leave(c);
}

/* One origin can fill the table, but only at its own cost. */
static unsigned most_of_an_origin(const struct login *l)
{
	const struct origin *o, *next;
	unsigned most = 0;

	HASH_ITER(hh, l->origins, o, next)
		most = o->waiting > most ? o->waiting : most;
	return most;
}

/*
 * The oldest but c that has to log in, of the origin that has most; one that auth works on only if there is no
 * other of these.
 */
static struct client *oldest_waiting(const struct login *l, const struct client *c)
{
	unsigned most = most_of_an_origin(l);
	struct client *old, *busy = NULL;

	DL_FOREACH(l->by_age, old) {
		if (old == c || !counts(old) || old->origin->waiting < most)
			continue;
		if (!old->asking)
			return old;
		busy = busy ? busy : old;
	}
	return busy;
}

/* Too many that are not logged in: of those who crowd most, who has had most time goes. */
static void start_waiting(struct client *c)
{
	struct login *l = c->login;
	struct client *old;

	DL_APPEND(l->by_age, c);
	l->waiting += counts(c) ? 1 : 0;
	if (counts(c))
		origin_enter(c);
	if (l->waiting <= l->waiting_max)
		return;
	old = oldest_waiting(l, c);
	if (!old)
		return;
	old->front->gone(old, "Too many connections");
	client_close(&old);
}

static uint32_t free_number(struct login *l)
{
	struct client *c;

	do {
		l->next_number += l->next_number == UINT32_MAX ? 2 : 1;
		HASH_FIND(hh, l->by_number, &l->next_number, sizeof(l->next_number), c);
	} while (c);
	return l->next_number;
}

/* Tells who listens when there is no room for another connection, and when there is again. */
static void watch_room(struct login *l)
{
	bool full = HASH_COUNT(l->by_number) >= l->clients_max;

	if (!l->full || full == l->is_full)
		return;
	l->is_full = full;
	l->full(l->full_ctx, full);
}

struct client *client_new(struct login *l, const struct front *front, bool tls, int fd_take)
{
	struct client *c;

	if (tls && !l->tls) {
		close(fd_take);
		return NULL;
	}
	c = mem_alloc(sizeof(*c));
	c->login = l;
	c->front = front;
	c->fd = c->far_fd = -1;
	c->number = free_number(l);
	c->since = loop_now(l->loop);
	session_id_make(c->session);
	if (!net_peer(fd_take, &c->remote) || !net_local(fd_take, &c->local))
		c->remote.ip[0] = c->local.ip[0] = '\0';
	c->local_peer = strcmp(c->remote.ip, c->local.ip) == 0;
	c->conf = conf_for(l->conf, &(struct conf_peer){ front->service, c->local.ip, c->remote.ip });
	c->stream = stream_new(l->loop, fd_take, front->limits, &client_stream, c);
	HASH_ADD(hh, l->by_number, number, sizeof(c->number), c);
	watch_room(l);
	front->open(c);
	start_waiting(c);
	if (!tls) {
		c->greeted = true;
		front->greet(c);
		return c;
	}
	if (!client_starttls(c))
		client_close(&c);
	return c;
}

void client_close(struct client **cp)
{
	struct client *c = *cp;
	struct login *l = c->login;

	*cp = NULL;
	c->front->free(c);
	loop_timer_stop(l->loop, &c->timer);
	stop_waiting(c);
	HASH_DEL(l->by_number, c);
	watch_room(l);
	stream_free(&c->stream);
	relay_free(&c->relay);
	if (c->fd >= 0)
		close(c->fd);
	if (c->far_fd >= 0)
		close(c->far_fd);
	free(c);
	login_check_end(l);
}

static void on_finish_timeout(void *ctx)
{
	struct client *c = ctx;

	client_close(&c);
}

void client_finish(struct client *c)
{
	c->finishing = true;
	stream_finish(c->stream);
	loop_timer_set(c->login->loop, &c->timer, HANDSHAKE_TIME_MS, on_finish_timeout, c);
}

void client_conn(const struct client *c, struct msg_conn *conn_r, char *tls_text, size_t n)
{
	bool tls = client_tls(c);

	tls_text[0] = '\0';
	*conn_r = (struct msg_conn){
		.service = span_str(c->front->service),
		.session = span_str(c->session),
		.rip = span_str(c->remote.ip),
		.lip = span_str(c->local.ip),
		.rport = c->remote.port,
		.lport = c->local.port,
		.secured = tls || c->local_peer,
		.tls = span_str(tls ? stream_tls_describe(c->stream, tls_text, n) : ""),
	};
}

bool client_ask_auth(struct client *c, struct msg *m)
{
	if (!c->login->auth || chan_dead(c->login->auth)) {
		msg_free(m);
		return false;
	}
	chan_send(c->login->auth, m);
	c->asking = c->asking_auth = true;
	return true;
}

void client_abort_auth(struct client *c)
{
	if (c->login->auth && !chan_dead(c->login->auth))
		chan_send_empty(c->login->auth, MSG_AUTH_ABORT, c->number);
	c->asking = c->asking_auth = false;
}

void client_forget_question(struct client *c)
{
	struct login *l = c->login;

	if (c->asking_auth)
		client_abort_auth(c);
	c->asking = false;
	HASH_DEL(l->by_number, c);
	c->number = free_number(l);
	HASH_ADD(hh, l->by_number, number, sizeof(c->number), c);
}

/* The descriptor that goes to the worker; ours stays open until it is there. */
static enum err far_end(struct client *c, struct buf *input, int *fd_r)
{
	int pair[2];
	enum err e;

	if (client_tls(c)) { /* what the client has sent already goes through the relay */
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
			return err_from_errno(errno);
		c->far_fd = pair[0];
		*fd_r = pair[1];
		stream_pause(c->stream);
		return ERR_OK;
	}
	stream_flush(c->stream);
	e = stream_take_fd(&c->stream, &c->fd, input);
	if (e != ERR_OK)
		return e;
	*fd_r = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
	return *fd_r < 0 ? err_from_errno(errno) : ERR_OK;
}

enum err client_handoff(struct client *c, const uint8_t ticket[], struct span tag)
{
	char text[CLIENT_TLS_TEXT];
	struct msg_conn conn;
	struct buf input;
	struct msg m;
	enum err e;
	int fd;

	client_conn(c, &conn, text, sizeof(text));
	buf_init(&input, LOGIN_INPUT_MAX);
	e = far_end(c, &input, &fd);
	if (e == ERR_OK) {
		msg_init(&m, MSG_HANDOFF, c->number);
		msg_put_span(&m, span_of(ticket, TICKET_SIZE));
		msg_put_conn(&m, &conn);
		msg_put_span(&m, tag);
		msg_put_span(&m, buf_span(&input));
		chan_send_fds(c->login->master, &m, &fd, 1);
		c->asking = true;
	}
	buf_free(&input);
	return e;
}

static void on_relay_said(void *ctx, struct span bytes)
{
	struct client *c = ctx;

	if (c->front->overheard)
		c->front->overheard(c, bytes);
}

static const char *on_relay_left(void *ctx)
{
	const struct client *c = ctx;

	return c->front->orphaned ? c->front->orphaned(c) : NULL;
}

static void on_relay_over(void *ctx, enum err why)
{
	struct client *c = ctx;

	client_close(&c);
}

static const struct relay_handler client_relay = {
	.said = on_relay_said,
	.left = on_relay_left,
	.over = on_relay_over,
};

void client_handed(struct client *c)
{
	stop_waiting(c);
	c->front->free(c);
	client_timer(c, 0);
	if (c->far_fd < 0) { /* plain: the worker has the descriptor, closing ours ends nothing */
		client_close(&c);
		return;
	}
	stream_set_limits(c->stream, &relay_limits);
	c->relay = relay_new(c->login->loop, &c->stream, c->far_fd, &client_relay, c);
	c->far_fd = -1;
}

void client_handoff_failed(struct client *c)
{
	if (c->far_fd >= 0)
		close(c->far_fd);
	c->far_fd = -1;
	if (c->stream)
		return;
	c->stream = stream_new(c->login->loop, c->fd, c->front->limits, &client_stream, c);
	stream_pause(c->stream);
	c->fd = -1;
}
