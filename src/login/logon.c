/*
 * To auth, and back with a ticket, which goes to the master. That the login went well is the worker's word to say, not
 * ours.
 */
#include "logon.h"
#include "base/base64.h"
#include "base/mem.h"

enum { CLIENT_TEXT_MAX = 200, SASL_LINE_MAX = 8192 };

/* --- life --------------------------------------------------------------------------------- */

void logon_init(struct logon *g, struct client *c, const struct logon_words *words)
{
	*g = (struct logon){ .c = c, .words = words };
	line_init(&g->line, SASL_LINE_MAX, true);
}

void logon_free(struct logon *g)
{
	if (g->state == LOGON_WAIT_AUTH || g->state == LOGON_WAIT_LINE)
		client_abort_auth(g->c);
	line_free(&g->line);
	free(g->user);
}

void logon_set_state(struct logon *g, enum logon_state state)
{
	bool was_paused = g->state == LOGON_WAIT_AUTH || g->state == LOGON_WAIT_WORKER;

	g->state = state;
	if (!g->c->stream)
		return;
	if (state == LOGON_WAIT_AUTH || state == LOGON_WAIT_WORKER)
		stream_pause(g->c->stream);
	else if (was_paused && state != LOGON_OVER)
		stream_resume(g->c->stream);
	if (was_paused && (state == LOGON_COMMAND || state == LOGON_WAIT_LINE) && g->c->login->quitting)
		client_timer(g->c, QUIT_TIME_MS); /* logon_quit let it wait for its answer */
}

void logon_bye(struct logon *g, const char *why, const char *text)
{
	if (g->state == LOGON_OVER)
		return;
	logon_log_end(g, why);
	g->words->bye(g, text);
	logon_set_state(g, LOGON_OVER);
	client_finish(g->c);
}

void logon_bad(struct logon *g)
{
	if (++g->bad >= BAD_COMMANDS_MAX)
		logon_bye(g, "Too many invalid commands", g->words->too_many);
}

void logon_wipe(struct span secret)
{
	if (secret.n > 0)
		mem_wipe((char *)(uintptr_t)secret.p, secret.n);
}

/* --- asking auth --------------------------------------------------------------------------- */

const char *const *logon_mechanisms(const struct client *c)
{
	static const char *const none[] = { NULL };

	return client_plaintext_ok(c) ? conf_words(c->conf, CONF_AUTH_MECHANISMS) : none;
}

bool logon_may_send_password(struct logon *g)
{
	if (client_plaintext_ok(g->c))
		return true;
	g->refused_plaintext = true;
	g->words->no(g, LOGON_PLAINTEXT, "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.");
	return false;
}

static bool ask(struct logon *g, const char *mech, const struct span *initial)
{
	char text[CLIENT_TLS_TEXT];
	struct msg_conn conn;
	struct msg m;

	snprintf(g->method, sizeof(g->method), "%s", mech);
	if (g->first_attempt == 0)
		g->first_attempt = loop_now(g->c->login->loop);
	client_conn(g->c, &conn, text, sizeof(text));
	msg_init(&m, MSG_AUTH_START, g->c->number);
	msg_put_conn(&m, &conn);
	msg_put_str(&m, mech);
	msg_put_bool(&m, initial != NULL);
	msg_put_span(&m, initial ? *initial : SPAN(""));
	if (client_ask_auth(g->c, &m)) {
		logon_set_state(g, LOGON_WAIT_AUTH);
		return true;
	}
	g->words->no(g, LOGON_TEMPORARY, "Temporary authentication failure.");
	return false;
}

bool logon_start(struct logon *g, struct span mech, const struct span *initial)
{
	char name[sizeof(g->method)];

	snprintf(name, sizeof(name), "%.*s", (int)(mech.n < sizeof(name) ? mech.n : 0), mech.p);
	if (!*name || !conf_has_word(g->c->conf, CONF_AUTH_MECHANISMS, name)) {
		g->words->no(g, LOGON_MECHANISM, "Unsupported authentication mechanism.");
		return false;
	}
	for (char *p = name; *p; p++)
		*p = ascii_upper(*p);
	return logon_may_send_password(g) && ask(g, name, initial);
}

