#include "fakelogin.h"

#include "base/mem.h"
#include "base/must.h"
#include "conf/load.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* The certificate is some file: what TLS there is the test brings along. */
static const char settings_always[] =
	"ssl = yes\nssl_cert = </etc/passwd\nssl_key = </etc/passwd\n"
	"disable_plaintext_auth = no\nauth_mechanisms = plain login\nhostname = mail.test\n"
	"login_greeting = Ready.\nmail_location = maildir:~/Maildir\n"
	"passdb {\ndriver = passwd-file\nargs = /nowhere\n}\n"
	"userdb {\ndriver = static\nargs = uid=1000 gid=1000 home=/nowhere\n}\n";

/* --- auth ------------------------------------------------------------------------------------ */

static void put_ticket(struct msg *m)
{
	char ticket[TICKET_SIZE] = "0123456789abcde";

	msg_put_span(m, span_of(ticket, sizeof(ticket)));
}

static enum err auth_judge(struct chan *c, uint32_t id, struct span reply)
{
	struct span rest = reply, user, password;
	struct msg m;

	span_split(&rest, '\0', &user);
	password = SPAN("");
	if (!span_split(&rest, '\0', &user))
		user = SPAN("");
	span_split(&rest, '\0', &password);
	if (span_eq_str(password, "secret")) {
		msg_init(&m, MSG_AUTH_OK, id);
		msg_put_span(&m, user);
		put_ticket(&m);
	} else {
		msg_init(&m, MSG_AUTH_FAIL, id);
		msg_put_u8(&m, span_starts(user, SPAN("temp")) ? AUTH_FAIL_TEMP : AUTH_FAIL_BAD);
		msg_put_str(&m, "");
		msg_put_span(&m, span_cut(user, 0, LOGIN_USER_MAX));
	}
	chan_send(c, &m);
	return ERR_OK;
}

static enum err auth_start(void *ctx, struct chan *c, struct msg_in *in)
{
	struct msg_conn conn;
	bool has_initial;
	struct span initial;
	struct msg m;

	msg_get_conn(in, &conn);
	msg_get_str(in, 64);
	has_initial = msg_get_bool(in);
	initial = msg_get_blob(in, 16384);
	must(msg_end(in));
	if (has_initial)
		return auth_judge(c, in->id, initial);
	msg_init(&m, MSG_AUTH_CHALLENGE, in->id);
	msg_put_str(&m, "");
	chan_send(c, &m);
	return ERR_OK;
}

static enum err auth_cont(void *ctx, struct chan *c, struct msg_in *in)
{
	struct span data = msg_get_blob(in, 16384);

	must(msg_end(in));
	return auth_judge(c, in->id, data);
}

static enum err auth_abort(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake *f = ctx;

	f->aborted++;
	return ERR_OK;
}

void fake_answer_late(struct fake *f, uint32_t id, const char *user)
{
	struct msg m;

	msg_init(&m, MSG_USER_OK, id);
	msg_put_str(&m, user);
	put_ticket(&m);
	chan_send(f->auth, &m);
	fake_run(f);
}

static enum err auth_lookup(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake *f = ctx;
	struct msg_conn conn;
	struct span user;
	struct msg m;

	msg_get_conn(in, &conn);
	user = msg_get_str(in, LOGIN_USER_MAX);
	must(msg_end(in));
	f->late_id = in->id;
	if (f->slow)
		return ERR_OK;
	if (span_starts(user, SPAN("nobody")) || span_starts(user, SPAN("temp"))) {
		msg_init(&m, MSG_USER_FAIL, in->id);
		msg_put_u8(&m, *user.p == 'n' ? AUTH_FAIL_NOUSER : AUTH_FAIL_TEMP);
	} else {
		msg_init(&m, MSG_USER_OK, in->id);
		msg_put_span(&m, user);
		put_ticket(&m);
	}
	chan_send(c, &m);
	return ERR_OK;
}

static const struct chan_row auth_rows[] = {
	{ MSG_AUTH_START, auth_start },
	{ MSG_AUTH_CONT, auth_cont },
	{ MSG_AUTH_ABORT, auth_abort },
	{ MSG_USER_LOOKUP, auth_lookup },
};

/* --- worker ---------------------------------------------------------------------------------- */

static void worker_result(struct chan *c, uint16_t code, const char *enhanced, const char *text)
{
	struct msg m;

	msg_init(&m, MSG_DLV_RESULT, 0);
	msg_put_u16(&m, code);
	msg_put_str(&m, enhanced);
	msg_put_str(&m, text);
	chan_send(c, &m);
}

