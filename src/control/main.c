/*
 * roost-control: the administrator's unix socket. A client sends one line, words parted by TAB: a
 * command and its arguments. Lines come back, the last one "OK" or "ERR sentence". The kernel says
 * who asks; the table says who may.
 *
 * What concerns processes is the master's to answer; what concerns a user's mail goes to a worker,
 * exactly as a login does: auth names the user, a ticket buys a worker, and the worker gets the client's connection
 * with all that follows the first line (ipc/mailcmd.h).
 */
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/export.h"
#include "io/listen.h"
#include "io/stream.h"
#include "proc/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum { WORDS_MAX = 16, LINE_MAX_BYTES = 8192, CLIENTS_MAX = 64, DEADLINE_MS = 10000 };

struct client {
	struct control *control;
	uint32_t id;
	struct stream *stream; /* own */
	uid_t uid;
	bool asked;
	struct loop_timer deadline;
	struct client *prev, *next;
};

struct control {
	struct helper h;
	struct conf *conf; /* own */
	struct chan *auth; /* own; NULL: none now */
	struct acceptor *acceptor;
	struct client *clients;
	unsigned count;
	uint32_t next_id;
	uid_t own_uid;
	bool quitting;
};

/* --- clients ----------------------------------------------------------------------------- */

static void client_free(struct client *c)
{
	struct control *k = c->control;
	DL_DELETE(k->clients, c);
	k->count--;
	loop_timer_stop(k->h.loop, &c->deadline);
	stream_free(&c->stream);
	free(c);
	if (k->quitting && k->clients == NULL)
		loop_stop(k->h.loop);
}

static struct client *client_find(struct control *k, uint32_t id)
{
	struct client *c;
	DL_FOREACH (k->clients, c)
		if (c->id == id)
			return c;
	return NULL;
}

static void end(struct client *c, bool ok, const char *why)
{
	if (ok)
		stream_write_str(c->stream, "OK\n");
	else
		stream_printf(c->stream, "ERR %s\n", why);
	stream_finish(c->stream);
}

/* --- commands ---------------------------------------------------------------------------- */

static void ask_master(struct client *c, const struct span *word, size_t n)
{
	struct msg m;
	msg_init(&m, MSG_CTL_REQUEST, c->id);
	msg_put_span(&m, word[0]);
	msg_put_u32(&m, (uint32_t)(n - 1));
	for (size_t i = 1; i < n; i++)
		msg_put_span(&m, word[i]);
	chan_send(c->control->h.master, &m);
}

static const struct msg_conn adm_conn = {
	.service = { "adm", 3 },
	.session = { "adm", 3 },
	.secured = true,
};

/* The user: what to do with his mail is said to the worker. */
static void ask_worker(struct client *c, const struct span *word, size_t n)
{
	if (n < 2 || word[1].n == 0) {
		end(c, false, "which user?");
		return;
	}
	if (c->control->auth == NULL) {
		end(c, false, "authentication is not available now");
		return;
	}
	struct msg m;
	msg_init(&m, MSG_USER_LOOKUP, c->id);
	msg_put_conn(&m, &adm_conn);
	msg_put_span(&m, word[1]);
	chan_send(c->control->auth, &m);
	stream_pause(c->stream);
}

/* Only root and the account that the server runs as may ask; a command for everybody would say so here. */
static const struct {
	const char *name;
	void (*ask)(struct client *c, const struct span *word, size_t n);
	bool anybody;
} commands[] = {
	{ "kick", ask_master, false },	 { "mail", ask_worker, false },
	{ "reload", ask_master, false }, { "status", ask_master, false },
	{ "stop", ask_master, false },	 { "who", ask_master, false },
};

static void run_line(struct client *c, struct span line)
{
	struct span word[WORDS_MAX];
	size_t n = 0;
	while (n < WORDS_MAX && span_split(&line, '\t', &word[n]))
		n++;
	for (size_t i = 0; n > 0 && i < ARRAY_LEN(commands); i++) {
		if (!span_eq_str(word[0], commands[i].name))
			continue;
		if (commands[i].anybody || c->uid == 0 || c->uid == c->control->own_uid)
			commands[i].ask(c, word, n);
		else
			end(c, false, "permission denied");
		return;
	}
	end(c, false, "no such command");
}

