/* One message of an mbox. */
#include "mbox_parse.h"
#include "mbox_from.h"

#include "base/mem.h"
#include "base/must.h"
#include "mime/crlf.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum {
	WINDOW = 256 << 10,
	HEAD_USUAL = 16 << 10, /* bytes: so many are looked at first */
	LEADING_MAX = 16, /* empty lines before the first message */
};

/* --- a window over the file ---------------------------------------------------------- */

static enum err window_fill(struct mbox_window *w, uint64_t off, size_t need)
{
	ssize_t got;

	if (w->cap < need) {
		w->cap = need;
		w->p = mem_grow(w->p, w->cap, 1);
	}
	w->off = off;
	w->n = 0;
	w->eof = w->fd < 0; /* no file is an empty one */
	while (w->n < need && !w->eof) {
		got = pread(w->fd, w->p + w->n, need - w->n, (off_t)(off + w->n));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		w->eof = got == 0;
		w->n += (size_t)got;
	}
	return ERR_OK;
}

/* What there is from off on: at least need bytes unless the file ends before. */
static enum err window_at(struct mbox_window *w, uint64_t off, size_t need, struct span *s_r)
{
	enum err e = ERR_OK;

	if (off < w->off || off > w->off + w->n || (off - w->off + need > w->n && !w->eof))
		e = window_fill(w, off, need > w->piece ? need : w->piece);
	*s_r = e ? span_of("", 0) : span_of(w->p + (off - w->off), w->n - (size_t)(off - w->off));
	return e;
}

/* --- one message ---------------------------------------------------------------------- */

void mbox_parser_init(struct mbox_parser *p, int fd, struct mbox_map *map, uint64_t size)
{
	*p = (struct mbox_parser){ .w = { .fd = fd, .piece = WINDOW }, .map = map, .size = size, .sum = XXH3_createState() };
	must(p->sum);
	buf_init(&p->visible, MBOX_HEAD_MAX);
}

void mbox_parser_heads(struct mbox_parser *p)
{
	p->w.piece = 2 * HEAD_USUAL;
}

void mbox_parser_free(struct mbox_parser *p)
{
	free(p->w.p);
	buf_free(&p->visible);
	XXH3_freeState(p->sum);
}

/* Does a From_ line begin at off? Its length with LF, else 0. */
static enum err from_at(struct mbox_parser *p, uint64_t off, uint32_t *n_r, int64_t *date_r)
{
	struct span s;
	enum err e = window_at(&p->w, off, MBOX_FROM_MAX + 1, &s);
	size_t n = span_find(span_cut(s, 0, MBOX_FROM_MAX + 1), '\n');

	*n_r = 0;
	if (!e && n != SIZE_MAX && mbox_from_parse(span_cut(s, 0, n), date_r))
		*n_r = (uint32_t)n + 1;
	return e;
}

static size_t line_end(struct span s)
{
	if (s.n && s.p[0] == '\n')
		return 1;
	return s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n' ? 2 : 0;
}

/* Content-Length is believed where a line end follows, and then the file's end or a From_ line. */
static enum err length_holds(struct mbox_parser *p, uint64_t end, uint8_t *gap_r, bool *holds_r)
{
	uint32_t from;
	struct span s;
	enum err e;

	*holds_r = false;
	*gap_r = 0;
	if (end > p->size)
		return ERR_OK;
	e = window_at(&p->w, end - 1, 3, &s); /* a message has some header before its body */
	if (e)
		return e;
	*gap_r = (uint8_t)(span_starts(s, SPAN("\r\n")) ? 0 : line_end(span_from(s, 1)));
	*holds_r = *gap_r && end + *gap_r == p->size;
	if (*holds_r || !*gap_r)
		return ERR_OK;
	e = from_at(p, end + *gap_r, &from, NULL);
	*holds_r = !e && from > 0;
	if (!*holds_r)
		*gap_r = 0;
	return e;
}

static uint64_t bare_lfs(struct span s, char before)
{
	return mime_crlf_size(s) - s.n - (s.n && s.p[0] == '\n' && before == '\r');
}

/* Adds the line ends of file[from, to) to m->vsize, and the bytes to the sum. */
static enum err read_body(struct mbox_parser *p, struct mbox_msg *m, uint64_t from, uint64_t to)
{
	char before = '\0';
	enum err e = ERR_OK;

	while (!e && from < to) {
		struct span s;

		e = window_at(&p->w, from, 1, &s);
		s = span_cut(s, 0, to - from < s.n ? (size_t)(to - from) : s.n);
		if (!e && !s.n)
			e = ERR_INUSE; /* somebody truncates the file without our lock */
		if (e)
			break;
		m->vsize += bare_lfs(s, before);
		XXH3_128bits_update(p->sum, s.p, s.n);
		before = s.p[s.n - 1];
		from += s.n;
	}
	return e;
}

