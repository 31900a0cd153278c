/* The settings of a session from the configuration, and the words at its end. */
#include "core.h"

#include "base/must.h"
#include "conf/conf.h"

enum {
	HALF_HOUR_MS = 30 * 60 * 1000,
	SEARCH_MS = 10 * 1000,
	PROGRESS_MS = 12 * 1000, /* RFC 9585 section 4: every 10 to 15 s */
};

void imap_settings_default(struct imap_settings *s_r)
{
	*s_r = (struct imap_settings){
		.capability = "",
		.id_log = "",
		.id_send = "name *",
		.logout_format = "in=%i out=%o",
		.idle_notify_ms = 2 * 60 * 1000,
		.idle_check_ms = 30 * 1000,
		.inactivity_ms = HALF_HOUR_MS,
		.search_ms = SEARCH_MS,
		.progress_ms = PROGRESS_MS,
		.line_max = IMAP_LINE_MAX,
		.keyword_max = 50,
	};
}

void imap_settings_read(const struct conf *c, struct imap_settings *s_r)
{
	static const enum imap_fetch_failure failure[] = {
		[CONF_FETCH_END_NOW] = IMAP_FETCH_END_NOW,
		[CONF_FETCH_END_AFTER] = IMAP_FETCH_END_AFTER,
		[CONF_FETCH_NO_AFTER] = IMAP_FETCH_NO_AFTER,
	};

	*s_r = (struct imap_settings){
		.capability = conf_str(c, CONF_IMAP_CAPABILITY),
		.id_log = conf_str(c, CONF_IMAP_ID_LOG),
		.id_send = conf_str(c, CONF_IMAP_ID_SEND),
		.logout_format = conf_str(c, CONF_IMAP_LOGOUT_FORMAT),
		.idle_notify_ms = conf_u64(c, CONF_IMAP_IDLE_NOTIFY_INTERVAL),
		.idle_check_ms = conf_u64(c, CONF_MAILBOX_IDLE_CHECK_INTERVAL),
		.inactivity_ms = HALF_HOUR_MS,
		.search_ms = SEARCH_MS,
		.progress_ms = PROGRESS_MS,
		.append_max = conf_u64(c, CONF_MESSAGE_SIZE_MAX),
		.line_max = (size_t)conf_u64(c, CONF_IMAP_MAX_LINE_LENGTH),
		.keyword_max = (unsigned)conf_u64(c, CONF_MAIL_MAX_KEYWORD_LENGTH),
		.fetch_failure = failure[conf_enum(c, CONF_IMAP_FETCH_FAILURE)],
		.delay_newmail = conf_has_word(c, CONF_IMAP_CLIENT_WORKAROUNDS, "delay-newmail"),
	};
}

/* ---- the logout line ---- */

static bool stat_by_name(const struct imap_stats *st, struct span name, uint64_t *v_r)
{
	const struct {
		const char *name, *letter;
		uint64_t v;
	} rows[] = {
		{ "input", "i", st->in },
		{ "output", "o", st->out },
		{ "deleted", "", st->deleted },
		{ "expunged", "", st->expunged },
		{ "trashed", "", st->trashed },
		{ "autoexpunged", "", st->autoexpunged },
		{ "fetch_hdr_count", "", st->hdr_count },
		{ "fetch_hdr_bytes", "", st->hdr_bytes },
		{ "fetch_body_count", "", st->body_count },
		{ "fetch_body_bytes", "", st->body_bytes },
		{ "appended", "", st->append },
		{ "copied", "", st->copied },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!span_eq_str(name, rows[i].name) &&
		    (!rows[i].letter[0] || !span_eq_str(name, rows[i].letter)))
			continue;
		*v_r = rows[i].v;
		return true;
	}
	return false;
}

/* The variable behind a '%': "{name}" or one letter; its length in *n_r. */
static struct span variable(struct span rest, size_t *n_r)
{
	size_t end;

	if (!rest.n || rest.p[0] != '{') {
		*n_r = rest.n ? 1 : 0;
		return span_cut(rest, 0, 1);
	}
	end = span_find(rest, '}');
	*n_r = end == SIZE_MAX ? rest.n : end + 1;
	return span_cut(rest, 1, end == SIZE_MAX ? rest.n : end - 1);
}

void imap_session_logout_text(struct imap_session *s, struct buf *out)
{
	const struct imap_stats *st = imap_session_stats(s);
	struct span rest = span_str(s->cfg.settings.logout_format);

	while (rest.n) {
		size_t plain = span_find(rest, '%'), n;
		struct span name;
		uint64_t v;

		buf_add_span(out, span_cut(rest, 0, plain));
		if (plain == SIZE_MAX)
			return;
		rest = span_from(rest, plain + 1);
		name = variable(rest, &n);
		if (span_eq_str(name, "%"))
			buf_add_char(out, '%');
		else if (stat_by_name(st, name, &v))
			buf_add_u64(out, v);
		rest = span_from(rest, n);
	}
}
