/*
 * roost-auth-worker: whole SASL exchanges and lookups, one after the other; it may block on a
 * file or the name service while its siblings go on. Starts as root, because password files are
 * root's, and keeps to those files.
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/export.h"
#include "proc/helper.h"
#include "sasl.h"
#include "try.h"

#include <stdlib.h>
#include <unistd.h>

#include <uthash.h>

enum { TRIES_MAX = 4096, STEP_MAX = 12288, NAME_MAX_BYTES = 1024 };

struct running {
	uint32_t id;
	struct try *try; /* own */
	UT_hash_handle hh;
};

struct auth_worker {
	struct helper h;
	struct conf *conf; /* own */
	struct asker asker;
	struct chan *auth;       /* own; NULL: none now */
	struct running *running; /* own; exchanges that wait for the client */
};

static struct running *find(struct auth_worker *w, uint32_t id)
{
	struct running *r;

	HASH_FIND(hh, w->running, &id, sizeof(id), r);
	return r;
}

static void forget(struct auth_worker *w, struct running *r)
{
	HASH_DELETE(hh, w->running, r);
	try_free(&r->try);
	free(r);
}

static void forget_all(struct auth_worker *w)
{
	struct running *r, *next;

	HASH_ITER(hh, w->running, r, next)
	forget(w, r);
}

/* --- answers ------------------------------------------------------------------------------ */

static uint8_t fail_code(const struct try *t)
{
	if (try_mech_refused(t))
		return AUTH_FAIL_MECH;
	switch (try_verdict(t)) {
	case VERDICT_UNKNOWN:
		return AUTH_FAIL_NOUSER;
	case VERDICT_DISABLED:
		return AUTH_FAIL_DISABLED;
	case VERDICT_TEMP:
		return AUTH_FAIL_TEMP;
	default:
		return AUTH_FAIL_BAD;
	}
}

static void send_fail(struct auth_worker *w, uint32_t id, uint8_t code, const char *reason,
		      const char *given)
{
	struct msg m;

	msg_init(&m, MSG_WORK_FAIL, id);
	msg_put_u8(&m, code);
	msg_put_span(&m, span_cut(span_str(reason), 0, 256));
	msg_put_str(&m, given);
	chan_send(w->auth, &m);
}

static void send_ok(struct auth_worker *w, uint32_t id, const struct account *a)
{
	const struct msg_user user = {
		.user = span_str(a->user),
		.uid = a->uid,
		.gid = a->gid,
		.home = span_str(a->home),
		.mail = span_str(a->mail),
		.extra = a->extra,
	};
	struct msg m;

	msg_init(&m, MSG_WORK_OK, id);
	msg_put_user(&m, &user);
	chan_send(w->auth, &m);
}

/* Sends what a step came to; a try that is over is forgotten. */
static void answer(struct auth_worker *w, struct running *r, enum try_state state)
{
	struct msg m;

	switch (state) {
	case TRY_CHALLENGE:
		msg_init(&m, MSG_WORK_CHALLENGE, r->id);
		msg_put_span(&m, try_out(r->try));
		chan_send(w->auth, &m);
		return;
	case TRY_OK:
		send_ok(w, r->id, try_account(r->try));
		break;
	case TRY_FAIL:
		send_fail(w, r->id, fail_code(r->try), try_reason(r->try), try_given(r->try));
		break;
	}
	forget(w, r);
}

/*
 * --- questions -------------------------------------------------------------------------------
 */

static struct running *begin(struct auth_worker *w, uint32_t id, const struct msg_conn *c)
{
	const struct try_conn conn = { c->service, c->session, c->rip, c->lip, c->secured };
	struct running *r = mem_alloc(sizeof(*r));

	r->id = id;
	r->try = try_new(&w->asker, &conn);
	HASH_ADD(hh, w->running, id, sizeof(r->id), r);
	return r;
}

static enum err on_start(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct auth_worker *w = ctx;
	struct running *r;
	struct msg_conn conn;
	struct span mech, initial;
	bool has;

	msg_get_conn(m, &conn);
	mech = msg_get_str(m, 64);
	has = msg_get_bool(m);
	initial = msg_get_blob(m, STEP_MAX);
	if (!msg_end(m) || find(w, m->id))
		return ERR_PROTO;
	if (HASH_COUNT(w->running) >= TRIES_MAX) {
		send_fail(w, m->id, AUTH_FAIL_TEMP, "", "");
		return ERR_OK;
	}
	r = begin(w, m->id, &conn);
	answer(w, r, try_start(r->try, mech, has, initial));
	return ERR_OK;
}

