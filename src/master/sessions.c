/* Who is logged in: sessions by number, and by user. */
#include "master.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdlib.h>
#include <utlist.h>

struct user *user_find(struct master *m, const char *name)
{
	struct user *u;
	HASH_FIND_STR(m->users, name, u);
	return u;
}

static struct user *user_get(struct master *m, const char *name)
{
	struct user *u = user_find(m, name);
	if (u != NULL)
		return u;
	u = mem_alloc(sizeof(*u));
	u->name = mem_str(name);
	HASH_ADD_KEYPTR(hh, m->users, u->name, strlen(u->name), u);
	return u;
}

unsigned user_count(const struct user *u, const char *service, struct span rip)
{
	unsigned n = 0;
	const struct session *s;
	DL_FOREACH (u->sessions, s)
		if (strcmp(s->service, service) == 0 && span_eq_str(rip, s->rip))
			n++;
	return n;
}

struct session *session_add(struct master *m, struct worker *w, const struct ticket *t,
			    const struct msg_conn *c)
{
	struct session *s = mem_alloc(sizeof(*s));
	s->number = ++m->next_session;
	s->user = user_get(m, t->user);
	s->user->worker = w;
	s->worker = w;
	s->service = mem_str(t->service);
	s->rip = span_dup(c->rip);
	s->id = span_dup(c->session);
	s->since = clock_wall();
	s->secured = c->secured;
	w->sessions++;
	DL_APPEND(s->user->sessions, s);
	HASH_ADD(hh, m->sessions, number, sizeof(s->number), s);
	return s;
}

struct session *session_find(struct master *m, uint32_t number)
{
	struct session *s;
	HASH_FIND(hh, m->sessions, &number, sizeof(number), s);
	return s;
}

void session_remove(struct master *m, struct session *s)
{
	struct user *u = s->user;
	s->worker->sessions--;
	DL_DELETE(u->sessions, s);
	HASH_DELETE(hh, m->sessions, s);
	/* A single worker lingers for its user; the entry goes with the worker (worker_gone). */
	if (u->sessions == NULL && (u->worker == NULL || u->worker->kind == WORKER_POOLED)) {
		HASH_DELETE(hh, m->users, u);
		free(u->name);
		free(u->inbox);
		free(u);
	}
	free(s->service);
	free(s->rip);
	free(s->id);
	free(s);
}
