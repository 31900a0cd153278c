/*
 * IMAP before authentication (RFC 3501 sections 6.1 and 6.2): greeting, the few commands that are
 * allowed, their limits. Every other word is BAD, and the third BAD ends the connection.
 */
#include "imap.h"
#include "base/base64.h"
#include "base/mem.h"
#include "base/must.h"
#include "wire/imap_write.h"

enum { ARENA_MAX = 65536 };

static void end_command(struct imap *im)
{
	imap_lex_free(&im->lex);
	arena_free(&im->arena);
	im->logon.tag = SPAN("");
}

/* The tagged answer, which ends the command. */
static void say(struct imap *im, const char *cond, const char *code, const char *text)
{
	imap_write_status(stream_out(im->c->stream), im->logon.tag, cond, code, text);
	stream_push(im->c->stream);
	end_command(im);
}

/* The third ends the connection: look at the state afterwards. */
static void bad(struct imap *im, const char *text)
{
	say(im, "BAD", NULL, text);
	logon_bad(&im->logon);
}

static void say_no(struct logon *g, enum logon_no why, const char *text)
{
	static const char *const codes[] = {
		[LOGON_REFUSED] = "AUTHENTICATIONFAILED",
		[LOGON_MECHANISM] = NULL,
		[LOGON_PLAINTEXT] = "PRIVACYREQUIRED",
		[LOGON_TEMPORARY] = "UNAVAILABLE",
		[LOGON_INTERNAL] = "UNAVAILABLE",
		[LOGON_LIMIT] = "LIMIT",
	};
	struct imap *im = (struct imap *)g;

	if (why == LOGON_ABORTED || why == LOGON_BASE64) {
		bad(im, text);
		return;
	}
	if (why == LOGON_PLAINTEXT)
		imap_write_status(stream_out(g->c->stream), SPAN(""), "BAD", "ALERT",
				  "Plaintext authentication not allowed without SSL/TLS, but your client did it anyway. "
				  "If anyone was listening, the password was exposed.");
	say(im, "NO", codes[why], text);
	if (why == LOGON_PLAINTEXT)
		logon_bad(g);
}

static void say_bye(struct logon *g, const char *text)
{
	imap_write_status(stream_out(g->c->stream), SPAN(""), "BYE", NULL, text);
	stream_push(g->c->stream);
	end_command((struct imap *)g);
}

static const struct logon_words words = { say_no, say_bye, "Too many invalid IMAP commands." };

static void write_capability(struct imap *im, struct buf *out)
{
	buf_add_str(out, "CAPABILITY ");
	imap_capability(im->c, out);
}

static void open_front(struct client *c)
{
	struct imap *im = mem_alloc(sizeof(*im));

	c->state = im;
	im->c = c;
	logon_init(&im->logon, c, &words);
}

static void free_front(struct client *c)
{
	struct imap *im = c->state;

	if (!im)
		return;
	logon_free(&im->logon);
	end_command(im);
	free(im);
	c->state = NULL;
}

static void greet(struct client *c)
{
	struct imap *im = c->state;
	struct buf code;

	buf_init(&code, 4096);
	write_capability(im, &code);
	imap_write_status(stream_out(c->stream), SPAN(""), "OK", buf_cstr(&code),
			  conf_str(c->conf, CONF_LOGIN_GREETING));
	stream_push(c->stream);
	buf_free(&code);
	client_login_timer(c);
}

/* --- commands -------------------------------------------------------------------------- */

static void cmd_capability(struct imap *im, const struct imap_command *cmd)
{
	struct buf *out = stream_out(im->c->stream);

	buf_add_str(out, "* ");
	write_capability(im, out);
	buf_add_str(out, "\r\n");
	say(im, "OK", NULL, "Pre-login capabilities listed, post-login capabilities have more.");
}

static void cmd_noop(struct imap *im, const struct imap_command *cmd)
{
	say(im, "OK", NULL, "NOOP completed.");
}

