/* What the IMAP front says of itself, and its two log lines. */
#include "base/log.h"
#include "conf/expand.h"
#include "config.h"
#include "imap.h"
#include "wire/imap_id.h"
#include "wire/imap_words.h"
#include "wire/imap_write.h"

#include <unistd.h>

enum { LOG_LINE_MAX = 1000, QUOTED_MAX = 300 };

static void add_auth(const struct client *c, struct buf *out)
{
	const char *const *mech = conf_words(c->conf, CONF_AUTH_MECHANISMS);
	bool passwords = client_plaintext_ok(c);

	/* The command LOGIN is PLAIN's other form. */
	if (!passwords || !conf_has_word(c->conf, CONF_AUTH_MECHANISMS, "plain"))
		buf_add_str(out, " LOGINDISABLED");
	for (; passwords && *mech; mech++) {
		buf_add_str(out, " AUTH=");
		for (const char *p = *mech; *p; p++)
			buf_add_char(out, ascii_upper(*p));
	}
}

void imap_capability(const struct client *c, struct buf *out)
{
	imap_words_apply(SPAN("IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE"),
			 span_str(conf_str(c->conf, CONF_IMAP_CAPABILITY)), out);
	if (client_may_starttls(c))
		buf_add_str(out, " STARTTLS");
	add_auth(c, out);
}

static struct span id_value(struct span key, struct span value)
{
	if (!span_eq_str(value, "*"))
		return value;
	if (span_ieq_str(key, "name"))
		return SPAN("Roost");
	return span_ieq_str(key, "version") ? SPAN(PACKAGE_VERSION) : SPAN("");
}

void imap_id_fields(const char *id_send, struct buf *out)
{
	struct span rest = span_str(id_send), key, value;
	size_t begin = out->n;

	while (span_split(&rest, ' ', &key) && span_split(&rest, ' ', &value)) {
		value = id_value(key, value);
		if (value.n == 0)
			continue;
		buf_add_char(out, out->n == begin ? '(' : ' ');
		imap_write_string(out, key);
		buf_add_char(out, ' ');
		imap_write_string(out, value);
	}
	buf_add_str(out, out->n == begin ? "NIL" : ")");
}

/* --- log -------------------------------------------------------------------------------------- */

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
static void log_line(const struct imap *im, enum log_level level, const char *event, const char *pid)
{
	const struct client *c = im->c;
	char user[QUOTED_MAX], security[QUOTED_MAX], own_pid[16], elements[LOG_LINE_MAX];
	struct errtext why;
	struct buf b;

	log_quote(span_str(im->user), user, sizeof(user));
	describe_security(c, security, sizeof(security));
	snprintf(own_pid, sizeof(own_pid), "%d", (int)getpid());
	const struct expand_var vars[] = {
		{ 'u', "user", span_str(user), false },
		{ 'm', "mech", span_str(im->method), false },
		{ 'r', "rip", span_str(c->remote.ip), false },
		{ 'l', "lip", span_str(c->local.ip), false },
		{ 'e', "mail_pid", span_str(pid), false },
		{ 'c', "secured", span_str(security), false },
		{ 'p', "pid", span_str(own_pid), false },
		{ 's', "service", span_str("imap"), false },
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

void imap_log_login(const struct imap *im, uint32_t worker_pid)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", worker_pid);
	log_line(im, LOG_LVL_INFO, "Login", pid);
}

void imap_log_id(const struct imap *im, const struct imap_arg *list)
{
	const struct client *c = im->c;
	struct buf fields;

	buf_init(&fields, LOG_LINE_MAX);
	imap_id_pick(list, span_str(conf_str(c->conf, CONF_IMAP_ID_LOG)), &fields);
	if (fields.n)
		log_write_as(c->front->log_name, LOG_LVL_INFO, "ID sent: %s: rip=%s, lip=%s, session=<%s>",
			     buf_cstr(&fields), c->remote.ip, c->local.ip, c->session);
	buf_free(&fields);
}

/* How far authentication got: the words that log filters look for. */
static void auth_story(const struct imap *im, char *out, size_t n)
{
	uint64_t now = loop_now(im->c->login->loop);
	unsigned age = (unsigned)((now - im->c->since) / 1000);

	if (im->attempts > 0)
		snprintf(out, n, "auth failed, %u attempts in %u secs", im->attempts, age);
	else if (im->refused_plaintext)
		snprintf(out, n, "tried to use disallowed plaintext auth");
	else if (im->c->handshake)
		snprintf(out, n, "disconnected during TLS handshake");
	else if (im->state == IMAP_WAIT_LINE || im->state == IMAP_WAIT_AUTH)
		snprintf(out, n, "client didn't finish SASL auth, waited %u secs",
			 (unsigned)((now - im->first_attempt) / 1000));
	else
		snprintf(out, n, "no auth attempts in %u secs", age);
}

void imap_log_end(const struct imap *im, const char *why)
{
	char event[LOG_LINE_MAX], story[100];

	auth_story(im, story, sizeof(story));
	snprintf(event, sizeof(event), "Disconnected: %.300s (%s)", why, story);
	log_line(im, LOG_LVL_INFO, event, "");
}
