/* roost-login: what the master starts. Reads its settings, loads the key, is confined, serves. */
#include "base/log.h"
#include "base/mem.h"
#include "conf/export.h"
#include "login.h"
#include "proc/helper.h"

#include <sys/resource.h>
#include <unistd.h>
#include <utlist.h>

enum { EXIT_CONF = 89, FILES_MAX = 65536, LISTENERS_MAX = 256 };

struct listener {
	struct login *login;    /* borrowed */
	const struct front *front;
	bool tls;
	int fd;                 /* own */
	struct acceptor *acceptor; /* own */
	struct listener *next;
};

struct program {
	struct helper helper;
	struct login login;
	struct conf *conf;      /* own */
	struct listener *listeners; /* own */
	unsigned listening;
};

static struct program *program_of(void *ctx)
{
	struct helper *h = ctx;

	return h->ctx;
}

/* --- listeners ------------------------------------------------------------------------------ */

static void on_accept(void *ctx, int fd_take)
{
	struct listener *l = ctx;

	login_accept(l->login, l->front, l->tls, fd_take);
}

static const struct front *front_of(struct span protocol)
{
	if (span_eq_str(protocol, "imap"))
		return &front_imap;
	return span_eq_str(protocol, "lmtp") ? &front_lmtp : NULL;
}

static enum err on_listen(void *ctx, struct chan *chan, struct msg_in *m)
{
	struct program *p = program_of(ctx);
	const struct front *front = front_of(msg_get_str(m, 16));
	bool tls = msg_get_bool(m);
	struct listener *l;

	if (!msg_end(m) || !front || p->listening >= LISTENERS_MAX)
		return ERR_PROTO;
	if (p->login.quitting)
		return ERR_OK;
	l = mem_alloc(sizeof(*l));
	*l = (struct listener){ .login = &p->login, .front = front, .tls = tls, .fd = msg_take_fd(m) };
	l->acceptor = acceptor_new(p->helper.loop, l->fd, on_accept, l);
	acceptor_pause(l->acceptor, p->login.is_full);
	LL_PREPEND(p->listeners, l);
	p->listening++;
	return ERR_OK;
}

static void stop_listening(struct program *p)
{
	struct listener *l, *next;

	LL_FOREACH_SAFE(p->listeners, l, next) {
		acceptor_free(&l->acceptor);
		close(l->fd);
		free(l);
	}
	p->listeners = NULL;
}

/* --- messages of the master --------------------------------------------------------------------- */

/* Other login processes have room, or those who come wait in the queue of the listener. */
static void on_full(void *ctx, bool full)
{
	struct program *p = ctx;
	struct listener *l;

	if (full)
		log_warning("%u connections are all that the limit of open files allows: no more for now",
			    p->login.clients_max);
	LL_FOREACH(p->listeners, l)
		acceptor_pause(l->acceptor, full);
}

/* A connection and its way to a worker; an eighth is for deliveries and what else there is. */
static unsigned count_clients(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur > FILES_MAX)
		lim.rlim_cur = FILES_MAX;
	return (unsigned)(lim.rlim_cur - lim.rlim_cur / 8) / 2;
}

static enum err on_begin(void *ctx, struct chan *chan, struct msg_in *m)
{
	struct program *p = program_of(ctx);
	struct confine confine = {
		.landlock = true,
		.calls = CALLS_BASE | CALLS_SOCKET,
		.files_max = FILES_MAX,
	};
	enum err e = helper_confine(&p->helper, m, &confine);

	p->login.clients_max = count_clients();
	p->login.full = on_full;
	p->login.full_ctx = p;
	return e;
}

static enum err on_peer(void *ctx, struct chan *chan, struct msg_in *m)
{
	struct program *p = program_of(ctx);
	uint8_t role;

	msg_get_u32(m);
	role = msg_get_u8(m);
	if (!msg_end(m) || role != ROLE_AUTH)
		return ERR_PROTO;
	login_set_auth(&p->login, msg_take_fd(m));
	return ERR_OK;
}

