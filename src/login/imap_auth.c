/*
 * LOGIN and AUTHENTICATE (RFC 3501 6.2.2, 6.2.3; SASL-IR RFC 4959): to auth, and back with
 * a ticket, which goes to the master. The tagged OK is the worker's word, not ours.
 */
#include "base/base64.h"
#include "base/mem.h"
#include "imap.h"
#include "wire/imap_write.h"

enum { CLIENT_TEXT_MAX = 200 };

static bool may_send_password(struct imap *im)
{
	if (client_plaintext_ok(im->c))
		return true;
	im->refused_plaintext = true;
	imap_write_status(stream_out(im->c->stream), SPAN(""), "BAD", "ALERT",
			  "Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. "
			  "If anyone was listening, the password was exposed.");
	imap_say(im, "NO", "PRIVACYREQUIRED",
		 "Plaintext authentication disallowed on non-secure (SSL/TLS) connections.");
	if (++im->bad >= BAD_COMMANDS_MAX)
		imap_bye(im, "Too many invalid commands", "Too many invalid IMAP commands.");
	return false;
}

/* Asks auth; initial NULL: the client gave none. */
static void start(struct imap *im, const char *mech, const struct span *initial)
{
	char text[CLIENT_TLS_TEXT];
	struct msg_conn conn;
	struct msg m;

	snprintf(im->method, sizeof(im->method), "%s", mech);
	if (im->first_attempt == 0)
		im->first_attempt = loop_now(im->c->login->loop);
	client_conn(im->c, &conn, text, sizeof(text));
	msg_init(&m, MSG_AUTH_START, im->c->number);
	msg_put_conn(&m, &conn);
	msg_put_str(&m, mech);
	msg_put_bool(&m, initial != NULL);
	msg_put_span(&m, initial ? *initial : SPAN(""));
	if (client_ask_auth(im->c, &m))
		imap_set_state(im, IMAP_WAIT_AUTH);
	else
		imap_say(im, "NO", "UNAVAILABLE", "Temporary authentication failure.");
}

/* The arguments lie in our arena; what was a password shall not stay there. */
static void wipe(struct span s)
{
	if (s.n > 0)
		mem_wipe((char *)(uintptr_t)s.p, s.n);
}

void imap_login_cmd(struct imap *im, const struct imap_command *cmd)
{
	struct span user, password, initial;
	struct buf b;

	if (cmd->count != 2 || !imap_arg_astring(cmd->args, &user) || !imap_arg_astring(cmd->args->next, &password) ||
	    cmd->args->type == IMAP_ARG_LITERAL8 || cmd->args->next->type == IMAP_ARG_LITERAL8) {
		imap_bad(im, "LOGIN needs a user name and a password");
		return;
	}
	if (!may_send_password(im))
		return;
	buf_init(&b, user.n + password.n + 2);
	buf_add_char(&b, '\0');
	buf_add_span(&b, user);
	buf_add_char(&b, '\0');
	buf_add_span(&b, password);
	initial = buf_span(&b);
	start(im, "PLAIN", &initial);
	wipe(initial);
	buf_free(&b);
	if (im->arena) /* else the command is over and its arena freed */
		wipe(password);
}

static bool initial_response(struct span text, struct buf *out)
{
	return span_eq_str(text, "=") || base64_decode(text, out);
}

void imap_authenticate_cmd(struct imap *im, const struct imap_command *cmd)
{
	struct span mech, text, initial;
	char name[16];
	struct buf b;

	if (cmd->count < 1 || cmd->count > 2 || !imap_arg_astring(cmd->args, &mech) ||
	    (cmd->count == 2 && !imap_arg_atom(cmd->args->next, &text))) {
		imap_bad(im, "AUTHENTICATE needs a mechanism");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(mech.n < sizeof(name) ? mech.n : 0), mech.p);
	if (!conf_has_word(im->c->conf, CONF_AUTH_MECHANISMS, name) || !*name) {
		imap_say(im, "NO", NULL, "Unsupported authentication mechanism.");
		return;
	}
	for (char *p = name; *p; p++)
		*p = ascii_upper(*p);
	if (!may_send_password(im))
		return;
	if (cmd->count == 1) {
		start(im, name, NULL);
		return;
	}
	buf_init(&b, text.n);
	if (initial_response(text, &b)) {
		initial = buf_span(&b);
		start(im, name, &initial);
		wipe(initial);
	} else {
		imap_bad(im, "Invalid base64 data in initial response");
	}
	buf_free(&b);
}

static void abort_exchange(struct imap *im)
{
	client_abort_auth(im->c);
	imap_set_state(im, IMAP_COMMAND);
}

void imap_sasl_reply(struct imap *im, enum imap_sasl kind, struct span data)
{
	struct msg m;

	if (kind != IMAP_SASL_DATA) {
		abort_exchange(im);
		imap_bad(im, kind == IMAP_SASL_ABORT ? "Authentication aborted by client." :
						       "Invalid base64 data in continued response");
		return;
	}
	msg_init(&m, MSG_AUTH_CONT, im->c->number);
	msg_put_span(&m, data);
	imap_set_state(im, IMAP_WAIT_AUTH);
	if (!client_ask_auth(im->c, &m))
		imap_auth_lost(im->c);
}

