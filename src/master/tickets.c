/*
 * Tickets: auth tells the master whom a ticket names; the login that asked redeems it once. So a
 * conquered login can never choose a user: it can only redeem what a password has bought.
 */
#include "master.h"

#include "base/mem.h"

#include <stdlib.h>

enum { TICKETS_MAX = 100000 };

enum err ticket_add(struct master *m, struct msg_in *in)
{
	struct msg_conn conn;
	struct msg_user user;
	uint8_t id[TICKET_SIZE];
	msg_get_bytes(in, id, sizeof(id));
	uint32_t holder = msg_get_u32(in);
	msg_get_conn(in, &conn);
	msg_get_user(in, &user);
	if (!msg_end(in))
		return ERR_PROTO;
	struct ticket *old;
	HASH_FIND(hh, m->tickets, id, sizeof(id), old);
	if (old != NULL)
		return ERR_PROTO;
	if (HASH_COUNT(m->tickets) >= TICKETS_MAX)
		return ERR_OK; /* no fault of auth's; redeeming it fails for now */
	struct ticket *t = mem_alloc(sizeof(*t));
	memcpy(t->id, id, sizeof(id));
	t->holder = holder;
	t->made = loop_now(m->loop);
	t->service = span_dup(conn.service);
	t->user = span_dup(user.user);
	t->home = span_dup(user.home);
	t->mail = span_dup(user.mail);
	t->extra = span_dup(user.extra);
	t->extra_n = user.extra.n;
	t->uid = user.uid;
	t->gid = user.gid;
	HASH_ADD(hh, m->tickets, id, sizeof(t->id), t);
	worker_ticket_came(m, id);
	return ERR_OK;
}

bool ticket_known(const struct master *m, const uint8_t id[TICKET_SIZE])
{
	struct ticket *t;
	HASH_FIND(hh, m->tickets, id, TICKET_SIZE, t);
	return t != NULL;
}

struct ticket *ticket_take(struct master *m, const uint8_t id[TICKET_SIZE], uint32_t holder)
{
	struct ticket *t;
	HASH_FIND(hh, m->tickets, id, TICKET_SIZE, t);
	if (t == NULL || t->holder != holder)
		return NULL;
	HASH_DELETE(hh, m->tickets, t);
	if (loop_now(m->loop) - t->made > TICKET_LIFE_MS)
		ticket_free(&t);
	return t;
}

void ticket_free(struct ticket **tp)
{
	struct ticket *t = *tp;
	*tp = NULL;
	if (t == NULL)
		return;
	free(t->service);
	free(t->user);
	free(t->home);
	free(t->mail);
	free(t->extra);
	free(t);
}

void tickets_expire(struct master *m)
{
	struct ticket *t, *next;
	worker_expire_early(m);
	HASH_ITER (hh, m->tickets, t, next) {
		if (loop_now(m->loop) - t->made <= TICKET_LIFE_MS)
			continue;
		HASH_DELETE(hh, m->tickets, t);
		ticket_free(&t);
	}
}

void tickets_free(struct master *m)
{
	struct ticket *t, *next;
	HASH_ITER (hh, m->tickets, t, next) {
		HASH_DELETE(hh, m->tickets, t);
		ticket_free(&t);
	}
}