static enum err worker_stage(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake_mail *d = ctx;
	struct span sender = msg_get_str(in, 1024), to = msg_get_str(in, 1024);
	struct msg m;
	int fd;

	snprintf(d->sender, sizeof(d->sender), "%.*s", (int)sender.n, sender.p);
	snprintf(d->recipient, sizeof(d->recipient), "%.*s", (int)to.n, to.p);
	if (d->f->mute)
		return ERR_OK;
	if (d->f->stage_fails && span_starts(to, SPAN("full"))) {
		worker_result(c, 552, "5.2.2", "Quota exceeded");
		return ERR_OK;
	}
	d->staged = true;
	d->fd = memfd_create("mail", MFD_CLOEXEC);
	fd = fcntl(d->fd, F_DUPFD_CLOEXEC, 0);
	msg_init(&m, MSG_DLV_STAGED, 0);
	msg_put_u64(&m, 1 << 20);
	chan_send_fds(c, &m, &fd, 1);
	return ERR_OK;
}

static enum err worker_commit(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake_mail *d = ctx;
	uint64_t size = msg_get_u64(in);

	must(msg_end(in) && d->staged && !d->committed);
	must((uint64_t)lseek(d->fd, 0, SEEK_END) == size);
	must(buf_reserve(&d->content, (size_t)size + 1));
	must(pread(d->fd, d->content.p, (size_t)size, 0) == (ssize_t)size);
	d->content.n = (size_t)size;
	if (d->f->commit_fails && strncmp(d->recipient, "full", 4) == 0) {
		worker_result(c, 451, "4.3.0", "disk\r\nfull");
		return ERR_OK;
	}
	d->committed = true;
	worker_result(c, 250, "2.0.0", "id Saved");
	return ERR_OK;
}

static enum err worker_abort(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake_mail *d = ctx;

	d->staged = false;
	return ERR_OK;
}

static const struct chan_row worker_rows[] = {
	{ MSG_DLV_STAGE, worker_stage },
	{ MSG_DLV_COMMIT, worker_commit },
	{ MSG_DLV_ABORT, worker_abort },
};

static void worker_closed(void *ctx, struct chan *c, enum err why)
{
	struct fake_mail *d = ctx;

	must(why == ERR_CLOSED);
	chan_free(&d->chan);
	if (d->fd > 0)
		close(d->fd);
	d->fd = -1;
}

/* --- master ---------------------------------------------------------------------------------- */

static void handoff_answer(struct chan *c, uint32_t id, bool fails)
{
	struct msg m;

	msg_init(&m, fails ? MSG_HANDOFF_FAIL : MSG_HANDOFF_OK, id);
	if (fails) {
		msg_put_u8(&m, ERR_LIMIT);
		msg_put_str(&m, "Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)");
	} else {
		msg_put_u32(&m, 42);
	}
	chan_send(c, &m);
}

static void take_delivery(struct fake *f, struct span detail, int fd)
{
	struct fake_mail *d = &f->mail[f->mails++];

	*d = (struct fake_mail){ .f = f, .fd = -1 };
	buf_init(&d->content, 1 << 22);
	snprintf(d->detail, sizeof(d->detail), "%.*s", (int)(detail.n < 63 ? detail.n : 63), detail.p);
	d->chan = chan_new(f->loop, fd, ROLE_WORKER, ROLE_LOGIN, worker_rows, ARRAY_LEN(worker_rows), worker_closed, d);
}

static enum err master_handoff(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake *f = ctx;
	char ticket[TICKET_SIZE];
	struct msg_conn conn;
	struct span tag, input;
	bool fails = f->handoff_fails || f->mails == FAKE_MAIL_MAX;

	msg_get_bytes(in, ticket, sizeof(ticket));
	msg_get_conn(in, &conn);
	tag = msg_get_str(in, 1024);
	input = msg_get_blob(in, 49152);
	must(msg_end(in) && in->nfd == 1);
	buf_printf(&f->handed, "%.*s|%.*s|%.*s|", (int)conn.service.n, conn.service.p, (int)tag.n, tag.p, (int)input.n,
		   input.n > 0 ? input.p : "");
	if (!fails && span_eq_str(conn.service, "lmtp")) {
		take_delivery(f, tag, msg_take_fd(in));
	} else if (!fails) {
		if (f->session >= 0)
			close(f->session);
		f->session = msg_take_fd(in);
		must(dprintf(f->session, "%.*s OK Logged in\r\n", (int)tag.n, tag.p) > 0);
	}
	handoff_answer(c, in->id, fails);
	return ERR_OK;
}

static enum err master_peer_lost(void *ctx, struct chan *c, struct msg_in *in)
{
	struct fake *f = ctx;

	must(msg_end(in));
	f->peers_lost++;
	return ERR_OK;
}

static const struct chan_row master_rows[] = {
	{ MSG_HANDOFF, master_handoff },
	{ MSG_PEER_LOST, master_peer_lost },
};

static enum err on_login_answer(void *ctx, struct chan *c, struct msg_in *m)
{
	return login_answer(ctx, m);
}

