/*
 * One recipient: looked up by auth, then a socket pair, one end of which goes through the master to the
 * owner's worker. A recipient is accepted only when that worker has it.
 */
#include "base/mem.h"
#include "base/must.h"
#include "lmtp.h"

#include <unistd.h>
#include <utlist.h>

static const struct chan_row worker_rows[] = {
	{ MSG_DLV_STAGED, lmtp_on_staged },
	{ MSG_DLV_RESULT, lmtp_on_result },
};

static struct rcpt *last(const struct lmtp *lm)
{
	return lm->rcpts ? lm->rcpts->prev : NULL;
}

/* Where the detail begins in the local part: behind the first delimiter that leaves a user. SIZE_MAX: none. */
static size_t find_detail(const struct lmtp *lm, const char *local)
{
	const char *delimiters = conf_str(lm->c->conf, CONF_RECIPIENT_DELIMITER);
	size_t at = *delimiters ? strcspn(local, delimiters) : 0;

	return at > 0 && local[at] ? at : SIZE_MAX;
}

static struct rcpt *rcpt_new(struct lmtp *lm, const struct lmtp_path *path)
{
	struct rcpt *r = mem_alloc(sizeof(*r));
	size_t at = find_detail(lm, path->local);
	size_t n = at < path->local_n ? at : path->local_n;

	r->lm = lm;
	r->fd = -1;
	r->address = span_dup(path->text);
	r->user = mem_printf("%.*s%s%.*s", (int)n, path->local, path->domain.n > 0 ? "@" : "", (int)path->domain.n,
			     path->domain.n > 0 ? path->domain.p : "");
	r->detail = mem_str(at != SIZE_MAX ? path->local + at + 1 : "");
	DL_APPEND(lm->rcpts, r);
	lm->count++;
	return r;
}

