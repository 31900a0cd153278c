/*
 * Parameters of Content-Type and Content-Disposition. What is here and not in a parser of RFC 2231
 * values: nothing is decoded, for IMAP shows parameters as they were sent; only pieces are joined.
 */
#include "content.h"
#include "lex.h"
#include "mime/header.h"

#include "base/must.h"

/* One parameter as it stands in the field; offsets, for the text may move while it grows. */
struct piece {
	size_t name, name_n;
	size_t value, value_n;
	size_t base_n;  /* RFC 2231: length of the name without its stars and number; 0: a plain
			   parameter */
	uint32_t index; /* RFC 2231: number of the piece */
	bool encoded;   /* RFC 2231: percent-encoded */
};

/* A value outside quotes: a token, or an encoded word that its sender forgot to quote. */
static void add_bare_value(struct lex *l, struct buf *text)
{
	size_t from = l->pos;

	if (span_starts(span_from(l->in, from), SPAN("=?")))
		lex_until(l, "; \t\r\n");
	else
		lex_token(l);
	buf_add_span(text, span_cut(l->in, from, l->pos - from));
}

/* "name*", "name*0" and "name*0*" are of RFC 2231; sets what they say. */
static void classify(struct piece *pc, struct span name)
{
	uint32_t index = 0;
	size_t star;

	pc->encoded = name.n > 1 && name.p[name.n - 1] == '*';
	if (pc->encoded)
		name.n--;
	for (star = name.n; star > 0 && ascii_isdigit(name.p[star - 1]); star--)
		;
	if (star > 1 && name.p[star - 1] == '*' &&
	    (star == name.n || span_u32(span_from(name, star), &index))) {
		pc->base_n = star - 1;
		pc->index = index;
	} else {
		pc->base_n = pc->encoded ? name.n : 0;
	}
}

/*
 * Reads "name = value", l standing behind the ';'. False when it is none: l then stands where that
 * showed.
 */
static bool read_piece(struct lex *l, struct buf *text, struct piece *pc_r)
{
	struct piece pc = { 0 };
	struct span name;

	lex_cfws(l);
	name = lex_token(l);
	lex_cfws(l);
	if (lex_peek(l) != '=')
		return false;
	l->pos++;
	lex_cfws(l);
	pc.name = text->n;
	pc.name_n = name.n;
	buf_add_span(text, name);
	pc.value = text->n;
	if (lex_peek(l) != '"') {
		add_bare_value(l, text);
	} else if (!lex_quoted(l, text)) {
		l->pos = l->in.n; /* a quoted string without end takes all that follows with it */
		return false;
	}
	pc.value_n = text->n - pc.value;
	classify(&pc, name);
	*pc_r = pc;
	return !text->failed;
}

/* All pieces, at most MIME_PARAMS_MAX; returns how many. */
static size_t read_pieces(struct lex *l, struct buf *text, struct piece *pc)
{
	size_t n = 0;

	lex_until(l, ";");
	while (l->pos < l->in.n && n < MIME_PARAMS_MAX) {
		l->pos++;
		if (read_piece(l, text, &pc[n]))
			n++;
		else if (l->pos < l->in.n)
			l->pos++;
		lex_until(l, ";");
	}
	return n;
}

static struct span name_of(const struct buf *text, const struct piece *pc)
{
	return span_cut(buf_span(text), pc->name, pc->base_n ? pc->base_n : pc->name_n);
}

/* Orders pieces by name, then by number. */
static int piece_cmp(const struct buf *text, const struct piece *a, const struct piece *b)
{
	int c = span_cmp(name_of(text, a), name_of(text, b));

	return c ? c : (a->index > b->index) - (a->index < b->index);
}

/*
 * Plain ones stay in front as sent; the others are sorted, stably. At most MIME_PARAMS_MAX:
 * insertion will do.
 */