static const struct chan_row login_rows[] = {
	{ MSG_HANDOFF_OK, on_login_answer },
	{ MSG_HANDOFF_FAIL, on_login_answer },
};

static void never_closed(void *ctx, struct chan *c, enum err why)
{
	fprintf(stderr, "channel ended: %s\n", chan_why(c));
	must(why == ERR_CLOSED);
}

/* --- the test's side ---------------------------------------------------------------------------- */

void fake_start(struct fake *f, const char *settings)
{
	struct buf text, errors, warnings;
	int master[2], auth[2];

	*f = (struct fake){ .client = -1, .session = -1 };
	buf_init(&text, 65536);
	buf_init(&errors, 65536);
	buf_init(&warnings, 65536);
	buf_add_str(&text, settings_always);
	buf_add_str(&text, settings);
	if (conf_load_text(buf_span(&text), "test", CONF_LOAD_NO_FILES, &f->conf, &errors, &warnings) != ERR_OK) {
		fprintf(stderr, "%s", buf_cstr(&errors));
		abort();
	}
	buf_free(&text);
	buf_free(&errors);
	buf_free(&warnings);
	buf_init(&f->out, 1 << 24);
	buf_init(&f->handed, 1 << 24);
	f->loop = loop_new();
	must(chan_pair(master) == ERR_OK && chan_pair(auth) == ERR_OK);
	f->login_master = chan_new(f->loop, master[0], ROLE_LOGIN, ROLE_MASTER, login_rows, ARRAY_LEN(login_rows),
				   never_closed, &f->login);
	f->master = chan_new(f->loop, master[1], ROLE_MASTER, ROLE_LOGIN, master_rows, ARRAY_LEN(master_rows),
			     never_closed, f);
	f->auth = chan_new(f->loop, auth[1], ROLE_AUTH, ROLE_LOGIN, auth_rows, ARRAY_LEN(auth_rows), never_closed, f);
	f->login = (struct login){
		.loop = f->loop,
		.master = f->login_master,
		.conf = f->conf,
		.waiting_max = 10,
		.clients_max = 1000,
		.hostname = "mail.test",
	};
	login_set_auth(&f->login, auth[0]);
}

void fake_connect_tls(struct fake *f, const struct front *front, bool tls)
{
	int fd[2];

	fake_hang_up(f);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	f->client = fd[1];
	f->client_eof = false;
	login_accept(&f->login, front, tls, fd[0]);
	fake_run(f);
}

void fake_connect(struct fake *f, const struct front *front)
{
	fake_connect_tls(f, front, false);
}

struct rounds {
	struct loop *loop;
	unsigned left;
	struct loop_task task;
};

static void next_round(void *ctx)
{
	struct rounds *r = ctx;

	if (r->left-- > 0)
		loop_later(r->loop, &r->task, next_round, r);
	else
		loop_stop(r->loop);
}

static void take_output(struct fake *f)
{
	ssize_t n;

	while (f->client >= 0 && buf_reserve(&f->out, 65536)) {
		n = read(f->client, f->out.p + f->out.n, 65536);
		if (n <= 0) {
			f->client_eof |= n == 0 || errno != EAGAIN;
			return;
		}
		f->out.n += (size_t)n;
	}
}

void fake_run(struct fake *f)
{
	struct rounds r = { .loop = f->loop, .left = 40 };

	loop_later(f->loop, &r.task, next_round, &r);
	loop_run(f->loop);
	loop_task_stop(&r.task); /* login itself may have stopped the loop */
	take_output(f);
}

const char *fake_send(struct fake *f, struct span bytes)
{
	buf_clear(&f->out);
	do {
		ssize_t n = f->client >= 0 && bytes.n > 0 ? write(f->client, bytes.p, bytes.n) : 0;

		bytes = n > 0 ? span_from(bytes, (size_t)n) : bytes;
		fake_run(f);
		if (n < 0 && errno != EAGAIN)
			break;
	} while (bytes.n > 0 && !f->client_eof);
	return buf_cstr(&f->out);
}

const char *fake_say(struct fake *f, const char *text)
{
	return fake_send(f, span_str(text));
}

void fake_hang_up(struct fake *f)
{
	if (f->client >= 0)
		close(f->client);
	f->client = -1;
	fake_run(f);
}

void fake_stop(struct fake *f)
{
	fake_hang_up(f);
	if (f->session >= 0)
		close(f->session);
	login_quit(&f->login);
	fake_run(f);
	chan_free(&f->login.auth);
	chan_free(&f->auth);
	chan_free(&f->master);
	chan_free(&f->login_master);
	for (unsigned i = 0; i < f->mails; i++) {
		chan_free(&f->mail[i].chan);
		if (f->mail[i].fd >= 0)
			close(f->mail[i].fd);
		buf_free(&f->mail[i].content);
	}
	buf_free(&f->out);
	buf_free(&f->handed);
	loop_free(&f->loop);
	conf_free(&f->conf);
}
