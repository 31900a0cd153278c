/* THE process table: every kind of helper, one row each. The order is the order of starting: who asks auth
 * comes behind it, and so learns of it before he listens for clients. */
#include "master.h"

#include <stdlib.h>
#include <unistd.h>

static unsigned count_login(const struct conf *c)
{
	uint64_t n = conf_u64(c, CONF_LOGIN_PROCESSES);
	return n < 1 ? 1 : n > 64 ? 64 : (unsigned)n;
}

static unsigned count_one(const struct conf *c)
{
	return 1;
}

/* Verifying a password is processor work: one a core, two at least so that one slow lookup does not stop all. */
static unsigned count_authworker(const struct conf *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t most = conf_u64(c, CONF_AUTH_WORKER_MAX_COUNT);
	unsigned n = cores < 2 ? 2 : cores > 16 ? 16 : (unsigned)cores;
	return most < 1 ? 1 : most < n ? (unsigned)most : n;
}

static unsigned count_spares(const struct conf *c)
{
	uint64_t n = conf_u64(c, CONF_WORKER_SPARES);
	return n > 256 ? 256 : (unsigned)n;
}

/* Without root it could do no more than the workers. */
static unsigned count_dotlock(const struct conf *c)
{
	char *dir = geteuid() == 0 ? spool_dir(c) : NULL;
	bool wanted = dir != NULL && spool_gid(c) != (gid_t)-1;
	free(dir);
	return wanted;
}

_Static_assert(PROC_AUTH < PROC_LOGIN && PROC_AUTH < PROC_CONTROL, "auth is started before those who ask it");

const struct proc_row proc_rows[PROC_ROWS] = {
	[PROC_AUTH] = { ROLE_AUTH, CONF_AUTH, "auth", "roost-auth", PROC_USER_INTERNAL, true,
			ROLE_LOGIN | ROLE_CONTROL | ROLE_AUTHWORKER, count_one },
	[PROC_AUTHWORKER] = { ROLE_AUTHWORKER, CONF_AUTH, "auth-worker", "roost-auth-worker",
			      PROC_USER_ROOT, false, ROLE_AUTH, count_authworker },
	[PROC_LOGIN] = { ROLE_LOGIN, CONF_LOGIN, "login", "roost-login", PROC_USER_LOGIN, true,
			 ROLE_AUTH, count_login },
	[PROC_CONTROL] = { ROLE_CONTROL, CONF_CONTROL, "control", "roost-control",
			   PROC_USER_INTERNAL, true, ROLE_AUTH, count_one },
	[PROC_DOTLOCK] = { ROLE_DOTLOCK, CONF_DOTLOCK, "dotlock", "roost-dotlock", PROC_USER_SPOOL, true, 0,
			   count_dotlock },
	[PROC_WORKER] = { ROLE_WORKER, CONF_WORKER, "worker", "roost-worker", PROC_USER_LATER,
			  false, 0, count_spares },
};
