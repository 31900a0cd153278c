/* Lines of dovecot.conf 2.3. A quote protects '#', and is ended by the same quote without a backslash before it. */
#include "lex.h"

static bool is_white(char c)
{
	return c == ' ' || c == '\t';
}

static struct span skip_white(struct span s)
{
	while (s.n > 0 && is_white(*s.p))
		s = span_from(s, 1);
	return s;
}

/* Length of the quoted text at s.p with both quotes; 0 when it has no end. */
static size_t quoted_len(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == s.p[0])
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

static struct span cut_comment(struct span s, bool *glued_r)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\'') {
			size_t n = quoted_len(span_from(s, i));

			if (n == 0)
				return s;
			i += n - 1;
		} else if (s.p[i] == '#') {
			*glued_r = i > 0 && !is_white(s.p[i - 1]);
			return span_cut(s, 0, i);
		}
	}
	return s;
}

bool lex_join(struct span physical, struct buf *line, bool *glued_r)
{
	struct span s = span_trim(physical);
	bool more;

	*glued_r = false;
	s = span_trim(cut_comment(s, glued_r));
	more = s.n > 0 && s.p[s.n - 1] == '\\';
	if (more)
		s = span_trim(span_cut(s, 0, s.n - 1));
	buf_add_span(line, s);
	if (more && s.n > 0)
		buf_add_char(line, ' ');
	return more;
}

static struct span unescape(struct span s, struct buf *scratch)
{
	buf_clear(scratch);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		buf_add_char(scratch, s.p[i]);
	}
	return buf_span(scratch);
}

static void bad(struct stmt *s, const char *why)
{
	s->kind = STMT_BAD;
	s->why = why;
}

static void lex_include(struct span line, struct stmt *s)
{
	static const struct span include = { "!include", 8 }, try = { "!include_try", 12 };
	struct span word = span_starts(line, try) ?
	try : include
		;
	struct span rest = span_from(line, word.n);

	if (!span_starts(line, word) || rest.n == 0 || !is_white(*rest.p)) {
		bad(s, "\"!\" begins only !include and !include_try, with a path behind");
		return;
	}
	s->kind = word.n == try.n ? STMT_INCLUDE_TRY : STMT_INCLUDE;
	s->value = skip_white(rest);
}

static void lex_value(struct span value, struct buf *scratch, struct stmt *s)
{
	s->kind = STMT_SET;
	s->value = value;
	if (value.n > 0 && *value.p == '<') {
		s->kind = STMT_SET_FILE;
		s->value = skip_white(span_from(value, 1));
	} else if (value.n > 1 && (*value.p == '"' || *value.p == '\'') &&
		   quoted_len(value) == value.n) {
		s->kind = STMT_SET_QUOTED;
		s->value = unescape(span_cut(value, 1, value.n - 2), scratch);
	}
}

static void lex_section(struct span rest, struct buf *scratch, struct stmt *s)
{
	size_t n = 0;

	if (rest.n > 0 && (*rest.p == '"' || *rest.p == '\'')) {
		n = quoted_len(rest);
		if (n == 0) {
			bad(s, "the quoted section name has no end");
			return;
		}
		s->value = unescape(span_cut(rest, 1, n - 2), scratch);
	} else {
		while (n < rest.n && !is_white(rest.p[n]) && rest.p[n] != '{')
			n++;
		s->value = span_cut(rest, 0, n);
	}
	rest = skip_white(span_from(rest, n));
	if (rest.n == 0 || *rest.p != '{')
		bad(s, "neither \"key = value\" nor \"section name {\"");
	else if (rest.n > 1)
		bad(s, "nothing may stand behind \"{\" on its line");
	else
		s->kind = STMT_SECTION;
}

void lex_stmt(struct span line, struct buf *scratch, struct stmt *s_r)
{
	struct span rest;
	size_t n = 0;

	*s_r = (struct stmt){ .kind = STMT_NONE };
	line = span_trim(line);
	if (line.n == 0)
		return;
	if (*line.p == '!') {
		lex_include(line, s_r);
		return;
	}
	while (n < line.n && !is_white(line.p[n]) && line.p[n] != '=')
		n++;
	s_r->key = span_cut(line, 0, n);
	rest = skip_white(span_from(line, n));
	if (n == 0)
		bad(s_r, "a name is missing before \"=\"");
	else if (rest.n > 0 && *rest.p == '=')
		lex_value(skip_white(span_from(rest, 1)), scratch, s_r);
	else if (span_eq_str(s_r->key, "}") && rest.n == 0)
		s_r->kind = STMT_END;
	else if (*line.p == '}')
		bad(s_r, "nothing may stand behind \"}\" on its line");
	else
		lex_section(rest, scratch, s_r);
}