static void cmd_logout(struct imap *im, const struct imap_command *cmd)
{
	logon_log_end(&im->logon, "Aborted login by logging out");
	imap_write_status(stream_out(im->c->stream), SPAN(""), "BYE", NULL, "Logging out");
	say(im, "OK", NULL, "Logout completed.");
	logon_set_state(&im->logon, LOGON_OVER);
	client_finish(im->c);
}

static void cmd_id(struct imap *im, const struct imap_command *cmd)
{
	struct buf *out = stream_out(im->c->stream);

	if (cmd->count != 1 || (cmd->args->type != IMAP_ARG_LIST && !imap_arg_is_nil(cmd->args))) {
		bad(im, "ID needs a list or NIL");
		return;
	}
	imap_log_id(im, cmd->args);
	buf_add_str(out, "* ID ");
	imap_id_fields(conf_str(im->c->conf, CONF_IMAP_ID_SEND), out);
	buf_add_str(out, "\r\n");
	say(im, "OK", NULL, "ID completed.");
}

static void cmd_starttls(struct imap *im, const struct imap_command *cmd)
{
	if (!client_may_starttls(im->c)) {
		bad(im, client_tls(im->c) ? "TLS is already active." : "TLS support isn't enabled.");
		return;
	}
	if (stream_input(im->c->stream).n > 0) {
		logon_bye(&im->logon, "Plaintext data after STARTTLS", "Nothing may follow STARTTLS.");
		return;
	}
	say(im, "OK", NULL, "Begin TLS negotiation now.");
	client_starttls(im->c); /* cannot fail: nothing is buffered */
}

static void cmd_login(struct imap *im, const struct imap_command *cmd)
{
	struct span user, password;

	if (cmd->count != 2 || !imap_arg_astring(cmd->args, &user) || !imap_arg_astring(cmd->args->next, &password) ||
	    cmd->args->type == IMAP_ARG_LITERAL8 || cmd->args->next->type == IMAP_ARG_LITERAL8) {
		bad(im, "LOGIN needs a user name and a password");
		return;
	}
	if (logon_password(&im->logon, user, password)) /* else the command is over and its arena freed */
		logon_wipe(password);
}

static bool initial_response(struct span text, struct buf *out)
{
	return span_eq_str(text, "=") || base64_decode(text, out);
}

static void cmd_authenticate(struct imap *im, const struct imap_command *cmd)
{
	struct span mech, text, initial;
	struct buf b;

	if (cmd->count < 1 || cmd->count > 2 || !imap_arg_astring(cmd->args, &mech) ||
	    (cmd->count == 2 && !imap_arg_atom(cmd->args->next, &text))) {
		bad(im, "AUTHENTICATE needs a mechanism");
		return;
	}
	if (cmd->count == 1) {
		logon_start(&im->logon, mech, NULL);
		return;
	}
	buf_init(&b, text.n);
	if (initial_response(text, &b)) {
		initial = buf_span(&b);
		logon_start(&im->logon, mech, &initial);
		logon_wipe(initial);
	} else {
		bad(im, "Invalid base64 data in initial response");
	}
	buf_free(&b);
}

static const struct {
	const char *name;
	bool args;
	void (*run)(struct imap *im, const struct imap_command *cmd);
} commands[] = {
	{ "AUTHENTICATE", true, cmd_authenticate },
	{ "CAPABILITY", false, cmd_capability },
	{ "ID", true, cmd_id },
	{ "LOGIN", true, cmd_login },
	{ "LOGOUT", false, cmd_logout },
	{ "NOOP", false, cmd_noop },
	{ "STARTTLS", false, cmd_starttls },
};

static void run_command(struct imap *im, const struct imap_command *cmd)
{
	im->logon.tag = cmd->tag;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!span_eq_str(cmd->name, commands[i].name))
			continue;
		if (cmd->count > 0 && !commands[i].args)
			bad(im, "Unexpected arguments");
		else
			commands[i].run(im, cmd);
		return;
	}
	bad(im, "Error in IMAP command received by server.");
}

