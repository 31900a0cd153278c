/* roost-auth: routes authentication between logins, workers and the master. See route.h. */
#include "base/log.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/export.h"
#include "proc/helper.h"
#include "route.h"

struct auth {
	struct helper h;
	struct conf *conf;   /* own */
	struct route *route; /* own */
};

static enum err on_begin(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct confine c = { .landlock = true, .calls = CALLS_BASE };

	return helper_confine(ctx, m, &c);
}

static enum err on_peer(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct auth *a = h->ctx;
	uint32_t child = msg_get_u32(m);
	uint8_t role = msg_get_u8(m);

	if (!msg_end(m) || (role != ROLE_LOGIN && role != ROLE_CONTROL && role != ROLE_AUTHWORKER))
		return ERR_PROTO;
	return route_peer(a->route, child, role, msg_take_fd(m)) ? ERR_OK : ERR_PROTO;
}

static const struct chan_row rows[] = {
	HELPER_ROWS,
	{ MSG_BEGIN, on_begin },
	{ MSG_QUIT, helper_quit }, /* the logins are gone by then, or everything ends */
	{ MSG_PEER, on_peer },
};

int main(int argc, char **argv)
{
	struct auth a = { .route = NULL };

	helper_init(&a.h, argc, argv);
	if (conf_import(a.h.conf, CONF_AUTH, &a.conf) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "the configuration handed over cannot be read");
	helper_start(&a.h, ROLE_AUTH, rows, ARRAY_LEN(rows), conf_log_form(a.conf),
		     &a);
	log_debug_enable(conf_bool(a.conf, CONF_AUTH_DEBUG));
	a.route = route_new(a.h.loop, a.h.master, a.conf);
	loop_run(a.h.loop);
	route_free(&a.route);
	conf_free(&a.conf);
	helper_free(&a.h);
	return 0;
}