/* A body that the file's end ends: as before a From_ line, the last line end is not its own. */
static enum err body_last(struct mbox_parser *p, struct mbox_msg *m, uint64_t body)
{
	uint64_t n = p->size - body, look = n < 2 ? n : 2;
	struct span s;
	enum err e = window_at(&p->w, p->size - look, (size_t)look, &s);

	m->body_n = n;
	if (e || !n)
		return e;
	if (span_ends(s, SPAN("\n")))
		m->gap_n = span_ends(s, SPAN("\r\n")) ? 2 : 1;
	m->body_n -= m->gap_n;
	return ERR_OK;
}

/* The LF before the From_ line at lf + 1 is no message's, nor a CR before it. */
static void body_before(struct mbox_parser *p, struct mbox_msg *m, uint64_t body, uint64_t lf)
{
	if (lf < body) /* the header's own */
		return;
	m->gap_n = 1;
	if (lf > body && lf > p->w.off && p->w.p[lf - 1 - p->w.off] == '\r')
		m->gap_n = 2;
	m->body_n = lf + 1 - m->gap_n - body;
}

/* Looks for the next From_ line; the LF before the body may precede one. */
static enum err body_search(struct mbox_parser *p, struct mbox_msg *m, uint64_t body)
{
	uint64_t at = body - 1;
	enum err e = ERR_OK;

	for (;;) {
		struct span s;
		uint32_t from;
		size_t i;

		e = window_at(&p->w, at, MBOX_FROM_MAX + 8, &s);
		i = mbox_from_search(s);
		if (e || (i == SIZE_MAX && p->w.eof))
			break;
		if (i == SIZE_MAX) {
			at += s.n - 5;
			continue;
		}
		at += i;
		e = from_at(p, at + 1, &from, NULL);
		if (e)
			return e;
		if (from) {
			body_before(p, m, body, at);
			return ERR_OK;
		}
		at++;
	}
	return e ? e : body_last(p, m, body);
}

/* The header's text; one without an empty line may run into the next message. */
static enum err head_text(struct mbox_parser *p, uint64_t at, struct span *text_r, struct mbox_head *h)
{
	size_t need = HEAD_USUAL;
	enum err e;

	for (;; need = need * 2 < MBOX_HEAD_MAX ? need * 2 : MBOX_HEAD_MAX) {
		e = window_at(&p->w, at, need, text_r);
		if (e || mbox_head_parse(*text_r, h) || p->w.eof || need == MBOX_HEAD_MAX)
			break;
	}
	*text_r = span_cut(*text_r, 0, MBOX_HEAD_MAX);
	if (h->size > text_r->n)
		mbox_head_parse(*text_r, h);
	mbox_head_limit(text_r, h);
	return e;
}

static enum err head_cut(struct mbox_parser *p, uint64_t at, struct span *text, struct mbox_head *h)
{
	size_t off = 0, i;

	while ((i = mbox_from_search(span_cut(*text, off, h->end - off))) != SIZE_MAX) {
		uint32_t from;

		off += i + 1;
		enum err e = from_at(p, at + off, &from, NULL);
		if (e)
			return e;
		if (from) {
			/* The window may have moved. */
			e = window_at(&p->w, at, off, text);
			*text = span_cut(*text, 0, off);
			mbox_head_parse(*text, h);
			return e;
		}
		e = window_at(&p->w, at, h->size, text);
		if (e)
			return e;
		mbox_head_parse(*text, h);
	}
	return ERR_OK;
}

/* MAIL_KEYWORDS_MAX: the base does not list it. */
static unsigned name_bit(const struct mbox_map *map, struct span name)
{
	unsigned i = 0;

	while (i < MAIL_KEYWORDS_MAX && !(map->name[i] && span_ieq_str(name, map->name[i])))
		i++;
	return i;
}

/* A line with a name that the base does not list came with the mail: none of it is believed, as by Dovecot. */
static uint64_t keyword_bits(const struct mbox_map *map, struct span names)
{
	struct span name;
	uint64_t bits = 0;

	while (mbox_name_next(&names, &name)) {
		unsigned i = name_bit(map, name);

		if (i < MAIL_KEYWORDS_MAX)
			bits |= (uint64_t)1 << i;
		else if (!map->names_more)
			return 0;
	}
	return bits;
}

/* Whoever sent the first message may have written the base: what IMAP cannot say is no keyword, as in Dovecot. */
static void take_names(struct mbox_map *map, struct span names)
{
	struct span name;
	unsigned n = 0;

	while (n < MAIL_KEYWORDS_MAX && mbox_name_next(&names, &name) && name.n <= MBOX_NAME_MAX)
		if (mail_keyword_valid(name) && name_bit(map, name) == MAIL_KEYWORDS_MAX)
			map->name[n++] = span_dup(name);
	map->names_more = n == MAIL_KEYWORDS_MAX ? mbox_name_next(&names, &name) : name.n > 0;
}

