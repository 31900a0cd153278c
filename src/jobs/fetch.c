/*
 * search, and fetch: a row a message. What the index knows of it is written down at once; bytes follow in pieces,
 * with the line ends that files have.
 */
#include "room.h"

#include "base/guid.h"
#include "base/must.h"
#include "mime/date.h"
#include "mime/decode.h"
#include "mime/header.h"
#include "mime/section.h"

#include <inttypes.h>
#include <time.h>

enum {
	FIELDS_MAX = 128,
	PIECE = 64 << 10,
	HEADER_MOST = 4 << 20,
	FACTS_MOST = 64 << 20,
};

/* --- search ---------------------------------------------------------------------------------- */

static const char *const found_columns[] = { "mailbox-guid", "uid" };
static const unsigned found_flags[] = { COLUMN_BARE, COLUMN_BARE };

void job_found_columns(struct jobs *j)
{
	job_columns(j, found_columns, found_flags, 2);
}

static enum err search_start(struct jobs *j, struct errtext *t)
{
	job_found_columns(j);
	return job_choose_query(j, j->arg, j->args, false, t);
}

enum step job_found_mailbox(struct jobs *j)
{
	uint32_t *last = j->box_state, uid;
	char guid[GUID_TEXT + 1];

	if (!last)
		last = job_box_state(j, sizeof(*last), NULL);
	guid_text(view_state(j->v)->guid, guid);
	while (last && (uid = set_next(&j->uids, *last + 1))) {
		if (stream_full(j->io))
			return STEP_OUTPUT_FULL;
		job_row_begin(j);
		job_cell_str(j, guid);
		job_cell_u64(j, uid);
		job_row_end(j);
		*last = uid;
	}
	return STEP_DONE;
}

/* --- fields ------------------------------------------------------------------------------------ */

struct fetching;
struct field;

/* A field's row: write appends what the facts say; else it is of the bytes: a section, or a header field. */
struct field_row {
	const char *name; /* ending in '.': the rest of the word is its own */
	unsigned want;
	unsigned flags;   /* enum column_flag */
	void (*write)(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out);
	enum mime_section_kind section;
	bool header;      /* one field of the header */
	bool wire;        /* line ends as IMAP has them, not as files have */
};

struct field {
	const struct field_row *row;
	struct span name;            /* of a header field; arena */
	bool decode;                 /* its encoded words */
	struct mime_section section;
	size_t at, n;                /* in the facts of the message under way */
};

struct fetch {
	struct field field[FIELDS_MAX];
	size_t fields;
	unsigned want;
	bool bytes;
};

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
	buf_add_u64(out, (uint64_t)m->internaldate);
}

static void write_saved(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	local_time(m->savedate, out);
}

