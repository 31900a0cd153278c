#include "made.h"

#include "base/must.h"
#include "mime/bodystruct.h"
#include "mime/envelope.h"
#include "mime/header.h"

enum {
	TEXT_MAX = 14 << 20,
	HEADERS_MAX = 32 << 10,
};

/* What SEARCH, SORT and THREAD ask for most. */
static const struct span kept[] = {
	SPAN_INIT("from"), SPAN_INIT("to"), SPAN_INIT("cc"), SPAN_INIT("bcc"), SPAN_INIT("subject"), SPAN_INIT("date"),
	SPAN_INIT("message-id"), SPAN_INIT("in-reply-to"), SPAN_INIT("references"), SPAN_INIT("reply-to"),
	SPAN_INIT("sender"), SPAN_INIT("list-id"),
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
}

bool made_header_kept(struct span name)
{
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (span_ieq(name, kept[i]))
			return true;
	return false;
}

static void add_header_line(struct mime_charsets *cs, const struct mime_field *f, struct buf *out)
{
	size_t at;

	for (size_t i = 0; i < f->name.n; i++)
		buf_add_char(out, ascii_lower(f->name.p[i]));
	buf_add(out, ": ", 2);
	at = out->n;
	mime_words_decode(cs, f->value, out);
	for (; !out->failed && at < out->n; at++)
		if ((unsigned char)out->p[at] < 0x20)
			out->p[at] = ' ';
	buf_add_char(out, '\n');
}

/* All kept fields or, when they are too many, nothing: half a list would make searches lie. */
bool made_headers_add(struct mime_charsets *cs, struct span message, size_t max, struct buf *out)
{
	struct mime_header h = mime_header_of(message);
	struct mime_field f;
	size_t from = out->n;
	bool ok;

	while (!out->failed && out->n - from <= max && mime_header_next(&h, &f))
		if (f.colon && made_header_kept(f.name))
			add_header_line(cs, &f, out);
	ok = !out->failed && out->n - from <= max && h.pos < MIME_HEADER_MAX;
	if (!ok) {
		out->failed = false;
		buf_truncate(out, from);
	}
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
	struct span line;

	while (span_split(rest, '\n', &line)) {
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
	while (!lines.failed && mime_header_next(&h, &f))
		if (f.colon && made_asked_has(names, f.name))
			add_header_line(cs, &f, &lines);
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

static int64_t sent_of(struct span message)
{
	struct mime_header h = mime_header_of(message);
	struct span value = { NULL, 0 };
	struct mime_field f;
	struct mime_date d;

	while (mime_header_next(&h, &f))
		if (f.colon && span_ieq_str(f.name, "Date"))
			value = f.value;
	return mime_date_parse(value, &d) ? sent_pack(d) : SENT_NONE;
}

void made_from(struct made *m, struct mime_charsets *cs, struct span message, bool preview)
{
	buf_clear(&m->text);
	memset(m->have, 0, sizeof(m->have));
	mime_tree_parse(message, &m->tree);
	m->vsize = mime_tree_size(&m->tree);
	m->sent = sent_of(message);

	begin_field(m, IDX_ENVELOPE);
	mime_envelope_add(message, &m->text);
	end_field(m, IDX_ENVELOPE, "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
	begin_field(m, IDX_BODYSTRUCTURE);
	mime_bodystruct_add(message, &m->tree, true, &m->text);
	end_field(m, IDX_BODYSTRUCTURE,
		  "(\"APPLICATION\" \"OCTET-STREAM\" NIL NIL NIL \"BINARY\" 0 NIL NIL NIL NIL)");
	begin_field(m, IDX_PARTS);
	mime_tree_encode(&m->tree, &m->text);
	end_field(m, IDX_PARTS, "");
	m->have[IDX_PARTS] = m->n[IDX_PARTS] > 0;
	begin_field(m, IDX_HEADERS);
	m->have[IDX_HEADERS] = made_headers_add(cs, message, HEADERS_MAX, &m->text);
	if (m->have[IDX_HEADERS])
		end_field(m, IDX_HEADERS, "");
	if (!preview)
		return;
	begin_field(m, IDX_PREVIEW);
	preview_add(cs, message, &m->tree, &m->text);
	end_field(m, IDX_PREVIEW, "");
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
