/* Processes that run: started from the table, joined to their peers, restarted with back-off. */
#include "master.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "proc/spawn.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <utlist.h>

enum {
	SHORT_LIFE_MS = 10000,
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MOST_MS = 60000,
	SPARES_AT_ONCE = 8,
	EXIT_NOT_EXECUTED = 127, /* proc/spawn.h */
};

static const char *row_name(const struct child *c)
{
	return proc_rows[c->row].name;
}

struct child *child_find(struct master *m, uint32_t number)
{
	struct child *c;
	DL_FOREACH (m->children, c)
		if (c->number == number)
			return c;
	return NULL;
}

/* --- messages ---------------------------------------------------------------------- */

static enum err on_ready(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx;
	if (c->ready || !msg_end(in))
		return ERR_PROTO;
	c->ready = true;
	return ERR_OK;
}

static enum err on_ticket(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx;
	return ticket_add(c->m, in);
}

static enum err on_handoff(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx;
	return worker_handoff(c->m, c, in);
}

static enum err on_session_end(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx;
	struct session *s = session_find(c->m, in->id);
	if (s == NULL || s->worker->child != c || !msg_end(in))
		return ERR_PROTO;
	session_remove(c->m, s);
	if (c->gen != c->m->gen)
		worker_idle(c->m, c->worker);
	return ERR_OK;
}

static enum err on_idle_exit(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx;
	if (c->worker == NULL || !msg_end(in))
		return ERR_PROTO;
	worker_idle(c->m, c->worker);
	return ERR_OK;
}

static enum err on_ctl(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx;
	return ctl_request(c->m, c, in);
}

static bool are_peers(const struct child *a, const struct child *b)
{
	return a != b && a->gen == b->gen && !b->quitting &&
	       (proc_rows[a->row].peers & proc_rows[b->row].role) != 0 &&
	       (proc_rows[b->row].peers & proc_rows[a->row].role) != 0;
}

static void join_peers(struct child *a, struct child *b)
{
	int fd[2];
	if (chan_pair(fd) != ERR_OK) {
		log_error("cannot join %s and %s: %s", row_name(a), row_name(b), strerror(errno));
		return;
	}
	struct child *end[2] = { a, b };
	for (int i = 0; i < 2; i++) {
		struct msg msg;
		msg_init(&msg, MSG_PEER, 0);
		msg_put_u32(&msg, end[1 - i]->number);
		msg_put_u8(&msg, (uint8_t)proc_rows[end[1 - i]->row].role);
		chan_send_fds(end[i]->chan, &msg, &fd[i], 1);
	}
}

static void connect_peers(struct master *m, struct child *a)
{
	struct child *b;
	DL_FOREACH (m->children, b)
		if (are_peers(a, b))
			join_peers(a, b);
}

/* One of the two closed it, over a message that it did not like, or too many of them. An auth that is dying is none. */
static enum err on_peer_lost(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct child *c = ctx, *auth;
	if (!msg_end(in))
		return ERR_PROTO;
	DL_FOREACH (c->m->children, auth)
		if (auth->row == PROC_AUTH && are_peers(c, auth) && !loop_timer_armed(&auth->end))
			join_peers(c, auth);
	return ERR_OK;
}

/* The rows of ipc/msgs say who may send which of these. */
static const struct chan_row rows[] = {
	{ MSG_READY, on_ready },         { MSG_TICKET, on_ticket },
	{ MSG_HANDOFF, on_handoff },     { MSG_SESSION_END, on_session_end },
	{ MSG_IDLE_EXIT, on_idle_exit }, { MSG_CTL_REQUEST, on_ctl },
	{ MSG_PEER_LOST, on_peer_lost },
};

/* --- end ------------------------------------------------------------------------------ */

/*
 * A helper of the table ended by itself: later restarts wait longer while it dies young. A worker
 * that had been given work says nothing of the next one: only one that never got ready counts.
 */
static void backoff_note(struct master *m, const struct child *c)
{
	struct backoff *b = &m->backoff[c->row];
	if (c->row == PROC_WORKER && c->ready)
		return;
	if (loop_now(m->loop) - c->started > SHORT_LIFE_MS)
		b->failures = 0;
	uint64_t wait = (uint64_t)BACKOFF_FIRST_MS << (b->failures < 12 ? b->failures : 12);
	b->failures++;
	b->not_before = loop_now(m->loop) + (wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS);
}