static enum err on_cont(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct auth_worker *w = ctx;
	struct running *r = find(w, m->id);
	struct span data = msg_get_blob(m, STEP_MAX);

	if (!msg_end(m))
		return ERR_PROTO;
	if (r)
		answer(w, r, try_step(r->try, data));
	return ERR_OK;
}

static enum err on_abort(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct auth_worker *w = ctx;
	struct running *r = find(w, m->id);

	if (r)
		forget(w, r);
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static enum err on_lookup(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct auth_worker *w = ctx;
	struct running *r;
	struct msg_conn conn;
	struct span user;

	msg_get_conn(m, &conn);
	user = msg_get_str(m, NAME_MAX_BYTES);
	if (!msg_end(m) || find(w, m->id))
		return ERR_PROTO;
	r = begin(w, m->id, &conn);
	answer(w, r, try_lookup(r->try, user));
	return ERR_OK;
}

static const struct chan_row auth_rows[] = {
	{ MSG_WORK_START, on_start },
	{ MSG_WORK_CONT, on_cont },
	{ MSG_WORK_ABORT, on_abort },
	{ MSG_WORK_LOOKUP, on_lookup },
};

static void auth_closed(void *ctx, struct chan *ch, enum err why)
{
	struct auth_worker *w = ctx;

	if (why != ERR_CLOSED)
		log_error("channel to auth: %s", chan_why(ch));
	forget_all(w);
	chan_free(&w->auth);
	chan_send_empty(w->h.master, MSG_PEER_LOST, 0);
}

/* --- life -------------------------------------------------------------------------------- */

enum { PATHS_MAX = 64 };

/*
 * Plug-ins are loaded and databases known by now. The name service opens files under /etc, and
 * modules of other people open anything: with userdb passwd the process stays unconfined.
 */
static enum err on_begin(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct auth_worker *w = h->ctx;
	bool nss = users_need_nss(w->asker.users);
	struct arena *a = arena_new(1 << 20);
	const char **dirs = users_dirs(w->asker.users, a);
	struct confine_path paths[PATHS_MAX] = { { "/etc", false },
						 { "/usr/lib", false },
						 { "/lib", false } };
	size_t n = 3;
	enum err e;

	for (size_t i = 0; dirs[i] && n < PATHS_MAX; i++)
		paths[n++] = (struct confine_path){ dirs[i], false };
	struct confine c = {
		.stay_root = true,
		.landlock = !nss,
		.paths = paths,
		.npaths = n,
		.calls = nss ? CALLS_ANY : CALLS_BASE | CALLS_FILE_READ | CALLS_CONNECT,
	};
	e = helper_confine(h, m, &c);
	arena_free(&a);
	return e;
}

static enum err on_peer(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct auth_worker *w = h->ctx;
	uint8_t role;

	(void)msg_get_u32(m);
	role = msg_get_u8(m);
	if (!msg_end(m) || role != ROLE_AUTH)
		return ERR_PROTO;
	forget_all(w);
	chan_free(&w->auth);
	w->auth = chan_new(h->loop, msg_take_fd(m), ROLE_AUTHWORKER, ROLE_AUTH, auth_rows,
			   ARRAY_LEN(auth_rows), auth_closed, w);
	return ERR_OK;
}

static const struct chan_row rows[] = {
	HELPER_ROWS,
	{ MSG_BEGIN, on_begin },
	{ MSG_QUIT, helper_quit },
	{ MSG_PEER, on_peer },
};

int main(int argc, char **argv)
{
	struct auth_worker w = { .running = NULL };
	struct errtext t;
	char name[32];

	helper_init(&w.h, argc, argv);
	if (conf_import(w.h.conf, CONF_AUTH, &w.conf) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "the configuration handed over cannot be read");
	helper_start(&w.h, ROLE_AUTHWORKER, rows, ARRAY_LEN(rows),
		     conf_log_form(w.conf), &w);
	/* As Dovecot's worker calls itself: programs that watch logs know the form. */
	snprintf(name, sizeof(name), "auth-worker(%d)", (int)getpid());
	log_name(name);
	log_debug_enable(conf_bool(w.conf, CONF_AUTH_DEBUG));
	if (exchange_init(&t))
		log_fatal(EXIT_INTERNAL, "%s", t.text);
	w.asker.conf = w.conf;
	w.asker.users = users_new(w.conf);
	loop_run(w.h.loop);
	forget_all(&w);
	chan_free(&w.auth);
	users_free(&w.asker.users);
	exchange_done();
	conf_free(&w.conf);
	helper_free(&w.h);
	return 0;
}
