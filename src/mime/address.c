#include "mime/address.h"
#include "mime/header.h"
#include "lex.h"

/* A piece of w->text; the buffer may move while an address is read, so pointers come last. */
struct piece {
	size_t at, n;
	bool set;
};

struct draft {
	struct piece name, route, mailbox, domain;
	bool broken;
};

struct reader {
	struct lex l;
	struct buf *text;
	struct draft d;
};

/*
 * Files with CR for line ends look like one field; a list ends where such a line ends, unless the
 * next is a fold.
 */
static struct span without_cr_lines(struct span value)
{
	size_t i = span_find(value, '\r');

	for (; i < value.n && i + 1 < value.n; i++)
		if (value.p[i] == '\r' && !strchr("\r\n \t", value.p[i + 1]))
			return span_cut(value, 0, i);
	return value;
}

void mime_addrs_init(struct mime_addrs *w, struct span value)
{
	*w = (struct mime_addrs){ .in = without_cr_lines(span_cut(value, 0, MIME_FIELD_MAX)) };
	buf_init(&w->text, 2 * MIME_FIELD_MAX + 256);
	buf_init(&w->comment, MIME_FIELD_MAX);
}

void mime_addrs_free(struct mime_addrs *w)
{
	buf_free(&w->text);
	buf_free(&w->comment);
}

static struct piece piece_from(const struct reader *r, size_t at)
{
	return (struct piece){ at, r->text->n - at, true };
}

static struct piece piece_add(struct reader *r, struct span s)
{
	size_t at = r->text->n;

	buf_add_span(r->text, s);
	return piece_from(r, at);
}

static void stand_in(struct reader *r, struct piece *p, const char *word)
{
	*p = piece_add(r, span_str(word));
	r->d.broken = true;
}

/* What a phrase turned out to be: how many words, and whether it could also be a local part. */
struct phrase {
	size_t words;
	bool quoted; /* one of the words was a quoted string */
	bool local;  /* between any two words stands a dot */
};

/* phrase (with the dots of obs-phrase), its words with one blank between them. */
static struct phrase read_phrase(struct reader *r)
{
	struct phrase ph = { 0, false, true };
	bool dot = true; /* the word before ended with a dot, or there is none */

	for (;;) {
		size_t before = r->text->n;
		struct span word;

		lex_cfws(&r->l);
		if (ph.words)
			buf_add_char(r->text, ' ');
		if (lex_quoted(&r->l, r->text)) {
			ph.quoted = true;
			ph.local &= dot;
			dot = false;
		} else {
			word = lex_dot_atom(&r->l);
			if (word.n == 0) {
				buf_truncate(r->text, before);
				return ph;
			}
			buf_add_span(r->text, word);
			ph.local &= dot || word.p[0] == '.';
			dot = word.p[word.n - 1] == '.';
		}
		ph.words++;
	}
}

/* local-part and obs-local-part, dots taken as they come; false when nothing is there. */
static bool read_local(struct reader *r)
{
	size_t at = r->text->n;
	bool any = false;

	for (;;) {
		bool dot = r->text->n > at && r->text->p[r->text->n - 1] == '.';
		struct span word;

		lex_cfws(&r->l);
		if (any && !dot && lex_peek(&r->l) != '.')
			break;
		if (lex_quoted(&r->l, r->text)) {
			any = true;
			continue;
		}
		word = lex_dot_atom(&r->l);
		if (word.n == 0)
			break;
		buf_add_span(r->text, word);
		any = true;
	}
	if (any)
		r->d.mailbox = piece_from(r, at);
	return any;
}

/* domain, obs-domain or domain-literal; false (nothing kept) when it is none. */
static bool read_domain(struct reader *r)
{
	size_t at = r->text->n;
	struct span word;

	lex_cfws(&r->l);
	if (lex_peek(&r->l) == '[') {
		if (!lex_literal(&r->l, r->text))
			return false;
		lex_cfws(&r->l);
		return true;
	}
	for (;;) {
		word = lex_atom(&r->l);
		if (word.n == 0) {
			buf_truncate(r->text, at);
			return false;
		}
		buf_add_span(r->text, word);
		lex_cfws(&r->l);
		if (lex_peek(&r->l) != '.')
			return true;
		r->l.pos++;
		buf_add_char(r->text, '.');
		lex_cfws(&r->l);
	}
}

/* obs-route up to and with its colon. */
static bool read_route(struct reader *r)
{
	for (;;) {
		if (lex_peek(&r->l) == '@') {
			r->l.pos++;
			buf_add_char(r->text, '@');
			if (!read_domain(r))
				return false;
		}
		if (lex_peek(&r->l) == ':') {
			r->l.pos++;
			return true;
		}
		if (lex_peek(&r->l) != ',')
			return false;
		r->l.pos++;
		lex_cfws(&r->l);
		if (lex_peek(&r->l) == '@')
			buf_add_char(r->text, ',');
		else if (lex_peek(&r->l) != ',')
			return false;
	}
}

