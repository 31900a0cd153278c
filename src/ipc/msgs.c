#include "ipc/msgs.h"
#include "base/must.h"
#include "ipc/msg.h"

enum {
	FRONTS = ROLE_LOGIN | ROLE_CONTROL, /* those who bring work from outside */
	AUTHS_PEERS = FRONTS | ROLE_AUTHWORKER,
	BEGINNERS = ROLE_LOGIN | ROLE_AUTH | ROLE_AUTHWORKER | ROLE_CONTROL | ROLE_DOTLOCK,
	ANY_CHILD = BEGINNERS | ROLE_WORKER,
	BODY_MAX = MSG_MAX - MSG_HEAD,
	SMALL = 1024,
	TALK = 16384, /* names, addresses, one step of a SASL exchange */
};

static const struct msg_row msg_rows[MSG_TYPES] = {
	/*                       name             from             to               fds  size */
	[MSG_BEGIN] =          { "BEGIN",          ROLE_MASTER,     BEGINNERS,       0, TALK },
	[MSG_LOG] =            { "LOG",            ROLE_MASTER,     ANY_CHILD,       3, 0 },
	[MSG_LISTEN] =         { "LISTEN",         ROLE_MASTER,     FRONTS,          1, SMALL },
	[MSG_READY] =          { "READY",          ANY_CHILD,       ROLE_MASTER,     0, 0 },
	[MSG_QUIT] =           { "QUIT",           ROLE_MASTER,     ANY_CHILD,       0, 0 },
	[MSG_PEER] =           { "PEER",           ROLE_MASTER,     ANY_CHILD,       1, SMALL },
	[MSG_PEER_LOST] =      { "PEER_LOST",      AUTHS_PEERS,     ROLE_MASTER,     0, 0 },
	[MSG_AUTH_START] =     { "AUTH_START",     ROLE_LOGIN,      ROLE_AUTH,       0, TALK },
	[MSG_AUTH_CONT] =      { "AUTH_CONT",      ROLE_LOGIN,      ROLE_AUTH,       0, TALK },
	[MSG_AUTH_ABORT] =     { "AUTH_ABORT",     ROLE_LOGIN,      ROLE_AUTH,       0, 0 },
	[MSG_USER_LOOKUP] =    { "USER_LOOKUP",    FRONTS,          ROLE_AUTH,       0, TALK },
	[MSG_AUTH_CHALLENGE] = { "AUTH_CHALLENGE", ROLE_AUTH,       ROLE_LOGIN,      0, TALK },
	[MSG_AUTH_OK] =        { "AUTH_OK",        ROLE_AUTH,       ROLE_LOGIN,      0, TALK },
	[MSG_AUTH_FAIL] =      { "AUTH_FAIL",      ROLE_AUTH,       ROLE_LOGIN,      0, TALK },
	[MSG_USER_OK] =        { "USER_OK",        ROLE_AUTH,       FRONTS,          0, TALK },
	[MSG_USER_FAIL] =      { "USER_FAIL",      ROLE_AUTH,       FRONTS,          0, SMALL },
	[MSG_WORK_START] =     { "WORK_START",     ROLE_AUTH,       ROLE_AUTHWORKER, 0, TALK },
	[MSG_WORK_CONT] =      { "WORK_CONT",      ROLE_AUTH,       ROLE_AUTHWORKER, 0, TALK },
	[MSG_WORK_ABORT] =     { "WORK_ABORT",     ROLE_AUTH,       ROLE_AUTHWORKER, 0, 0 },
	[MSG_WORK_LOOKUP] =    { "WORK_LOOKUP",    ROLE_AUTH,       ROLE_AUTHWORKER, 0, TALK },
	[MSG_WORK_CHALLENGE] = { "WORK_CHALLENGE", ROLE_AUTHWORKER, ROLE_AUTH,       0, TALK },
	[MSG_WORK_OK] =        { "WORK_OK",        ROLE_AUTHWORKER, ROLE_AUTH,       0, BODY_MAX },
	[MSG_WORK_FAIL] =      { "WORK_FAIL",      ROLE_AUTHWORKER, ROLE_AUTH,       0, TALK },
	[MSG_TICKET] =         { "TICKET",         ROLE_AUTH,       ROLE_MASTER,     0, BODY_MAX },
	[MSG_HANDOFF] =        { "HANDOFF",        FRONTS,          ROLE_MASTER,     1, BODY_MAX },
	[MSG_HANDOFF_OK] =     { "HANDOFF_OK",     ROLE_MASTER,     FRONTS,          0, SMALL },
	[MSG_HANDOFF_FAIL] =   { "HANDOFF_FAIL",   ROLE_MASTER,     FRONTS,          0, SMALL },
	[MSG_ASSIGN] =         { "ASSIGN",         ROLE_MASTER,     ROLE_WORKER,     0, BODY_MAX },
	[MSG_ATTACH] =         { "ATTACH",         ROLE_MASTER,     ROLE_WORKER,     1, BODY_MAX },
	[MSG_SESSION_END] =    { "SESSION_END",    ROLE_WORKER,     ROLE_MASTER,     0, 0 },
	[MSG_IDLE_EXIT] =      { "IDLE_EXIT",      ROLE_WORKER,     ROLE_MASTER,     0, 0 },
	[MSG_KICK] =           { "KICK",           ROLE_MASTER,     ROLE_WORKER,     0, 0 },
	[MSG_LOCK_GRANT] =     { "LOCK_GRANT",     ROLE_MASTER,     ROLE_DOTLOCK,    1, TALK },
	[MSG_LOCK_DOOR] =      { "LOCK_DOOR",      ROLE_MASTER,     ROLE_WORKER,     1, TALK },
	[MSG_LOCK_TAKE] =      { "LOCK_TAKE",      ROLE_WORKER,     ROLE_DOTLOCK,    0, 0 },
	[MSG_LOCK_ANSWER] =    { "LOCK_ANSWER",    ROLE_DOTLOCK,    ROLE_WORKER,     0, SMALL },
	[MSG_LOCK_DROP] =      { "LOCK_DROP",      ROLE_WORKER,     ROLE_DOTLOCK,    0, 0 },
	[MSG_CTL_REQUEST] =    { "CTL_REQUEST",    ROLE_CONTROL,    ROLE_MASTER,     0, TALK },
	[MSG_CTL_REPLY] =      { "CTL_REPLY",      ROLE_MASTER,     ROLE_CONTROL,    0, BODY_MAX },
	[MSG_DLV_STAGE] =      { "DLV_STAGE",      ROLE_LOGIN,      ROLE_WORKER,     0, TALK },
	[MSG_DLV_STAGED] =     { "DLV_STAGED",     ROLE_WORKER,     ROLE_LOGIN,      1, SMALL },
	[MSG_DLV_COMMIT] =     { "DLV_COMMIT",     ROLE_LOGIN,      ROLE_WORKER,     0, SMALL },
	[MSG_DLV_ABORT] =      { "DLV_ABORT",      ROLE_LOGIN,      ROLE_WORKER,     0, 0 },
	[MSG_DLV_RESULT] =     { "DLV_RESULT",     ROLE_WORKER,     ROLE_LOGIN,      0, TALK },
};