static void on_input(void *ctx)
{
	struct client *c = ctx;
	struct span in = stream_input(c->stream);
	size_t eol = span_find(in, '\n');
	if (c->asked) {
		stream_consume(c->stream, in.n);
		return;
	}
	if (eol == SIZE_MAX)
		return;
	c->asked = true;
	loop_timer_stop(c->control->h.loop, &c->deadline);
	run_line(c, span_cut(in, 0, eol));
	stream_consume(c->stream, eol + 1);
}

/* A client may close its half after asking; it is gone when writing fails or all is said. */
static void on_closed(void *ctx, enum err why)
{
	client_free(ctx);
}

static const struct stream_handler client_handler = { .input = on_input, .closed = on_closed };

static void too_slow(void *ctx)
{
	client_free(ctx);
}

static void on_accept(void *ctx, int fd)
{
	static const struct stream_limits limits = { .in_max = LINE_MAX_BYTES };
	struct control *k = ctx;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	if (k->count >= CLIENTS_MAX || !net_peer_cred(fd, &pid, &uid, &gid)) {
		close(fd);
		return;
	}
	struct client *c = mem_alloc(sizeof(*c));
	c->control = k;
	c->id = ++k->next_id;
	c->uid = uid;
	c->stream = stream_new(k->h.loop, fd, &limits, &client_handler, c);
	loop_timer_set(k->h.loop, &c->deadline, DEADLINE_MS, too_slow, c);
	DL_APPEND(k->clients, c);
	k->count++;
}

/* --- the master's answers ------------------------------------------------------------------ */

static enum err on_ctl_reply(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct client *c = client_find(h->ctx, m->id);
	bool final = msg_get_bool(m), ok = msg_get_bool(m);
	struct span text = msg_get_str(m, MSG_MAX);
	if (!msg_end(m))
		return ERR_PROTO;
	if (c == NULL)
		return ERR_OK;
	if (ok || !final)
		stream_write(c->stream, text);
	if (final && ok) {
		end(c, true, NULL);
	} else if (final) {
		char why[512];
		snprintf(why, sizeof(why), "%.*s", (int)span_trim(text).n, span_trim(text).p);
		end(c, false, why[0] != '\0' ? why : "nothing matches");
	}
	return ERR_OK;
}

static enum err on_handoff_ok(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct client *c = client_find(h->ctx, m->id);
	(void)msg_get_u32(m);
	if (!msg_end(m))
		return ERR_PROTO;
	if (c != NULL)
		client_free(c);
	return ERR_OK;
}

static enum err on_handoff_fail(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct client *c = client_find(h->ctx, m->id);
	(void)msg_get_u8(m);
	(void)msg_get_str(m, 1024);
	if (!msg_end(m))
		return ERR_PROTO;
	if (c != NULL)
		end(c, false, "no worker can be had for the user (see the log)");
	return ERR_OK;
}

/* --- auth ---------------------------------------------------------------------------------- */

/*
 * The worker gets the connection itself. Ours stays open until it has it, for the master may refuse; nothing is read from
 * it any more, and what had been goes along.
 */
