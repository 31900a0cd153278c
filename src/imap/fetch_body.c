/*
 * FETCH items that show the message itself (RFC 3501 section 6.4.5): BODY[section]<partial>,
 * BODY.PEEK, RFC822 and kin. Bytes go from box into the stream's buffer in pieces; nothing here
 * holds a message.
 *
 * Partials echo the origin only; what lies beyond the end is cut off silently, a start beyond it
 * gives "". IMAP forbids NUL in strings: it is shown as 0x80, so that sizes stay.
 */
#include "fetch.h"

#include "mime/section.h"
#include "wire/imap_write.h"

enum { PIECE = 64 << 10 };

/* One such item, compiled, and where its writing stands. */
struct body_op {
	struct mime_section section;
	const struct span *names;   /* arena: HEADER.FIELDS */
	size_t names_n;
	const char *label;          /* arena or constant: as answered, "BODY[1]<0>" */
	bool partial;
	uint64_t origin, length;

	bool started;
	struct message_bytes bytes;
	uint64_t at, end;
};

/* ---- parsing ---- */

static bool is_fields(const struct body_op *o)
{
	return o->section.kind == MIME_SECTION_FIELDS || o->section.kind == MIME_SECTION_FIELDS_NOT;
}

static bool parse_names(struct arena *arena, const struct imap_arg *list, struct body_op *o)
{
	const struct imap_arg *a;
	struct span *names;

	if (!imap_arg_list(list, &a) || !a || list->next)
		return false;
	names = arena_array(arena, list->count, sizeof(*names));
	if (!names)
		return false;
	for (; a; a = a->next)
		if (!imap_arg_astring(a, &names[o->names_n++]))
			return false;
	o->names = names;
	return true;
}

static bool parse_section(struct arena *arena, const struct imap_arg *a, struct body_op *o,
			  struct span *text_r)
{
	*text_r = (struct span){ "", 0 };
	if (a && !imap_arg_atom(a, text_r))
		return false;
	if (mime_section_parse(*text_r, &o->section))
		return false;
	if (is_fields(o))
		return parse_names(arena, a->next, o);
	return !a || !a->next;
}

/* What the answer calls it: the section in upper case, the names as they were asked for, the origin. */
static const char *make_label(struct arena *arena, const struct body_op *o, struct span section)
{
	struct buf b;
	const char *label;

	buf_init(&b, 2 << 20);
	buf_add_str(&b, "BODY[");
	for (size_t i = 0; i < section.n; i++)
		buf_add_char(&b, ascii_upper(section.p[i]));
	for (size_t i = 0; i < o->names_n; i++) {
		buf_add_str(&b, i ? " " : " (");
		imap_write_astring(&b, o->names[i]);
	}
	buf_add_str(&b, o->names_n ? ")]" : "]");
	if (o->partial) {
		buf_add_char(&b, '<');
		buf_add_u64(&b, o->origin);
		buf_add_char(&b, '>');
	}
	label = b.failed ? NULL : arena_span(arena, buf_span(&b));
	buf_free(&b);
	return label;
}

static enum err parse_body(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	struct body_op *o = arena_alloc(f->c->arena, sizeof(*o));
	struct span section;

	if (!o)
		return ERR_MEMORY;
	if (!parse_section(f->c->arena, (*a)->child, o, &section)) {
		imap_bad(f->c, "Invalid BODY[..] section.");
		return ERR_SYNTAX;
	}
	if (!imap_arg_partial(*a, &o->partial, &o->origin, &o->length)) {
		imap_bad(f->c, "Invalid BODY[..] partial.");
		return ERR_SYNTAX;
	}
	o->label = make_label(f->c->arena, o, section);
	op->data = o;
	return o->label ? ERR_OK : ERR_MEMORY;
}

static enum err parse_fixed(struct imap_fetch *f, struct imap_fetch_op *op,
			    enum mime_section_kind kind, const char *label)
{
	struct body_op *o = arena_alloc(f->c->arena, sizeof(*o));

	if (!o)
		return ERR_MEMORY;
	o->section.kind = kind;
	o->label = label;
	op->data = o;
	return ERR_OK;
}

static enum err parse_rfc822(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	return parse_fixed(f, op, MIME_SECTION_ALL, "RFC822");
}

