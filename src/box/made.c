#include "made.h"

#include "base/clock.h"
#include "base/must.h"
#include "mime/bodystruct.h"
#include "mime/envelope.h"
#include "mime/header.h"

enum {
	TEXT_MAX = 14 << 20,
	HEADERS_MAX = 32 << 10,
	AT_ONCE = 1 << 20, /* of a message, or of what there is to parse */
};

/* What SEARCH, SORT and THREAD ask for most. */
enum {
	KEPT = 1 << MIME_FROM | 1 << MIME_TO | 1 << MIME_CC | 1 << MIME_BCC | 1 << MIME_SUBJECT | 1 << MIME_DATE |
	       1 << MIME_MESSAGE_ID | 1 << MIME_IN_REPLY_TO | 1 << MIME_REFERENCES | 1 << MIME_REPLY_TO |
	       1 << MIME_SENDER | 1 << MIME_LIST_ID,
};

void made_init(struct made *m)
{
	*m = (struct made){ .vsize = 0 };
	buf_init(&m->text, TEXT_MAX);
}

void made_free(struct made *m)
{
	buf_free(&m->text);
	mime_tree_free(&m->tree);
	mime_fields_free(&m->fields);
	mime_parser_free(&m->parser);
}

static bool is_kept(enum mime_name name)
{
	return KEPT >> name & 1;
}

bool made_header_kept(struct span name)
{
	return is_kept(mime_name_of(name));
}

static void add_decoded(struct mime_charsets *cs, struct span value, struct buf *out)
{
	size_t at = out->n;

	mime_words_decode(cs, value, out);
	for (; !out->failed && at < out->n; at++)
		if ((unsigned char)out->p[at] < 0x20)
			out->p[at] = ' ';
}

/* One line: ": ", the value, LF; the name stands there already. */
static void add_value(struct mime_charsets *cs, struct span value, struct buf *out)
{
	buf_add(out, ": ", 2);
	if (span_is_plain(value) && span_find(value, '=') == SIZE_MAX)
		buf_add_span(out, value); /* as most are: nothing to decode */
	else
		add_decoded(cs, value, out);
	buf_add_char(out, '\n');
}

/* All kept fields or, when they are too many, nothing: half a list would make searches lie. */
static bool add_kept(struct mime_charsets *cs, const struct mime_fields *fields, size_t max, struct buf *out)
{
	size_t from = out->n;
	bool ok;

	for (size_t i = 0; i < fields->n && !out->failed && out->n - from <= max; i++) {
		if (!is_kept(fields->f[i].name))
			continue;
		buf_add_span(out, mime_name_text(fields->f[i].name));
		add_value(cs, fields->f[i].value, out);
	}
	ok = !out->failed && out->n - from <= max && fields->all;
	if (!ok) {
		out->failed = false;
		buf_truncate(out, from);
	}
	return ok;
}

bool made_headers_add(struct mime_charsets *cs, struct span message, size_t max, struct buf *out)
{
	struct mime_fields fields = { 0 };
	bool ok;

	mime_fields_read(message, &fields);
	ok = add_kept(cs, &fields, max, out);
	mime_fields_free(&fields);
	return ok;
}

bool made_headers_next(struct span *rest, struct span *name_r, struct span *value_r)
{
	struct span line;
	size_t colon;

	while (span_split(rest, '\n', &line)) {
		colon = span_find(line, ':');
		if (colon > line.n)
			continue;
		*name_r = span_cut(line, 0, colon);
		*value_r = span_from(line, colon + 2);
		return true;
	}
	return false;
}

bool made_headers_find(struct span *rest, struct span name, struct span *value_r)
{
	while (rest->n) {
		const char *lf = memchr(rest->p, '\n', rest->n);
		struct span line = span_cut(*rest, 0, lf ? (size_t)(lf - rest->p) : rest->n);

		*rest = span_from(*rest, line.n + 1);
		if (line.n <= name.n || line.p[name.n] != ':' || !span_ieq(span_cut(line, 0, name.n), name))
			continue;
		*value_r = span_from(line, name.n + 2);
		return true;
	}
	return false;
}

bool made_asked_name(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] == 0x7f || name.p[i] == ':')
			return false;
	return name.n && name.n <= ASKED_NAME_MAX;
}

bool made_asked_has(struct span asked, struct span name)
{
	struct span names = span_cut(asked, 0, span_find(asked, '\n')), word;

	while (span_split(&names, ' ', &word))
		if (span_ieq(word, name))
			return true;
	return false;
}