static void log_end(const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_error("service(%s): child %d killed with signal %d", row_name(c), (int)c->pid,
			  WTERMSIG(status));
	else if (WEXITSTATUS(status) == EXIT_NOT_EXECUTED)
		log_error("service(%s): child %d could not be started: %s/%s is not there or cannot be executed",
			  row_name(c), (int)c->pid, c->m->libexec, proc_rows[c->row].program);
	else if (WEXITSTATUS(status) != 0)
		log_error("service(%s): child %d returned error %d", row_name(c), (int)c->pid,
			  WEXITSTATUS(status));
}

/* The login processes of an old generation were the last users of its auth. */
static void quit_orphans(struct master *m, const struct generation *g)
{
	struct child *c;
	if (g == m->gen)
		return;
	DL_FOREACH (m->children, c)
		if (c->gen == g && (c->row == PROC_LOGIN || c->row == PROC_CONTROL))
			return;
	DL_FOREACH (m->children, c)
		if (c->gen == g && (c->row == PROC_AUTH || c->row == PROC_AUTHWORKER))
			child_quit(c);
}

/*
 * Who made one worker crash knows something of its copies: what is to come gets another layout of memory. So do those who
 * logged in between the end of its channel and its own, for he may be among them.
 */
static void renew_workers(struct master *m, const struct child *crashed)
{
	struct child *c;
	template_drop(m);
	DL_FOREACH (m->children, c)
		if (c->row == PROC_WORKER && (c->worker == NULL || (crashed->lost != 0 && c->given >= crashed->lost)))
			child_quit(c);
}

static void child_ended(void *ctx, pid_t pid, int status)
{
	struct child *c = ctx;
	struct master *m = c->m;
	c->watch = NULL;
	loop_timer_stop(m->loop, &c->end);
	log_end(c, status);
	if (c->row == PROC_WORKER && template_crashed(status))
		renew_workers(m, c);
	if (!c->quitting && !m->stopping)
		backoff_note(m, c);
	if (c->worker != NULL)
		worker_gone(m, c->worker);
	DL_DELETE(m->children, c);
	chan_free(&c->chan);
	quit_orphans(m, c->gen);
	generation_unref(&c->gen);
	free(c);
	if (m->stopping && m->children == NULL)
		loop_stop(m->loop);
	else
		children_fill(m);
}

static void kill_mute(void *ctx)
{
	struct child *c = ctx;
	log_error("service(%s): child %d has left its channel and goes on; killed", row_name(c), (int)c->pid);
	kill(c->pid, SIGKILL);
}

/* The channel is gone before the process: it broke the rules, or is on its way out. */
static void chan_closed(void *ctx, struct chan *ch, enum err why)
{
	struct child *c = ctx;
	c->lost = loop_now(c->m->loop);
	if (why == ERR_CLOSED) {
		loop_timer_set(c->m->loop, &c->end, END_GRACE_MS, kill_mute, c);
		return;
	}
	log_error("service(%s): child %d: %s; killed", row_name(c), (int)c->pid, chan_why(ch));
	kill(c->pid, SIGKILL);
}

/* --- start ------------------------------------------------------------------------------ */

static void send_begin(struct master *m, struct child *c)
{
	const struct proc_row *row = &proc_rows[c->row];
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	if (m->root && row->user == PROC_USER_LOGIN) {
		uid = m->login_uid;
		gid = m->login_gid;
	} else if (m->root && row->user == PROC_USER_INTERNAL) {
		uid = m->internal_uid;
		gid = m->internal_gid;
	} else if (m->root && row->user == PROC_USER_SPOOL) {
		uid = m->internal_uid;
		gid = spool_gid(c->gen->conf);
	}
	char *spool = row->user == PROC_USER_SPOOL ? spool_dir(c->gen->conf) : NULL;
	struct msg msg;
	msg_init(&msg, MSG_BEGIN, 0);
	msg_put_u32(&msg, uid);
	msg_put_u32(&msg, gid);
	msg_put_str(&msg, spool != NULL ? spool : m->root && row->chroot ? m->empty_dir : "");
	chan_send(c->chan, &msg);
	free(spool);
}

