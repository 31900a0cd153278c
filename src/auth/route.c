#include "route.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <sys/random.h>

#include <uthash.h>
#include <utlist.h>

enum {
	REQUESTS_MAX = 8192, /* in all; more are answered "temporary failure" */
	DELAYED_MAX = 4096,  /* failures held back at a time; more are answered at once */
	QUEUE_MS = 10000,    /* how long a request waits for a worker to exist */
	WORK_MS = 60000,     /* how long a worker may take */
	CLIENT_MS = 120000,  /* how long a client may take; login is stricter */
	STEP_MAX = 12288,
	NAME_MAX_BYTES = 1024,
	REQUEST_ARENA_MAX = 64 * 1024,
};

enum request_state {
	REQ_QUEUED,  /* no worker yet */
	REQ_WORKING, /* a worker has it */
	REQ_CLIENT,  /* the client has a challenge */
	REQ_DELAYED, /* failed, the answer is held back */
};

/* A login or control. */
struct front {
	struct route *r;
	uint32_t child;
	enum msg_role role;
	struct chan *chan;        /* own */
	struct request *requests; /* by their id */
	struct front *prev, *next;
};

struct worker {
	struct route *r;
	struct chan *chan; /* own */
	unsigned busy;     /* requests that it works on */
	struct worker *prev, *next;
};

struct request {
	uint32_t own; /* our number, what workers know */
	uint32_t id;  /* the front's number */
	struct front *front;
	struct worker *worker; /* REQ_WORKING, REQ_CLIENT */
	enum request_state state;
	bool lookup;
	struct arena *a;      /* own */
	struct msg_conn conn; /* in the arena */
	struct span word;     /* mechanism; lookup: the user */
	bool has_initial;
	struct span initial; /* until it is sent */
	uint8_t code;        /* REQ_DELAYED */
	struct span reason, given;
	struct loop_timer timer;
	UT_hash_handle hh_own, hh_front;
};

struct route {
	struct loop *loop;
	struct chan *master;
	const struct conf *conf;
	struct front *fronts;
	struct worker *workers;
	struct request *requests; /* by our number */
	uint32_t last_own;
	unsigned delayed;
};

/* --- requests ------------------------------------------------------------------------------ */

static void leave_worker(struct request *q)
{
	if (q->worker && q->state == REQ_WORKING)
		q->worker->busy--;
	q->worker = NULL;
}

static void request_free(struct request *q)
{
	struct route *r = q->front->r;

	if (q->state == REQ_DELAYED)
		r->delayed--;
	leave_worker(q);
	loop_timer_stop(r->loop, &q->timer);
	HASH_DELETE(hh_own, r->requests, q);
	HASH_DELETE(hh_front, q->front->requests, q);
	if (q->initial.n > 0)
		mem_wipe((char *)q->initial.p, q->initial.n);
	arena_free(&q->a);
	free(q);
}

static void send_fail(struct front *f, uint32_t id, bool lookup, uint8_t code, struct span reason,
		      struct span given)
{
	struct msg m;

	msg_init(&m, lookup ? MSG_USER_FAIL : MSG_AUTH_FAIL, id);
	msg_put_u8(&m, code);
	if (!lookup) {
		msg_put_span(&m, reason);
		msg_put_span(&m, given);
	}
	chan_send(f->chan, &m);
}

static void request_fail(struct request *q, uint8_t code)
{
	send_fail(q->front, q->id, q->lookup, code, q->reason, q->given);
	request_free(q);
}

static void on_delayed(void *ctx)
{
	struct request *q = ctx;

	request_fail(q, q->code);
}

/* The state that a request is in, and how long it may stay there. */
static void request_enter(struct request *q, enum request_state state, uint64_t ms, loop_fn *late)
{
	if (q->worker && q->state == REQ_WORKING && state != REQ_WORKING)
		q->worker->busy--;
	else if (q->worker && q->state != REQ_WORKING && state == REQ_WORKING)
		q->worker->busy++;
	if (state == REQ_DELAYED)
		q->front->r->delayed++;
	q->state = state;
	loop_timer_set(q->front->r->loop, &q->timer, ms, late, q);
}

static void on_late(void *ctx)
{
	struct request *q = ctx;

	if (q->state == REQ_QUEUED || q->state == REQ_WORKING)
		log_error("auth: no answer from an auth-worker");
	if (q->worker)
		chan_send_empty(q->worker->chan, MSG_WORK_ABORT, q->own);
	request_fail(q, q->state == REQ_CLIENT ? AUTH_FAIL_BAD : AUTH_FAIL_TEMP);
}