bool made_asked_add(struct mime_charsets *cs, struct span message, struct span names, struct buf *out)
{
	struct mime_header h = mime_header_of(message);
	struct mime_field f;
	struct buf lines;
	bool ok;

	buf_init(&lines, HEADERS_MAX);
	while (!lines.failed && mime_header_next(&h, &f)) {
		if (!f.colon || !made_asked_has(names, f.name))
			continue;
		for (size_t i = 0; i < f.name.n; i++)
			buf_add_char(&lines, ascii_lower(f.name.p[i]));
		add_value(cs, f.value, &lines);
	}
	ok = !lines.failed && h.pos < MIME_HEADER_MAX;
	if (ok) {
		buf_add_span(out, names);
		buf_add_char(out, '\n');
		buf_add_span(out, buf_span(&lines));
	}
	buf_free(&lines);
	return ok;
}

static void begin_field(struct made *m, enum idx_field f)
{
	m->off[f] = m->text.n;
}

/* instead: for what did not fit. */
static void end_field(struct made *m, enum idx_field f, const char *instead)
{
	if (m->text.failed) {
		m->text.failed = false;
		buf_truncate(&m->text, m->off[f]);
		buf_add_str(&m->text, instead);
	}
	m->n[f] = m->text.n - m->off[f];
	m->have[f] = true;
}

int64_t sent_pack(struct mime_date d)
{
	return d.utc * 4096 + d.zone + 2048;
}

bool sent_date(int64_t sent, struct mime_date *d_r)
{
	int64_t zone = ((sent % 4096) + 4096) % 4096;

	if (!sent || sent == SENT_NONE)
		return false;
	*d_r = (struct mime_date){ (sent - zone) / 4096, (int)zone - 2048 };
	return true;
}

static int64_t sent_of(const struct mime_fields *fields)
{
	struct mime_date d;

	return mime_date_parse(mime_fields_last(fields, MIME_DATE), &d) ? sent_pack(d) : SENT_NONE;
}

/* The rest, when its structure is known. */
static void made_of_tree(struct made *m, struct mime_charsets *cs, struct span message, bool preview)
{
	buf_clear(&m->text);
	memset(m->have, 0, sizeof(m->have));
	m->vsize = mime_tree_size(&m->tree);
	m->sent = sent_of(&m->fields);

	begin_field(m, IDX_ENVELOPE);
	mime_envelope_write(&m->fields, &m->text);
	end_field(m, IDX_ENVELOPE, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	begin_field(m, IDX_BODYSTRUCTURE);
	mime_bodystruct_write(message, &m->tree, &m->fields, true, &m->text);
	end_field(m, IDX_BODYSTRUCTURE,
		  "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BINARY\" 0 NIL NIL NIL NIL)");
	begin_field(m, IDX_PARTS);
	mime_tree_encode(&m->tree, &m->text);
	end_field(m, IDX_PARTS, "");
	m->have[IDX_PARTS] = m->n[IDX_PARTS] > 0;
	begin_field(m, IDX_HEADERS);
	m->have[IDX_HEADERS] = add_kept(cs, &m->fields, HEADERS_MAX, &m->text);
	if (m->have[IDX_HEADERS])
		end_field(m, IDX_HEADERS, "");
	if (!preview)
		return;
	begin_field(m, IDX_PREVIEW);
	preview_add(cs, message, &m->tree, &m->text);
	end_field(m, IDX_PREVIEW, "");
}

void made_from(struct made *m, struct mime_charsets *cs, struct span message, bool preview)
{
	mime_tree_parse_fields(message, &m->tree, &m->fields);
	made_of_tree(m, cs, message, preview);
}

enum err made_parse(struct mime_parser *p, uint64_t end_us)
{
	while (mime_parser_step(p, AT_ONCE) != STEP_DONE)
		if (clock_us() > end_us)
			return ERR_AGAIN;
	return ERR_OK;
}

enum err made_some(struct made *m, struct mime_charsets *cs, struct span message, bool preview,
		   uint64_t end_us)
{
	if (message.n <= AT_ONCE) {
		made_from(m, cs, message, preview);
		return ERR_OK;
	}
	if (!m->parser)
		m->parser = mime_parser_new(message, &m->tree, &m->fields);
	if (made_parse(m->parser, end_us))
		return ERR_AGAIN;
	made_stop(m);
	made_of_tree(m, cs, message, preview);
	return ERR_OK;
}

void made_stop(struct made *m)
{
	mime_parser_free(&m->parser);
}

void made_cache(const struct made *m, struct idx_cache *c_r)
{
	for (int i = 0; i < IDX_FIELDS; i++) {
		c_r->field[i] = (struct span){ NULL, 0 };
		if (m->have[i])
			c_r->field[i] = span_of(m->text.p + m->off[i], m->n[i]);
		/* An empty field is known to be empty. */
		if (m->have[i] && !c_r->field[i].p)
			c_r->field[i].p = "";
	}
}