static enum err parse_rfc822_header(struct imap_fetch *f, const struct imap_arg **a,
				    struct imap_fetch_op *op)
{
	return parse_fixed(f, op, MIME_SECTION_HEADER, "RFC822.HEADER");
}

static enum err parse_rfc822_text(struct imap_fetch *f, const struct imap_arg **a,
				  struct imap_fetch_op *op)
{
	return parse_fixed(f, op, MIME_SECTION_TEXT, "RFC822.TEXT");
}

/* ---- writing ---- */

static void count_section(struct imap_stats *st, const struct body_op *o, uint64_t n)
{
	bool header = o->section.kind == MIME_SECTION_HEADER || is_fields(o);

	*(header ? &st->hdr_count : &st->body_count) += 1;
	*(header ? &st->hdr_bytes : &st->body_bytes) += n;
}

/* Finds the bytes and writes what stands before them. False: all is said (NIL, or an empty string). */
static bool body_begin(struct imap_fetch *f, struct body_op *o)
{
	struct buf *out = imap_out(f->c->s);
	uint64_t size;
	enum err e;

	e = message_section(f->msg, &o->section, o->names, o->names_n, &o->bytes, &f->text);
	buf_add_str(out, o->label);
	imap_fetch_failed(f, e);
	if (e || o->bytes.nil) {
		buf_add_str(out, " NIL");
		return false;
	}
	size = o->bytes.size;
	o->at = o->partial && o->origin < size ? o->origin : o->partial ? size : 0;
	o->end = o->partial && o->length < size - o->at ? o->at + o->length : size;
	count_section(&f->c->s->stats, o, o->end - o->at);
	if (o->at == o->end) {
		buf_add_str(out, " \"\"");
		return false;
	}
	buf_add_char(out, ' ');
	imap_write_literal_head(out, o->end - o->at);
	return true;
}

static void hide_nuls(char *p, size_t n)
{
	for (char *nul = memchr(p, '\0', n); nul; nul = memchr(nul, '\0', n - (size_t)(nul - p)))
		*nul = (char)0x80;
}

/* One piece into the output. False: the announced length cannot be kept, the connection must end. */
static bool body_piece(struct imap_fetch *f, struct body_op *o)
{
	struct buf *out = imap_out(f->c->s);
	size_t n = o->end - o->at < PIECE ? (size_t)(o->end - o->at) : PIECE, from = out->n;

	if (message_read(&o->bytes, o->at, n, out, &f->text))
		return false;
	if (out->failed || out->n - from != n)
		return false;
	hide_nuls(out->p + from, n);
	o->at += n;
	stream_push(f->c->s->stream);
	return true;
}

static enum step emit_body(struct imap_fetch *f, const struct imap_fetch_op *op)
{
	struct body_op *o = op->data;

	if (!o->started && !body_begin(f, o))
		return STEP_DONE;
	o->started = true;
	while (o->at < o->end) {
		if (imap_out_full(f->c->s))
			return STEP_OUTPUT_FULL;
		if (!body_piece(f, o)) {
			imap_session_end(f->c->s, IMAP_END_FAILED, "message changed while it was sent");
			return STEP_DONE;
		}
		if (imap_slice_over(f->c) && o->at < o->end)
			return STEP_SLICE;
	}
	o->started = false;
	return STEP_DONE;
}

static const struct imap_fetch_item items[] = {
	{ .name = "BODY", .flags = IMAP_FETCH_SECTION | IMAP_FETCH_BYTES | IMAP_FETCH_SEEN,
	  .parse = parse_body, .emit_bytes = emit_body },
	{ .name = "BODY.PEEK", .flags = IMAP_FETCH_SECTION | IMAP_FETCH_BYTES,
	  .parse = parse_body, .emit_bytes = emit_body },
	{ .name = "RFC822", .flags = IMAP_FETCH_BYTES | IMAP_FETCH_SEEN,
	  .parse = parse_rfc822, .emit_bytes = emit_body },
	{ .name = "RFC822.HEADER", .flags = IMAP_FETCH_BYTES,
	  .parse = parse_rfc822_header, .emit_bytes = emit_body },
	{ .name = "RFC822.TEXT", .flags = IMAP_FETCH_BYTES | IMAP_FETCH_SEEN,
	  .parse = parse_rfc822_text, .emit_bytes = emit_body },
	{ 0 },
};

const struct imap_module imap_fetch_body = {
	.name = "fetch_body",
	.fetch_items = items,
};