static struct worker *least_busy(const struct route *r)
{
	struct worker *w, *best = NULL;

	DL_FOREACH(r->workers, w)
	if (!chan_dead(w->chan) && (!best || w->busy < best->busy))
		best = w;
	return best;
}

/* To a worker if there is one; else it waits. */
static void request_send(struct request *q)
{
	struct msg m;

	q->worker = least_busy(q->front->r);
	if (!q->worker)
		return;
	msg_init(&m, q->lookup ? MSG_WORK_LOOKUP : MSG_WORK_START, q->own);
	msg_put_conn(&m, &q->conn);
	msg_put_span(&m, q->word);
	if (!q->lookup) {
		msg_put_bool(&m, q->has_initial);
		msg_put_span(&m, q->initial);
	}
	request_enter(q, REQ_WORKING, WORK_MS, on_late);
	chan_send(q->worker->chan, &m);
	if (q->initial.n > 0)
		mem_wipe((char *)q->initial.p, q->initial.n);
	q->initial = SPAN("");
}

static bool keep(struct request *q, struct span *s)
{
	bool ok;

	*s = arena_copy(q->a, *s, &ok);
	return ok;
}

static bool keep_conn(struct request *q, const struct msg_conn *c)
{
	q->conn = *c;
	return keep(q, &q->conn.service) && keep(q, &q->conn.session) && keep(q, &q->conn.rip) &&
	       keep(q, &q->conn.lip) && keep(q, &q->conn.tls);
}

static uint32_t next_own(struct route *r)
{
	struct request *q;

	do {
		r->last_own++;
		HASH_FIND(hh_own, r->requests, &r->last_own, sizeof(r->last_own), q);
	} while (q || r->last_own == 0);
	return r->last_own;
}

static struct request *request_new(struct front *f, uint32_t id, bool lookup)
{
	struct request *q = mem_alloc(sizeof(*q));

	q->front = f;
	q->id = id;
	q->own = next_own(f->r);
	q->lookup = lookup;
	q->a = arena_new(REQUEST_ARENA_MAX);
	q->reason = q->given = q->initial = SPAN("");
	HASH_ADD(hh_own, f->r->requests, own, sizeof(q->own), q);
	HASH_ADD(hh_front, f->requests, id, sizeof(q->id), q);
	return q;
}

static struct request *of_front(struct front *f, uint32_t id)
{
	struct request *q;

	HASH_FIND(hh_front, f->requests, &id, sizeof(id), q);
	return q;
}

/*
 * --- from logins and control ------------------------------------------------------------------
 */

/*
 * What a ticket is good for follows from the question, not from the word of who asks: a lookup costs no
 * password, so it never buys a session.
 */
static bool service_fits(const struct front *f, bool lookup, struct span service)
{
	if (!lookup)
		return span_eq_str(service, "imap");
	return span_eq_str(service, f->role == ROLE_CONTROL ? "adm" : "lmtp");
}

/* word, initial: borrowed from the message. */
static enum err take_request(struct front *f, uint32_t id, bool lookup, const struct msg_conn *conn,
			     struct span word, bool has_initial, struct span initial)
{
	struct request *q;

	if (of_front(f, id) || !service_fits(f, lookup, conn->service))
		return ERR_PROTO;
	if (HASH_CNT(hh_own, f->r->requests) >= REQUESTS_MAX) {
		send_fail(f, id, lookup, AUTH_FAIL_TEMP, SPAN(""), SPAN(""));
		return ERR_OK;
	}
	q = request_new(f, id, lookup);
	q->word = word;
	q->initial = initial;
	q->has_initial = has_initial;
	if (!keep_conn(q, conn) || !keep(q, &q->word) || !keep(q, &q->initial)) {
		q->initial = SPAN("");
		request_fail(q, AUTH_FAIL_TEMP);
		return ERR_OK;
	}
	request_enter(q, REQ_QUEUED, QUEUE_MS, on_late);
	request_send(q);
	return ERR_OK;
}

static enum err on_start(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct msg_conn conn;
	struct span mech, initial;
	bool has;

	msg_get_conn(m, &conn);
	mech = msg_get_str(m, 64);
	has = msg_get_bool(m);
	initial = msg_get_blob(m, STEP_MAX);
	if (!msg_end(m))
		return ERR_PROTO;
	return take_request(ctx, m->id, false, &conn, mech, has, initial);
}

