/* The fields of fetch: their names, and those that the index or the folder answers. */
#include "fetch.h"

#include "base/guid.h"
#include "base/must.h"
#include "mime/date.h"

#include <inttypes.h>
#include <time.h>

static void local_time(int64_t when, struct buf *out)
{
	time_t t = (time_t)when;
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buf_add_str(out, text);
}

static void write_user(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_str(out, j->cfg.user);
}

static void write_mailbox(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_str(out, j->name);
}

static void write_mailbox_guid(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	char guid[GUID_TEXT + 1];

	guid_text(view_state(j->v)->guid, guid);
	buf_add_str(out, guid);
}

static void write_seq(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_u64(out, m->seq);
}

static void write_uid(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_u64(out, m->uid);
}

static void write_guid(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_span(out, m->key);
}

static void write_modseq(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_u64(out, m->modseq);
}

void job_flags_write(const struct view_state *st, struct mail_flags flags, struct buf *out)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} system[] = { { MAIL_ANSWERED, "\\Answered" }, { MAIL_FLAGGED, "\\Flagged" }, { MAIL_DELETED, "\\Deleted" },
		       { MAIL_SEEN, "\\Seen" },		{ MAIL_DRAFT, "\\Draft" },     { MAIL_RECENT, "\\Recent" } };
	size_t from = out->n;

	for (size_t i = 0; i < ARRAY_LEN(system); i++)
		if (flags.system & system[i].flag)
			buf_printf(out, "%s%s", out->n > from ? " " : "", system[i].name);
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((flags.keywords >> i & 1) && st->keywords[i])
			buf_printf(out, "%s%s", out->n > from ? " " : "", st->keywords[i]);
}

static void write_flags(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	job_flags_write(view_state(j->v), m->flags, out);
}

static void write_physical(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_u64(out, m->size);
}

static void write_virtual(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_u64(out, m->vsize);
}

static void write_received(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	local_time(m->internaldate, out);
}

static void write_received_unix(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_printf(out, "%" PRId64, m->internaldate);
}

static void write_saved(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	local_time(m->savedate, out);
}

static void write_saved_unix(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_printf(out, "%" PRId64, m->savedate);
}

/* The Date field stands first in the envelope, quoted. */
static bool sent_date(const struct message_facts *m, struct mime_date *d_r)
{
	struct span s = m->envelope;

	if (s.n < 2 || s.p[1] != '"')
		return false;
	s = span_from(s, 2);
	return mime_date_parse(span_cut(s, 0, span_find(s, '"')), d_r);
}

/* At our clock, with the zone that the sender named; without a date, 1970: as doveadm. */
static void write_sent(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	struct mime_date d = { 0, 0 };
	int zone;

	if (!sent_date(m, &d))
		d = (struct mime_date){ 0, 0 };
	zone = d.zone < 0 ? -d.zone : d.zone;
	local_time(d.utc, out);
	buf_printf(out, " (%c%02d%02d)", d.zone < 0 ? '-' : '+', zone / 60, zone % 60);
}

static void write_sent_unix(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	struct mime_date d = { 0, 0 };

	if (!sent_date(m, &d))
		d.utc = 0;
	buf_printf(out, "%" PRId64, d.utc);
}

/* As IMAP has it, without the parentheses around. */
static void write_bare(struct span s, struct buf *out)
{
	buf_add_span(out, s.n >= 2 ? span_cut(s, 1, s.n - 2) : s);
}

static void write_envelope(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	write_bare(m->envelope, out);
}

static void write_body(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	write_bare(m->body, out);
}

static void write_structure(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	write_bare(m->bodystructure, out);
}

static void write_preview(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_span(out, m->preview);
}

static void write_uidl(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	const struct fetch *ft = j->state;
	struct span uidl;
	uint32_t order;

	if (ft->uidls && view_uidls_find(ft->uidls, m->uid, &uidl, &order))
		buf_add_span(out, uidl);
}

static void write_order(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	const struct fetch *ft = j->state;
	struct span uidl;
	uint32_t order;

	if (ft->uidls && view_uidls_find(ft->uidls, m->uid, &uidl, &order) && order)
		buf_add_u64(out, order);
}

