/* Where each message of an mbox begins and ends, and what its header says of it. */
#include "mbox.h"
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

struct window {
	int fd;       /* borrowed */
	uint64_t off; /* of p[0] */
	size_t n, cap;
	bool eof;     /* the file ends with p[n) */
	char *p;      /* own */
};

static enum err window_fill(struct window *w, uint64_t off, size_t need)
{
	ssize_t got;

	if (w->cap < need) {
		w->cap = need;
		w->p = mem_grow(w->p, w->cap, 1);
	}
	w->off = off;
	w->n = 0;
	w->eof = w->fd < 0; /* no file is an empty one */
	while (w->n < w->cap && !w->eof) {
		got = pread(w->fd, w->p + w->n, w->cap - w->n, (off_t)(off + w->n));
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
static enum err window_at(struct window *w, uint64_t off, size_t need, struct span *s_r)
{
	enum err e = ERR_OK;

	if (off < w->off || off > w->off + w->n || (off - w->off + need > w->n && !w->eof))
		e = window_fill(w, off, need > WINDOW ? need : WINDOW);
	*s_r = e ? span_of("", 0) : span_of(w->p + (off - w->off), w->n - (size_t)(off - w->off));
	return e;
}

/* --- one message ---------------------------------------------------------------------- */

struct parser {
	struct window w;
	struct mbox_map *map;
	uint64_t size;
	uint32_t uid; /* of the last message believed */
	struct buf visible;
	XXH3_state_t *sum;
};

static void parser_init(struct parser *p, int fd, struct mbox_map *map, uint64_t size)
{
	*p = (struct parser){ .w = { .fd = fd }, .map = map, .size = size, .sum = XXH3_createState() };
	must(p->sum);
	buf_init(&p->visible, MBOX_HEAD_MAX);
}

static void parser_free(struct parser *p)
{
	free(p->w.p);
	buf_free(&p->visible);
	XXH3_freeState(p->sum);
}

/* Does a From_ line begin at off? Its length with LF, else 0. */
static enum err from_at(struct parser *p, uint64_t off, uint32_t *n_r, int64_t *date_r)
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

/* Content-Length is believed where the file ends behind it, or a line end and a From_ line follow. */
static enum err length_holds(struct parser *p, uint64_t end, uint8_t *gap_r, bool *holds_r)
{
	uint32_t from;
	struct span s;
	enum err e;

	*holds_r = false;
	*gap_r = 0;
	if (end > p->size)
		return ERR_OK;
	e = window_at(&p->w, end, 2, &s);
	if (e)
		return e;
	*gap_r = (uint8_t)line_end(s);
	*holds_r = end + *gap_r == p->size;
	if (*holds_r)
		return ERR_OK;
	e = *gap_r ? from_at(p, end + *gap_r, &from, NULL) : ERR_OK;
	*holds_r = !e && *gap_r && from > 0;
	if (!*holds_r)
		*gap_r = 0;
	return e;
}

static uint64_t bare_lfs(struct span s, char before)
{
	return mime_crlf_size(s) - s.n - (s.n && s.p[0] == '\n' && before == '\r');
}

/* Adds the line ends of file[from, to) to m->vsize, and the bytes to the sum. */
static enum err read_body(struct parser *p, struct mbox_msg *m, uint64_t from, uint64_t to)
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

/* A body that the file's end ends: the empty line there is not its own. */
static enum err body_last(struct parser *p, struct mbox_msg *m, uint64_t body)
{
	uint64_t n = p->size - body, look = n < 4 ? n : 4;
	struct span s;
	enum err e = window_at(&p->w, p->size - look, (size_t)look, &s);

	m->body_n = n;
	if (e || !n)
		return e;
	if (span_ends(s, SPAN("\r\n\r\n")) || (n == 2 && span_eq_str(s, "\r\n")))
		m->gap_n = 2;
	else if (span_ends(s, SPAN("\n\n")) || (n == 1 && s.p[0] == '\n'))
		m->gap_n = 1;
	m->body_n -= m->gap_n;
	return ERR_OK;
}

/* The LF before the From_ line at lf + 1 is no message's, nor a CR before it. */
static void body_before(struct parser *p, struct mbox_msg *m, uint64_t body, uint64_t lf)
{
	if (lf < body) /* the empty line of the header itself */
		return;
	m->gap_n = 1;
	if (lf > body && lf > p->w.off && p->w.p[lf - 1 - p->w.off] == '\r')
		m->gap_n = 2;
	m->body_n = lf + 1 - m->gap_n - body;
}

/* Looks for the next From_ line; the LF before the body may precede one. */
static enum err body_search(struct parser *p, struct mbox_msg *m, uint64_t body)
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
static enum err head_text(struct parser *p, uint64_t at, struct span *text_r, struct mbox_head *h)
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

static enum err head_cut(struct parser *p, uint64_t at, struct span *text, struct mbox_head *h)
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

/* A line with a name that the base does not list came with the mail: none of it is believed, as by Dovecot. */
static uint64_t keyword_bits(const struct mbox_map *map, struct span names)
{
	struct span name;
	uint64_t bits = 0;

	while (mbox_name_next(&names, &name)) {
		unsigned i = 0;

		while (i < MAIL_KEYWORDS_MAX && !(map->name[i] && span_ieq_str(name, map->name[i])))
			i++;
		if (i < MAIL_KEYWORDS_MAX)
			bits |= (uint64_t)1 << i;
		else if (!map->names_more)
			return 0;
	}
	return bits;
}

static void take_names(struct mbox_map *map, struct span names)
{
	struct span name;
	unsigned n = 0;

	while (n < MAIL_KEYWORDS_MAX && mbox_name_next(&names, &name) && name.n <= MBOX_NAME_MAX)
		map->name[n++] = span_dup(name);
	map->names_more = n == MAIL_KEYWORDS_MAX ? mbox_name_next(&names, &name) : name.n > 0;
}

static void take_first(struct parser *p, const struct mbox_head *h)
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
static uint32_t believed(struct parser *p, const struct mbox_head *h, bool first)
{
	struct mbox_map *map = p->map;

	if (!map->based || map->unnumbered || (first && h->uid_early) || h->uid <= p->uid || h->uid > map->last)
		return 0;
	p->uid = h->uid;
	return h->uid;
}

/* text lies in the window: all of it is taken before the window moves on to the body. */
static enum err message_parse(struct parser *p, uint64_t at, bool first, struct mbox_msg *m)
{
	XXH128_canonical_t guid;
	struct mbox_head h;
	struct span text;
	uint64_t body;
	bool holds = false;
	enum err e;

	*m = (struct mbox_msg){ .at = at };
	e = from_at(p, at, &m->from_n, &m->date);
	if (!e && !m->from_n)
		return ERR_CORRUPT;
	if (!e)
		e = head_text(p, at + m->from_n, &text, &h);
	if (!e)
		e = head_cut(p, at + m->from_n, &text, &h);
	if (e)
		return e;
	if (first)
		take_first(p, &h);
	buf_clear(&p->visible);
	mbox_head_visible(text, &h, h.size > h.end, &p->visible);
	XXH3_128bits_reset(p->sum);
	XXH3_128bits_update(p->sum, p->visible.p, p->visible.n);
	m->uid = believed(p, &h, first);
	m->flags = h.flags;
	m->keywords = keyword_bits(p->map, h.keywords);
	m->head_n = (uint32_t)h.size;
	m->visible_n = (uint32_t)h.visible;
	m->vsize = h.visible + h.bare;
	body = mbox_msg_body(m);
	if (h.content_length <= p->size - body)
		e = length_holds(p, body + h.content_length, &m->gap_n, &holds);
	if (!e && holds)
		m->body_n = h.content_length;
	else if (!e)
		e = body_search(p, m, body);
	if (!e)
		e = read_body(p, m, body, body + m->body_n);
	m->vsize += m->body_n;
	XXH128_canonicalFromHash(&guid, XXH3_128bits_digest(p->sum));
	memcpy(m->guid, guid.digest, sizeof(m->guid));
	return e;
}

/* --- the whole ------------------------------------------------------------------------ */

void mbox_map_free(struct mbox_map *m)
{
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		free(m->name[i]);
	free(m->msg);
	*m = (struct mbox_map){ .known = false };
}

struct mbox_msg *mbox_map_find(struct mbox_map *m, uint32_t uid)
{
	size_t from = 0, to = m->n - m->unnumbered;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (m->msg[mid].uid < uid)
			from = mid + 1;
		else
			to = mid;
	}
	return from < m->n && m->msg[from].uid == uid && uid ? &m->msg[from] : NULL;
}

static void map_add(struct mbox_map *map, const struct mbox_msg *m)
{
	if (map->n == map->cap) {
		map->cap = map->cap ? map->cap * 2 : 64;
		map->msg = mem_grow(map->msg, map->cap, sizeof(*map->msg));
	}
	map->msg[map->n++] = *m;
	map->unnumbered += m->uid == 0;
}

static enum err parse_from(struct parser *p, uint64_t at, bool first)
{
	struct mbox_map *map = p->map;
	struct mbox_msg m;
	enum err e = ERR_OK;