bool logon_password(struct logon *g, struct span user, struct span password)
{
	struct span initial;
	struct buf b;
	bool asked;

	if (!logon_may_send_password(g))
		return false;
	buf_init(&b, user.n + password.n + 2);
	buf_add_char(&b, '\0');
	buf_add_span(&b, user);
	buf_add_char(&b, '\0');
	buf_add_span(&b, password);
	initial = buf_span(&b);
	asked = ask(g, "PLAIN", &initial);
	logon_wipe(initial);
	buf_free(&b);
	return asked;
}

static void give_up(struct logon *g, enum logon_no why, const char *text)
{
	client_abort_auth(g->c);
	logon_set_state(g, LOGON_COMMAND);
	g->words->no(g, why, text);
}

static void go_on(struct logon *g, struct span data)
{
	struct msg m;

	msg_init(&m, MSG_AUTH_CONT, g->c->number);
	msg_put_span(&m, data);
	logon_set_state(g, LOGON_WAIT_AUTH);
	if (!client_ask_auth(g->c, &m))
		logon_auth_lost(g->c);
}

/* The line is decoded before it is acted upon: what it lies in may go with the answer. */
void logon_read_line(struct logon *g, struct span in)
{
	struct span line = SPAN("");
	struct buf data;
	size_t used;
	enum line_event event = line_feed(&g->line, in, &used, &line);
	bool abort = event == LINE_READY && span_eq_str(line, "*");
	bool ok;

	buf_init(&data, SASL_LINE_MAX);
	ok = event == LINE_READY && (line.n == 0 || base64_decode(line, &data));
	stream_consume(g->c->stream, used);
	if (event != LINE_MORE) {
		if (g->line.b.cap > 0)
			mem_wipe(g->line.b.p, g->line.b.cap);
		line_free(&g->line);
		if (abort)
			give_up(g, LOGON_ABORTED, "Authentication aborted by client.");
		else if (!ok)
			give_up(g, LOGON_BASE64, "Invalid base64 data in continued response");
		else
			go_on(g, buf_span(&data));
	}
	if (data.n > 0)
		mem_wipe(data.p, data.n);
	buf_free(&data);
}

/* --- answers ------------------------------------------------------------------------------ */

static void set_user(struct logon *g, struct span user)
{
	if (user.n == 0)
		return;
	free(g->user);
	g->user = span_dup(user);
}

static void fail(struct logon *g, enum logon_no why, const char *text)
{
	g->words->no(g, why, text);
	logon_set_state(g, LOGON_COMMAND);
}

static enum err on_challenge(struct logon *g, struct msg_in *m)
{
	struct span data = msg_get_blob(m, LOGIN_INPUT_MAX);
	struct buf *out;

	if (!msg_end(m))
		return ERR_PROTO;
	out = stream_out(g->c->stream);
	buf_add_str(out, "+ ");
	base64_encode(data, out);
	buf_add_str(out, "\r\n");
	stream_push(g->c->stream);
	logon_set_state(g, LOGON_WAIT_LINE);
	return ERR_OK;
}

static enum err on_auth_fail(struct logon *g, struct msg_in *m)
{
	uint8_t code = msg_get_u8(m);
	struct span reason = msg_get_str(m, CLIENT_TEXT_MAX), user = msg_get_str(m, LOGIN_USER_MAX);
	char text[CLIENT_TEXT_MAX + 1];

	if (!msg_end(m))
		return ERR_PROTO;
	set_user(g, user);
	snprintf(text, sizeof(text), "%.*s", (int)reason.n, reason.p);
	if (code == AUTH_FAIL_TEMP) {
		fail(g, LOGON_TEMPORARY, *text ? text : "Temporary authentication failure.");
	} else if (code == AUTH_FAIL_MECH) {
		fail(g, LOGON_MECHANISM, "Unsupported authentication mechanism.");
	} else {
		g->attempts++;
		fail(g, LOGON_REFUSED, *text ? text : "Authentication failed.");
	}
	return ERR_OK;
}

