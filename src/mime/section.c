#include "mime/section.h"

static const struct {
	const char *text;
	enum mime_section_kind kind;
} words[] = {
	{ "", MIME_SECTION_ALL },
	{ "HEADER", MIME_SECTION_HEADER },
	{ "TEXT", MIME_SECTION_TEXT },
	{ "MIME", MIME_SECTION_MIME },
	{ "HEADER.FIELDS", MIME_SECTION_FIELDS },
	{ "HEADER.FIELDS.NOT", MIME_SECTION_FIELDS_NOT },
};

static enum err section_word(struct span word, struct mime_section *s)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (span_ieq_str(word, words[i].text)) {
			s->kind = words[i].kind;
			return s->kind == MIME_SECTION_MIME && s->depth == 0 ? ERR_SYNTAX : ERR_OK;
		}
	}
	return ERR_SYNTAX;
}

enum err mime_section_parse(struct span text, struct mime_section *s_r)
{
	struct mime_section s = { 0 };
	enum err e;

	while (text.n && ascii_isdigit(text.p[0])) {
		size_t dot = span_find(text, '.');
		uint32_t number;

		if (!span_u32(span_cut(text, 0, dot), &number) || number == 0 || dot + 1 == text.n)
			return ERR_SYNTAX;
		if (s.depth == MIME_DEPTH_MAX)
			return ERR_LIMIT;
		s.path[s.depth++] = number;
		text = dot == SIZE_MAX ? SPAN("") : span_from(text, dot + 1);
	}
	e = section_word(text, &s);
	if (!e)
		*s_r = s;
	return e;
}

static uint32_t nth_child(const struct mime_tree *t, uint32_t part, uint32_t number)
{
	uint32_t child = t->part[part].child;

	if (number > t->part[part].children)
		return MIME_NONE;
	while (--number)
		child = t->part[child].next;
	return child;
}

/*
 * Follows the numbers. A number chooses among the children of a multipart, or is 1 for the body of
 * a message that is none; a part that holds a message is entered when another number follows (RFC
 * 3501 section 6.4.5). A multipart without parts has an empty one, as BODYSTRUCTURE says.
 */
static uint32_t follow(const struct mime_tree *t, const struct mime_section *s, bool *at_message_r,
		       bool *empty_r)
{
	uint32_t part = 0;
	bool at_message = true;

	for (uint32_t i = 0; i < s->depth; i++) {
		if (!at_message && (t->part[part].flags & MIME_PART_MESSAGE)) {
			part = t->part[part].child;
			at_message = true;
		}
		*empty_r = (t->part[part].flags & MIME_PART_MULTIPART) && !t->part[part].children &&
			   s->path[i] == 1 && i + 1 == s->depth;
		if (*empty_r)
			at_message = false;
		else if (t->part[part].flags & MIME_PART_MULTIPART)
			part = nth_child(t, part, s->path[i]);
		else if (!at_message || s->path[i] != 1)
			return MIME_NONE;
		if (part == MIME_NONE)
			return MIME_NONE;
		at_message = false;
	}
	*at_message_r = at_message;
	return part;
}

static struct mime_range header_range(const struct mime_part *p)
{
	return (struct mime_range){ p->start, p->header_size, p->header_size + p->header_bare };
}

static struct mime_range body_range(const struct mime_part *p)
{
	return (struct mime_range){ p->start + p->header_size, p->body_size,
				    p->body_size + p->body_bare };
}

static struct mime_range whole_range(const struct mime_part *p)
{
	struct mime_range h = header_range(p);
	struct mime_range b = body_range(p);

	return (struct mime_range){ h.off, h.size + b.size, h.crlf + b.crlf };
}

enum err mime_section_find(const struct mime_tree *t, const struct mime_section *s,
			   struct mime_range *range_r, uint32_t *part_r)
{
	bool at_message, of_message, empty = false;
	uint32_t part;

	if (t->n == 0)
		return ERR_NOTFOUND;
	part = follow(t, s, &at_message, &empty);
	if (part == MIME_NONE)
		return ERR_NOTFOUND;
	of_message = s->kind != MIME_SECTION_ALL && s->kind != MIME_SECTION_MIME;
	if (empty) {
		if (of_message)
			return ERR_NOTFOUND;
		*range_r = (struct mime_range){ body_range(&t->part[part]).off, 0, 0 };
		if (part_r)
			*part_r = part;
		return ERR_OK;
	}
	if (of_message && !at_message) {
		if (!(t->part[part].flags & MIME_PART_MESSAGE))
			return ERR_NOTFOUND;
		part = t->part[part].child;
	}
	if (s->kind == MIME_SECTION_ALL && at_message)
		*range_r = whole_range(&t->part[part]);
	else if (s->kind == MIME_SECTION_ALL || s->kind == MIME_SECTION_TEXT)
		*range_r = body_range(&t->part[part]);
	else
		*range_r = header_range(&t->part[part]);
	if (part_r)
		*part_r = part;
	return ERR_OK;
}
