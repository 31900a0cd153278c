#include "mime/msgid.h"
#include "lex.h"

/* id-left or what the obsolete syntax has in its place: words and dots. False: nothing is there. */
static bool read_left(struct lex *l, struct buf *out)
{
	size_t before = out->n;
	struct span word;

	for (;;) {
		lex_cfws(l);
		if (lex_quoted(l, out))
			continue;
		word = lex_dot_atom(l);
		if (!word.n)
			return out->n > before;
		buf_add_span(out, word);
	}
}

static bool read_right(struct lex *l, struct buf *out)
{
	struct span word;

	lex_cfws(l);
	if (lex_peek(l) == '[')
		return lex_literal(l, out);
	word = lex_dot_atom(l);
	buf_add_span(out, word);
	return word.n > 0;
}

/* From behind '<'. Where it fails, the lexer stands where the id breaks off. */
static bool read_id(struct lex *l, struct buf *out)
{
	if (!read_left(l, out) || lex_peek(l) != '@')
		return false;
	l->pos++;
	buf_add_char(out, '@');
	if (!read_right(l, out))
		return false;
	lex_cfws(l);
	if (lex_peek(l) != '>')
		return false;
	l->pos++;
	return true;
}

bool mime_msgid_next(struct span *rest, struct buf *out)
{
	struct lex l = { .in = *rest };
	size_t before = out->n, open;

	while ((open = span_find(span_from(l.in, l.pos), '<')) != SIZE_MAX) {
		l.pos += open + 1;
		if (read_id(&l, out)) {
			*rest = span_from(l.in, l.pos);
			return true;
		}
		buf_truncate(out, before);
	}
	*rest = span_from(l.in, l.in.n);
	return false;
}
