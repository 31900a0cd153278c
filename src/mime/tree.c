#include "mime/tree.h"
#include "content.h"
#include "mime/header.h"

#include "base/mem.h"
#include "base/must.h"

enum {
	/* RFC 2046 section 5.1.1 allows 70 bytes; the rest of a longer one is not looked at. */
	BOUNDARY_MAX = 100,
	NO_BOUNDARY = -1,
	PIECE = 128 << 10, /* of a message are looked at twice while the processor has them at hand */
};

/* How much of the message lies before a position. */
struct mark {
	uint64_t pos;
	uint64_t bare;
	uint64_t lines;
};

/* An open part. */
struct level {
	uint32_t part;
	uint32_t last_child;
	struct mark start; /* of what is being measured: the header, then the body */
	int boundary_n;    /* NO_BOUNDARY: lines are not compared */
	char boundary[BOUNDARY_MAX];
};

struct mime_parser {
	struct span in;
	struct mime_tree *t;        /* borrowed */
	struct mime_fields *fields; /* borrowed, may be NULL: for the header of part 0 */
	size_t limit;        /* nothing from here on has been looked at */
	size_t seen;         /* the line under view does not end before */
	struct mark here;    /* the start of the line under view */
	struct mark before;  /* the same without the line end before it */
	bool in_header;      /* of the innermost part */
	bool nul;            /* there was one */
	unsigned open;       /* levels in use */
	unsigned boundaries; /* levels with a boundary */
	struct content_params params;
	struct level level[MIME_DEPTH_MAX];
};

static struct level *innermost(struct mime_parser *p)
{
	return &p->level[p->open - 1];
}

static void measure(const struct mark *from, const struct mark *to, uint64_t *size_r,
		    uint64_t *bare_r, uint32_t *lines_r)
{
	*size_r = to->pos - from->pos;
	*bare_r = to->bare - from->bare;
	*lines_r = (uint32_t)(to->lines - from->lines);
}

static struct mime_part *new_part(struct mime_tree *t)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 4;
		t->part = mem_grow(t->part, t->cap, sizeof(*t->part));
	}
	t->part[t->n] =
		(struct mime_part){ .parent = MIME_NONE, .next = MIME_NONE, .child = MIME_NONE };
	return &t->part[t->n++];
}

static bool may_open(const struct mime_parser *p)
{
	return p->open < MIME_DEPTH_MAX && p->t->n < MIME_PARTS_MAX;
}

/* Opens a part whose header begins at at. */
static void open_part(struct mime_parser *p, struct mark at)
{
	struct level *up = p->open ? innermost(p) : NULL;
	uint32_t index = (uint32_t)p->t->n;
	struct mime_part *part = new_part(p->t);

	part->start = at.pos;
	if (up) {
		struct mime_part *parent = &p->t->part[up->part];

		part->parent = up->part;
		parent->children++;
		if (up->last_child == MIME_NONE)
			parent->child = index;
		else
			p->t->part[up->last_child].next = index;
		up->last_child = index;
	}
	p->level[p->open++] = (struct level){ index, MIME_NONE, at, NO_BOUNDARY, "" };
	p->in_header = true;
}

static void drop_boundary(struct mime_parser *p, struct level *l)
{
	p->boundaries -= l->boundary_n != NO_BOUNDARY;
	l->boundary_n = NO_BOUNDARY;
}

static void set_boundary(struct mime_parser *p, struct level *l, struct span value)
{
	value = span_cut(value, 0, BOUNDARY_MAX);
	memcpy(l->boundary, value.p, value.n);
	l->boundary_n = (int)value.n;
	p->boundaries++;
}

static void read_fields(struct mime_parser *p, const struct level *l, struct content_fields *f_r)
{
	struct span header = mime_part_header(p->in, &p->t->part[l->part]);

	if (l->part || !p->fields) {
		content_fields_read(header, f_r);
		return;
	}
	mime_fields_read(header, p->fields);
	content_fields_of(p->fields, f_r);
}