static void take_first(struct mbox_parser *p, const struct mbox_head *h)
{
	p->map->based = h->based;
	p->map->pseudo = h->pseudo;
	p->map->validity = h->validity;
	p->map->last = h->last;
	take_names(p->map, h->names);
}

/*
 * A UID is believed when the base allows for it and it is in order, that of the first message when it stands behind the
 * base; behind a message without one all need new ones.
 */
static uint32_t believed(struct mbox_parser *p, const struct mbox_head *h, bool first)
{
	struct mbox_map *map = p->map;

	if (!map->based || map->unnumbered || (first && h->uid_early) || h->uid <= p->uid || h->uid > map->last)
		return 0;
	p->uid = h->uid;
	return h->uid;
}

/* The From_ line at at and the header behind it, whose text lies in the window. */
static enum err head_at(struct mbox_parser *p, uint64_t at, struct mbox_msg *m, struct span *text_r, struct mbox_head *h)
{
	enum err e;

	*m = (struct mbox_msg){ .at = at };
	e = from_at(p, at, &m->from_n, &m->date);
	if (!e && !m->from_n)
		return ERR_CORRUPT;
	if (!e)
		e = head_text(p, at + m->from_n, text_r, h);
	return e ? e : head_cut(p, at + m->from_n, text_r, h);
}

static void head_tells(struct mbox_parser *p, const struct mbox_head *h, bool first, struct mbox_msg *m)
{
	m->uid = believed(p, h, first);
	m->flags = h->flags;
	m->keywords = keyword_bits(p->map, h->keywords);
	m->head_n = (uint32_t)h->size;
	m->visible_n = (uint32_t)h->visible;
	m->vsize = h->visible + h->bare;
}

enum err mbox_parse_head(struct mbox_parser *p, uint64_t at, bool first, struct mbox_msg *m_r)
{
	struct mbox_head h;
	struct span text;
	enum err e = head_at(p, at, m_r, &text, &h);

	if (!e)
		head_tells(p, &h, first, m_r);
	return e;
}

bool mbox_parse_base(struct mbox_parser *p)
{
	struct mbox_map *map = p->map;
	struct mbox_head h;
	struct span text;

	if (!map->based || window_at(&p->w, map->first.at + map->first.from_n, map->first.head_n, &text) ||
	    text.n < map->first.head_n || !mbox_head_parse(span_cut(text, 0, map->first.head_n), &h) ||
	    h.size != map->first.head_n || !h.based || h.validity != map->validity)
		return false;
	map->last = h.last;
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		free(map->name[i]);
		map->name[i] = NULL;
	}
	take_names(map, h.names);
	return true;
}

/* All of the header is taken before the window moves on to the body. */
enum err mbox_parse(struct mbox_parser *p, uint64_t at, bool first, struct mbox_msg *m)
{
	XXH128_canonical_t guid;
	struct mbox_head h;
	struct span text;
	uint64_t body;
	bool holds = false;
	enum err e = head_at(p, at, m, &text, &h);

	if (e)
		return e;
	if (first)
		take_first(p, &h);
	head_tells(p, &h, first, m);
	buf_clear(&p->visible);
	mbox_head_visible(text, &h, h.size > h.end, &p->visible);
	body = mbox_msg_body(m);
	if (h.content_length <= p->size - body)
		e = length_holds(p, body + h.content_length, &m->gap_n, &holds);
	if (!e && holds)
		m->body_n = h.content_length;
	else if (!e)
		e = body_search(p, m, body);
	if (!m->body_n && !m->gap_n && h.size > h.end) {
		m->cut_n = (uint8_t)(h.size - h.end);
		m->vsize -= 2;
	}
	XXH3_128bits_reset(p->sum);
	XXH3_128bits_update(p->sum, p->visible.p, p->visible.n - m->cut_n);
	if (!e)
		e = read_body(p, m, body, body + m->body_n);
	m->vsize += m->body_n;
	XXH128_canonicalFromHash(&guid, XXH3_128bits_digest(p->sum));
	memcpy(m->guid, guid.digest, sizeof(m->guid));
	return e;
}

enum err mbox_parse_lead(struct mbox_parser *p, uint64_t *at_r)
{
	enum err e = ERR_OK;
	struct span s;
	size_t n = 1;

	*at_r = 0;
	for (int i = 0; !e && n && i < LEADING_MAX; i++) {
		e = window_at(&p->w, *at_r, 2, &s);
		n = e ? 0 : line_end(s);
		*at_r += n;
	}
	return e;
}
