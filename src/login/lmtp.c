/*
 * LMTP (RFC 2033; RFC 5321 where that refers to it): the commands of the dialogue. A
 * command that needs others (RCPT, DATA) pauses the input; so replies come in order
 * however the client pipelines.
 */
#include "lmtp.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <unistd.h>
#include <utlist.h>

static void finish(struct lmtp *lm, const char *reply, const char *why);

void lmtp_idle_timer(struct lmtp *lm)
{
	client_timer(lm->c, lm->c->login->quitting ? LMTP_QUIT_MS : LMTP_IDLE_MS);
}

static void say_shutdown(struct lmtp *lm)
{
	finish(lm, "421 4.3.2 Server is shutting down", "Shutting down");
}

void lmtp_set_state(struct lmtp *lm, enum lmtp_state state)
{
	bool reads = state == LMTP_COMMAND || state == LMTP_STREAM;

	if (state != LMTP_OVER && reads)
		stream_resume(lm->c->stream);
	else if (state != LMTP_OVER)
		stream_pause(lm->c->stream);
	lm->state = state;
	if (state == LMTP_COMMAND && lm->c->login->quitting && !lm->sender)
		say_shutdown(lm);
	else if (reads)
		lmtp_idle_timer(lm);
	else if (state != LMTP_OVER)
		client_timer(lm->c, state == LMTP_COMMIT ? LMTP_COMMIT_MS : LMTP_LOOKUP_MS);
}

void lmtp_say(struct lmtp *lm, const char *reply)
{
	stream_printf(lm->c->stream, "%s\r\n", reply);
}

uint64_t lmtp_size_max(const struct lmtp *lm)
{
	return conf_u64(lm->c->conf, CONF_MESSAGE_SIZE_MAX);
}

void lmtp_reset(struct lmtp *lm)
{
	struct rcpt *r, *next;

	DL_FOREACH_SAFE(lm->rcpts, r, next)
		rcpt_free(lm, &r);
	free(lm->sender);
	lm->sender = NULL;
	lm->size_hint = 0;
	lm->body_8bitmime = false;
}

/* --- log and end --------------------------------------------------------------------------- */

static const char *peer_name(const struct client *c)
{
	return *c->remote.ip ? c->remote.ip : "local";
}

static const char *state_name(const struct lmtp *lm)
{
	static const char *const names[] = {
		[LMTP_COMMAND] = "READY",
		[LMTP_WAIT_USER] = "RCPT TO",
		[LMTP_WAIT_WORKER] = "RCPT TO",
		[LMTP_STAGE] = "DATA",
		[LMTP_STREAM] = "DATA",
		[LMTP_COMMIT] = "DATA (delivering)",
		[LMTP_OVER] = "QUIT",
	};

	if (lm->state != LMTP_COMMAND || !lm->lhlo)
		return lm->state == LMTP_COMMAND ? "GREETING" : names[lm->state];
	return lm->count > 0 ? "RCPT TO" : lm->sender ? "MAIL FROM" : names[LMTP_COMMAND];
}

enum { WHO_MAX = 32 };

static const char *who(const struct client *c, char out[WHO_MAX])
{
	snprintf(out, WHO_MAX, "%s(%d)", c->front->log_name, (int)getpid());
	return out;
}

static void gone(struct client *c, const char *why)
{
	char name[WHO_MAX];

	log_write_as(who(c, name), LOG_LVL_INFO, "Disconnect from %s: %s (state=%s)", peer_name(c), why,
		     state_name(c->state));
}

/* Says the last word and closes. */
static void finish(struct lmtp *lm, const char *reply, const char *why)
{
	lmtp_say(lm, reply);
	gone(lm->c, why);
	lmtp_reset(lm);
	lmtp_set_state(lm, LMTP_OVER);
	client_finish(lm->c);
}

static void count_bad(struct lmtp *lm)
{
	if (++lm->bad >= LMTP_BAD_MAX)
		finish(lm, "421 4.7.0 Too many bad commands", "Too many bad commands");
}

static void refuse(struct lmtp *lm, const char *reply)
{
	lmtp_say(lm, reply);
	count_bad(lm);
}

/* --- commands -------------------------------------------------------------------------------- */

static void on_lhlo(struct lmtp *lm, const struct lmtp_command *cmd)
{
	uint64_t max = lmtp_size_max(lm);

	lmtp_reset(lm);
	free(lm->lhlo);
	lm->lhlo = span_dup(cmd->arg);
	stream_printf(lm->c->stream, "250-%s\r\n", lm->c->login->hostname);
	if (client_may_starttls(lm->c))
		stream_write_str(lm->c->stream, "250-STARTTLS\r\n");
	stream_write_str(lm->c->stream, "250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n");
	if (max > 0)
		stream_printf(lm->c->stream, "250-SIZE %llu\r\n", (unsigned long long)max);
	else
		stream_write_str(lm->c->stream, "250-SIZE\r\n");
	stream_write_str(lm->c->stream, "250 PIPELINING\r\n");
}

