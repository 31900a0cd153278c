/* Sections: spelled as arguments or as text, found in a message, read in pieces. */
#include "section.h"

#include "wire/imap_lex.h"

enum { PIECE = 64 << 10 };

static bool has_names(const struct imap_section *s)
{
	return s->section.kind == MIME_SECTION_FIELDS || s->section.kind == MIME_SECTION_FIELDS_NOT;
}

bool imap_section_is_header(const struct imap_section *s)
{
	return s->section.kind == MIME_SECTION_HEADER || has_names(s);
}

static bool parse_names(struct arena *arena, const struct imap_arg *list, struct imap_section *s)
{
	const struct imap_arg *a;
	struct span *names;

	if (!imap_arg_list(list, &a) || !a || list->next)
		return false;
	names = arena_array(arena, list->count, sizeof(*names));
	if (!names)
		return false;
	for (; a; a = a->next)
		if (!imap_arg_astring(a, &names[s->names_n++]))
			return false;
	s->names = names;
	return true;
}

bool imap_section_parse(struct arena *arena, const struct imap_arg *a, struct imap_section *s_r)
{
	struct imap_section s = { .text = { "", 0 } };

	if (a && !imap_arg_atom(a, &s.text))
		return false;
	if (mime_section_parse(s.text, &s.section))
		return false;
	if (has_names(&s) ? !parse_names(arena, a->next, &s) : a && a->next)
		return false;
	*s_r = s;
	return true;
}

/* The lexer that reads FETCH reads it: one grammar, one code. */
bool imap_section_from_text(struct arena *arena, struct span text, struct imap_section *s_r)
{
	struct imap_lex *lex = imap_lex_new(&imap_lex_session);
	const struct imap_arg *a = NULL;
	struct buf line;
	size_t used = 0;
	bool ok = false;

	buf_init(&line, text.n + 64);
	buf_add_str(&line, "x FETCH BODY[");
	buf_add_span(&line, text);
	buf_add_str(&line, "]\r\n");
	imap_lex_start(lex, arena);
	if (imap_lex_feed(lex, buf_span(&line), &used) == IMAP_LEX_NAME &&
	    imap_lex_feed(lex, span_from(buf_span(&line), used), &used) == IMAP_LEX_COMMAND)
		a = imap_lex_command(lex)->args;
	if (a && a->type == IMAP_ARG_SECTION && !a->tail.n && !a->next)
		ok = imap_section_parse(arena, a->child, s_r);
	imap_lex_free(&lex);
	buf_free(&line);
	return ok;
}

enum err imap_section_find(struct imap_section *s, struct message *m, struct errtext *t)
{
	enum err e = message_section(m, &s->section, s->names, s->names_n, &s->bytes, t);
	uint64_t size = s->bytes.size;

	if (e)
		return e;
	s->at = s->partial && s->origin < size ? s->origin : s->partial ? size : 0;
	s->end = s->partial && s->length < size - s->at ? s->at + s->length : size;
	return ERR_OK;
}

static void hide_nuls(char *p, size_t n)
{
	for (char *nul = memchr(p, '\0', n); nul; nul = memchr(nul, '\0', n - (size_t)(nul - p)))
		*nul = (char)0x80;
}

enum err imap_section_read(struct imap_section *s, struct buf *out, struct errtext *t)
{
	size_t n = s->end - s->at < PIECE ? (size_t)(s->end - s->at) : PIECE, from = out->n;
	enum err e = message_read(&s->bytes, s->at, n, out, t);

	if (e)
		return e;
	if (out->failed || out->n - from != n)
		return err_say(t, ERR_IO, "The message changed while it was read");
	hide_nuls(out->p + from, n);
	s->at += n;
	return ERR_OK;
}
