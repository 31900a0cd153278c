/* Spelling of responses. The content decides the form; see the door for the promises. */
#include "wire/imap_write.h"
#include "base/must.h"
#include "base/mutf7.h"
#include "wire/imap_name.h"

enum { W_ATOM = 1, W_QUOTED = 2, W_TEXT = 4, W_ALL = W_ATOM | W_QUOTED | W_TEXT };

/* What each byte may appear in: an astring's atom form, a quoted string (as itself or escaped), response text. */
static const uint8_t class[256] = {
	['\t'] = W_TEXT,
	[' '] = W_QUOTED | W_TEXT,
	['!'] = W_ALL,
	['"'] = W_QUOTED | W_TEXT,
	['#' ... '$'] = W_ALL,
	['%'] = W_QUOTED | W_TEXT,
	['&' ... '\''] = W_ALL,
	['(' ... '*'] = W_QUOTED | W_TEXT,
	['+' ... '['] = W_ALL,
	['\\'] = W_QUOTED | W_TEXT,
	[']' ... 'z'] = W_ALL,
	['{'] = W_QUOTED | W_TEXT,
	['|' ... '~'] = W_ALL,
};

/* The classes that every byte of s shares, and whether a quoted form needs escapes. */
static uint8_t classes(struct span s, bool *escapes_r)
{
	uint8_t all = W_ALL;
	bool escapes = false;

	for (size_t i = 0; i < s.n; i++) {
		all &= class[(uint8_t)s.p[i]];
		escapes |= s.p[i] == '"' || s.p[i] == '\\';
	}
	*escapes_r = escapes;
	return all;
}

static void write_quoted(struct buf *b, struct span s, bool escapes)
{
	buf_add_char(b, '"');
	if (!escapes) {
		buf_add_span(b, s);
	} else {
		for (size_t i = 0; i < s.n; i++) {
			if (s.p[i] == '"' || s.p[i] == '\\')
				buf_add_char(b, '\\');
			buf_add_char(b, s.p[i]);
		}
	}
	buf_add_char(b, '"');
}

static void write_literal(struct buf *b, struct span s)
{
	size_t at;

	imap_write_literal_head(b, s.n);
	at = b->n;
	buf_add_span(b, s);
	if (b->failed || s.n == 0)
		return;
	for (char *p = b->p + at; (p = memchr(p, '\0', (size_t)(b->p + b->n - p))) != NULL; p++)
		*p = (char)0x80;
}

static void write_string(struct buf *b, struct span s, uint8_t all, bool escapes)
{
	if ((all & W_QUOTED) && s.n <= IMAP_QUOTED_MAX)
		write_quoted(b, s, escapes);
	else
		write_literal(b, s);
}

void imap_write_string(struct buf *b, struct span s)
{
	bool escapes = false;
	uint8_t all = s.n <= IMAP_QUOTED_MAX ? classes(s, &escapes) : 0;

	write_string(b, s, all, escapes);
}

void imap_write_astring(struct buf *b, struct span s)
{
	bool escapes = false;
	uint8_t all = s.n <= IMAP_QUOTED_MAX ? classes(s, &escapes) : 0;

	if (s.n > 0 && (all & W_ATOM) && !span_ieq_str(s, "NIL"))
		buf_add_span(b, s);
	else
		write_string(b, s, all, escapes);
}

void imap_write_nstring(struct buf *b, const struct span *s)
{
	if (s)
		imap_write_string(b, *s);
	else
		buf_add(b, "NIL", 3);
}

void imap_write_literal_head(struct buf *b, uint64_t n)
{
	buf_add_char(b, '{');
	buf_add_u64(b, n);
	buf_add(b, "}\r\n", 3);
}

void imap_write_literal8_head(struct buf *b, uint64_t n)
{
	buf_add_char(b, '~');
	imap_write_literal_head(b, n);
}

/* RFC 6855: UTF-8 only in quoted form, and without controls (imap_name_valid). */
static void write_utf8(struct buf *b, struct span name)
{
	bool escapes;

	classes(name, &escapes);
	write_quoted(b, name, escapes);
}

void imap_write_mailbox(struct buf *b, struct span name, bool utf8)
{
	struct buf wire;
	bool escapes;

	if (classes(name, &escapes) & W_QUOTED && span_find(name, '&') == SIZE_MAX) {
		imap_write_astring(b, name);
		return;
	}
	if (utf8 && name.n <= IMAP_QUOTED_MAX && imap_name_valid(name)) {
		write_utf8(b, name);
		return;
	}
	buf_init(&wire, name.n * 5 + 16); /* worst case: a control character becomes "&AAE-" */
	if (mutf7_from_utf8(name, &wire))
		imap_write_astring(b, buf_span(&wire));
	else
		imap_write_astring(b, name); /* not UTF-8: shown as it is, as a literal */
	b->failed |= wire.failed;
	buf_free(&wire);
}

void imap_write_flags(struct buf *b, const struct mail_flags *f, const struct span *keywords, size_t n)
{
	static const struct {
		uint8_t flag;
		struct span name;
	} flags[] = {
		{ MAIL_ANSWERED, { "\\Answered ", 10 } },
		{ MAIL_FLAGGED, { "\\Flagged ", 9 } },
		{ MAIL_DELETED, { "\\Deleted ", 9 } },
		{ MAIL_SEEN, { "\\Seen ", 6 } },
		{ MAIL_DRAFT, { "\\Draft ", 7 } },
		{ MAIL_RECENT, { "\\Recent ", 8 } },
	};
	size_t begin;

	buf_add_char(b, '(');
	begin = b->n;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (f->system & flags[i].flag)
			buf_add_span(b, flags[i].name);
	}
	for (size_t i = 0; i < n && i < MAIL_KEYWORDS_MAX; i++) {
		if (!(f->keywords >> i & 1) || keywords[i].n == 0)
			continue;
		buf_add_span(b, keywords[i]);
		buf_add_char(b, ' ');
	}
	if (!b->failed && b->n > begin)
		buf_truncate(b, b->n - 1);
	buf_add_char(b, ')');
}

void imap_write_set(struct buf *b, const struct set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		buf_add_u64(b, s->r[i].first);
		if (s->r[i].last == s->r[i].first)
			continue;
		buf_add_char(b, ':');
		buf_add_u64(b, s->r[i].last);
	}
}

void imap_write_text(struct buf *b, struct span s)
{
	bool escapes;

	if (s.n == 0) {
		buf_add_char(b, '.');
		return;
	}
	if (classes(s, &escapes) & W_TEXT) {
		buf_add_span(b, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++)
		buf_add_char(b, class[(uint8_t)s.p[i]] & W_TEXT ? s.p[i] : '?');
}

void imap_write_status(struct buf *b, struct span tag, const char *cond, const char *code, const char *text)
{
	buf_add_span(b, tag.n > 0 ? tag : SPAN("*"));
	buf_add_char(b, ' ');
	buf_add_str(b, cond);
	buf_add_char(b, ' ');
	if (code && *code) {
		buf_add_char(b, '[');
		buf_add_str(b, code);
		buf_add(b, "] ", 2);
	}
	imap_write_text(b, span_str(text));
	buf_add(b, "\r\n", 2);
}