static void on_starttls(struct lmtp *lm, const struct lmtp_command *cmd)
{
	if (!client_may_starttls(lm->c)) {
		refuse(lm, client_tls(lm->c) ? "503 5.5.1 TLS is already active" : "502 5.5.1 TLS is not available");
		return;
	}
	if (stream_input(lm->c->stream).n > 0) {
		finish(lm, "501 5.5.4 Nothing may follow STARTTLS", "Plaintext data after STARTTLS");
		return;
	}
	lmtp_say(lm, "220 2.0.0 Begin TLS negotiation now.");
	lmtp_reset(lm);
	free(lm->lhlo); /* RFC 3207 4.2: what was said before is forgotten */
	lm->lhlo = NULL;
	client_starttls(lm->c); /* cannot fail: nothing is buffered */
}

static void on_mail(struct lmtp *lm, const struct lmtp_command *cmd)
{
	uint64_t max = lmtp_size_max(lm);

	if (!lm->lhlo)
		refuse(lm, "503 5.5.1 LHLO first");
	else if (lm->sender)
		refuse(lm, "503 5.5.1 MAIL is already given");
	else if (conf_enum(lm->c->conf, CONF_SSL) == CONF_SSL_REQUIRED && *lm->c->remote.ip && !client_tls(lm->c))
		refuse(lm, "530 5.7.0 Must issue a STARTTLS command first");
	else if (max > 0 && cmd->has_size && cmd->size > max)
		lmtp_say(lm, "552 5.3.4 Message is larger than this server accepts");
	else if (lm->c->login->quitting)
		say_shutdown(lm);
	else {
		lm->sender = span_dup(cmd->path.text);
		lm->size_hint = cmd->has_size ? cmd->size : 0;
		lm->body_8bitmime = cmd->body == LMTP_BODY_8BITMIME;
		lmtp_say(lm, "250 2.1.0 OK");
	}
}

static void on_rcpt(struct lmtp *lm, const struct lmtp_command *cmd)
{
	if (!lm->sender)
		refuse(lm, "503 5.5.1 MAIL first");
	else if (lm->count >= LMTP_RCPT_MAX)
		lmtp_say(lm, "452 4.5.3 Too many recipients");
	else
		lmtp_rcpt(lm, &cmd->path);
}

static void on_data(struct lmtp *lm, const struct lmtp_command *cmd)
{
	if (!lm->sender)
		refuse(lm, "503 5.5.1 MAIL first");
	else if (lm->count == 0)
		refuse(lm, "503 5.5.1 No valid recipients");
	else
		lmtp_data(lm);
}

static void on_rset(struct lmtp *lm, const struct lmtp_command *cmd)
{
	lmtp_reset(lm);
	lmtp_say(lm, "250 2.0.0 OK");
}

static void on_vrfy(struct lmtp *lm, const struct lmtp_command *cmd)
{
	lmtp_say(lm, "252 2.3.3 Try RCPT instead");
}

static void on_noop(struct lmtp *lm, const struct lmtp_command *cmd)
{
	lmtp_say(lm, "250 2.0.0 OK");
}

static void on_help(struct lmtp *lm, const struct lmtp_command *cmd)
{
	lmtp_say(lm, "214 2.0.0 LHLO STARTTLS MAIL RCPT DATA RSET VRFY NOOP QUIT");
}

static void on_quit(struct lmtp *lm, const struct lmtp_command *cmd)
{
	finish(lm, "221 2.0.0 Bye", "Client has quit the connection");
}

static void on_helo(struct lmtp *lm, const struct lmtp_command *cmd)
{
	refuse(lm, "500 5.5.1 This is LMTP: say LHLO");
}

static void on_expn(struct lmtp *lm, const struct lmtp_command *cmd)
{
	refuse(lm, "502 5.5.1 EXPN is not offered");
}

static void on_unknown(struct lmtp *lm, const struct lmtp_command *cmd)
{
	refuse(lm, "500 5.5.2 Unknown command");
}

static void (*const commands[])(struct lmtp *, const struct lmtp_command *) = {
	[LMTP_UNKNOWN] = on_unknown,
	[LMTP_LHLO] = on_lhlo,
	[LMTP_HELO] = on_helo,
	[LMTP_STARTTLS] = on_starttls,
	[LMTP_MAIL] = on_mail,
	[LMTP_RCPT] = on_rcpt,
	[LMTP_DATA] = on_data,
	[LMTP_RSET] = on_rset,
	[LMTP_VRFY] = on_vrfy,
	[LMTP_EXPN] = on_expn,
	[LMTP_HELP] = on_help,
	[LMTP_NOOP] = on_noop,
	[LMTP_QUIT] = on_quit,
};

