/* The two log lines of a login: that it went well, and that it ended before. Log filters know their words. */
#include "base/log.h"
#include "conf/expand.h"
#include "logon.h"

#include <unistd.h>

enum { LOG_LINE_MAX = 1000, QUOTED_MAX = 300 };

/* "TLS", "secured", or on what TLS failed. */
static void describe_security(const struct client *c, char *out, size_t n)
{
	if (c->handshake) {
		const char *text = stream_why(c->stream);

		snprintf(out, n, "TLS handshaking: %s", *text ? text : "Connection closed");
	} else if (client_tls(c)) {
		snprintf(out, n, "TLS");
	} else {
		snprintf(out, n, "%s", c->local_peer ? "secured" : "");
	}
}

/* Does the element say something? The user is named even when there is none. */
static bool element_counts(struct span element, const struct expand_var *vars)
{
	struct errtext why;
	struct buf with, without;
	struct expand_var none[16] = { 0 };
	bool differs;

	if (span_search(element, SPAN("%u")) != SIZE_MAX || span_search(element, SPAN("%{user}")) != SIZE_MAX)
		return true;
	for (size_t i = 0; i + 1 < 16 && (vars[i].letter || vars[i].name); i++) {
		none[i] = vars[i];
		none[i].value = SPAN("");
	}
	buf_init(&with, LOG_LINE_MAX);
	buf_init(&without, LOG_LINE_MAX);
	expand_span(element, vars, &with, &why);
	expand_span(element, none, &without, &why);
	differs = !span_eq(buf_span(&with), buf_span(&without));
	buf_free(&with);
	buf_free(&without);
	return differs;
}

static void add_elements(const char *format, const struct expand_var *vars, struct buf *out)
{
	struct span rest = span_str(format), element;
	struct errtext why;
	bool first = true;

	while (span_split(&rest, ' ', &element)) {
		if (element.n == 0 || !element_counts(element, vars))
			continue;
		if (!first)
			buf_add_str(out, ", ");
		first = false;
		expand_span(element, vars, out, &why);
	}
}

/* One line in the shape of login_log_format; event comes first, as in Dovecot's log. */
static void log_line(const struct logon *g, enum log_level level, const char *event, const char *pid)
{
	const struct client *c = g->c;
	char user[QUOTED_MAX], security[QUOTED_MAX], own_pid[16], elements[LOG_LINE_MAX];
	struct errtext why;
	struct buf b;

	log_quote(span_str(g->user), user, sizeof(user));
	describe_security(c, security, sizeof(security));
	snprintf(own_pid, sizeof(own_pid), "%d", (int)getpid());
	const struct expand_var vars[] = {
		{ 'u', "user", span_str(user), false },
		{ 'm', "mech", span_str(g->method), false },
		{ 'r', "rip", span_str(c->remote.ip), false },
		{ 'l', "lip", span_str(c->local.ip), false },
		{ 'e', "mail_pid", span_str(pid), false },
		{ 'c', "secured", span_str(security), false },
		{ 'p', "pid", span_str(own_pid), false },
		{ 's', "service", span_str(c->front->service), false },
		{ 0, "session", span_str(c->session), false },
		{ 0 },
	};
	buf_init(&b, LOG_LINE_MAX);
	add_elements(conf_str(c->conf, CONF_LOGIN_LOG_FORMAT_ELEMENTS), vars, &b);
	snprintf(elements, sizeof(elements), "%s", buf_cstr(&b));
	buf_clear(&b);
	const struct expand_var line[] = {
		{ '$', NULL, span_str(event), false },
		{ 's', NULL, span_str(elements), false },
		{ 0 },
	};
	if (expand(conf_str(c->conf, CONF_LOGIN_LOG_FORMAT), line, &b, &why) == ERR_OK)
		log_write_as(c->front->log_name, level, "%s", buf_cstr(&b));
	else
		log_write_as(c->front->log_name, level, "%s: %s", event, elements);
	buf_free(&b);
}

void logon_log_login(const struct logon *g, uint32_t worker_pid)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", worker_pid);
	log_line(g, LOG_LVL_INFO, "Login", pid);
}

/* How far authentication got: the words that log filters look for. */
static void auth_story(const struct logon *g, char *out, size_t n)
{
	uint64_t now = loop_now(g->c->login->loop);
	unsigned age = (unsigned)((now - g->c->since) / 1000);

	if (g->attempts > 0)
		snprintf(out, n, "auth failed, %u attempts in %u secs", g->attempts, age);
	else if (g->refused_plaintext)
		snprintf(out, n, "tried to use disallowed plaintext auth");
	else if (g->c->handshake)
		snprintf(out, n, "disconnected during TLS handshake");
	else if (g->state == LOGON_WAIT_LINE || g->state == LOGON_WAIT_AUTH)
		snprintf(out, n, "client didn't finish SASL auth, waited %u secs",
			 (unsigned)((now - g->first_attempt) / 1000));
	else
		snprintf(out, n, "no auth attempts in %u secs", age);
}

void logon_log_end(const struct logon *g, const char *why)
{
	char event[LOG_LINE_MAX], story[100];

	auth_story(g, story, sizeof(story));
	snprintf(event, sizeof(event), "Disconnected: %.300s (%s)", why, story);
	log_line(g, LOG_LVL_INFO, event, "");
}