static void internal_failure(struct logon *g, const char *why)
{
	client_handoff_failed(g->c);
	g->words->no(g, LOGON_INTERNAL, "Internal login failure. Refer to server log for more information.");
	logon_bye(g, why, "Internal login failure.");
}

static enum err on_auth_ok(struct logon *g, struct msg_in *m)
{
	struct span user = msg_get_str(m, LOGIN_USER_MAX);
	uint8_t ticket[TICKET_SIZE];

	msg_get_bytes(m, ticket, sizeof(ticket));
	if (!msg_end(m))
		return ERR_PROTO;
	set_user(g, user);
	logon_set_state(g, LOGON_WAIT_WORKER);
	if (client_handoff(g->c, ticket, g->tag) != ERR_OK)
		internal_failure(g, "Cannot hand over the connection");
	return ERR_OK;
}

static enum err on_handed(struct logon *g, struct msg_in *m)
{
	uint32_t pid = msg_get_u32(m);

	if (!msg_end(m))
		return ERR_PROTO;
	logon_log_login(g, pid);
	client_handed(g->c);
	return ERR_OK;
}

static enum err on_handoff_fail(struct logon *g, struct msg_in *m)
{
	uint8_t code = msg_get_u8(m);
	struct span reason = msg_get_str(m, CLIENT_TEXT_MAX);
	char text[CLIENT_TEXT_MAX + 1];

	if (!msg_end(m))
		return ERR_PROTO;
	if (code != ERR_LIMIT || reason.n == 0) {
		internal_failure(g, "Internal login failure");
		return ERR_OK;
	}
	snprintf(text, sizeof(text), "%.*s", (int)reason.n, reason.p);
	client_handoff_failed(g->c);
	g->words->no(g, LOGON_LIMIT, text);
	logon_bye(g, text, "Too many connections.");
	return ERR_OK;
}

enum err logon_answer(struct client *c, struct msg_in *m)
{
	struct logon *g = c->state;

	if (g->state == LOGON_WAIT_AUTH) {
		switch (m->type) {
		case MSG_AUTH_CHALLENGE:
			return on_challenge(g, m);
		case MSG_AUTH_OK:
			return on_auth_ok(g, m);
		case MSG_AUTH_FAIL:
			return on_auth_fail(g, m);
		default:
			return ERR_PROTO;
		}
	}
	if (g->state == LOGON_WAIT_WORKER && m->type == MSG_HANDOFF_OK)
		return on_handed(g, m);
	if (g->state == LOGON_WAIT_WORKER && m->type == MSG_HANDOFF_FAIL)
		return on_handoff_fail(g, m);
	return ERR_PROTO;
}

void logon_auth_lost(struct client *c)
{
	struct logon *g = c->state;

	if (g && (g->state == LOGON_WAIT_AUTH || g->state == LOGON_WAIT_LINE))
		fail(g, LOGON_TEMPORARY, "Temporary authentication failure.");
}

/* --- ends ---------------------------------------------------------------------------------- */

void logon_secured(struct client *c)
{
	client_login_timer(c);
}

void logon_gone(struct client *c, const char *why)
{
	struct logon *g = c->state;

	if (g && g->state != LOGON_OVER)
		logon_log_end(g, why);
}

void logon_timeout(struct client *c)
{
	const char *why = c->login->quitting ? "Shutting down" : "Inactivity";

	if (c->stream && !c->handshake) {
		logon_bye(c->state, why, c->login->quitting ? "Server shutting down." : "Disconnected for inactivity.");
		return;
	}
	logon_gone(c, why);
	client_close(&c);
}

void logon_quit(struct client *c)
{
	if (!c->asking)
		client_timer(c, QUIT_TIME_MS);
}