	for (; !e && at < p->size; first = false) {
		e = message_parse(p, at, first, &m);
		if (e)
			break;
		at = mbox_msg_end(&m);
		if (first)
			map->first = m;
		if (!first || !map->pseudo)
			map_add(map, &m);
	}
	map->end = at;
	return e;
}

static enum err parse_all(struct parser *p)
{
	struct mbox_map *map = p->map;
	uint64_t at = 0;
	struct span s;
	size_t n;
	enum err e = ERR_OK;

	mbox_map_free(map);
	for (int i = 0; !e && i < LEADING_MAX; i++) {
		e = window_at(&p->w, at, 2, &s);
		n = e ? 0 : line_end(s);
		if (!n)
			break;
		at += n;
	}
	return e ? e : parse_from(p, at, true);
}

static bool same_message(const struct mbox_msg *a, const struct mbox_msg *b)
{
	return a->from_n == b->from_n && a->head_n == b->head_n && a->uid == b->uid &&
	       a->date == b->date;
}

/* Who appends may also have written a new last UID, or new names, into the base. False: it is another base. */
static bool base_again(struct parser *p)
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

/*
 * The file has grown: what is new is parsed, and the message before it again, for it was the file's
 * last. *done_r false: it is not the message that it was.
 */
static enum err parse_grown(struct parser *p, bool *done_r)
{
	struct mbox_map *map = p->map;
	struct mbox_msg last = map->msg[map->n - 1], m;
	enum err e;