/* What the header says about how to read the body. */
static uint32_t header_flags(struct mime_parser *p, struct level *l, bool digest)
{
	struct content_fields f;
	struct content_type t;
	struct span boundary;
	uint32_t flags;

	read_fields(p, l, &f);
	flags = f.mime ? MIME_PART_MIME : 0;
	if (!f.type.p)
		return flags | (digest ? MIME_PART_MESSAGE : MIME_PART_TEXT);
	if (!content_type_parse(f.type, &t) || span_ieq_str(t.type, "text"))
		return flags | MIME_PART_TEXT;
	if (span_ieq_str(t.type, "message") && span_ieq_str(t.subtype, "rfc822"))
		return flags | MIME_PART_MESSAGE;
	if (!span_ieq_str(t.type, "multipart"))
		return flags;
	flags |= MIME_PART_MULTIPART | (span_ieq_str(t.subtype, "digest") ? MIME_PART_DIGEST : 0);
	content_params_parse(t.params, &p->params);
	if (content_params_find(&p->params, "boundary", &boundary) && may_open(p))
		set_boundary(p, l, boundary);
	return flags;
}

/* The header of the innermost part ends at end, where its body begins. */
static void end_header(struct mime_parser *p, struct mark end)
{
	struct level *l = innermost(p);
	struct mime_part *part = &p->t->part[l->part];
	bool digest =
		part->parent != MIME_NONE && (p->t->part[part->parent].flags & MIME_PART_DIGEST);

	measure(&l->start, &end, &part->header_size, &part->header_bare, &part->header_lines);
	part->flags = header_flags(p, l, digest);
	l->start = end;
	p->in_header = false;
	if (part->flags & MIME_PART_MESSAGE) {
		if (may_open(p))
			open_part(p, end);
		else
			part->flags &= ~(uint32_t)MIME_PART_MESSAGE;
	}
}

/*
 * Ends the innermost part (and its header if that is open; a message inside gets an empty one) at
 * *end. An empty body before a boundary: the line end in front of that belongs to the header then,
 * *end moves behind it for all parents.
 */
static void close_innermost(struct mime_parser *p, struct mark *end)
{
	struct level *l;
	struct mime_part *part;

	if (end->pos < innermost(p)->start.pos)
		*end = innermost(p)->start;
	while (p->in_header)
		end_header(p, *end);
	l = innermost(p);
	part = &p->t->part[l->part];
	measure(&l->start, end, &part->body_size, &part->body_bare, &part->body_lines);
	drop_boundary(p, l);
	p->open--;
}

/*
 * The level whose boundary the line begins with; the longest wins, then the innermost.
 * MIME_DEPTH_MAX: none.
 */
static unsigned match_boundary(const struct mime_parser *p, struct span line)
{
	unsigned best = MIME_DEPTH_MAX;
	int best_n = NO_BOUNDARY;

	for (unsigned i = p->open; i-- > 0;) {
		const struct level *l = &p->level[i];

		if (l->boundary_n > best_n &&
		    span_starts(line, span_of(l->boundary, (size_t)l->boundary_n))) {
			best = i;
			best_n = l->boundary_n;
		}
	}
	return best;
}

/*
 * The line is a boundary of level at. Where no more parts are allowed, all that follows belongs to
 * the part before.
 */
static void cross_boundary(struct mime_parser *p, unsigned at, bool last, struct mark next)
{
	struct mark end = p->before;

	if (!last && p->t->n >= MIME_PARTS_MAX) {
		for (unsigned i = 0; i < p->open; i++)
			drop_boundary(p, &p->level[i]);
		return;
	}
	while (p->open > at + 1)
		close_innermost(p, &end);
	if (last)
		drop_boundary(p, innermost(p));
	else
		open_part(p, next);
}

static bool line_ended(struct span line)
{
	return line.n && line.p[line.n - 1] == '\n';
}

/* A line that begins with two dashes; true: it was a boundary. */
static bool try_boundary(struct mime_parser *p, struct span line, struct mark next)
{
	unsigned at;
	bool last;

	line = span_from(line, 2);
	at = match_boundary(p, line);
	if (at == MIME_DEPTH_MAX)
		return false;
	last = span_starts(span_from(line, (size_t)p->level[at].boundary_n), SPAN("--"));
	/*
	 * Without its line end a delimiter begins no part (RFC 2046 section 5.1.1, encapsulation).
	 */
	cross_boundary(p, at, last || !line_ended(line), next);
	return true;
}

/* Where the line that begins at pos ends: its LF; NULL when it is not within the limit. */
static const char *find_lf(struct mime_parser *p, uint64_t pos)
{
	size_t from = pos > p->seen ? (size_t)pos : p->seen;
	const char *lf = from < p->limit ? memchr(p->in.p + from, '\n', p->limit - from) : NULL;

	if (!lf)
		p->seen = p->limit;
	return lf;
}

