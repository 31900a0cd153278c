/*
 * IMAP before authentication (RFC 3501 sections 6.1 and 6.2): greeting, the few commands that are
 * allowed, their limits. Every other word is BAD, and the third BAD ends the connection.
 */
#include "imap.h"
#include "base/base64.h"
#include "base/mem.h"
#include "base/must.h"
#include "wire/imap_write.h"

enum { ARENA_MAX = 65536, SASL_LINE_MAX = 8192 };

void imap_set_state(struct imap *im, enum imap_state state)
{
	bool was_paused = im->state == IMAP_WAIT_AUTH || im->state == IMAP_WAIT_WORKER;

	im->state = state;
	if (!im->c->stream)
		return;
	if (state == IMAP_WAIT_AUTH || state == IMAP_WAIT_WORKER)
		stream_pause(im->c->stream);
	else if (was_paused && state != IMAP_OVER)
		stream_resume(im->c->stream);
	if (was_paused && (state == IMAP_COMMAND || state == IMAP_WAIT_LINE) && im->c->login->quitting)
		client_timer(im->c, QUIT_TIME_MS); /* quit() let it wait for its answer */
}

static void end_command(struct imap *im)
{
	imap_lex_free(&im->lex);
	arena_free(&im->arena);
	im->tag = SPAN("");
}

void imap_say(struct imap *im, const char *cond, const char *code, const char *text)
{
	imap_write_status(stream_out(im->c->stream), im->tag, cond, code, text);
	stream_push(im->c->stream);
	end_command(im);
}

void imap_bye(struct imap *im, const char *why, const char *text)
{
	if (im->state == IMAP_OVER)
		return;
	imap_log_end(im, why);
	imap_write_status(stream_out(im->c->stream), SPAN(""), "BYE", NULL, text);
	stream_push(im->c->stream);
	end_command(im);
	imap_set_state(im, IMAP_OVER);
	client_finish(im->c);
}

void imap_bad(struct imap *im, const char *text)
{
	imap_say(im, "BAD", NULL, text);
	if (++im->bad >= BAD_COMMANDS_MAX)
		imap_bye(im, "Too many invalid commands", "Too many invalid IMAP commands.");
}

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
	line_init(&im->line, SASL_LINE_MAX, true);
}

static void free_front(struct client *c)
{
	struct imap *im = c->state;

	if (!im)
		return;
	if (im->state == IMAP_WAIT_AUTH || im->state == IMAP_WAIT_LINE)
		client_abort_auth(c);
	end_command(im);
	line_free(&im->line);
	free(im->user);
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
	imap_say(im, "OK", NULL, "Pre-login capabilities listed, post-login capabilities have more.");
}

static void cmd_noop(struct imap *im, const struct imap_command *cmd)
{
	imap_say(im, "OK", NULL, "NOOP completed.");
}

static void cmd_logout(struct imap *im, const struct imap_command *cmd)
{
	imap_log_end(im, "Aborted login by logging out");
	imap_write_status(stream_out(im->c->stream), SPAN(""), "BYE", NULL, "Logging out");
	imap_say(im, "OK", NULL, "Logout completed.");
	imap_set_state(im, IMAP_OVER);
	client_finish(im->c);
}

static void cmd_id(struct imap *im, const struct imap_command *cmd)
{
	struct buf *out = stream_out(im->c->stream);

	if (cmd->count != 1 || (cmd->args->type != IMAP_ARG_LIST && !imap_arg_is_nil(cmd->args))) {
		imap_bad(im, "ID needs a list or NIL");
		return;
	}
	imap_log_id(im, cmd->args);
	buf_add_str(out, "* ID ");
	imap_id_fields(conf_str(im->c->conf, CONF_IMAP_ID_SEND), out);
	buf_add_str(out, "\r\n");
	imap_say(im, "OK", NULL, "ID completed.");
}

static void cmd_starttls(struct imap *im, const struct imap_command *cmd)
{
	if (!client_may_starttls(im->c)) {
		imap_bad(im, client_tls(im->c) ? "TLS is already active." : "TLS support isn't enabled.");
		return;
	}
	if (stream_input(im->c->stream).n > 0) {
		imap_bye(im, "Plaintext data after STARTTLS", "Nothing may follow STARTTLS.");
		return;
	}
	imap_say(im, "OK", NULL, "Begin TLS negotiation now.");
	client_starttls(im->c); /* cannot fail: nothing is buffered */
}