static enum err on_lookup(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct msg_conn conn;
	struct span user;

	msg_get_conn(m, &conn);
	user = msg_get_str(m, NAME_MAX_BYTES);
	if (!msg_end(m))
		return ERR_PROTO;
	return take_request(ctx, m->id, true, &conn, user, false, SPAN(""));
}

/* A request may have ended while the answer was on its way: that is no fault. */
static enum err on_cont(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct front *f = ctx;
	struct request *q = of_front(f, in->id);
	struct span data = msg_get_blob(in, STEP_MAX);
	struct msg m;

	if (!msg_end(in) || (q && q->state != REQ_CLIENT))
		return ERR_PROTO;
	if (!q)
		return ERR_OK;
	msg_init(&m, MSG_WORK_CONT, q->own);
	msg_put_span(&m, data);
	request_enter(q, REQ_WORKING, WORK_MS, on_late);
	chan_send(q->worker->chan, &m);
	return ERR_OK;
}

static enum err on_abort(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct front *f = ctx;
	struct request *q = of_front(f, m->id);

	if (!msg_end(m))
		return ERR_PROTO;
	if (q && q->worker)
		chan_send_empty(q->worker->chan, MSG_WORK_ABORT, q->own);
	if (q)
		request_free(q);
	return ERR_OK;
}

/* Which of these a peer may send, the list of messages says. */
static const struct chan_row front_rows[] = {
	{ MSG_AUTH_START, on_start },
	{ MSG_AUTH_CONT, on_cont },
	{ MSG_AUTH_ABORT, on_abort },
	{ MSG_USER_LOOKUP, on_lookup },
};

static void front_free(struct front *f)
{
	struct request *q, *next;

	HASH_ITER(hh_front, f->requests, q, next)
	{
		if (q->worker)
			chan_send_empty(q->worker->chan, MSG_WORK_ABORT, q->own);
		request_free(q);
	}
	DL_DELETE(f->r->fronts, f);
	chan_free(&f->chan);
	free(f);
}

static void front_closed(void *ctx, struct chan *ch, enum err why)
{
	if (why != ERR_CLOSED)
		log_error("auth: channel to a client process: %s", chan_why(ch));
	front_free(ctx);
}

/* --- from workers ------------------------------------------------------------------------ */

/* The request that an answer is for. NULL: it was aborted meanwhile, or (bad_r) the worker has no business with it. */
static struct request *answered(struct worker *w, struct msg_in *m, bool *bad_r)
{
	struct request *q;

	HASH_FIND(hh_own, w->r->requests, &m->id, sizeof(m->id), q);
	*bad_r = q && (q->worker != w || q->state != REQ_WORKING);
	return *bad_r ? NULL : q;
}

static enum err on_challenge(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct span data = msg_get_blob(in, STEP_MAX);
	bool bad;
	struct request *q = answered(ctx, in, &bad);
	struct msg m;

	if (!msg_end(in) || bad || (q && q->lookup))
		return ERR_PROTO;
	if (!q)
		return ERR_OK;
	request_enter(q, REQ_CLIENT, CLIENT_MS, on_late);
	msg_init(&m, MSG_AUTH_CHALLENGE, q->id);
	msg_put_span(&m, data);
	chan_send(q->front->chan, &m);
	return ERR_OK;
}

/* The master first: when the login comes with the ticket, the master knows it. */
static void send_ticket(struct request *q, const struct msg_user *user,
			const uint8_t ticket[TICKET_SIZE])
{
	struct msg m;

	msg_init(&m, MSG_TICKET, 0);
	msg_put_span(&m, span_of(ticket, TICKET_SIZE));
	msg_put_u32(&m, q->front->child);
	msg_put_conn(&m, &q->conn);
	msg_put_user(&m, user);
	chan_send(q->front->r->master, &m);
	msg_init(&m, q->lookup ? MSG_USER_OK : MSG_AUTH_OK, q->id);
	msg_put_span(&m, user->user);
	msg_put_span(&m, span_of(ticket, TICKET_SIZE));
	chan_send(q->front->chan, &m);
}

static enum err on_ok(void *ctx, struct chan *ch, struct msg_in *in)
{
	uint8_t ticket[TICKET_SIZE];
	struct msg_user user;
	bool bad;
	struct request *q = answered(ctx, in, &bad);