/* The line that begins here, if any is left. False: its end is not in view yet. */
static bool eat_line(struct mime_parser *p)
{
	const char *start = p->in.p + p->here.pos, *lf = find_lf(p, p->here.pos);
	bool ended = lf != NULL;
	struct span line = span_of(start, ended ? (size_t)(lf - start) + 1 : p->in.n - (size_t)p->here.pos);
	bool crlf = ended && lf > start && lf[-1] == '\r';
	struct mark next = { p->here.pos + line.n, p->here.bare + (ended && !crlf),
			     p->here.lines + ended };
	bool boundary = false;

	if (!ended && p->limit < p->in.n)
		return false;
	if (p->boundaries && line.n >= 2 && line.p[0] == '-' && line.p[1] == '-')
		boundary = try_boundary(p, line, next);
	if (!boundary && p->in_header && ended && line.n == 1u + crlf)
		end_header(p, next);
	p->before = p->here;
	p->before.pos = next.pos - ended - crlf;
	p->here = next;
	return true;
}

/* In a body: on over lines that cannot be a boundary, as eat_line would do it. They are most of a message. */
static void skip_text(struct mime_parser *p)
{
	const char *base = p->in.p;
	uint64_t pos = p->here.pos, bare = p->here.bare, lines = p->here.lines;

	while (pos < p->limit && !(p->boundaries && base[pos] == '-')) {
		const char *lf = find_lf(p, pos);
		bool crlf;

		if (!lf)
			break;
		crlf = lf > base + pos && lf[-1] == '\r';
		p->before.pos = (uint64_t)(lf - base) - crlf;
		p->before.bare = bare;
		p->before.lines = lines;
		pos = (uint64_t)(lf - base) + 1;
		bare += !crlf;
		lines++;
	}
	p->here.pos = pos;
	p->here.bare = bare;
	p->here.lines = lines;
}

static void parser_init(struct mime_parser *p, struct span message, struct mime_tree *t, struct mime_fields *fields)
{
	p->in = message;
	p->t = t;
	p->fields = fields;
	p->limit = p->seen = 0;
	p->here = p->before = (struct mark){ .pos = 0 };
	p->in_header = p->nul = false;
	p->open = p->boundaries = 0;
	p->params.n = 0;
	buf_init(&p->params.text, 0);
	t->n = 0;
	open_part(p, p->here);
}

static void finish(struct mime_parser *p)
{
	while (p->open)
		close_innermost(p, &p->here);
	if (p->nul)
		p->t->part[0].flags |= MIME_PART_NUL;
}

enum step mime_parser_step(struct mime_parser *p, size_t budget)
{
	struct span fresh = span_cut(span_from(p->in, p->limit), 0, budget);

	p->nul = p->nul || span_find(fresh, '\0') != SIZE_MAX;
	p->limit += fresh.n;
	do {
		if (!p->in_header)
			skip_text(p);
	} while (p->here.pos < p->limit && eat_line(p));
	if (p->limit < p->in.n)
		return STEP_SLICE;
	finish(p);
	return STEP_DONE;
}

struct mime_parser *mime_parser_new(struct span message, struct mime_tree *t, struct mime_fields *fields)
{
	struct mime_parser *p = mem_alloc(sizeof(*p));

	parser_init(p, message, t, fields);
	return p;
}

void mime_parser_free(struct mime_parser **p)
{
	if (!*p)
		return;
	content_params_free(&(*p)->params);
	free(*p);
	*p = NULL;
}

void mime_tree_parse(struct span message, struct mime_tree *t)
{
	mime_tree_parse_fields(message, t, NULL);
}

void mime_tree_parse_fields(struct span message, struct mime_tree *t, struct mime_fields *fields)
{
	BIG_LOCAL struct mime_parser p;

	parser_init(&p, message, t, fields);
	while (mime_parser_step(&p, PIECE) != STEP_DONE)
		;
	content_params_free(&p.params);
}

void mime_tree_free(struct mime_tree *t)
{
	free(t->part);
	*t = (struct mime_tree){ 0 };
}

uint64_t mime_tree_size(const struct mime_tree *t)
{
	const struct mime_part *p = &t->part[0];

	must(t->n > 0);
	return p->header_size + p->header_bare + p->body_size + p->body_bare;
}

static struct span clamped(struct span message, uint64_t off, uint64_t n)
{
	return off < message.n ? span_cut(message, (size_t)off, n < SIZE_MAX ? (size_t)n : SIZE_MAX)
			       : span_of("", 0);
}

struct span mime_part_header(struct span message, const struct mime_part *p)
{
	return clamped(message, p->start, p->header_size);
}

struct span mime_part_body(struct span message, const struct mime_part *p)
{
	return clamped(message, p->start + p->header_size, p->body_size);
}
