/*
 * Which worker serves whom. A user's sessions and deliveries meet in one worker: his own (single)
 * until the service's process_limit is reached, then one shared by users of the same uid (pooled).
 */
#include "master.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

/* With the longest user that a ticket can hold an ATTACH still fits into one message. */
enum { TAG_MAX = 1024, INPUT_MAX = 32768 };

static void send_assign(struct master *m, struct child *c, enum worker_kind kind,
			const struct owner *o, const struct ticket *t)
{
	struct msg msg;
	msg_init(&msg, MSG_ASSIGN, 0);
	msg_put_u32(&msg, m->root ? o->uid : (uid_t)-1);
	msg_put_u32(&msg, m->root ? o->gid : (gid_t)-1);
	msg_put_u32(&msg, m->root ? (uint32_t)o->groups : 0);
	for (size_t i = 0; m->root && i < o->groups; i++)
		msg_put_u32(&msg, o->group[i]);
	msg_put_u8(&msg, (uint8_t)kind);
	msg_put_str(&msg, kind == WORKER_SINGLE ? t->user : "");
	if (kind == WORKER_SINGLE) {
		msg_put_u32(&msg, (uint32_t)o->roots);
		for (size_t i = 0; i < o->roots; i++)
			msg_put_str(&msg, o->root[i]);
	} else {
		msg_put_u32(&msg, 1);
		msg_put_str(&msg, o->pool_root);
	}
	chan_send(c->chan, &msg);
}

static struct worker *worker_new(struct master *m, enum worker_kind kind, const struct owner *o,
				 const struct ticket *t)
{
	struct child *c = child_spare(m);
	if (c == NULL)
		return NULL;
	struct worker *w = mem_alloc(sizeof(*w));
	w->child = c;
	w->kind = kind;
	w->uid = o->uid;
	w->gid = o->gid;
	w->key = mem_str(kind == WORKER_SINGLE ? t->user : o->pool_root);
	c->worker = w;
	c->given = loop_now(m->loop);
	DL_APPEND(m->workers, w);
	send_assign(m, c, kind, o, t);
	children_fill(m);
	return w;
}

static bool usable(const struct master *m, const struct worker *w)
{
	return w != NULL && !w->leaving && !w->child->quitting && w->child->gen == m->gen &&
	       !chan_dead(w->child->chan);
}

/* Does the pool's tree hold all that this owner needs? */
static bool within(const char *root, const struct owner *o)
{
	size_t n = strlen(root);
	if (n < 2) /* a user without a home has no like; and nobody gets the whole disk */
		return false;
	for (size_t i = 0; i < o->roots; i++)
		if (strncmp(o->root[i], root, n) != 0 ||
		    (o->root[i][n] != '/' && o->root[i][n] != '\0'))
			return false;
	return true;
}

static struct worker *pick(struct master *m, const struct owner *o, const struct ticket *t)
{
	const struct user *u = user_find(m, t->user);
	if (u != NULL && usable(m, u->worker) && u->worker->uid == o->uid)
		return u->worker;
	const struct conf *c = m->gen->conf;
	unsigned mode = conf_enum(c, CONF_WORKER_MODE);
	const struct conf_service *imap = conf_service(c, "imap");
	uint64_t limit = imap != NULL && imap->process_limit > 0
				 ? imap->process_limit
				 : conf_u64(c, CONF_DEFAULT_PROCESS_LIMIT);
	uint64_t singles = 0;
	struct worker *w, *pool = NULL;
	DL_FOREACH (m->workers, w) {
		singles += w->kind == WORKER_SINGLE;
		if (w->kind == WORKER_POOLED && usable(m, w) && w->uid == o->uid &&
		    w->gid == o->gid && w->sessions < POOL_SESSIONS && within(w->key, o))
			pool = w;
	}
	if (mode == CONF_WORKER_SINGLE || !within(o->pool_root, o) ||
	    (mode == CONF_WORKER_AUTO && singles < limit))
		return worker_new(m, WORKER_SINGLE, o, t);
	return pool != NULL ? pool : worker_new(m, WORKER_POOLED, o, t);
}