static enum err on_quit(void *ctx, struct chan *chan, struct msg_in *m)
{
	struct program *p = program_of(ctx);

	stop_listening(p);
	login_quit(&p->login);
	return ERR_OK;
}

static enum err on_answer(void *ctx, struct chan *chan, struct msg_in *m)
{
	return login_answer(&program_of(ctx)->login, m);
}

static const struct chan_row rows[] = {
	HELPER_ROWS,
	{ MSG_BEGIN, on_begin },
	{ MSG_LISTEN, on_listen },
	{ MSG_PEER, on_peer },
	{ MSG_QUIT, on_quit },
	{ MSG_HANDOFF_OK, on_answer },
	{ MSG_HANDOFF_FAIL, on_answer },
};

/* --- start ------------------------------------------------------------------------------------ */

/* *srv_r stays NULL without ssl, or when it fails. */
static enum err make_tls(const struct conf *c, struct tls_server **srv_r, struct errtext *why)
{
	struct tls_settings set = {
		.cert = conf_file(c, CONF_SSL_CERT),
		.key = conf_file(c, CONF_SSL_KEY),
		.min_protocol = conf_str(c, CONF_SSL_MIN_PROTOCOL),
		.ciphers = conf_str(c, CONF_SSL_CIPHER_LIST),
		.prefer_server_ciphers = conf_bool(c, CONF_SSL_PREFER_SERVER_CIPHERS),
	};

	*srv_r = NULL;
	/* LMTP alone may do without a certificate. */
	if (conf_enum(c, CONF_SSL) == CONF_SSL_NO || set.cert.n == 0 || set.key.n == 0)
		return ERR_OK;
	return tls_server_new(&set, srv_r, why);
}

static struct tls_server *load_tls(const struct conf *c)
{
	struct tls_server *srv;
	struct errtext why;

	if (make_tls(c, &srv, &why) != ERR_OK)
		log_error("TLS is off: %s", why.text);
	return srv;
}

/* For the master, before it depends on certificate and key. The exit status. */
static int try_settings(struct program *p)
{
	struct log_form form = conf_log_form(p->conf);
	struct tls_server *srv;
	struct errtext why;

	helper_log_begin(&form);
	if (make_tls(p->conf, &srv, &why) != ERR_OK) {
		log_error("%s", why.text);
		return 1;
	}
	tls_server_free(&srv);
	return 0;
}

static void set_up(struct program *p)
{
	struct login *l = &p->login;

	if (conf_import(p->helper.conf, CONF_LOGIN, &p->conf) != ERR_OK)
		log_fatal(EXIT_CONF, "the master's settings cannot be read");
	l->loop = p->helper.loop;
	l->conf = p->conf;
	l->waiting_max = (unsigned)conf_u64(p->conf, CONF_DEFAULT_CLIENT_LIMIT);
	snprintf(l->hostname, sizeof(l->hostname), "%s", conf_str(p->conf, CONF_HOSTNAME));
	if (!*l->hostname && gethostname(l->hostname, sizeof(l->hostname) - 1) != 0)
		snprintf(l->hostname, sizeof(l->hostname), "localhost");
}

int main(int argc, char **argv)
{
	static struct program p; /* main.c may have one */

	helper_init(&p.helper, argc, argv);
	set_up(&p);
	if (strcmp(p.helper.self.name, CHILD_TRY) == 0)
		return try_settings(&p);
	helper_start(&p.helper, ROLE_LOGIN, rows, sizeof(rows) / sizeof(rows[0]), conf_log_form(p.conf), &p);
	p.login.master = p.helper.master;
	p.login.tls = load_tls(p.conf);
	loop_run(p.helper.loop);
	chan_free(&p.login.auth);
	tls_server_free(&p.login.tls);
	conf_free(&p.conf);
	helper_free(&p.helper);
	return 0;
}