static void write_saved_unix(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	buf_add_u64(out, (uint64_t)m->savedate);
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

/* At our clock, with the zone that the sender named. */
static void write_sent(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	struct mime_date d = { 0, 0 };
	int zone;

	if (!sent_date(m, &d))
		return;
	zone = d.zone < 0 ? -d.zone : d.zone;
	local_time(d.utc, out);
	buf_printf(out, " (%c%02d%02d)", d.zone < 0 ? '-' : '+', zone / 60, zone % 60);
}

static void write_sent_unix(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out)
{
	struct mime_date d = { 0, 0 };

	if (sent_date(m, &d))
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

static const struct field_row field_rows[] = {
	{ "user", 0, 0, write_user, 0, false, false },
	{ "mailbox", 0, 0, write_mailbox, 0, false, false },
	{ "mailbox-guid", 0, 0, write_mailbox_guid, 0, false, false },
	{ "seq", 0, 0, write_seq, 0, false, false },
	{ "uid", 0, 0, write_uid, 0, false, false },
	{ "guid", 0, 0, write_guid, 0, false, false },
	{ "flags", 0, 0, write_flags, 0, false, false },
	{ "modseq", 0, 0, write_modseq, 0, false, false },
	{ "hdr", 0, COLUMN_TEXT, NULL, MIME_SECTION_HEADER, false, false },
	{ "body", 0, COLUMN_TEXT, NULL, MIME_SECTION_TEXT, false, false },
	{ "body.preview", WANT_PREVIEW, 0, write_preview, 0, false, false },
	{ "text", 0, COLUMN_TEXT, NULL, MIME_SECTION_ALL, false, false },
	{ "size.physical", WANT_VSIZE, 0, write_physical, 0, false, false },
	{ "size.virtual", WANT_VSIZE, 0, write_virtual, 0, false, false },
	{ "date.received", WANT_DATES, 0, write_received, 0, false, false },
	{ "date.sent", WANT_ENVELOPE, 0, write_sent, 0, false, false },
	{ "date.saved", WANT_DATES, 0, write_saved, 0, false, false },
	{ "date.received.unixtime", WANT_DATES, 0, write_received_unix, 0, false, false },
	{ "date.sent.unixtime", WANT_ENVELOPE, 0, write_sent_unix, 0, false, false },
	{ "date.saved.unixtime", WANT_DATES, 0, write_saved_unix, 0, false, false },
	{ "imap.envelope", WANT_ENVELOPE, 0, write_envelope, 0, false, false },
	{ "imap.body", WANT_BODY, 0, write_body, 0, false, false },
	{ "imap.bodystructure", WANT_BODYSTRUCTURE, 0, write_structure, 0, false, false },
	{ "hdr.", 0, 0, NULL, MIME_SECTION_HEADER, true, false },
	{ "body.", 0, COLUMN_TEXT, NULL, MIME_SECTION_ALL, false, true },
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
	if (f->row->header && span_ends(rest, SPAN(".utf8"))) {
		f->decode = true;
		rest.n -= 5;
	}
	if (f->row->header)
		f->name = arena_copy(j->arena, rest, &ok);
	else if (!f->row->write && rest.n && mime_section_parse(rest, &f->section))
		return err_say(t, ERR_SYNTAX, "Invalid section: %.*s", (int)word.n, word.p);
	ft->want |= f->row->want;
	ft->bytes |= !f->row->write;
	ft->fields++;
	return ok ? ERR_OK : ERR_MEMORY;
}

static enum err fetch_start(struct jobs *j, struct errtext *t)
{
	struct fetch *ft = job_state(j, sizeof(*ft), NULL);
	struct span rest = j->arg[0], word;
	const char *name[FIELDS_MAX];
	unsigned flags[FIELDS_MAX];
	enum err e = ft ? ERR_OK : ERR_MEMORY;

	while (!e && span_split(&rest, ' ', &word)) {
		if (!word.n)
			continue;
		e = add_field(j, ft, word, t);
		if (e)
			break;
		name[ft->fields - 1] = arena_span(j->arena, word);
		flags[ft->fields - 1] = ft->field[ft->fields - 1].row->flags;
		if (!name[ft->fields - 1])
			e = ERR_MEMORY;
	}
	if (!e && !ft->fields)
		e = err_say(t, ERR_SYNTAX, "Missing fetch field");
	if (!e)
		e = job_choose_query(j, j->arg + 1, j->args - 1, false, t);
	if (!e)
		job_columns(j, name, flags, ft->fields);
	return e;
}

/* --- messages ---------------------------------------------------------------------------------- */

/* One mailbox's messages; msg and field: the message under way, and how far its row is. */
struct fetching {
	struct view_walk *walk;  /* own */
	struct mime_charsets *charsets; /* own */
	bool row;                /* a row is begun */
	struct buf facts;        /* own */
	struct buf piece;        /* own */
	uint32_t uid;
	struct message *msg;     /* own */
	size_t field;
	bool reading;            /* the section is open */
	struct message_bytes bytes;
	uint64_t at;
	bool cr;                 /* a CR stood last */
};

static void fetching_drop(void *state)
{
	struct fetching *g = state;

	message_close(&g->msg);
	view_walk_end(&g->walk);
	mime_charsets_free(&g->charsets);
	buf_free(&g->facts);
	buf_free(&g->piece);
}

/* CRLF to LF, over the seam of pieces too. */
static void add_lines(struct jobs *j, struct fetching *g, struct span s)
{
	size_t from = 0;

	if (g->cr && s.n && s.p[0] != '\n')
		job_cell_add(j, SPAN("\r"));
	g->cr = false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\r')
			continue;
		if (i + 1 < s.n && s.p[i + 1] != '\n')
			continue;
		job_cell_add(j, span_cut(s, from, i - from));
		from = i + 1;
		g->cr = from == s.n;
	}
	job_cell_add(j, span_from(s, from));
}

/* Every field of that name, a line each: decoded, or folded as it is. */
static void add_header(struct jobs *j, struct fetching *g, const struct field *f)
{
	struct mime_header h = mime_header_of(buf_span(&g->piece));
	struct mime_field field;
	struct buf text;
	bool any = false;

	buf_init(&text, HEADER_MOST);
	while (mime_header_next(&h, &field)) {
		if (!field.colon || !span_ieq(field.name, f->name))
			continue;
		if (any)
			buf_add_char(&text, '\n');
		any = true;
		if (f->decode)
			mime_words_decode(g->charsets, field.value, &text);
		else
			buf_add_span(&text, field.value);
	}
	add_lines(j, g, buf_span(&text));
	buf_free(&text);
}

static enum err open_section(struct jobs *j, struct fetching *g, const struct field *f, struct errtext *t)
{
	enum err e = g->msg ? ERR_OK : message_open(j->v, g->uid, &g->msg, t);

	if (!e)
		e = message_section(g->msg, &f->section, NULL, 0, &g->bytes, t);
	g->reading = !e;
	g->at = 0;
	g->cr = false;
	if (!e)
		job_cell_begin(j);
	return e;
}

/* A piece of the section; *more_r: there is more. */
static enum err add_piece(struct jobs *j, struct fetching *g, const struct field *f, bool *more_r, struct errtext *t)
{
	size_t most = f->row->header ? HEADER_MOST : PIECE;
	enum err e;

	buf_clear(&g->piece);
	e = g->bytes.nil ? ERR_OK : message_read(&g->bytes, g->at, most, &g->piece, t);
	*more_r = false;
	if (e)
		return e;
	g->at += g->piece.n;
	if (f->row->header) {
		add_header(j, g, f);
		return ERR_OK;
	}
	if (f->row->wire)
		job_cell_add(j, buf_span(&g->piece));
	else
		add_lines(j, g, buf_span(&g->piece));
	*more_r = g->piece.n == most;
	if (!*more_r && g->cr)
		job_cell_add(j, SPAN("\r"));
	return ERR_OK;
}

/* The rest of the row under way. STEP_DONE: it is written. */
static enum step write_row(struct jobs *j, struct fetching *g, enum err *e, struct errtext *t)
{
	struct fetch *ft = j->state;
	bool more;

	while (g->field < ft->fields) {
		struct field *f = &ft->field[g->field];

		if (f->row->write) {
			job_cell(j, span_cut(buf_span(&g->facts), f->at, f->n));
			g->field++;
			continue;
		}
		if (job_slice_over(j))
			return job_yield(j);
		if (!g->reading)
			*e = open_section(j, g, f, t);
		if (!*e)
			*e = add_piece(j, g, f, &more, t);
		if (*e)
			break;
		g->reading = more;
		g->field += !more;
	}
	message_close(&g->msg);
	g->reading = g->row = false;
	job_row_end(j);
	return STEP_DONE;
}

static void take_facts(struct jobs *j, struct fetching *g, const struct message_facts *m)
{
	struct fetch *ft = j->state;

	buf_clear(&g->facts);
	for (size_t i = 0; i < ft->fields; i++) {
		struct field *f = &ft->field[i];

		f->at = g->facts.n;
		if (f->row->write)
			f->row->write(j, f, m, &g->facts);
		f->n = g->facts.n - f->at;
	}
	g->uid = m->uid;
	g->field = 0;
	g->row = true;
	job_row_begin(j);
}

static enum err fetching_begin(struct jobs *j, struct fetching **g_r, struct errtext *t)
{
	const struct fetch *ft = j->state;
	struct fetching *g = job_box_state(j, sizeof(*g), fetching_drop);

	if (!g)
		return ERR_MEMORY;
	buf_init(&g->facts, FACTS_MOST);
	buf_init(&g->piece, HEADER_MOST);
	g->charsets = mime_charsets_new();
	*g_r = g;
	return view_walk_begin(j->v, &j->uids, ft->want, &g->walk, t);
}

/* One message more. ERR_NOTFOUND: there is none. */
static enum err next_message(struct jobs *j, struct fetching *g, struct errtext *t)
{
	struct message_facts m;
	enum err e = view_walk_next(g->walk, &m, t);

	if (!e)
		take_facts(j, g, &m);
	else if (e != ERR_EXPUNGED && view_err_passes(e))
		job_fail(j, e, t, "Mailbox %s: UID %u", j->name, m.uid);
	return view_err_passes(e) ? ERR_OK : e;
}

static enum step fetch_mailbox(struct jobs *j)
{
	struct fetching *g = j->box_state;
	struct errtext t = { "" };
	enum step step = STEP_DONE;
	enum err e = g ? ERR_OK : fetching_begin(j, &g, &t);

	while (!e && step == STEP_DONE && !job_slice_over(j)) {
		if (!g->row)
			e = next_message(j, g, &t);
		if (!e && g->row)
			step = write_row(j, g, &e, &t);
		if (view_err_passes(e) && e != ERR_OK) {
			if (e != ERR_EXPUNGED)
				job_fail(j, e, &t, "Mailbox %s: UID %u", j->name, g->uid);
			e = ERR_OK;
		}
	}
	if (g && g->walk)
		view_walk_pause(g->walk);
	if (!e)
		return job_yield(j);
	if (e != ERR_NOTFOUND)
		job_fail(j, e, &t, "Mailbox %s", j->name);
	return STEP_DONE;
}

const struct job_row job_rows_fetch[] = {
	{ .name = "fetch", .start = fetch_start, .mailbox = fetch_mailbox },
	{ .name = "search", .start = search_start, .mailbox = job_found_mailbox },
	{ 0 },
};