static bool hand_over(struct client *c, const uint8_t ticket[TICKET_SIZE])
{
	struct control *k = c->control;
	struct buf input;
	struct msg m;
	int fd, copy;
	buf_init(&input, LINE_MAX_BYTES);
	if (stream_take_fd(&c->stream, &fd, &input) != ERR_OK) {
		buf_free(&input);
		return false;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	c->stream = stream_new(k->h.loop, fd, NULL, &client_handler, c);
	stream_pause(c->stream);
	if (copy >= 0) {
		msg_init(&m, MSG_HANDOFF, c->id);
		msg_put_span(&m, span_of(ticket, TICKET_SIZE));
		msg_put_conn(&m, &adm_conn);
		msg_put_span(&m, span_of(NULL, 0));
		msg_put_span(&m, buf_span(&input));
		chan_send_fds(k->h.master, &m, &copy, 1);
	}
	buf_free(&input);
	return copy >= 0;
}

static enum err on_user_ok(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct control *k = ctx;
	struct client *c = client_find(k, in->id);
	uint8_t ticket[TICKET_SIZE];
	(void)msg_get_str(in, 1024);
	msg_get_bytes(in, ticket, sizeof(ticket));
	if (!msg_end(in))
		return ERR_PROTO;
	if (c == NULL)
		return ERR_OK;
	if (!hand_over(c, ticket))
		end(c, false, "out of descriptors");
	return ERR_OK;
}

static enum err on_user_fail(void *ctx, struct chan *ch, struct msg_in *in)
{
	struct control *k = ctx;
	struct client *c = client_find(k, in->id);
	uint8_t code = msg_get_u8(in);
	if (!msg_end(in))
		return ERR_PROTO;
	if (c != NULL)
		end(c, false,
		    code == AUTH_FAIL_NOUSER ? "no such user"
					     : "the user cannot be looked up now (see the log)");
	return ERR_OK;
}

static const struct chan_row auth_rows[] = {
	{ MSG_USER_OK, on_user_ok },
	{ MSG_USER_FAIL, on_user_fail },
};

static void auth_closed(void *ctx, struct chan *ch, enum err why)
{
	struct control *k = ctx;
	chan_free(&k->auth);
	chan_send_empty(k->h.master, MSG_PEER_LOST, 0);
}

/* --- life ---------------------------------------------------------------------------------- */

static enum err on_begin(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct confine c = { .landlock = true, .calls = CALLS_BASE | CALLS_SOCKET };
	return helper_confine(ctx, m, &c);
}

static enum err on_peer(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct control *k = h->ctx;
	(void)msg_get_u32(m);
	uint8_t role = msg_get_u8(m);
	if (!msg_end(m) || role != ROLE_AUTH)
		return ERR_PROTO;
	chan_free(&k->auth);
	k->auth = chan_new(h->loop, msg_take_fd(m), ROLE_CONTROL, ROLE_AUTH, auth_rows,
			   ARRAY_LEN(auth_rows), auth_closed, k);
	return ERR_OK;
}

static enum err on_listen(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct control *k = h->ctx;
	(void)msg_get_str(m, 64);
	(void)msg_get_bool(m);
	if (!msg_end(m) || k->acceptor != NULL)
		return ERR_PROTO;
	k->acceptor = acceptor_new(h->loop, msg_take_fd(m), on_accept, k);
	return ERR_OK;
}

static enum err on_quit(void *ctx, struct chan *ch, struct msg_in *m)
{
	struct helper *h = ctx;
	struct control *k = h->ctx;
	k->quitting = true;
	acceptor_free(&k->acceptor);
	if (k->clients == NULL)
		loop_stop(h->loop);
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static const struct chan_row rows[] = {
	HELPER_ROWS,
	{ MSG_BEGIN, on_begin },
	{ MSG_QUIT, on_quit },
	{ MSG_PEER, on_peer },
	{ MSG_LISTEN, on_listen },
	{ MSG_CTL_REPLY, on_ctl_reply },
	{ MSG_HANDOFF_OK, on_handoff_ok },
	{ MSG_HANDOFF_FAIL, on_handoff_fail },
};

int main(int argc, char **argv)
{
	struct control k = { .own_uid = geteuid() };
	helper_init(&k.h, argc, argv);
	if (conf_import(k.h.conf, CONF_CONTROL, &k.conf) != ERR_OK)
		log_fatal(EXIT_INTERNAL, "the configuration handed over cannot be read");
	helper_start(&k.h, ROLE_CONTROL, rows, ARRAY_LEN(rows),
		     conf_log_form(k.conf), &k);
	loop_run(k.h.loop);
	chan_free(&k.auth);
	conf_free(&k.conf);
	helper_free(&k.h);
	return 0;
}