	*done_r = false;
	if (!base_again(p))
		return ERR_OK;
	map->n--;
	map->unnumbered -= last.uid == 0;
	p->uid = map->n && !map->unnumbered ? map->msg[map->n - 1].uid : 0;
	e = message_parse(p, last.at, false, &m);
	if (e == ERR_CORRUPT)
		return ERR_OK;
	if (e || !same_message(&last, &m))
		return e;
	map_add(map, &m);
	*done_r = true;
	return parse_from(p, mbox_msg_end(&m), false);
}

static bool may_only_have_grown(const struct mbox_map *map, const struct mbox_stamp *now)
{
	return map->known && map->n > 1 && now->ino == map->stamp.ino && now->size > map->stamp.size;
}

static enum err map_parse(struct mbox_box *b, const struct mbox_stamp *now, bool whole, bool *whole_r)
{
	struct parser p;
	bool done = false;
	enum err e = ERR_OK;

	if (b->map.based) {
		b->seen.validity = b->map.validity;
		b->seen.last = b->map.last;
	}
	parser_init(&p, mbox_bytes(b), &b->map, mbox_bytes_n(b, now));
	if (!whole && !b->packed && may_only_have_grown(&b->map, now))
		e = parse_grown(&p, &done);
	*whole_r = !done;
	if (!e && !done) {
		p.uid = 0;
		e = parse_all(&p);
	}
	parser_free(&p);
	return e;
}

/* What was parsed is the file of this stamp; but for those who do not lock, it stays so until we unlock. */
static enum err settle(struct mbox_box *b, struct mbox_stamp *parsed)
{
	struct mbox_stamp now;
	enum err e = parsed->young ? mbox_stamp(b, &now) : ERR_OK;