/* By the address of the client, and by what the userdb says of the user (its worker has checked that). */
static uint64_t connections_most(const struct master *m, const struct ticket *t,
				 const struct msg_conn *c)
{
	char *lip = span_dup(c->lip), *rip = span_dup(c->rip);
	const struct conf *conf = conf_for(
		m->gen->conf, &(struct conf_peer){ .protocol = t->service, .lip = lip, .rip = rip });
	uint64_t most = conf_u64(conf, CONF_MAIL_MAX_USERIP_CONNECTIONS);
	struct span extra = span_of(t->extra, t->extra_n), key, value;
	while (msg_extra_next(&extra, &key, &value))
		if (span_eq_str(key, "mail_max_userip_connections"))
			(void)span_u64(value, &most);
	free(lip);
	free(rip);
	return most;
}

/* mail_max_userip_connections counts what people hold open, not deliveries. */
static enum err check_limit(const struct master *m, const struct ticket *t,
			    const struct msg_conn *c, struct errtext *e)
{
	struct user *u = user_find((struct master *)m, t->user);
	uint64_t most = connections_most(m, t, c);
	if (u == NULL || most == 0 || strcmp(t->service, "imap") != 0 ||
	    user_count(u, t->service, c->rip) < most)
		return ERR_OK;
	return err_say(e, ERR_LIMIT,
		       "Maximum number of connections from user+IP exceeded "
		       "(mail_max_userip_connections=%llu)",
		       (unsigned long long)most);
}

static void attach(struct master *m, struct worker *w, const struct ticket *t, const struct owner *o,
		   const struct msg_conn *conn, struct span tag, struct span input, int fd)
{
	struct session *s = session_add(m, w, t, conn);
	spool_open(m, s->user, o);
	struct msg_user user = {
		.user = span_str(t->user),
		.uid = w->uid,
		.gid = w->gid,
		.home = span_str(t->home),
		.mail = span_str(t->mail),
		.extra = span_of(t->extra, t->extra_n),
	};
	struct msg msg;
	msg_init(&msg, MSG_ATTACH, s->number);
	msg_put_conn(&msg, conn);
	msg_put_user(&msg, &user);
	msg_put_span(&msg, tag);
	msg_put_span(&msg, input);
	chan_send_fds(w->child->chan, &msg, &fd, 1);
}

static void answer_ok(struct child *from, uint32_t id, const struct worker *w)
{
	struct msg msg;
	msg_init(&msg, MSG_HANDOFF_OK, id);
	msg_put_u32(&msg, (uint32_t)w->child->pid);
	chan_send(from->chan, &msg);
}

static void answer_fail(struct child *from, uint32_t id, enum err err, const char *text)
{
	struct msg msg;
	msg_init(&msg, MSG_HANDOFF_FAIL, id);
	msg_put_u8(&msg, (uint8_t)err);
	msg_put_str(&msg, text);
	chan_send(from->chan, &msg);
}

/* What the client may read of it: the limit's sentence, else nothing. */
static void refuse(struct child *from, uint32_t id, const struct ticket *t, enum err err,
		   const struct errtext *e)
{
	char name[256];
	log_error("user %s: %s", log_quote(span_str(t->user), name, sizeof(name)), e->text);
	answer_fail(from, id, err, err == ERR_LIMIT ? e->text : "");
}

/* --- handoffs that came before their ticket ------------------------------------------- */

static unsigned early_of(const struct master *m, const struct child *from)
{
	unsigned n = 0;
	const struct early *e;
	DL_FOREACH (m->early, e)
		n += e->from == from->number;
	return n;
}

static bool wait_for_ticket(struct master *m, const struct child *from, struct msg_in *in,
			    struct span body, const uint8_t id[TICKET_SIZE])
{
	if (ticket_known(m, id) || early_of(m, from) >= EARLY_MAX)
		return false;
	struct early *e = mem_alloc(sizeof(*e));
	memcpy(e->id, id, TICKET_SIZE);
	e->from = from->number;
	e->number = in->id;
	e->came = loop_now(m->loop);
	buf_init(&e->body, MSG_MAX);
	buf_add_span(&e->body, body);
	e->fd = msg_take_fd(in);
	DL_APPEND(m->early, e);
	return true;
}