static const struct {
	const char *name;
	bool args;
	void (*run)(struct imap *im, const struct imap_command *cmd);
} commands[] = {
	{ "AUTHENTICATE", true, imap_authenticate_cmd },
	{ "CAPABILITY", false, cmd_capability },
	{ "ID", true, cmd_id },
	{ "LOGIN", true, imap_login_cmd },
	{ "LOGOUT", false, cmd_logout },
	{ "NOOP", false, cmd_noop },
	{ "STARTTLS", false, cmd_starttls },
};

static void run_command(struct imap *im, const struct imap_command *cmd)
{
	im->tag = cmd->tag;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!span_eq_str(cmd->name, commands[i].name))
			continue;
		if (cmd->count > 0 && !commands[i].args)
			imap_bad(im, "Unexpected arguments");
		else
			commands[i].run(im, cmd);
		return;
	}
	imap_bad(im, "Error in IMAP command received by server.");
}

/* --- input ------------------------------------------------------------------------------ */

/* A browser that was sent here by another site's page must find nothing to talk to. */
static bool is_foreign(const struct imap *im)
{
	static const char *const verbs[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH",
					     "TRACE", "PRI", "SSH-2.0", "EHLO", "HELO" };

	for (size_t i = 0; im->bad == 0 && i < ARRAY_LEN(verbs); i++) {
		if (span_eq_str(imap_lex_command(im->lex)->tag, verbs[i]))
			return true;
	}
	return false;
}

static bool hang_up(struct imap *im)
{
	struct client *c = im->c;

	imap_log_end(im, "Not an IMAP client");
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

	imap_bye(im, "Invalid input", *why ? why : "Invalid input");
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
		im->tag = imap_lex_command(im->lex)->tag;
		imap_bad(im, imap_lex_why(im->lex));
	} else if (event == IMAP_LEX_FATAL) {
		on_fatal(im);
	} else if (imap_lex_idle(im->lex)) {
		end_command(im); /* an empty line */
	}
	return true;
}

/* The line is decoded before it is acted upon: what it lies in may go with the answer. */
static void read_line(struct imap *im, struct span in)
{
	struct span line = SPAN("");
	struct buf data;
	size_t used;
	enum line_event event = line_feed(&im->line, in, &used, &line);
	bool abort = event == LINE_READY && span_eq_str(line, "*");
	bool ok;

	buf_init(&data, SASL_LINE_MAX);
	ok = event == LINE_READY && (line.n == 0 || base64_decode(line, &data));
	stream_consume(im->c->stream, used);
	if (event != LINE_MORE) {
		if (im->line.b.cap > 0)
			mem_wipe(im->line.b.p, im->line.b.cap);
		line_free(&im->line);
		imap_sasl_reply(im, abort ? IMAP_SASL_ABORT : ok ? IMAP_SASL_DATA : IMAP_SASL_BAD, buf_span(&data));
	}
	if (data.n > 0)
		mem_wipe(data.p, data.n);
	buf_free(&data);
}

static void input(struct client *c)
{
	struct imap *im = c->state;

	while (im->state == IMAP_COMMAND || im->state == IMAP_WAIT_LINE) {
		struct span in = stream_input(c->stream);

		if (in.n == 0)
			return;
		if (im->state == IMAP_WAIT_LINE)
			read_line(im, in);
		else if (!read_command(im, in))
			return;
	}
}

/* --- ends -------------------------------------------------------------------------------- */

static void secured(struct client *c)
{
	client_login_timer(c);
}

static void gone(struct client *c, const char *why)
{
	struct imap *im = c->state;

	if (im && im->state != IMAP_OVER)
		imap_log_end(im, why);
}

static void timeout(struct client *c)
{
	struct imap *im = c->state;

	const char *why = c->login->quitting ? "Shutting down" : "Inactivity";

	if (c->stream && !c->handshake) {
		imap_bye(im, why, c->login->quitting ? "Server shutting down." : "Disconnected for inactivity.");
		return;
	}
	gone(c, why);
	client_close(&c);
}

static void quit(struct client *c)
{
	if (!c->asking)
		client_timer(c, QUIT_TIME_MS);
}

const struct front front_imap = {
	.service = "imap",
	.log_name = "imap-login",
	.alpn = "imap",
	.limits = &(const struct stream_limits){ .in_max = LOGIN_INPUT_MAX },
	.open = open_front,
	.greet = greet,
	.input = input,
	.secured = secured,
	.answer = imap_answer,
	.auth_lost = imap_auth_lost,
	.timeout = timeout,
	.quit = quit,
	.gone = gone,
	.free = free_front,
};
