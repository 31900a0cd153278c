/* BODY from BODYSTRUCTURE: the same text without the extension data. */
#include "mime/bodystruct.h"

/*
 * What is written for a description, by what kind it is; the rest up to its ')' is extension data.
 */
enum kind { KIND_UNKNOWN, KIND_MULTIPART, KIND_BASIC, KIND_TEXT, KIND_MESSAGE };

struct frame {
	enum kind kind;
	unsigned items; /* seen so far */
	struct span type;
};

struct cutter {
	struct span in;
	size_t pos;
	struct buf *out;
	unsigned n;
	struct frame frame[MIME_DEPTH_MAX + 1];
};

/* Moves over a quoted string, literal, list or atom; false when it is none. */
static bool skip_quoted(struct cutter *c)
{
	for (c->pos++; c->pos < c->in.n; c->pos++) {
		if (c->in.p[c->pos] == '\\')
			c->pos++;
		else if (c->in.p[c->pos] == '"') {
			c->pos++;
			return true;
		}
	}
	return false;
}

static bool skip_literal(struct cutter *c)
{
	struct span rest = span_from(c->in, c->pos + 1);
	size_t end = span_find(rest, '}');
	uint64_t n;

	if (end == SIZE_MAX || !span_u64(span_cut(rest, 0, end), &n) ||
	    !span_starts(span_from(rest, end + 1), SPAN("\r\n")) || n > rest.n - end - 3)
		return false;
	c->pos += 1 + end + 3 + (size_t)n;
	return true;
}

static bool skip_atom(struct cutter *c)
{
	size_t from = c->pos;

	while (c->pos < c->in.n && !strchr(" ()\"{\r\n", c->in.p[c->pos]))
		c->pos++;
	return c->pos > from;
}

static bool skip_string_or_atom(struct cutter *c)
{
	if (c->in.p[c->pos] == '"')
		return skip_quoted(c);
	if (c->in.p[c->pos] == '{')
		return skip_literal(c);
	return skip_atom(c);
}

static bool skip_value(struct cutter *c)
{
	unsigned depth = 0;

	do {
		if (c->pos >= c->in.n)
			return false;
		switch (c->in.p[c->pos]) {
		case '(':
			depth++;
			c->pos++;
			break;
		case ')':
			if (depth == 0)
				return false;
			depth--;
			c->pos++;
			break;
		case ' ':
			if (depth == 0)
				return false;
			c->pos++;
			break;
		default:
			if (!skip_string_or_atom(c))
				return false;
		}
	} while (depth);
	return true;
}

/* How many items of a description BODY shows. */
static unsigned wanted(enum kind k)
{
	switch (k) {
	case KIND_TEXT:
		return 8;
	case KIND_MESSAGE:
		return 10;
	default:
		return 7;
	}
}

static enum kind kind_of(struct span type, struct span subtype)
{
	if (span_ieq(type, SPAN("\"message\"")) && span_ieq(subtype, SPAN("\"rfc822\"")))
		return KIND_MESSAGE;
	return span_ieq(type, SPAN("\"text\"")) ? KIND_TEXT : KIND_BASIC;
}

static bool push(struct cutter *c)
{
	if (c->n == MIME_DEPTH_MAX + 1)
		return false;
	c->frame[c->n++] = (struct frame){ 0 };
	buf_add_char(c->out, '(');
	c->pos++;
	return true;
}

/* Copies the value here as an item of f. */
static bool copy_item(struct cutter *c, struct frame *f)
{
	size_t from = c->pos;
	struct span item;

	if (!skip_value(c))
		return false;
	item = span_cut(c->in, from, c->pos - from);
	if (f->items == 0)
		f->type = item;
	else if (f->items == 1)
		f->kind = kind_of(f->type, item);
	if (f->items)
		buf_add_char(c->out, ' ');
	buf_add_span(c->out, item);
	f->items++;
	return true;
}

/* The ')' of a description; what stands before it unread must be well formed. */
static bool pop(struct cutter *c)
{
	while (c->pos < c->in.n && c->in.p[c->pos] == ' ') {
		c->pos++;
		if (!skip_value(c))
			return false;
	}
	if (c->pos >= c->in.n || c->in.p[c->pos] != ')')
		return false;
	c->pos++;
	c->n--;
	buf_add_char(c->out, ')');
	return true;
}

static bool expect(struct cutter *c, char ch)
{
	if (c->pos >= c->in.n || c->in.p[c->pos] != ch)
		return false;
	c->pos++;
	return true;
}

/* A step inside a multipart: another child, or its subtype and end. */
static bool step_multipart(struct cutter *c, struct frame *f)
{
	size_t from;

	f->kind = KIND_MULTIPART;
	if (c->pos < c->in.n && c->in.p[c->pos] == '(')
		return push(c);
	from = c->pos;
	if (!expect(c, ' ') || !skip_value(c))
		return false;
	buf_add_span(c->out, span_cut(c->in, from, c->pos - from));
	return pop(c);
}

static bool step(struct cutter *c)
{
	struct frame *f = &c->frame[c->n - 1];

	if (f->kind == KIND_MULTIPART ||
	    (f->items == 0 && c->pos < c->in.n && c->in.p[c->pos] == '('))
		return step_multipart(c, f);
	if (f->items >= 2 && f->items == wanted(f->kind))
		return pop(c);
	if (f->items && !expect(c, ' '))
		return false;
	if (f->kind == KIND_MESSAGE && f->items == 8) {
		f->items++;
		buf_add_char(c->out, ' ');
		return c->pos < c->in.n && c->in.p[c->pos] == '(' && push(c);
	}
	return copy_item(c, f);
}

enum err mime_body_from_structure(struct span structure, struct buf *out)
{
	struct cutter c = { .in = structure, .out = out };
	size_t before = out->n;
	bool good = structure.n && structure.p[0] == '(' && push(&c);

	while (good && c.n)
		good = step(&c);
	if (good && c.pos == structure.n)
		return ERR_OK;
	buf_truncate(out, before);
	return ERR_CORRUPT;
}