static size_t arrange(const struct buf *text, struct piece *pc, size_t n)
{
	size_t plain = 0;

	for (size_t i = 0; i < n; i++) {
		struct piece moved = pc[i];
		size_t at = i;

		while (at > plain && (!moved.base_n || piece_cmp(text, &pc[at - 1], &moved) > 0)) {
			pc[at] = pc[at - 1];
			at--;
		}
		pc[at] = moved;
		plain += !moved.base_n;
	}
	return plain;
}

/* Are these, sorted and all of one name, numbered 0, 1, 2, ...? */
static bool chain(const struct piece *pc, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pc[i].index != i)
			return false;
	return true;
}

/*
 * The stored bytes from at on again, every '%' as "%25" if escape: a plain piece among encoded
 * ones.
 */
static void add_piece(struct buf *text, const struct piece *pc, bool escape)
{
	for (size_t i = 0; i < pc->value_n; i++) {
		char c = text->p[pc->value + i];

		if (c == '%' && escape)
			buf_add_str(text, "%25");
		else
			buf_add_char(text, c);
	}
}

/* Joins n pieces into one parameter. */
static struct piece join(struct buf *text, const struct piece *pc, size_t n)
{
	struct piece whole = { .name = pc[0].name, .name_n = pc[0].base_n, .value = text->n };
	bool encoded = false;

	for (size_t i = 0; i < n; i++)
		encoded |= pc[i].encoded;
	if (encoded && !pc[0].encoded)
		buf_add_str(text, "''"); /* no charset and no language, but their place (RFC 2231
					    section 4) */
	for (size_t i = 0; i < n; i++)
		add_piece(text, &pc[i], encoded && !pc[i].encoded);
	whole.value_n = text->n - whole.value;
	whole.name_n += encoded; /* in the text the name is followed by its first star */
	return whole;
}

/*
 * Puts pc[0..n), all of one name, into out: joined if they make a whole, else as sent. Returns how
 * many.
 */
static size_t settle(struct buf *text, const struct piece *pc, size_t n, struct piece *out)
{
	if (chain(pc, n)) {
		out[0] = join(text, pc, n);
		return 1;
	}
	memcpy(out, pc, n * sizeof(*pc));
	return n;
}

static size_t join_all(struct buf *text, const struct piece *pc, size_t n, size_t plain,
		       struct piece *out)
{
	size_t made = plain;
	size_t i = plain;

	memcpy(out, pc, plain * sizeof(*pc));
	while (i < n) {
		size_t same = 1;

		while (i + same < n && span_eq(name_of(text, &pc[i]), name_of(text, &pc[i + same])))
			same++;
		made += settle(text, pc + i, same, out + made);
		i += same;
	}
	return made;
}

void content_params_parse(struct span params, struct content_params *ps)
{
	BIG_LOCAL struct piece pc[MIME_PARAMS_MAX];
	BIG_LOCAL struct piece out[MIME_PARAMS_MAX];
	struct lex l = { .in = params };
	size_t n;

	if (!ps->text.max)
		buf_init(&ps->text, 4 * MIME_FIELD_MAX);
	buf_clear(&ps->text);
	n = read_pieces(&l, &ps->text, pc);
	ps->n = join_all(&ps->text, pc, n, arrange(&ps->text, pc, n), out);
	for (size_t i = 0; i < ps->n; i++) {
		ps->p[i].name = span_cut(buf_span(&ps->text), out[i].name, out[i].name_n);
		ps->p[i].value = span_cut(buf_span(&ps->text), out[i].value, out[i].value_n);
	}
}

void content_params_free(struct content_params *ps)
{
	buf_free(&ps->text);
	ps->n = 0;
}

bool content_params_find(const struct content_params *ps, const char *name, struct span *value_r)
{
	for (size_t i = 0; i < ps->n; i++) {
		if (span_ieq_str(ps->p[i].name, name)) {
			*value_r = ps->p[i].value;
			return true;
		}
	}
	return false;
}
