#include "lex.h"

static bool is_space(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum { ATEXT = 0x01, TOKEN = 0x02 };

/* clang-format off */
#define BOTH (ATEXT | TOKEN)
static const uint8_t kind[256] = {
	['0' ... '9'] = BOTH, ['A' ... 'Z'] = BOTH, ['a' ... 'z'] = BOTH, [0x80 ... 0xff] = BOTH,
	['!'] = BOTH, ['#'] = BOTH, ['$'] = BOTH, ['%'] = BOTH, ['&'] = BOTH, ['\''] = BOTH, ['*'] = BOTH,
	['+'] = BOTH, ['-'] = BOTH, ['^'] = BOTH, ['_'] = BOTH, ['`'] = BOTH, ['{'] = BOTH, ['|'] = BOTH,
	['}'] = BOTH, ['~'] = BOTH, ['/'] = ATEXT, ['='] = ATEXT, ['?'] = ATEXT, ['.'] = TOKEN,
};
/* clang-format on */

/*
 * Finds the end of what begins at l->pos with open and ends with close (nesting when they differ
 * and nest is set). Returns the position of the closing byte, SIZE_MAX when there is none.
 */
static size_t closing(const struct lex *l, char open, char close, bool nest)
{
	size_t depth = 1;

	for (size_t i = l->pos + 1; i < l->in.n; i++) {
		char c = l->in.p[i];

		if (c == '\\')
			i++;
		else if (c == close && --depth == 0)
			return i;
		else if (nest && c == open)
			depth++;
	}
	return SIZE_MAX;
}

/* Appends what stands between two positions, unescaped and without line ends. */
static void add_unquoted(struct span in, size_t from, size_t to, struct buf *out)
{
	for (size_t i = from; i < to; i++) {
		if (in.p[i] == '\\' && i + 1 < to)
			i++;
		else if (in.p[i] == '\n' || (in.p[i] == '\r' && i + 1 < to && in.p[i + 1] == '\n'))
			continue;
		buf_add_char(out, in.p[i]);
	}
}

static bool lex_comment(struct lex *l)
{
	size_t end = l->open_comment ? SIZE_MAX : closing(l, '(', ')', true);

	if (end == SIZE_MAX) {
		l->open_comment = true;
		return false;
	}
	if (l->comment) {
		buf_clear(l->comment);
		add_unquoted(l->in, l->pos + 1, end, l->comment);
	}
	l->pos = end + 1;
	return true;
}

void lex_cfws(struct lex *l)
{
	while (l->pos < l->in.n) {
		if (is_space(lex_peek(l)))
			l->pos++;
		else if (lex_peek(l) != '(' || !lex_comment(l))
			return;
	}
}

bool lex_quoted(struct lex *l, struct buf *out)
{
	size_t end;

	if (lex_peek(l) != '"' || l->open_quote)
		return false;
	end = closing(l, '"', '"', false);
	if (end == SIZE_MAX) {
		l->open_quote = true;
		return false;
	}
	add_unquoted(l->in, l->pos + 1, end, out);
	l->pos = end + 1;
	return true;
}

bool lex_literal(struct lex *l, struct buf *out)
{
	struct span rest = span_from(l->in, l->pos);
	size_t n = 1;

	if (lex_peek(l) != '[')
		return false;
	while (n < rest.n && rest.p[n] != ']' && rest.p[n] != '[' && rest.p[n] != '\r' &&
	       rest.p[n] != '\n')
		n++;
	if (n == rest.n || rest.p[n] != ']')
		return false;
	buf_add(out, rest.p, n + 1);
	l->pos += n + 1;
	return true;
}

static struct span lex_while(struct lex *l, uint8_t of, int also)
{
	const unsigned char *p = (const unsigned char *)l->in.p;
	size_t from = l->pos, to = from;

	while (to < l->in.n && (kind[p[to]] & of || p[to] == also))
		to++;
	l->pos = to;
	return span_cut(l->in, from, to - from);
}

struct span lex_atom(struct lex *l)
{
	return lex_while(l, ATEXT, -1);
}

struct span lex_dot_atom(struct lex *l)
{
	return lex_while(l, ATEXT, '.');
}

struct span lex_token(struct lex *l)
{
	return lex_while(l, TOKEN, -1);
}

void lex_until(struct lex *l, const char *stops)
{
	while (l->pos < l->in.n && (!lex_peek(l) || !strchr(stops, lex_peek(l))))
		l->pos++;
}
