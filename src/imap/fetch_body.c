/*
 * FETCH items that show the message itself (RFC 3501 section 6.4.5): BODY[section]<partial>,
 * BODY.PEEK, RFC822 and kin. Bytes go from box into the stream's buffer in pieces; nothing here
 * holds a message.
 *
 * Partials echo the origin only; what lies beyond the end is cut off silently, a start beyond it
 * gives "".
 */
#include "fetch.h"
#include "section.h"

#include "wire/imap_write.h"

/* One such item, compiled, and where its writing stands. */
struct body_op {
	struct imap_section section;
	const char *label;          /* arena or constant: as answered, "BODY[1]<0>" */
	bool started;
};

/* ---- parsing ---- */

/* What the answer calls it: the section in upper case, the names as they were asked for, the origin. */
static const char *make_label(struct arena *arena, const struct imap_section *sec)
{
	struct buf b;
	const char *label;

	buf_init(&b, 2 << 20);
	buf_add_str(&b, "BODY[");
	for (size_t i = 0; i < sec->text.n; i++)
		buf_add_char(&b, ascii_upper(sec->text.p[i]));
	for (size_t i = 0; i < sec->names_n; i++) {
		buf_add_str(&b, i ? " " : " (");
		imap_write_astring(&b, sec->names[i]);
	}
	buf_add_str(&b, sec->names_n ? ")]" : "]");
	if (sec->partial) {
		buf_add_char(&b, '<');
		buf_add_u64(&b, sec->origin);
		buf_add_char(&b, '>');
	}
	label = b.failed ? NULL : arena_span(arena, buf_span(&b));
	buf_free(&b);
	return label;
}

static enum err parse_body(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	struct body_op *o = arena_alloc(f->c->arena, sizeof(*o));
	struct imap_section *s = &o->section;

	if (!o)
		return ERR_MEMORY;
	if (!imap_section_parse(f->c->arena, (*a)->child, s)) {
		imap_bad(f->c, "Invalid BODY[..] section.");
		return ERR_SYNTAX;
	}
	if (!imap_arg_partial(*a, &s->partial, &s->origin, &s->length)) {
		imap_bad(f->c, "Invalid BODY[..] partial.");
		return ERR_SYNTAX;
	}
	o->label = make_label(f->c->arena, s);
	op->data = o;
	return o->label ? ERR_OK : ERR_MEMORY;
}

static enum err parse_fixed(struct imap_fetch *f, struct imap_fetch_op *op,
			    enum mime_section_kind kind, const char *label)
{
	struct body_op *o = arena_alloc(f->c->arena, sizeof(*o));

	if (!o)
		return ERR_MEMORY;
	o->section.section.kind = kind;
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

static void count_section(struct imap_stats *st, const struct imap_section *s)
{
	bool header = imap_section_is_header(s);

	*(header ? &st->hdr_count : &st->body_count) += 1;
	*(header ? &st->hdr_bytes : &st->body_bytes) += s->end - s->at;
}

/* Finds the bytes and writes what stands before them, or all there is to say (NIL, or an empty string). ERR_AGAIN. */
static enum err body_begin(struct imap_fetch *f, struct body_op *o)
{
	struct buf *out = imap_out(f->c->s);
	struct imap_section *s = &o->section;
	enum err e = imap_section_find(s, f->msg, &f->text);

	if (e == ERR_AGAIN)
		return e;
	buf_add_str(out, o->label);
	imap_fetch_failed(f, e);
	if (e || s->bytes.nil) {
		buf_add_str(out, " NIL");
		s->at = s->end = 0;
		return ERR_OK;
	}
	count_section(&f->c->s->stats, s);
	if (s->at == s->end) {
		buf_add_str(out, " \"\"");
		return ERR_OK;
	}
	buf_add_char(out, ' ');
	imap_write_literal_head(out, s->end - s->at);
	return ERR_OK;
}

static enum step emit_body(struct imap_fetch *f, const struct imap_fetch_op *op)
{
	struct body_op *o = op->data;
	struct imap_section *s = &o->section;

	if (!o->started && body_begin(f, o) == ERR_AGAIN)
		return STEP_SLICE;
	o->started = true;
	while (s->at < s->end) {
		if (imap_out_full(f->c->s))
			return STEP_OUTPUT_FULL;
		/* The announced length cannot be kept: the connection must end. */
		if (imap_section_read(s, imap_out(f->c->s), &f->text)) {
			imap_session_end(f->c->s, IMAP_END_FAILED, "message changed while it was sent");
			return STEP_DONE;
		}
		stream_push(f->c->s->stream);
		if (imap_slice_over(f->c) && s->at < s->end)
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