static void close_file(struct rcpt *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

void rcpt_free(struct lmtp *lm, struct rcpt **rp)
{
	struct rcpt *r = *rp;

	*rp = NULL;
	close_file(r);
	chan_free(&r->chan); /* what is staged and not committed goes with it */
	DL_DELETE(lm->rcpts, r);
	lm->count--;
	free(r->address);
	free(r->user);
	free(r->detail);
	free(r);
}

void rcpt_result(struct rcpt *r, uint16_t code, const char *enhanced, const char *text)
{
	if (r->state == RCPT_DONE)
		return;
	if (r->state == RCPT_STAGED && r->chan && !chan_dead(r->chan))
		chan_send_empty(r->chan, MSG_DLV_ABORT, 0);
	close_file(r);
	r->state = RCPT_DONE;
	r->code = code;
	snprintf(r->enhanced, sizeof(r->enhanced), "%s", enhanced);
	snprintf(r->text, sizeof(r->text), "%s", text);
}

static void on_worker_closed(void *ctx, struct chan *chan, enum err why)
{
	struct rcpt *r = ctx;

	rcpt_result(r, 451, "4.3.0", "Temporary internal error");
	chan_free(&r->chan);
	lmtp_settle(r->lm);
}

/* --- RCPT -------------------------------------------------------------------------------- */

/* The last recipient is not accepted; the next command, please. */
static void drop_last(struct lmtp *lm)
{
	struct rcpt *r = last(lm);

	rcpt_free(lm, &r);
	lmtp_set_state(lm, LMTP_COMMAND);
}

static void reject_unknown(struct lmtp *lm)
{
	const struct rcpt *r = last(lm);

	stream_printf(lm->c->stream, "550 5.1.1 <%s> User doesn't exist: %s\r\n", r->address, r->user);
	drop_last(lm);
}

static void reject_for_now(struct lmtp *lm, const char *code)
{
	stream_printf(lm->c->stream, "%s <%s> Temporary internal error\r\n", code, last(lm)->address);
	drop_last(lm);
}

void lmtp_rcpt_failed(struct lmtp *lm)
{
	reject_for_now(lm, "451 4.3.0");
}

void lmtp_rcpt(struct lmtp *lm, const struct lmtp_path *path)
{
	struct rcpt *r = rcpt_new(lm, path);
	char text[CLIENT_TLS_TEXT];
	struct msg_conn conn;
	struct msg m;

	client_conn(lm->c, &conn, text, sizeof(text));
	msg_init(&m, MSG_USER_LOOKUP, lm->c->number);
	msg_put_conn(&m, &conn);
	msg_put_str(&m, r->user);
	lmtp_set_state(lm, LMTP_WAIT_USER);
	if (!client_ask_auth(lm->c, &m))
		lmtp_rcpt_failed(lm);
}

static enum err on_user_fail(struct lmtp *lm, struct msg_in *m)
{
	uint8_t code = msg_get_u8(m);

	if (!msg_end(m))
		return ERR_PROTO;
	if (code == AUTH_FAIL_NOUSER || code == AUTH_FAIL_BAD)
		reject_unknown(lm);
	else
		lmtp_rcpt_failed(lm);
	return ERR_OK;
}

static void hand_over(struct lmtp *lm, struct rcpt *r, const uint8_t ticket[TICKET_SIZE])
{
	bool detail = conf_bool(lm->c->conf, CONF_LMTP_SAVE_TO_DETAIL_MAILBOX);
	char text[CLIENT_TLS_TEXT];
	struct msg_conn conn;
	struct msg m;
	int fd[2];

	if (chan_pair(fd) != ERR_OK) {
		lmtp_rcpt_failed(lm);
		return;
	}
	r->chan = chan_new(lm->c->login->loop, fd[0], ROLE_LOGIN, ROLE_WORKER, worker_rows, ARRAY_LEN(worker_rows),
			   on_worker_closed, r);
	client_conn(lm->c, &conn, text, sizeof(text));
	msg_init(&m, MSG_HANDOFF, lm->c->number);
	msg_put_span(&m, span_of(ticket, TICKET_SIZE));
	msg_put_conn(&m, &conn);
	msg_put_str(&m, detail ? r->detail : "");
	msg_put_span(&m, SPAN(""));
	chan_send_fds(lm->c->login->master, &m, &fd[1], 1);
	lm->c->asking = true;
	lmtp_set_state(lm, LMTP_WAIT_WORKER);
}

static enum err on_user_ok(struct lmtp *lm, struct msg_in *m)
{
	uint8_t ticket[TICKET_SIZE];

	msg_get_str(m, LOGIN_USER_MAX);
	msg_get_bytes(m, ticket, sizeof(ticket));
	if (!msg_end(m))
		return ERR_PROTO;
	hand_over(lm, last(lm), ticket);
	return ERR_OK;
}

static enum err on_handed(struct lmtp *lm, struct msg_in *m)
{
	struct rcpt *r = last(lm);

	msg_get_u32(m);
	if (!msg_end(m))
		return ERR_PROTO;
	if (r->state == RCPT_DONE) { /* the worker died meanwhile */
		lmtp_rcpt_failed(lm);
		return ERR_OK;
	}
	r->state = RCPT_READY;
	lmtp_say(lm, "250 2.1.5 OK");
	lmtp_set_state(lm, LMTP_COMMAND);
	return ERR_OK;
}

static enum err on_handoff_fail(struct lmtp *lm, struct msg_in *m)
{
	uint8_t code = msg_get_u8(m);

	msg_get_str(m, LMTP_TEXT_MAX);
	if (!msg_end(m))
		return ERR_PROTO;
	reject_for_now(lm, code == ERR_LIMIT ? "452 4.3.2" : "451 4.3.0");
	return ERR_OK;
}

enum err lmtp_answer(struct client *c, struct msg_in *m)
{
	struct lmtp *lm = c->state;

	if (lm->state == LMTP_WAIT_USER && m->type == MSG_USER_OK)
		return on_user_ok(lm, m);
	if (lm->state == LMTP_WAIT_USER && m->type == MSG_USER_FAIL)
		return on_user_fail(lm, m);
	if (lm->state == LMTP_WAIT_WORKER && m->type == MSG_HANDOFF_OK)
		return on_handed(lm, m);
	if (lm->state == LMTP_WAIT_WORKER && m->type == MSG_HANDOFF_FAIL)
		return on_handoff_fail(lm, m);
	return ERR_PROTO;
}
