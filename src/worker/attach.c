/* What the master attaches, and its end. */
#include "worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "lmtp/delivery.h"
#include "wire/imap_speech.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum { TAG_MAX = 1024, INPUT_MAX = 32768 };

static void job_free(struct job *j)
{
	DL_DELETE(j->w->jobs, j);
	jobs_free(&j->admin);
	if (j->a != NULL)
		account_release(j->a, !span_eq_str(span_str(j->service), "adm"));
	if (j->fd >= 0)
		close(j->fd);
	free(j->service);
	free(j->id);
	free(j->rip);
	free(j->name);
	if (j->own_conf != NULL)
		conf_free(&j->own_conf);
	free(j);
}

static void linger(void *ctx)
{
	struct worker *w = ctx;
	if (w->jobs == NULL)
		chan_send_empty(w->h.master, MSG_IDLE_EXIT, 0);
}

void job_end(struct job *j)
{
	struct worker *w = j->w;
	chan_send_empty(w->h.master, MSG_SESSION_END, j->number);
	job_free(j);
	if (w->jobs != NULL)
		return;
	if (w->quitting)
		loop_stop(w->h.loop);
	else
		loop_timer_set(w->h.loop, &w->linger, conf_u64(w->conf, CONF_WORKER_LINGER), linger,
			       w);
}

/* "imap(user)<pid><session>", as mail_log_prefix is by default. */
static char *job_name(const struct job *j, struct span user)
{
	char quoted[256];
	return mem_printf("%s(%s)<%d><%s>", j->service, log_quote(user, quoted, sizeof(quoted)),
			  (int)getpid(), j->id);
}

static struct job *job_new(struct worker *w, uint32_t number, const struct msg_conn *conn,
			   const struct msg_user *user)
{
	struct job *j = mem_alloc(sizeof(*j));
	j->w = w;
	j->number = number;
	j->fd = -1;
	j->service = span_dup(conn->service);
	j->id = span_dup(conn->session);
	j->rip = span_dup(conn->rip);
	j->name = job_name(j, user->user);
	DL_APPEND(w->jobs, j);
	loop_timer_stop(w->h.loop, &w->linger);
	return j;
}

/* What the sections for his address say, and over that what the userdb says of him. */
static enum err take_settings(struct job *j, const struct msg_conn *conn, struct span extra,
			      struct errtext *t)
{
	char *lip = span_dup(conn->lip);
	struct conf_peer peer = { .protocol = j->service, .lip = lip, .rip = j->rip };
	const struct conf *view = conf_for(j->w->conf, &peer);
	struct span key, value;
	enum err e = ERR_OK;
	while (e == ERR_OK && msg_extra_next(&extra, &key, &value)) {
		struct errtext why;
		e = conf_user_set(view, &j->own_conf, key, value, &why);
		if (e == ERR_NOTFOUND)
			e = ERR_OK;
		if (e != ERR_OK)
			err_say(t, e, "userdb: %.*s: %s", (int)key.n, key.p, why.text);
	}
	j->conf = j->own_conf != NULL ? j->own_conf : view;
	free(lip);
	return e;
}

/* Takes fd in any case. */
static enum err start(struct job *j, const struct msg_conn *conn, const struct msg_user *user,
		      struct span tag, struct span input, int fd, struct errtext *t)
{
	struct account *a;
	enum err e = take_settings(j, conn, user->extra, t);
	if (e == ERR_OK)
		e = account_get(j->w, user, &a, t);
	if (e != ERR_OK) {
		close(fd);
		return e;
	}
	j->a = a;
	a->jobs++;
	if (strcmp(j->service, "imap") == 0)
		return imap_attach(j, conn, tag, input, fd);
	if (strcmp(j->service, "lmtp") == 0)
		return deliver_attach(j, conn, tag, fd);
	if (strcmp(j->service, "adm") == 0)
		return admin_attach(j, input, fd);
	close(fd);
	return err_say(t, ERR_PROTO, "unknown service");
}

/* A client that waits for the answer to its LOGIN must not hear silence. */
static void apologise(const char *service, int fd, struct span tag)
{
	if (strcmp(service, "imap") != 0)
		return;
	dprintf(fd,
		"%.*s NO [UNAVAILABLE] Internal error occurred. Refer to server log for more "
		"information.\r\n* BYE "
		"Internal error.\r\n",
		(int)tag.n, tag.p);
}

enum err attach(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;
	struct worker *w = h->ctx;
	struct msg_conn conn;
	struct msg_user user;
	struct errtext why = { "" };
	msg_get_conn(m, &conn);
	msg_get_user(m, &user);
	struct span tag = msg_get_str(m, TAG_MAX);
	struct span input = msg_get_blob(m, INPUT_MAX);
	if (!msg_end(m) || m->nfd != 1 || w->kind == 0)
		return ERR_PROTO;
	int fd = msg_take_fd(m);
	struct job *j = job_new(w, m->id, &conn, &user);
	j->fd = dup(fd);
	enum err e = start(j, &conn, &user, tag, input, fd, &why);
	if (e != ERR_OK) {
		log_write_as(j->name, LOG_LVL_ERROR, "cannot open the mail of the user: %s",
			     why.text[0] != '\0' ? why.text : err_name(e));
		apologise(j->service, j->fd, tag);
		job_end(j);
		return ERR_OK;
	}
	close(j->fd);
	j->fd = -1;
	return ERR_OK;
}

static void job_kick(struct job *j, const char *text)
{
	if (j->imap != NULL)
		imap_session_kick(j->imap, text);
	else if (j->admin != NULL)
		job_end(j);
}

enum err kick(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;
	struct worker *w = h->ctx;
	struct job *j;
	if (!msg_end(m))
		return ERR_PROTO;
	DL_FOREACH (w->jobs, j)
		if (j->number == m->id)
			break;
	if (j != NULL)
		job_kick(j, "Kicked out");
	return ERR_OK;
}

void jobs_quit(struct worker *w)
{
	struct job *j, *next;
	DL_FOREACH_SAFE (w->jobs, j, next)
		job_kick(j, "Server shutting down.");
}

void jobs_last_words(const struct worker *w)
{
	static const char words[] = IMAP_LAST_WORDS;
	const struct job *j;
	DL_FOREACH (w->jobs, j) {
		if (j->imap != NULL)
			imap_session_last_words(j->imap);
		else if (j->fd >= 0 && strcmp(j->service, "imap") == 0)
			send(j->fd, words, sizeof(words) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}