const struct msg_row *msg_row(unsigned type)
{
	return type < MSG_TYPES && msg_rows[type].name ? &msg_rows[type] : NULL;
}

const char *msg_role_name(enum msg_role role)
{
	switch (role) {
	case ROLE_MASTER:
		return "master";
	case ROLE_LOGIN:
		return "login";
	case ROLE_AUTH:
		return "auth";
	case ROLE_AUTHWORKER:
		return "auth-worker";
	case ROLE_WORKER:
		return "worker";
	case ROLE_CONTROL:
		return "control";
	case ROLE_DOTLOCK:
		return "dotlock";
	}
	return "unknown";
}

enum { CONN_WORD_MAX = 64, CONN_TEXT_MAX = 256, USER_NAME_MAX = 1024, USER_PATH_MAX = 4096 };

void msg_put_conn(struct msg *m, const struct msg_conn *c)
{
	msg_put_span(m, c->service);
	msg_put_span(m, c->session);
	msg_put_span(m, c->rip);
	msg_put_span(m, c->lip);
	msg_put_u16(m, c->rport);
	msg_put_u16(m, c->lport);
	msg_put_bool(m, c->secured);
	msg_put_span(m, c->tls);
}

void msg_get_conn(struct msg_in *m, struct msg_conn *c_r)
{
	c_r->service = msg_get_str(m, CONN_WORD_MAX);
	c_r->session = msg_get_str(m, CONN_WORD_MAX);
	c_r->rip = msg_get_str(m, CONN_WORD_MAX);
	c_r->lip = msg_get_str(m, CONN_WORD_MAX);
	c_r->rport = msg_get_u16(m);
	c_r->lport = msg_get_u16(m);
	c_r->secured = msg_get_bool(m);
	c_r->tls = msg_get_str(m, CONN_TEXT_MAX);
}

void msg_put_user(struct msg *m, const struct msg_user *u)
{
	msg_put_span(m, u->user);
	msg_put_u32(m, u->uid);
	msg_put_u32(m, u->gid);
	msg_put_span(m, u->home);
	msg_put_span(m, u->mail);
	msg_put_span(m, u->extra);
}

void msg_get_user(struct msg_in *m, struct msg_user *u_r)
{
	u_r->user = msg_get_str(m, USER_NAME_MAX);
	u_r->uid = msg_get_u32(m);
	u_r->gid = msg_get_u32(m);
	u_r->home = msg_get_str(m, USER_PATH_MAX);
	u_r->mail = msg_get_str(m, USER_PATH_MAX);
	u_r->extra = msg_get_blob(m, 16384);
	if (u_r->user.n == 0 || (u_r->extra.n && u_r->extra.p[u_r->extra.n - 1] != '\0'))
		m->bad = true;
}

bool msg_extra_next(struct span *extra, struct span *key_r, struct span *value_r)
{
	struct span pair;
	size_t eq;

	if (!span_split(extra, '\0', &pair))
		return false;
	eq = span_find(pair, '=');
	*key_r = span_cut(pair, 0, eq == SIZE_MAX ? pair.n : eq);
	*value_r = span_from(pair, eq == SIZE_MAX ? pair.n : eq + 1);
	return true;
}

struct span msg_extra_location(struct span extra, const char *namespace)
{
	struct span key, value, name;

	while (msg_extra_next(&extra, &key, &value)) {
		if (!span_starts(key, SPAN("namespace/")) || !span_ends(key, SPAN("/location")))
			continue;
		name = span_cut(key, 10, key.n < 19 ? 0 : key.n - 19);
		if (span_eq_str(name, namespace))
			return value;
	}
	return SPAN("");
}