static const struct field_row field_rows[] = {
	{ "user", .write = write_user },
	{ "mailbox", .write = write_mailbox },
	{ "mailbox-guid", .write = write_mailbox_guid },
	{ "seq", .write = write_seq },
	{ "uid", .write = write_uid },
	{ "guid", .write = write_guid },
	{ "storageid", .write = write_guid },
	{ "flags", .write = write_flags },
	{ "modseq", .write = write_modseq },
	{ "hdr", FIELD_LINES, 0, COLUMN_TEXT, NULL, MIME_SECTION_HEADER },
	{ "body", FIELD_LINES, 0, COLUMN_TEXT, NULL, MIME_SECTION_TEXT },
	{ "body.preview", FIELD_FACT, WANT_PREVIEW, 0, write_preview },
	{ "body.snippet", FIELD_FACT, WANT_PREVIEW, 0, write_preview },
	{ "text", FIELD_LINES, 0, COLUMN_TEXT, NULL, MIME_SECTION_ALL },
	{ "text.utf8", FIELD_PLAIN, 0, COLUMN_TEXT },
	{ "size.physical", FIELD_FACT, WANT_VSIZE, 0, write_physical },
	{ "size.virtual", FIELD_FACT, WANT_VSIZE, 0, write_virtual },
	{ "date.received", FIELD_FACT, WANT_DATES, 0, write_received },
	{ "date.sent", FIELD_FACT, WANT_ENVELOPE, 0, write_sent },
	{ "date.saved", FIELD_FACT, WANT_DATES, 0, write_saved },
	{ "date.received.unixtime", FIELD_FACT, WANT_DATES, 0, write_received_unix },
	{ "date.sent.unixtime", FIELD_FACT, WANT_ENVELOPE, 0, write_sent_unix },
	{ "date.saved.unixtime", FIELD_FACT, WANT_DATES, 0, write_saved_unix },
	{ "imap.envelope", FIELD_FACT, WANT_ENVELOPE, 0, write_envelope },
	{ "imap.body", FIELD_FACT, WANT_BODY, 0, write_body },
	{ "imap.bodystructure", FIELD_FACT, WANT_BODYSTRUCTURE, 0, write_structure },
	{ "pop3.uidl", FIELD_NOTE, .write = write_uidl },
	{ "pop3.order", FIELD_NOTE, .write = write_order },
	{ "refcount", FIELD_LINKS },
	{ "hdr.", FIELD_HEADER, .section = MIME_SECTION_HEADER },
	{ "body.", FIELD_WIRE, 0, COLUMN_TEXT },
	{ "binary.", FIELD_BINARY, 0, COLUMN_TEXT },
};

static const struct field_row *find_field(struct span word, struct span *rest_r)
{
	for (size_t i = 0; i < ARRAY_LEN(field_rows); i++) {
		struct span name = span_str(field_rows[i].name);

		*rest_r = span_from(word, name.n);
		if (span_eq(word, name) || (name.p[name.n - 1] == '.' && rest_r->n && span_starts(word, name)))
			return &field_rows[i];
	}
	return NULL;
}

static enum err add_field(struct jobs *j, struct fetch *ft, struct span word, struct errtext *t)
{
	struct field *f = &ft->field[ft->fields];
	struct span rest;
	bool ok = true;

	if (ft->fields == FIELDS_MAX)
		return err_say(t, ERR_SYNTAX, "Too many fields");
	*f = (struct field){ .row = find_field(word, &rest) };
	if (!f->row)
		return err_say(t, ERR_SYNTAX, "Unknown fetch field: %.*s", (int)word.n, word.p);
	f->section.kind = f->row->section;
	if (f->row->kind == FIELD_HEADER && span_ends(rest, SPAN(".utf8"))) {
		f->decode = true;
		rest.n -= 5;
	}
	if (f->row->kind == FIELD_HEADER)
		f->name = arena_copy(j->arena, rest, &ok);
	else if (rest.n && mime_section_parse(rest, &f->section))
		return err_say(t, ERR_SYNTAX, "Invalid section: %.*s", (int)word.n, word.p);
	ft->want |= f->row->want;
	ft->notes |= f->row->kind == FIELD_NOTE;
	ft->fields++;
	f->title = arena_span(j->arena, word);
	return ok && f->title ? ERR_OK : ERR_MEMORY;
}

enum err fields_read(struct jobs *j, struct span words, struct fetch *ft, struct errtext *t)
{
	struct span word;
	enum err e = ERR_OK;

	while (!e && span_split(&words, ' ', &word))
		if (word.n)
			e = add_field(j, ft, word, t);
	return e;
}

void fields_columns(struct jobs *j, const struct fetch *ft)
{
	const char *title[FIELDS_MAX];
	unsigned flags[FIELDS_MAX];

	for (size_t i = 0; i < ft->fields; i++) {
		title[i] = ft->field[i].title;
		flags[i] = ft->field[i].row->flags;
	}
	job_columns(j, title, flags, ft->fields);
}