/* --- answers ------------------------------------------------------------------------------ */

static void set_user(struct imap *im, struct span user)
{
	if (user.n == 0)
		return;
	free(im->user);
	im->user = span_dup(user);
}

static void fail(struct imap *im, const char *code, const char *text)
{
	imap_say(im, "NO", code, text);
	imap_set_state(im, IMAP_COMMAND);
}

static enum err on_challenge(struct imap *im, struct msg_in *m)
{
	struct span data = msg_get_blob(m, LOGIN_INPUT_MAX);
	struct buf *out;

	if (!msg_end(m))
		return ERR_PROTO;
	out = stream_out(im->c->stream);
	buf_add_str(out, "+ ");
	base64_encode(data, out);
	buf_add_str(out, "\r\n");
	stream_push(im->c->stream);
	imap_set_state(im, IMAP_WAIT_LINE);
	return ERR_OK;
}

static enum err on_auth_fail(struct imap *im, struct msg_in *m)
{
	uint8_t code = msg_get_u8(m);
	struct span reason = msg_get_str(m, CLIENT_TEXT_MAX), user = msg_get_str(m, LOGIN_USER_MAX);
	char text[CLIENT_TEXT_MAX + 1];

	if (!msg_end(m))
		return ERR_PROTO;
	set_user(im, user);
	snprintf(text, sizeof(text), "%.*s", (int)reason.n, reason.p);
	if (code == AUTH_FAIL_TEMP) {
		fail(im, "UNAVAILABLE", *text ? text : "Temporary authentication failure.");
	} else if (code == AUTH_FAIL_MECH) {
		fail(im, NULL, "Unsupported authentication mechanism.");
	} else {
		im->attempts++;
		fail(im, "AUTHENTICATIONFAILED", *text ? text : "Authentication failed.");
	}
	return ERR_OK;
}

static void internal_failure(struct imap *im, const char *why)
{
	client_handoff_failed(im->c);
	imap_say(im, "NO", "UNAVAILABLE", "Internal login failure. Refer to server log for more information.");
	imap_bye(im, why, "Internal login failure.");
}

static enum err on_auth_ok(struct imap *im, struct msg_in *m)
{
	struct span user = msg_get_str(m, LOGIN_USER_MAX);
	uint8_t ticket[TICKET_SIZE];

	msg_get_bytes(m, ticket, sizeof(ticket));
	if (!msg_end(m))
		return ERR_PROTO;
	set_user(im, user);
	imap_set_state(im, IMAP_WAIT_WORKER);
	if (client_handoff(im->c, ticket, im->tag) != ERR_OK)
		internal_failure(im, "Cannot hand over the connection");
	return ERR_OK;
}

static enum err on_handed(struct imap *im, struct msg_in *m)
{
	uint32_t pid = msg_get_u32(m);

	if (!msg_end(m))
		return ERR_PROTO;
	imap_log_login(im, pid);
	client_handed(im->c);
	return ERR_OK;
}

static enum err on_handoff_fail(struct imap *im, struct msg_in *m)
{
	uint8_t code = msg_get_u8(m);
	struct span reason = msg_get_str(m, CLIENT_TEXT_MAX);
	char text[CLIENT_TEXT_MAX + 1];

	if (!msg_end(m))
		return ERR_PROTO;
	if (code != ERR_LIMIT || reason.n == 0) {
		internal_failure(im, "Internal login failure");
		return ERR_OK;
	}
	snprintf(text, sizeof(text), "%.*s", (int)reason.n, reason.p);
	client_handoff_failed(im->c);
	imap_say(im, "NO", "LIMIT", text);
	imap_bye(im, text, "Too many connections.");
	return ERR_OK;
}

enum err imap_answer(struct client *c, struct msg_in *m)
{
	struct imap *im = c->state;

	if (im->state == IMAP_WAIT_AUTH) {
		switch (m->type) {
		case MSG_AUTH_CHALLENGE:
			return on_challenge(im, m);
		case MSG_AUTH_OK:
			return on_auth_ok(im, m);
		case MSG_AUTH_FAIL:
			return on_auth_fail(im, m);
		default:
			return ERR_PROTO;
		}
	}
	if (im->state == IMAP_WAIT_WORKER && m->type == MSG_HANDOFF_OK)
		return on_handed(im, m);
	if (im->state == IMAP_WAIT_WORKER && m->type == MSG_HANDOFF_FAIL)
		return on_handoff_fail(im, m);
	return ERR_PROTO;
}

void imap_auth_lost(struct client *c)
{
	struct imap *im = c->state;

	if (im && (im->state == IMAP_WAIT_AUTH || im->state == IMAP_WAIT_LINE))
		fail(im, "UNAVAILABLE", "Temporary authentication failure.");
}
