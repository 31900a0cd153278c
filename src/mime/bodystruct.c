#include "mime/bodystruct.h"
#include "content.h"
#include "lex.h"
#include "mime/envelope.h"
#include "wiretext.h"

#include "base/must.h"

/* A part whose description is begun, its children being written. */
struct open {
	uint32_t part;
	struct content_fields f;
};

struct writer {
	struct span message;
	const struct mime_tree *t;
	const struct mime_fields *fields; /* of part 0; NULL: not read yet */
	bool extended;
	struct buf *out;
	struct content_params params;
	unsigned n;
	struct open open[MIME_DEPTH_MAX];
};

static void add_params_inside(struct writer *w)
{
	for (size_t i = 0; i < w->params.n; i++) {
		if (i)
			buf_add_char(w->out, ' ');
		wiretext_add(w->out, w->params.p[i].name);
		buf_add_char(w->out, ' ');
		wiretext_add(w->out, w->params.p[i].value);
	}
}

/* " (name value ...)" or " NIL"; text parts get the charset that RFC 2045 section 5.2 assumes. */
static void add_params(struct writer *w, struct span params, bool text)
{
	struct span charset;
	bool add;

	content_params_parse(params, &w->params);
	add = text && !content_params_find(&w->params, "charset", &charset);
	if (w->params.n == 0 && !add) {
		buf_add_str(w->out, " NIL");
		return;
	}
	buf_add_str(w->out, " (");
	add_params_inside(w);
	if (add)
		buf_add_str(w->out,
			    w->params.n ? " \"charset\" \"us-ascii\"" : "\"charset\" \"us-ascii\"");
	buf_add_char(w->out, ')');
}

static void add_disposition(struct writer *w, struct span value)
{
	struct span token, params;

	if (!value.p) {
		buf_add_str(w->out, " NIL");
		return;
	}
	token = content_value(value, &params);
	buf_add_str(w->out, " (");
	wiretext_add(w->out, token);
	add_params(w, params, false);
	buf_add_char(w->out, ')');
}

/* Language tags (RFC 3282): tokens with commas between them. */
static void add_languages(struct writer *w, struct span value)
{
	struct lex l = { .in = value };
	unsigned n = 0;

	while (n < MIME_LANGS_MAX) {
		struct span tag;

		lex_cfws(&l);
		tag = lex_token(&l);
		if (tag.n == 0)
			break;
		buf_add_str(w->out, n++ ? " " : " (");
		wiretext_add(w->out, tag);
		lex_cfws(&l);
		if (lex_peek(&l) != ',')
			break;
		l.pos++;
	}
	buf_add_str(w->out, n ? ")" : " NIL");
}

static void add_place(struct writer *w, const struct content_fields *f)
{
	add_disposition(w, f->disposition);
	add_languages(w, f->language);
	buf_add_char(w->out, ' ');
	wiretext_add_field(w->out, f->location);
}

/*
 * Type and what stands in every body that is no multipart, up to the size (RFC 3501 body-fields).
 */
static void begin_leaf(struct writer *w, const struct mime_part *p, const struct content_fields *f)
{
	static const struct content_type undivided = { SPAN("application"), SPAN("octet-stream"), SPAN("") };
	struct content_type t = { SPAN("text"), SPAN("plain"), SPAN("") };
	struct span encoding;

	if (f->type.p)
		content_type_parse(f->type, &t);
	if (p->flags & MIME_PART_MESSAGE)
		t = (struct content_type){ SPAN("message"), SPAN("rfc822"), t.params };
	else if (span_ieq_str(t.type, "message") && span_ieq_str(t.subtype, "rfc822"))
		t = undivided; /* too deep: without an envelope it must not look like one (RFC 3501 body-type-msg) */
	buf_add_char(w->out, '(');
	wiretext_add(w->out, t.type);
	buf_add_char(w->out, ' ');
	wiretext_add(w->out, t.subtype);
	add_params(w, t.params, p->flags & MIME_PART_TEXT);
	buf_add_char(w->out, ' ');
	wiretext_add_field(w->out, f->id);
	buf_add_char(w->out, ' ');
	wiretext_add_field(w->out, f->description);
	buf_add_char(w->out, ' ');
	encoding = content_token(f->encoding);
	wiretext_add(w->out, encoding.n ? encoding : SPAN("7bit"));
	buf_add_char(w->out, ' ');
	buf_add_u64(w->out, p->body_size + p->body_bare);
}