static struct child *child_start(struct master *m, unsigned row)
{
	struct errtext why;
	char *program = mem_printf("%s/%s", m->libexec, proc_rows[row].program);
	struct proc_spawn s = {
		.program = program,
		.name = proc_rows[row].name,
		.child = ++m->next_child,
		.conf_fd = m->gen->conf_fd[row],
	};
	pid_t pid;
	int fd;
	log_fds(s.log_fd);
	enum err e = row == PROC_WORKER ? template_spawn(m, &s, &pid, &fd, &why) :
					 proc_spawn(&s, &pid, &fd, &why);
	free(program);
	if (e != ERR_OK) {
		log_error("service(%s): cannot start: %s", proc_rows[row].name, why.text);
		return NULL;
	}
	struct child *c = mem_alloc(sizeof(*c));
	c->number = s.child;
	c->row = row;
	c->pid = pid;
	c->gen = generation_ref(m->gen);
	c->m = m;
	c->started = loop_now(m->loop);
	c->chan = chan_new(m->loop, fd, ROLE_MASTER, proc_rows[row].role, rows, ARRAY_LEN(rows),
			   chan_closed, c);
	c->watch = loop_child_add(m->loop, pid, child_ended, c);
	if (row != PROC_WORKER)
		send_begin(m, c);
	connect_peers(m, c);
	if (row == PROC_LOGIN || row == PROC_CONTROL)
		listeners_send(m, c);
	DL_APPEND(m->children, c);
	if (row == PROC_DOTLOCK)
		spool_renew(m);
	return c;
}

static unsigned running(const struct master *m, unsigned row)
{
	unsigned n = 0;
	const struct child *c;
	DL_FOREACH (m->children, c)
		if (c->row == row && c->gen == m->gen && !c->quitting && c->worker == NULL)
			n++;
	return n;
}

static void fill_later(void *ctx)
{
	children_fill(ctx);
}

void children_fill(struct master *m)
{
	uint64_t now = loop_now(m->loop), soonest = 0;
	for (unsigned row = 0; !m->stopping && row < PROC_ROWS; row++) {
		unsigned want = proc_rows[row].count(m->gen->conf), have = running(m, row);
		const struct backoff *b = &m->backoff[row];
		if (have < want && b->not_before > now) {
			if (soonest == 0 || b->not_before < soonest)
				soonest = b->not_before;
			continue;
		}
		for (unsigned n = 0; have < want && n < SPARES_AT_ONCE; n++, have++)
			if (child_start(m, row) == NULL)
				break;
		if (have < want)
			soonest = now + BACKOFF_FIRST_MS;
	}
	if (soonest != 0)
		loop_timer_set(m->loop, &m->fill_timer, soonest - now, fill_later, m);
}

struct child *child_spare(struct master *m)
{
	struct child *c, *any = NULL;
	DL_FOREACH (m->children, c) {
		if (c->row != PROC_WORKER || c->worker != NULL || c->quitting || c->gen != m->gen ||
		    chan_dead(c->chan))
			continue;
		if (c->ready)
			return c;
		any = any == NULL ? c : any;
	}
	if (any == NULL && m->backoff[PROC_WORKER].not_before <= loop_now(m->loop))
		any = child_start(m, PROC_WORKER);
	return any;
}

void child_quit(struct child *c)
{
	if (c->quitting)
		return;
	c->quitting = true;
	chan_send_empty(c->chan, MSG_QUIT, 0);
}

void children_quit_old(struct master *m)
{
	struct child *c;
	DL_FOREACH (m->children, c) {
		if (c->gen == m->gen)
			continue;
		/* auth follows its last login; a worker goes when its last session has ended. */
		if (c->row == PROC_LOGIN || c->row == PROC_CONTROL || c->row == PROC_DOTLOCK ||
		    (c->row == PROC_WORKER && c->worker == NULL))
			child_quit(c);
		if (c->worker != NULL && c->worker->sessions == 0)
			worker_idle(m, c->worker);
	}
}

static void kill_rest(void *ctx)
{
	struct master *m = ctx;
	struct child *c;
	DL_FOREACH (m->children, c) {
		log_warning("service(%s): child %d does not stop; killed", row_name(c),
			    (int)c->pid);
		kill(c->pid, SIGKILL);
	}
}

void children_quit_all(struct master *m)
{
	struct child *c;
	template_drop(m);
	DL_FOREACH (m->children, c)
		child_quit(c);
	loop_timer_set(m->loop, &m->kill_timer, QUIT_GRACE_MS, kill_rest, m);
	if (m->children == NULL)
		loop_stop(m->loop);
}