/* Handles it now, whether its ticket has come or not. */
static void early_end(struct master *m, struct early *e)
{
	struct msg_in in = {
		.type = MSG_HANDOFF,
		.id = e->number,
		.rest = buf_span(&e->body),
		.fd = { e->fd },
		.nfd = 1,
	};
	struct child *from = child_find(m, e->from);
	DL_DELETE(m->early, e);
	if (from != NULL && !e->body.failed && ticket_known(m, e->id))
		worker_handoff(m, from, &in);
	else if (from != NULL)
		answer_fail(from, e->number, ERR_TEMP, "");
	int left = msg_take_fd(&in);
	if (left >= 0)
		close(left);
	buf_free(&e->body);
	free(e);
}

void worker_ticket_came(struct master *m, const uint8_t id[TICKET_SIZE])
{
	struct early *e, *next;
	DL_FOREACH_SAFE (m->early, e, next)
		if (memcmp(e->id, id, TICKET_SIZE) == 0)
			early_end(m, e);
}

void worker_expire_early(struct master *m)
{
	struct early *e, *next;
	DL_FOREACH_SAFE (m->early, e, next)
		if (loop_now(m->loop) - e->came > EARLY_LIFE_MS)
			early_end(m, e);
}

/* Nothing else is waited for in a worker's loop: a file there would end the worker, with all who share it. */
static bool is_socket(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

enum err worker_handoff(struct master *m, struct child *from, struct msg_in *in)
{
	struct span body = in->rest;
	uint8_t id[TICKET_SIZE];
	struct msg_conn conn;
	msg_get_bytes(in, id, sizeof(id));
	msg_get_conn(in, &conn);
	struct span tag = msg_get_str(in, TAG_MAX);
	struct span input = msg_get_blob(in, INPUT_MAX);
	if (!msg_end(in) || in->nfd != 1 || !is_socket(in->fd[0]))
		return ERR_PROTO;
	if (wait_for_ticket(m, from, in, body, id))
		return ERR_OK;
	struct ticket *t = ticket_take(m, id, from->number);
	if (t == NULL) {
		answer_fail(from, in->id, ERR_TEMP, "");
		return ERR_OK;
	}
	/* The service is the ticket's: a delivery can never become a session. */
	conn.service = span_str(t->service);
	struct owner o = { 0 };
	struct errtext why = { "no worker can be started" };
	enum err err = m->stopping ? ERR_TEMP : check_limit(m, t, &conn, &why);
	if (err == ERR_OK)
		err = owner_find(m, t, &o, &why);
	struct worker *w = err == ERR_OK ? pick(m, &o, t) : NULL;
	if (w == NULL) {
		refuse(from, in->id, t, err == ERR_OK ? ERR_TEMP : err, &why);
	} else {
		attach(m, w, t, &o, &conn, tag, input, msg_take_fd(in));
		answer_ok(from, in->id, w);
	}
	owner_free(&o);
	ticket_free(&t);
	return ERR_OK;
}

void worker_gone(struct master *m, struct worker *w)
{
	struct session *s, *next;
	HASH_ITER (hh, m->sessions, s, next)
		if (s->worker == w)
			session_remove(m, s);
	struct user *u, *nextu;
	HASH_ITER (hh, m->users, u, nextu) {
		if (u->worker == w)
			u->worker = NULL;
		if (u->worker == NULL && u->sessions == NULL) {
			HASH_DELETE(hh, m->users, u);
			free(u->name);
			free(u->inbox);
			free(u);
		}
	}
	DL_DELETE(m->workers, w);
	free(w->key);
	free(w);
}

void worker_idle(struct master *m, struct worker *w)
{
	if (w->sessions > 0 || w->leaving)
		return; /* an ATTACH is on its way: it stays */
	w->leaving = true;
	child_quit(w->child);
}