	msg_get_user(in, &user);
	if (!msg_end(in) || bad)
		return ERR_PROTO;
	if (!q)
		return ERR_OK;
	if (getrandom(ticket, sizeof(ticket), 0) != sizeof(ticket)) {
		log_error("auth: no random numbers: %m");
		request_fail(q, AUTH_FAIL_TEMP);
		return ERR_OK;
	}
	send_ticket(q, &user, ticket);
	request_free(q);
	return ERR_OK;
}

static bool is_delayed(const struct request *q, uint8_t code)
{
	return !q->lookup && q->front->r->delayed < DELAYED_MAX &&
	       (code == AUTH_FAIL_BAD || code == AUTH_FAIL_NOUSER || code == AUTH_FAIL_DISABLED) &&
	       conf_u64(q->front->r->conf, CONF_AUTH_FAILURE_DELAY) > 0;
}

static enum err on_fail(void *ctx, struct chan *ch, struct msg_in *in)
{
	bool bad;
	struct request *q = answered(ctx, in, &bad);
	uint8_t code = msg_get_u8(in);
	struct span reason = msg_get_str(in, 1024), given = msg_get_str(in, NAME_MAX_BYTES);

	if (!msg_end(in) || bad || code < AUTH_FAIL_BAD || code > AUTH_FAIL_MECH)
		return ERR_PROTO;
	if (!q)
		return ERR_OK;
	q->reason = reason;
	q->given = given;
	if (!is_delayed(q, code) || !keep(q, &q->reason) || !keep(q, &q->given)) {
		q->reason = reason;
		q->given = given;
		request_fail(q, code);
		return ERR_OK;
	}
	q->code = code;
	request_enter(q, REQ_DELAYED, conf_u64(q->front->r->conf, CONF_AUTH_FAILURE_DELAY),
		      on_delayed);
	q->worker = NULL;
	return ERR_OK;
}

static const struct chan_row worker_rows[] = {
	{ MSG_WORK_CHALLENGE, on_challenge },
	{ MSG_WORK_OK, on_ok },
	{ MSG_WORK_FAIL, on_fail },
};

/* What it had is over: an exchange cannot go on elsewhere. */
static void worker_free(struct worker *w)
{
	struct request *q, *next;
	struct route *r = w->r;

	DL_DELETE(r->workers, w);
	HASH_ITER(hh_own, r->requests, q, next)
	if (q->worker == w)
		request_fail(q, AUTH_FAIL_TEMP);
	chan_free(&w->chan);
	free(w);
}

static void worker_closed(void *ctx, struct chan *ch, enum err why)
{
	if (why != ERR_CLOSED)
		log_error("auth: channel to an auth-worker: %s", chan_why(ch));
	worker_free(ctx);
}

/* --- life -------------------------------------------------------------------------------- */

struct route *route_new(struct loop *l, struct chan *master, const struct conf *c)
{
	struct route *r = mem_alloc(sizeof(*r));

	r->loop = l;
	r->master = master;
	r->conf = c;
	return r;
}

void route_free(struct route **r)
{
	struct front *f, *next_f;
	struct worker *w, *next_w;

	if (!*r)
		return;
	DL_FOREACH_SAFE((*r)->fronts, f, next_f)
	front_free(f);
	DL_FOREACH_SAFE((*r)->workers, w, next_w)
	worker_free(w);
	free(*r);
	*r = NULL;
}

static void add_worker(struct route *r, int fd)
{
	struct worker *w = mem_alloc(sizeof(*w));
	struct request *q, *next;

	w->r = r;
	w->chan = chan_new(r->loop, fd, ROLE_AUTH, ROLE_AUTHWORKER, worker_rows,
			   ARRAY_LEN(worker_rows), worker_closed, w);
	DL_APPEND(r->workers, w);
	HASH_ITER(hh_own, r->requests, q, next)
	if (q->state == REQ_QUEUED)
		request_send(q);
}

static void add_front(struct route *r, uint32_t child, enum msg_role role, int fd)
{
	struct front *f = mem_alloc(sizeof(*f));

	f->r = r;
	f->child = child;
	f->role = role;
	f->chan = chan_new(r->loop, fd, ROLE_AUTH, role, front_rows, ARRAY_LEN(front_rows),
			   front_closed, f);
	DL_APPEND(r->fronts, f);
}

bool route_peer(struct route *r, uint32_t child, enum msg_role role, int fd_take)
{
	if (role == ROLE_AUTHWORKER)
		add_worker(r, fd_take);
	else if (role == ROLE_LOGIN || role == ROLE_CONTROL)
		add_front(r, child, role, fd_take);
	else
		return false;
	return true;
}
