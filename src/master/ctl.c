/*
 * The administrator's commands that the master itself answers: a table. Text goes back in lines,
 * fields parted by TAB.
 */
#include "master.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/must.h"

#include <utlist.h>

enum { TEXT_MAX = 60000, ARGS_MAX = 64, ARG_MAX = 1024 };

struct request {
	struct master *m;
	struct child *from;
	uint32_t id;
	struct span arg[ARGS_MAX];
	size_t n;
	struct buf out;
};

static void send_part(struct request *r, bool final, bool ok)
{
	struct msg msg;
	msg_init(&msg, MSG_CTL_REPLY, r->id);
	msg_put_bool(&msg, final);
	msg_put_bool(&msg, ok);
	msg_put_span(&msg, buf_span(&r->out));
	chan_send(r->from->chan, &msg);
	buf_clear(&r->out);
}

/* Long answers leave in parts. */
static void maybe_send(struct request *r)
{
	if (r->out.n > TEXT_MAX / 2)
		send_part(r, false, true);
}

static bool cmd_status(struct request *r)
{
	struct master *m = r->m;
	const struct child *c;
	buf_printf(&r->out, "uptime\t%llu\n", (unsigned long long)(clock_wall() - m->since));
	buf_printf(&r->out, "generation\t%u\n", m->gen->number);
	buf_printf(&r->out, "users\t%u\nsessions\t%u\n", HASH_COUNT(m->users),
		   HASH_COUNT(m->sessions));
	for (const struct listener *l = m->listeners; l != NULL; l = l->next)
		buf_printf(&r->out, "listener\t%s\t%s\n", l->protocol, l->key);
	DL_FOREACH (m->children, c) {
		const char *state = c->quitting         ? "leaving"
				    : c->worker != NULL ? "serving"
				    : c->ready          ? "ready"
							: "starting";
		buf_printf(&r->out, "process\t%s\t%d\t%s\t%u\t%s\n", proc_rows[c->row].name,
			   (int)c->pid, state, c->worker != NULL ? c->worker->sessions : 0,
			   c->worker != NULL ? c->worker->key : "");
		maybe_send(r);
	}
	return true;
}

/* A mask with * and ?, as doveadm's. Iterative: one star is remembered. */
static bool mask_match(struct span mask, const char *name)
{
	size_t i = 0, j = 0, star = SIZE_MAX, back = 0, n = strlen(name);
	while (j < n) {
		if (i < mask.n && (mask.p[i] == '?' || mask.p[i] == name[j])) {
			i++;
			j++;
		} else if (i < mask.n && mask.p[i] == '*') {
			star = i++;
			back = j;
		} else if (star != SIZE_MAX) {
			i = star + 1;
			j = ++back;
		} else {
			return false;
		}
	}
	while (i < mask.n && mask.p[i] == '*')
		i++;
	return i == mask.n;
}

static bool wanted(const struct request *r, const struct session *s)
{
	if (r->n == 0)
		return true;
	return mask_match(r->arg[0], s->user->name) && (r->n < 2 || span_eq_str(r->arg[1], s->rip));
}

static bool cmd_who(struct request *r)
{
	const struct session *s, *next;
	HASH_ITER (hh, r->m->sessions, s, next) {
		if (!wanted(r, s))
			continue;
		buf_printf(&r->out, "%s\t%s\t%d\t%s\t%s\t%lld\t%s\n", s->user->name, s->service,
			   (int)s->worker->child->pid, s->rip, s->id, (long long)s->since,
			   s->secured ? "TLS" : "");
		maybe_send(r);
	}
	return true;
}

static bool cmd_kick(struct request *r)
{
	const struct session *s, *next;
	unsigned n = 0;
	if (r->n == 0) {
		buf_add_str(&r->out, "kick: which user?\n");
		return false;
	}
	HASH_ITER (hh, r->m->sessions, s, next) {
		if (!wanted(r, s) || strcmp(s->service, "imap") != 0)
			continue;
		chan_send_empty(s->worker->child->chan, MSG_KICK, s->number);
		n++;
	}
	if (n == 0)
		buf_add_str(&r->out, "no such session\n");
	else
		buf_printf(&r->out, "%u\n", n);
	return n > 0;
}

static bool cmd_reload(struct request *r)
{
	bool ok = master_reload(r->m);
	if (!ok)
		buf_add_str(&r->out,
			    "the configuration has errors (see the log); the old one stays\n");
	return ok;
}

static bool cmd_stop(struct request *r)
{
	return true; /* the answer first: master_stop follows it */
}

static const struct {
	const char *name;
	bool (*fn)(struct request *r);
} commands[] = {
	{ "kick", cmd_kick }, { "reload", cmd_reload }, { "status", cmd_status },
	{ "stop", cmd_stop }, { "who", cmd_who },
};

enum err ctl_request(struct master *m, struct child *from, struct msg_in *in)
{
	struct request r = { .m = m, .from = from, .id = in->id };
	struct span name = msg_get_str(in, ARG_MAX);
	r.n = msg_get_u32(in);
	if (r.n > ARGS_MAX)
		return ERR_PROTO;
	for (size_t i = 0; i < r.n; i++)
		r.arg[i] = msg_get_str(in, ARG_MAX);
	if (!msg_end(in))
		return ERR_PROTO;
	buf_init(&r.out, TEXT_MAX);
	bool known = false, ok = false;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!span_eq_str(name, commands[i].name))
			continue;
		known = true;
		ok = commands[i].fn(&r);
	}
	if (!known)
		buf_add_str(&r.out, "no such command\n");
	send_part(&r, true, ok);
	buf_free(&r.out);
	if (known && span_eq_str(name, "stop")) {
		log_info("stopping on request of roostadm");
		master_stop(m);
	}
	return ERR_OK;
}
