/*
 * search, and fetch: a row a message. What the index knows of it is written down at once; bytes follow in pieces,
 * with the line ends that files have.
 */
#include "fetch.h"

#include "base/clock.h"
#include "base/guid.h"
#include "box/patience.h"
#include "mime/header.h"
#include "mime/plain.h"

enum {
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
	if (!last)
		return job_short(j);
	guid_text(view_state(j->v)->guid, guid);
	while ((uid = set_next(&j->uids, *last + 1))) {
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

/* --- fetch ------------------------------------------------------------------------------------- */

static enum err fetch_start(struct jobs *j, struct errtext *t)
{
	struct fetch *ft = job_state(j, sizeof(*ft), NULL);
	enum err e = ft ? fields_read(j, j->arg[0], ft, t) : ERR_MEMORY;

	if (!e)
		e = job_choose_query(j, j->arg + 1, j->args - 1, false, t);
	if (!e)
		fields_columns(j, ft);
	return e;
}

/* One mailbox's messages; msg and field: the message under way, and how far its row is. */
struct fetching {
	struct view_walk *walk;  /* own */
	struct mime_charsets *charsets; /* own */
	bool row;                /* a row is begun */
	struct buf facts;        /* own */
	struct buf piece;        /* own */
	uint32_t uid;
	struct message *msg;     /* own */
	bool opening;            /* it is still being unpacked, or looked into */
	size_t field;
	bool reading;            /* of the field under way: its bytes have begun */
	struct message_bytes bytes;
	uint64_t at;
	bool cr;                 /* a CR stood last */
	bool encoded;            /* decoder is in use */
	struct mime_decoder decoder;
	struct buf made;         /* own: what came out of it, or of plain */
	struct mime_plain plain; /* own */
	struct view_uidls *uidls; /* own */
	uint64_t since;          /* clock_ms: it was begun */
};

static void fetching_drop(void *state)
{
	struct fetching *g = state;

	message_close(&g->msg);
	view_walk_end(&g->walk);
	if (g->encoded)
		mime_decoder_end(&g->decoder, &g->made);
	mime_plain_free(&g->plain);
	mime_charsets_free(&g->charsets);
	view_uidls_free(&g->uidls);
	buf_free(&g->facts);
	buf_free(&g->piece);
	buf_free(&g->made);
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

/* The whole message is looked at at once, as by SEARCH. */
static enum err open_plain(struct fetching *g, struct errtext *t)
{
	const struct mime_tree *tree;
	struct span message;
	enum err e = message_stored(g->msg, APPEND_MOST, &message, t);

	if (!e)
		e = message_parts(g->msg, &tree, t);
	if (e)
		return e;
	mime_plain_free(&g->plain);
	mime_plain_init(&g->plain, g->charsets, message, tree);
	return ERR_OK;
}

static enum err open_binary(struct fetching *g, const struct field *f, struct errtext *t)
{
	enum mime_cte cte = MIME_CTE_IDENTITY;
	enum err e = g->bytes.nil || g->bytes.holds_parts || f->section.kind != MIME_SECTION_ALL
			     ? ERR_OK
			     : message_encoding(g->msg, &f->section, &cte, t);

	if (!e && cte != MIME_CTE_IDENTITY) {
		mime_decoder_init(&g->decoder, cte);
		g->encoded = true;
	}
	return e == ERR_CTE ? ERR_OK : e;
}

static enum err open_bytes(struct jobs *j, struct fetching *g, const struct field *f, struct errtext *t)
{
	enum err e = g->msg && !g->opening ? ERR_OK : message_open(j->v, g->uid, &g->msg, t);

	if (!e && f->row->kind == FIELD_PLAIN)
		e = open_plain(g, t);
	else if (!e && f->row->kind != FIELD_LINKS)
		e = message_section(g->msg, &f->section, NULL, 0, &g->bytes, t);
	if (!e && f->row->kind == FIELD_BINARY)
		e = open_binary(g, f, t);
	g->opening = e == ERR_AGAIN;
	g->reading = !e;
	g->at = 0;
	g->cr = false;
	if (!e)
		job_cell_begin(j);
	return e;
}

static void add_decoded(struct jobs *j, struct fetching *g, bool more)
{
	buf_clear(&g->made);
	mime_decoder_add(&g->decoder, buf_span(&g->piece), &g->made);
	if (!more)
		mime_decoder_end(&g->decoder, &g->made);
	g->encoded = more;
	job_cell_add(j, buf_span(&g->made));
}

/* A piece of a section; *more_r: there is more. */
static enum err add_piece(struct jobs *j, struct fetching *g, const struct field *f, bool *more_r, struct errtext *t)
{
	size_t most = f->row->kind == FIELD_HEADER ? HEADER_MOST : PIECE;
	enum err e;

	buf_clear(&g->piece);
	e = g->bytes.nil ? ERR_OK : message_read(&g->bytes, g->at, most, &g->piece, t);
	if (e)
		return e;
	g->at += g->piece.n;
	*more_r = g->piece.n == most && f->row->kind != FIELD_HEADER;
	if (f->row->kind == FIELD_HEADER)
		add_header(j, g, f);
	else if (g->encoded)
		add_decoded(j, g, *more_r);
	else if (f->row->kind == FIELD_LINES)
		add_lines(j, g, buf_span(&g->piece));
	else
		job_cell_add(j, buf_span(&g->piece));
	return ERR_OK;
}

static enum err add_bytes(struct jobs *j, struct fetching *g, const struct field *f, bool *more_r, struct errtext *t)
{
	enum err e = ERR_OK;

	*more_r = false;
	if (f->row->kind == FIELD_LINKS) {
		buf_clear(&g->made);
		buf_add_u64(&g->made, message_links(g->msg));
		job_cell_add(j, buf_span(&g->made));
	} else if (f->row->kind == FIELD_PLAIN) {
		buf_clear(&g->made);
		*more_r = mime_plain_step(&g->plain, PIECE, &g->made) == STEP_SLICE;
		add_lines(j, g, buf_span(&g->made));
	} else {
		e = add_piece(j, g, f, more_r, t);
	}
	if (!e && !*more_r && g->cr)
		job_cell_add(j, SPAN("\r"));
	return e;
}

/* The rest of the row under way. STEP_DONE: it is written. */
static enum step write_row(struct jobs *j, struct fetching *g, enum err *e, struct errtext *t)
{
	struct fetch *ft = j->state;
	bool more;

	while (g->field < ft->fields) {
		struct field *f = &ft->field[g->field];

		if (field_is_fact(f)) {
			job_cell(j, span_cut(buf_span(&g->facts), f->at, f->n));
			g->field++;
			continue;
		}
		if (job_slice_over(j))
			return job_yield(j);
		if (!g->reading)
			*e = open_bytes(j, g, f, t);
		if (*e == ERR_AGAIN)
			return job_yield(j);
		if (!*e)
			*e = add_bytes(j, g, f, &more, t);
		if (*e)
			break;
		g->reading = more;
		g->field += !more;
	}
	if (g->encoded)
		mime_decoder_end(&g->decoder, &g->made);
	message_close(&g->msg);
	g->reading = g->row = g->encoded = false;
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
		if (field_is_fact(f))
			f->row->write(j, f, m, &g->facts);
		f->n = g->facts.n - f->at;
	}
	g->uid = m->uid;
	g->field = 0;
	g->row = true;
	job_row_begin(j);
}

static struct fetching *fetching_new(struct jobs *j)
{
	struct fetching *g = job_box_state(j, sizeof(*g), fetching_drop);

	if (!g)
		return NULL;
	buf_init(&g->facts, FACTS_MOST);
	buf_init(&g->piece, HEADER_MOST);
	buf_init(&g->made, FACTS_MOST);
	g->charsets = mime_charsets_new();
	g->since = clock_ms();
	return g;
}

/* ERR_INUSE: it may be tried again. */
static enum err fetching_begin(struct jobs *j, struct fetching *g, struct errtext *t)
{
	struct fetch *ft = j->state;
	enum err e = ERR_OK;

	if (ft->notes)
		e = view_uidls_load(j->v, &g->uidls, t);
	ft->uidls = g->uidls;
	return e ? e : view_walk_begin(j->v, &j->uids, ft->want, &g->walk, t);
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
	const struct fetch *ft = j->state;
	struct fetching *g = j->box_state ? j->box_state : fetching_new(j);
	struct errtext t = { "" };
	enum step step = STEP_DONE;
	enum err e = g ? ERR_OK : ERR_MEMORY;

	if (!ft->fields)
		return STEP_DONE;
	if (!e && !g->walk)
		e = fetching_begin(j, g, &t);
	if (g && !g->walk && box_patient(e, g->since))
		return STEP_WAITING;
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
	if (!e || e == ERR_AGAIN)
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
