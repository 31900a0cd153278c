/* What the IMAP front says of itself. */
#include "base/log.h"
#include "config.h"
#include "imap.h"
#include "wire/imap_id.h"
#include "wire/imap_words.h"
#include "wire/imap_write.h"

enum { LOG_LINE_MAX = 1000 };

static void add_auth(const struct client *c, struct buf *out)
{
	const char *const *mech = logon_mechanisms(c);

	/* The command LOGIN is PLAIN's other form. */
	if (!*mech || !conf_has_word(c->conf, CONF_AUTH_MECHANISMS, "plain"))
		buf_add_str(out, " LOGINDISABLED");
	for (; *mech; mech++) {
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