/* --- input ------------------------------------------------------------------------------ */

/* A browser that was sent here by another site's page must find nothing to talk to. */
static bool is_foreign(const struct imap *im)
{
	static const char *const verbs[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH",
					     "TRACE", "PRI", "SSH-2.0", "EHLO", "HELO" };

	for (size_t i = 0; im->logon.bad == 0 && i < ARRAY_LEN(verbs); i++) {
		if (span_eq_str(imap_lex_command(im->lex)->tag, verbs[i]))
			return true;
	}
	return false;
}

static bool hang_up(struct imap *im)
{
	struct client *c = im->c;

	logon_log_end(&im->logon, "Not an IMAP client");
	client_close(&c);
	return false;
}

static void start_command(struct imap *im)
{
	if (im->lex)
		return;
	im->lex = imap_lex_new(&imap_lex_preauth);
	im->arena = arena_new(ARENA_MAX);
	imap_lex_start(im->lex, im->arena);
}

static void on_fatal(struct imap *im)
{
	const char *why = imap_lex_why(im->lex);

	logon_bye(&im->logon, "Invalid input", *why ? why : "Invalid input");
}

/* One step of the lexer. False: no more to do now. */
static bool read_command(struct imap *im, struct span in)
{
	enum imap_lex_event event;
	size_t used;

	start_command(im);
	if (imap_lex_idle(im->lex) && in.p[0] == 0x16) /* a TLS record where none belongs */
		return hang_up(im);
	event = imap_lex_feed(im->lex, in, &used);
	if (event != IMAP_LEX_MORE && is_foreign(im))
		return hang_up(im);
	stream_consume(im->c->stream, used);
	if (event == IMAP_LEX_CONTINUE) {
		stream_write_str(im->c->stream, "+ OK\r\n");
	} else if (event == IMAP_LEX_COMMAND) {
		run_command(im, imap_lex_command(im->lex));
	} else if (event == IMAP_LEX_BAD) {
		im->logon.tag = imap_lex_command(im->lex)->tag;
		bad(im, imap_lex_why(im->lex));
	} else if (event == IMAP_LEX_FATAL) {
		on_fatal(im);
	} else if (imap_lex_idle(im->lex)) {
		end_command(im); /* an empty line */
	}
	return true;
}

static void input(struct client *c)
{
	struct imap *im = c->state;
	enum logon_state state;

	while ((state = im->logon.state) == LOGON_COMMAND || state == LOGON_WAIT_LINE) {
		struct span in = stream_input(c->stream);

		if (in.n == 0)
			return;
		if (state == LOGON_WAIT_LINE)
			logon_read_line(&im->logon, in);
		else if (!read_command(im, in))
			return;
	}
}

static void overheard(struct client *c, struct span bytes)
{
	imap_speech_add(&c->heard, bytes);
	if (span_ends(bytes, SPAN(" OK " IMAP_COMPRESS_OK "\r\n")))
		imap_speech_over(&c->heard);
}

/* A worker that goes in peace has said BYE. */
static const char *orphaned(const struct client *c)
{
	return imap_speech_between(&c->heard) ? IMAP_LAST_WORDS : NULL;
}

const struct front front_imap = {
	.service = "imap",
	.log_name = "imap-login",
	.alpn = "imap",
	.limits = &(const struct stream_limits){ .in_max = LOGIN_INPUT_MAX },
	.open = open_front,
	.greet = greet,
	.input = input,
	.secured = logon_secured,
	.answer = logon_answer,
	.auth_lost = logon_auth_lost,
	.timeout = logon_timeout,
	.quit = logon_quit,
	.gone = logon_gone,
	.free = free_front,
	.overheard = overheard,
	.orphaned = orphaned,
};