static void end_leaf(struct writer *w, const struct mime_part *p, const struct content_fields *f)
{
	if (p->flags & (MIME_PART_TEXT | MIME_PART_MESSAGE)) {
		buf_add_char(w->out, ' ');
		buf_add_u64(w->out, p->body_lines);
	}
	if (w->extended) {
		buf_add_char(w->out, ' ');
		wiretext_add_field(w->out, f->md5);
		add_place(w, f);
	}
	buf_add_char(w->out, ')');
}

static void end_multipart(struct writer *w, const struct content_fields *f)
{
	struct content_type t = { SPAN("multipart"), SPAN("mixed"), SPAN("") };

	content_type_parse(f->type, &t);
	buf_add_char(w->out, ' ');
	wiretext_add(w->out, t.subtype);
	if (w->extended) {
		add_params(w, t.params, false);
		add_place(w, f);
	}
	buf_add_char(w->out, ')');
}

/*
 * A multipart may hold no part at all, but IMAP's grammar wants one: an empty text stands for it.
 */
static void add_nothing(struct writer *w)
{
	static const struct mime_part empty = { .flags = MIME_PART_TEXT };
	static const struct content_fields none = { 0 };

	begin_leaf(w, &empty, &none);
	end_leaf(w, &empty, &none);
}

/* What closes the description of a part, its children (if any) being written. */
static void end_part(struct writer *w, const struct open *o)
{
	const struct mime_part *p = &w->t->part[o->part];

	if (p->flags & MIME_PART_MULTIPART)
		end_multipart(w, &o->f);
	else
		end_leaf(w, p, &o->f);
}

/*
 * A message needs a MIME-Version or Content-Type for its other Content-* fields to count, a body
 * part does not.
 */
static bool is_message(const struct mime_tree *t, const struct mime_part *p)
{
	return p->parent == MIME_NONE || (t->part[p->parent].flags & MIME_PART_MESSAGE);
}

/* What opens the description of a part, up to its children. */
static void begin_part(struct writer *w, uint32_t i, struct open *o)
{
	const struct mime_part *p = &w->t->part[i];

	o->part = i;
	if (i || !w->fields)
		content_fields_read(mime_part_header(w->message, p), &o->f);
	else
		content_fields_of(w->fields, &o->f);
	if (!o->f.mime && is_message(w->t, p))
		o->f = (struct content_fields){ 0 };
	if (p->flags & MIME_PART_MULTIPART) {
		buf_add_char(w->out, '(');
		if (p->child == MIME_NONE)
			add_nothing(w);
		return;
	}
	begin_leaf(w, p, &o->f);
	if (p->flags & MIME_PART_MESSAGE) {
		buf_add_char(w->out, ' ');
		mime_envelope_add(mime_part_header(w->message, &w->t->part[p->child]), w->out);
		buf_add_char(w->out, ' ');
	}
}

void mime_bodystruct_add(struct span message, const struct mime_tree *t, bool extended,
			 struct buf *out)
{
	mime_bodystruct_write(message, t, NULL, extended, out);
}

void mime_bodystruct_write(struct span message, const struct mime_tree *t, const struct mime_fields *fields,
			   bool extended, struct buf *out)
{
	BIG_LOCAL struct writer w;

	w.message = message;
	w.t = t;
	w.fields = fields;
	w.extended = extended;
	w.out = out;
	w.n = 0;
	w.params.n = 0;
	buf_init(&w.params.text, 0);
	for (uint32_t i = 0; i < t->n && !out->failed; i++) {
		while (w.n && w.open[w.n - 1].part != t->part[i].parent)
			end_part(&w, &w.open[--w.n]);
		begin_part(&w, i, &w.open[w.n++]);
	}
	while (w.n)
		end_part(&w, &w.open[--w.n]);
	content_params_free(&w.params);
}