/* A browser's request: nothing is answered to it. */
static bool is_http(struct span line)
{
	return span_ends(line, SPAN(" HTTP/1.1")) || span_ends(line, SPAN(" HTTP/1.0")) || span_ends(line, SPAN(" HTTP/2.0"));
}

static void run_line(struct lmtp *lm, const char *bad, const struct lmtp_command *cmd)
{
	if (bad) {
		refuse(lm, bad);
		return;
	}
	if (cmd->verb != LMTP_UNKNOWN && cmd->verb != LMTP_HELO && cmd->verb != LMTP_EXPN)
		lm->bad = 0;
	commands[cmd->verb](lm, cmd);
}

static bool hang_up(struct lmtp *lm)
{
	struct client *c = lm->c;

	gone(c, "Not an LMTP client");
	client_close(&c);
	return false;
}

/* False: the connection is gone. */
static bool read_line(struct lmtp *lm, struct span in)
{
	char text[LMTP_LINE_MAX];
	struct lmtp_command cmd;
	struct span line;
	size_t used;
	enum line_event event;

	if (in.p[0] == 0x16 && lm->line.b.n == 0) /* a TLS record where none belongs */
		return hang_up(lm);
	event = line_feed(&lm->line, in, &used, &line);
	if (event == LINE_READY && is_http(line))
		return hang_up(lm);
	if (event == LINE_READY) { /* out of the input, which the command may change */
		memcpy(text, line.p ? line.p : "", line.n);
		line = span_of(text, line.n);
	}
	stream_consume(lm->c->stream, used);
	if (event == LINE_READY && !lm->c->login->quitting)
		lmtp_idle_timer(lm);
	if (event == LINE_READY)
		run_line(lm, lmtp_parse(line, &cmd), &cmd);
	else if (event != LINE_MORE)
		refuse(lm, event == LINE_BAD ? "500 5.5.2 Lines end with CRLF" : "500 5.5.2 Line too long");
	return true;
}

static void input(struct client *c)
{
	struct lmtp *lm = c->state;

	while (lm->state == LMTP_COMMAND || lm->state == LMTP_STREAM) {
		struct span in = stream_input(c->stream);

		if (in.n == 0)
			return;
		if (lm->state == LMTP_STREAM)
			lmtp_stream(lm);
		else if (!read_line(lm, in))
			return;
	}
}

/* --- the connection ------------------------------------------------------------------------------ */

static void open_front(struct client *c)
{
	struct lmtp *lm = mem_alloc(sizeof(*lm));

	c->state = lm;
	lm->c = c;
	line_init(&lm->line, LMTP_LINE_MAX, false);
}

static void greet(struct client *c)
{
	char name[WHO_MAX];

	log_write_as(who(c, name), LOG_LVL_INFO, "Connect from %s", peer_name(c));
	stream_printf(c->stream, "220 %s %s\r\n", c->login->hostname, conf_str(c->conf, CONF_LOGIN_GREETING));
	client_timer(c, LMTP_IDLE_MS);
}

static void secured(struct client *c)
{
	client_timer(c, LMTP_IDLE_MS);
}

static void auth_lost(struct client *c)
{
	struct lmtp *lm = c->state;

	if (lm->state == LMTP_WAIT_USER)
		lmtp_rcpt_failed(lm);
}

static void timeout(struct client *c)
{
	struct lmtp *lm = c->state;

	if (c->handshake) {
		gone(c, "TLS handshake timed out");
		client_close(&c);
	} else if (lm->state == LMTP_WAIT_USER || lm->state == LMTP_WAIT_WORKER) {
		client_forget_question(c);
		lmtp_rcpt_failed(lm);
	} else if (lm->state == LMTP_STAGE || lm->state == LMTP_COMMIT) {
		lmtp_data_timeout(lm);
	} else {
		finish(lm, "421 4.4.2 Disconnected for inactivity", "Inactivity");
	}
}

/* A transaction may end, if it does so soon. */
static void quit(struct client *c)
{
	struct lmtp *lm = c->state;

	if (c->handshake || c->finishing)
		client_timer(c, QUIT_TIME_MS);
	else if (lm->state == LMTP_COMMAND && !lm->sender)
		say_shutdown(lm);
	else if (lm->state == LMTP_COMMAND || lm->state == LMTP_STREAM)
		lmtp_idle_timer(lm);
}

static void free_front(struct client *c)
{
	struct lmtp *lm = c->state;

	if (!lm)
		return;
	lmtp_reset(lm);
	line_free(&lm->line);
	free(lm->lhlo);
	free(lm);
	c->state = NULL;
}

const struct front front_lmtp = {
	.service = "lmtp",
	.log_name = "lmtp",
	.limits = &(const struct stream_limits){ .in_max = 65536 },
	.open = open_front,
	.greet = greet,
	.input = input,
	.secured = secured,
	.answer = lmtp_answer,
	.auth_lost = auth_lost,
	.timeout = timeout,
	.quit = quit,
	.gone = gone,
	.free = free_front,
};