	if (e || !parsed->young || now.size != parsed->size || now.sec != parsed->sec || now.nsec != parsed->nsec)
		return e;
	e = mbox_stamp_own(b, parsed, false, &now);
	if (!e && now.size == parsed->size)
		*parsed = now;
	return e;
}

enum err mbox_map_update(struct mbox_box *b, bool whole, bool *whole_r, struct errtext *t)
{
	struct mbox_stamp now;
	bool all = false;
	enum err e = mbox_stamp(b, &now);

	if (e)
		return err_say(t, e, "%s: %s", b->path, err_name(e));
	if (whole || !b->map.known || !mbox_stamp_same(&b->map.stamp, &now))
		e = map_parse(b, &now, whole || !b->r->set.dirty_syncs, &all);
	if (e) {
		mbox_map_free(&b->map);
		return err_say(t, e, e == ERR_CORRUPT ? "%s is not an mbox file: it does not begin with a From_ line"
						      : "%s cannot be read", b->path);
	}
	b->map.known = true;
	e = b->locked != F_UNLCK ? settle(b, &now) : ERR_OK;
	b->map.stamp = now;
	if (whole_r)
		*whole_r = all;
	return e;
}

/* Who is last ends otherwise than who is not, and shows whether the places are right. */
enum err mbox_map_written(struct mbox_box *b, bool moved, struct errtext *t)
{
	struct mbox_stamp now;
	struct parser p;
	bool done = !moved;
	enum err e = mbox_stamp(b, &now);

	if (!e && moved && b->map.n) {
		parser_init(&p, b->fd, &b->map, now.size);
		e = parse_grown(&p, &done);
		parser_free(&p);
	}
	if (!e && done)
		return mbox_stamp_own(b, &b->map.stamp, true, &b->map.stamp);
	return e ? err_say(t, e, "%s cannot be read", b->path) : mbox_map_update(b, true, NULL, t);
}

enum err mbox_map_one(struct mbox_box *b, uint64_t at, uint32_t uid, struct mbox_msg *m_r)
{
	struct mbox_map map = { .based = true, .last = uid };
	struct mbox_stamp now;
	struct parser p;
	enum err e = b->fd < 0 ? ERR_NOTFOUND : mbox_stamp(b, &now);

	if (!e && at >= mbox_bytes_n(b, &now))
		e = ERR_NOTFOUND;
	parser_init(&p, mbox_bytes(b), &map, e ? 0 : mbox_bytes_n(b, &now));
	p.uid = uid - 1;
	if (!e)
		e = message_parse(&p, at, false, m_r);
	if (e == ERR_CORRUPT || (!e && m_r->uid != uid))
		e = ERR_NOTFOUND;
	parser_free(&p);
	return e;
}

enum err mbox_head_load(struct mbox_box *b, const struct mbox_msg *m, struct buf *text, struct errtext *t)
{
	ssize_t got;

	buf_clear(text);
	if (!buf_reserve(text, m->head_n))
		return err_say(t, ERR_LIMIT, "%s: a header is too long", b->path);
	got = pread(mbox_bytes(b), text->p, m->head_n, (off_t)(m->at + m->from_n));
	if (got < 0)
		return err_sys(t, "%s", b->path);
	if ((size_t)got != m->head_n)
		return err_say(t, ERR_INUSE, "%s changes without regard to its locks", b->path);
	text->n = m->head_n;
	return ERR_OK;
}