/* angle-addr, from its '<'. */
static void read_angle(struct reader *r)
{
	size_t at = r->text->n;
	bool closed;

	r->l.pos++;
	lex_cfws(&r->l);
	if (lex_peek(&r->l) == '@') {
		if (read_route(r)) {
			r->d.route = piece_from(r, at);
		} else {
			buf_truncate(r->text, at);
			stand_in(r, &r->d.route, "INVALID_ROUTE");
		}
	}
	read_local(r);
	closed = true;
	if (lex_peek(&r->l) == '@') {
		r->l.pos++;
		at = r->text->n;
		closed = read_domain(r);
		if (closed)
			r->d.domain = piece_from(r, at);
	}
	if (!closed || lex_peek(&r->l) != '>')
		stand_in(r, &r->d.domain, "SYNTAX_ERROR");
	else
		r->l.pos++;
}

/* addr-spec, from its first byte; the comment read last is the old way of giving a name. */
static void read_addr_spec(struct reader *r)
{
	size_t at;

	read_local(r);
	if (lex_peek(&r->l) != '@')
		return;
	r->l.pos++;
	at = r->text->n;
	if (read_domain(r))
		r->d.domain = piece_from(r, at);
}

/*
 * No '<', '@' or ':' followed: one bare word is a mailbox without domain, anything else can only be
 * a name.
 */
static void take_words(struct reader *r, struct phrase ph, struct piece words)
{
	if (ph.words == 1 && !ph.quoted)
		r->d.mailbox = words;
	else if (ph.words)
		r->d.name = words;
}

/* One address or the head of a group; true: a group was opened. */
static bool read_address(struct reader *r, bool in_group)
{
	size_t start = r->l.pos;
	size_t at = r->text->n;
	struct phrase ph;
	struct piece words;

	buf_clear(r->l.comment);
	ph = read_phrase(r);
	words = piece_from(r, at);
	switch (lex_peek(&r->l)) {
	case ':':
		if (in_group) {
			take_words(r, ph, words);
			break;
		}
		r->l.pos++;
		r->d.mailbox = words;
		return true;
	case '<':
		if (words.n)
			r->d.name = words;
		buf_clear(r->l.comment);
		read_angle(r);
		buf_clear(r->l.comment);
		break;
	case '@':
		if (!ph.local) {
			take_words(r, ph, words);
			break;
		}
		buf_truncate(r->text, at);
		r->l.pos = start;
		buf_clear(r->l.comment);
		read_addr_spec(r);
		break;
	default:
		take_words(r, ph, words);
	}
	if (r->l.comment->n && !r->d.name.set)
		r->d.name = piece_add(r, buf_span(r->l.comment));
	return false;
}

static struct span piece_span(const struct mime_addrs *w, struct piece p)
{
	if (!p.set)
		return span_of(NULL, 0);
	return p.n ? span_of(w->text.p + p.at, p.n) : SPAN("");
}

/* Skips empty members; false at the end of the list. */
static bool to_next_member(struct lex *l)
{
	for (;;) {
		lex_cfws(l);
		if (lex_peek(l) != ',')
			return l->pos < l->in.n;
		l->pos++;
	}
}

/* A mailbox: on to its separator, what is missing filled in. */
static void finish_mailbox(struct reader *r, bool in_group)
{
	lex_until(&r->l, in_group ? ",;" : ",");
	if (!r->d.mailbox.set)
		stand_in(r, &r->d.mailbox, "MISSING_MAILBOX");
	if (!r->d.domain.set)
		stand_in(r, &r->d.domain, "MISSING_DOMAIN");
}

static enum mime_addr_kind read_member(struct mime_addrs *w, struct reader *r)
{
	if (w->in_group && (r->l.pos == w->in.n || lex_peek(&r->l) == ';')) {
		lex_until(&r->l, ",");
		w->in_group = false;
		return MIME_ADDR_GROUP_END;
	}
	if (read_address(r, w->in_group)) {
		w->in_group = true;
		return MIME_ADDR_GROUP;
	}
	finish_mailbox(r, w->in_group);
	return MIME_ADDR_MAILBOX;
}

bool mime_addrs_next(struct mime_addrs *w, struct mime_addr *a_r)
{
	struct reader r = { .text = &w->text };
	enum mime_addr_kind kind;

	r.l = (struct lex){ w->in, w->pos, &w->comment, w->open_comment, w->open_quote };
	buf_clear(&w->text);
	if (w->count >= MIME_ADDRS_MAX)
		r.l.pos = w->in.n;
	if (!to_next_member(&r.l) && !w->in_group)
		return false;
	kind = read_member(w, &r);
	w->pos = r.l.pos;
	w->open_comment = r.l.open_comment;
	w->open_quote = r.l.open_quote;
	w->count++;
	*a_r = (struct mime_addr){
		.kind = kind,
		.name = piece_span(w, r.d.name),
		.route = piece_span(w, r.d.route),
		.mailbox = piece_span(w, r.d.mailbox),
		.domain = piece_span(w, r.d.domain),
		.broken = r.d.broken,
	};
	return true;
}

void mime_addr_first_mailbox(struct span value, struct buf *out)
{
	struct mime_addrs w;
	struct mime_addr a;

	mime_addrs_init(&w, value);
	if (mime_addrs_next(&w, &a))
		buf_add_span(out, a.mailbox);
	mime_addrs_free(&w);
}
