/*
 * FETCH items that the index answers (RFC 3501 section 7.4.2): FLAGS, UID, INTERNALDATE,
 * RFC822.SIZE, ENVELOPE, BODY, BODYSTRUCTURE, and the macros. This is what a client asks of every
 * message of a mailbox, so nothing here is computed twice: flag texts are remembered by flag set,
 * dates by quarter of an hour and day.
 */
#include "fetch.h"

#include "mime/date.h"
#include "wire/imap_write.h"

#include <time.h>

void imap_emit_init(struct imap_emit *e, const struct view *v)
{
	memset(e, 0, sizeof(*e));
	e->st = view_state(v);
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		e->keywords[i] = span_str(e->st->keywords[i]);
}

void imap_emit_u64(struct buf *out, const char *name, uint64_t v)
{
	buf_add_str(out, name);
	buf_add_char(out, ' ');
	buf_add_u64(out, v);
}

/* ---- FLAGS ---- */

static unsigned flags_slot(struct mail_flags f)
{
	uint64_t mix = (f.keywords + f.system) * 0x9e3779b97f4a7c15u;

	return (unsigned)(mix >> 32) % IMAP_FLAGS_MEMO;
}

void imap_emit_flags(struct imap_emit *e, struct mail_flags flags, struct buf *out)
{
	unsigned slot = flags_slot(flags);
	size_t from = out->n;

	if (e->memo[slot].n && e->memo[slot].flags.system == flags.system &&
	    e->memo[slot].flags.keywords == flags.keywords) {
		buf_add(out, e->memo[slot].text, e->memo[slot].n);
		return;
	}
	buf_add_str(out, "FLAGS ");
	imap_write_flags(out, &flags, e->keywords, MAIL_KEYWORDS_MAX);
	if (out->failed || out->n - from > IMAP_FLAGS_TEXT)
		return;
	e->memo[slot].flags = flags;
	e->memo[slot].n = (uint16_t)(out->n - from);
	memcpy(e->memo[slot].text, out->p + from, out->n - from);
}

static void emit_flags(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	imap_emit_flags(e, m->flags, out);
}

/* ---- dates ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Offsets change at quarters of an hour, so one question a quarter is enough. */
static int32_t zone_at(struct imap_emit *e, int64_t when)
{
	int64_t quarter = floor_div(when, 900);
	time_t t = (time_t)when;
	struct tm tm;

	if (!e->has_zone || e->quarter != quarter) {
		e->zone_s = localtime_r(&t, &tm) ? (int32_t)(tm.tm_gmtoff / 60 * 60) : 0;
		e->quarter = quarter;
		e->has_zone = true;
		e->has_date = false;
	}
	return e->zone_s;
}

static void put_two(char *p, int64_t v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/* The text of midnight's date and zone is kept for the day; only hours, minutes and seconds are put into it. */
void imap_emit_date(struct imap_emit *e, const char *name, int64_t when, struct buf *out)
{
	int32_t zone = zone_at(e, when);
	int64_t day = floor_div(when + zone, 86400), s = when + zone - day * 86400;

	if (!e->has_date || e->day != day) {
		struct mime_date midnight = { day * 86400 - zone, zone / 60 };
		struct buf b;

		buf_init(&b, 64);
		mime_date_add_imap(midnight, &b);
		if (b.n == sizeof(e->date))
			memcpy(e->date, b.p, sizeof(e->date));
		buf_free(&b);
		e->day = day;
		e->has_date = true;
	}
	put_two(e->date + 12, s / 3600);
	put_two(e->date + 15, s / 60 % 60);
	put_two(e->date + 18, s % 60);
	buf_add_str(out, name);
	buf_add(out, " \"", 2);
	buf_add(out, e->date, sizeof(e->date));
	buf_add_char(out, '"');
}

static void emit_internaldate(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	imap_emit_date(e, "INTERNALDATE", m->internaldate, out);
}

/* ---- the rest ---- */

static void emit_uid(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	imap_emit_u64(out, "UID", m->uid);
}

static void emit_size(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	imap_emit_u64(out, "RFC822.SIZE", m->vsize);
}

static void emit_text(struct buf *out, const char *name, struct span text)
{
	buf_add_str(out, name);
	buf_add_span(out, text);
}

static void emit_envelope(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	emit_text(out, "ENVELOPE ", m->envelope);
}

static void emit_body(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	emit_text(out, "BODY ", m->body);
}

static void emit_bodystructure(struct imap_emit *e, const struct message_facts *m, struct buf *out)
{
	emit_text(out, "BODYSTRUCTURE ", m->bodystructure);
}

static const struct imap_fetch_item items[] = {
	{ .name = "FLAGS", .emit = emit_flags },
	{ .name = "UID", .emit = emit_uid },
	{ .name = "INTERNALDATE", .want = WANT_DATES, .emit = emit_internaldate },
	{ .name = "RFC822.SIZE", .want = WANT_VSIZE, .emit = emit_size },
	{ .name = "ENVELOPE", .want = WANT_ENVELOPE, .emit = emit_envelope },
	{ .name = "BODY", .want = WANT_BODY, .emit = emit_body },
	{ .name = "BODYSTRUCTURE", .want = WANT_BODYSTRUCTURE, .emit = emit_bodystructure },
	{ 0 },
};

static const struct imap_fetch_macro macros[] = {
	{ "ALL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE" },
	{ "FAST", "FLAGS INTERNALDATE RFC822.SIZE" },
	{ "FULL", "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY" },
	{ 0 },
};

const struct imap_module imap_fetch_meta = {
	.name = "fetch_meta",
	.fetch_items = items,
	.fetch_macros = macros,
};
