/* The map of an mbox: which messages it holds and where, as it was when last looked at. */
#include "mbox_parse.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <string.h>
#include <unistd.h>

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

/* From the map's end on, first: with the first message of the file. ERR_AGAIN: not to the end before end_us (clock_us). */
static enum err parse_on(struct mbox_parser *p, bool first, uint64_t end_us)
{
	struct mbox_map *map = p->map;
	struct mbox_msg m;

	for (; map->end < p->size; first = false) {
		enum err e = mbox_parse(p, map->end, first, &m);

		if (e)
			return e;
		map->end = mbox_msg_end(&m);
		if (first)
			map->first = m;
		if (!first || !map->pseudo)
			map_add(map, &m);
		if (map->end < p->size && clock_us() > end_us)
			return ERR_AGAIN;
	}
	return ERR_OK;
}

static enum err parse_all(struct mbox_parser *p, uint64_t end_us)
{
	struct mbox_map *map = p->map;
	enum err e;

	mbox_map_free(map);
	e = mbox_parse_lead(p, &map->end);
	return e ? e : parse_on(p, true, end_us);
}

static bool same_message(const struct mbox_msg *a, const struct mbox_msg *b)
{
	return a->from_n == b->from_n && a->head_n == b->head_n && a->visible_n == b->visible_n && a->uid == b->uid &&
	       a->date == b->date;
}

/*
 * The file has grown: what is new is parsed, and the message before it again, for it was the file's
 * last. *done_r false: it is not the message that it was.
 */
static enum err parse_grown(struct mbox_parser *p, bool *done_r)
{
	struct mbox_map *map = p->map;
	struct mbox_msg last = map->msg[map->n - 1], m;
	enum err e;

	*done_r = false;
	if (!mbox_parse_base(p))
		return ERR_OK;
	map->n--;
	map->unnumbered -= last.uid == 0;
	p->uid = map->n && !map->unnumbered ? map->msg[map->n - 1].uid : 0;
	e = mbox_parse(p, last.at, false, &m);
	if (e == ERR_CORRUPT)
		return ERR_OK;
	if (e || !same_message(&last, &m))
		return e;
	map_add(map, &m);
	*done_r = true;
	map->end = mbox_msg_end(&m);
	return parse_on(p, false, UINT64_MAX);
}

/*
 * Are all messages where the map has them? Then it gets the flags that they have now. Whoever looked only at what had been
 * appended does not know what others did before that.
 */
static enum err heads_again(struct mbox_parser *p, bool *same_r)
{
	struct mbox_map *map = p->map;
	bool same = mbox_parse_base(p);
	enum err e = ERR_OK;

	mbox_parser_heads(p);
	p->uid = 0;
	map->unnumbered = 0;
	for (size_t i = 0; !e && same && i < map->n; i++) {
		struct mbox_msg *m = &map->msg[i], now;

		e = mbox_parse_head(p, m->at, i == 0 && !map->pseudo, &now);
		same = !e && same_message(m, &now);
		m->flags = now.flags;
		m->keywords = now.keywords;
		map->unnumbered += m->uid == 0;
	}
	*same_r = same;
	return e == ERR_CORRUPT ? ERR_OK : e;
}

static bool may_only_have_grown(const struct mbox_map *map, const struct mbox_stamp *now)
{
	return map->n > 1 && now->ino == map->stamp.ino && now->size > map->stamp.size;
}

/* *done_r: the map is that of the file again, and as sure as look asks for. */
static enum err map_renew(struct mbox_parser *p, const struct mbox_stamp *now, enum mbox_look look, bool *done_r)
{
	struct mbox_map *map = p->map;
	enum err e = ERR_OK;

	*done_r = mbox_stamp_same(&map->stamp, now);
	if (!*done_r && may_only_have_grown(map, now)) {
		e = parse_grown(p, done_r);
		map->grown |= *done_r;
	}
	if (!e && *done_r && map->grown && look == MBOX_LOOK_HEADS) {
		e = heads_again(p, done_r);
		map->grown = false;
		memset(map->told, 0, sizeof(map->told));
	}
	return e;
}

static void note_base(struct mbox_box *b)
{
	if (!b->map.based)
		return;
	b->seen.validity = b->map.validity;
	b->seen.last = b->map.last;
}

static enum err map_parse(struct mbox_box *b, const struct mbox_stamp *now, enum mbox_look look)
{
	struct mbox_parser p;
	bool done = false;
	enum err e = ERR_OK;

	note_base(b);
	mbox_parsing_drop(b);
	mbox_parser_init(&p, mbox_bytes(b), &b->map, mbox_bytes_n(b, now));
	if (look != MBOX_LOOK_ALL && b->map.known && !b->packed)
		e = map_renew(&p, now, look, &done);
	mbox_parser_free(&p);
	if (e || done)
		return e;
	mbox_parser_init(&p, mbox_bytes(b), &b->map, mbox_bytes_n(b, now));
	e = parse_all(&p, UINT64_MAX);
	mbox_parser_free(&p);
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

/* How it must be looked at; false: it need not be. */
static bool look_needed(const struct mbox_box *b, const struct mbox_stamp *now, enum mbox_look *look)
{
	bool same = b->map.known && mbox_stamp_same(&b->map.stamp, now);

	if (!same && !b->r->set.dirty_syncs)
		*look = MBOX_LOOK_ALL;
	return !same || *look == MBOX_LOOK_ALL || (*look == MBOX_LOOK_HEADS && b->map.grown);
}

static void stamp_take(struct mbox_map *map, const struct mbox_box *b, const struct mbox_stamp *now)
{
	map->stamp = *now;
	map->stamp.grown = map->grown && !b->r->set.very_dirty_syncs;
}

enum err mbox_map_update(struct mbox_box *b, enum mbox_look look, struct errtext *t)
{
	struct mbox_stamp now;
	enum err e = mbox_stamp(b, &now);

	if (e)
		return err_say(t, e, "%s: %s", b->path, err_name(e));
	if (!look_needed(b, &now, &look))
		return ERR_OK;
	e = map_parse(b, &now, look);
	if (e) {
		mbox_map_free(&b->map);
		return err_say(t, e, e == ERR_CORRUPT ? "%s is not an mbox file: it does not begin with a From_ line"
						      : "%s cannot be read", b->path);
	}
	b->map.known = true;
	e = b->locked != F_UNLCK ? settle(b, &now) : ERR_OK;
	stamp_take(&b->map, b, &now);
	return e;
}

/* --- in slices ------------------------------------------------------------------------------ */

struct mbox_parsing {
	struct mbox_parser p;
	struct mbox_stamp of;
};

void mbox_parsing_drop(struct mbox_box *b)
{
	if (!b->parsing)
		return;
	mbox_parser_free(&b->parsing->p);
	free(b->parsing);
	b->parsing = NULL;
}

static enum err parsing_begin(struct mbox_box *b, const struct mbox_stamp *now, uint64_t end_us)
{
	mbox_parsing_drop(b);
	note_base(b);
	b->parsing = mem_alloc(sizeof(*b->parsing));
	b->parsing->of = *now;
	mbox_parser_init(&b->parsing->p, b->plain, &b->map, b->plain_n);
	return parse_all(&b->parsing->p, end_us);
}

/* Nobody writes to what was unpacked, so that no lock need be held in between. */
enum err mbox_map_some(struct mbox_box *b)
{
	enum mbox_look look = MBOX_LOOK_NEW;
	uint64_t end = clock_us() + MBOX_SLICE_US;
	struct mbox_stamp now;
	enum err e = b->packed && b->plain >= 0 ? mbox_stamp(b, &now) : ERR_NOTFOUND;

	if (e || now.young || !look_needed(b, &now, &look))
		return ERR_OK;
	if (b->parsing && mbox_stamp_same(&b->parsing->of, &now))
		e = parse_on(&b->parsing->p, false, end);
	else
		e = parsing_begin(b, &now, end);
	if (e == ERR_AGAIN)
		return e;
	mbox_parsing_drop(b);
	b->map.known = !e;
	if (e)
		mbox_map_free(&b->map); /* mbox_map_update says why */
	else
		stamp_take(&b->map, b, &now);
	return ERR_OK;
}

/* Who is last ends otherwise than who is not, and shows whether the places are right. */
enum err mbox_map_written(struct mbox_box *b, size_t moved, struct errtext *t)
{
	struct mbox_stamp now;
	struct mbox_parser p;
	bool done = moved == SIZE_MAX;
	enum err e = mbox_stamp(b, &now);

	for (size_t i = 0; i < ARRAY_LEN(b->map.told); i++)
		if (moved < b->map.told[i].n)
			b->map.told[i].n = moved;
	if (!e && !done && b->map.n) {
		mbox_parser_init(&p, b->fd, &b->map, now.size);
		e = parse_grown(&p, &done);
		mbox_parser_free(&p);
	}
	if (e)
		return err_say(t, e, "%s cannot be read", b->path);
	if (!done)
		return mbox_map_update(b, MBOX_LOOK_ALL, t);
	e = mbox_stamp_own(b, &b->map.stamp, true, &now);
	stamp_take(&b->map, b, &now);
	return e;
}

/* --- one message ------------------------------------------------------------------------ */

/* Of a map that knows nothing else, with the names that this one has. */
static void parser_of_one(struct mbox_parser *p, struct mbox_box *b, const struct mbox_stamp *now, uint32_t uid,
			  struct mbox_map *one)
{
	*one = (struct mbox_map){ .based = true, .last = uid, .names_more = b->map.names_more };
	memcpy(one->name, b->map.name, sizeof(one->name));
	mbox_parser_init(p, mbox_bytes(b), one, mbox_bytes_n(b, now));
	p->uid = uid ? uid - 1 : 0;
}

bool mbox_map_holds(struct mbox_box *b, const struct mbox_msg *m, struct mbox_msg *now_r)
{
	struct mbox_map one;
	struct mbox_stamp now;
	struct mbox_parser p;
	struct mbox_msg there;
	bool holds;

	if (now_r)
		*now_r = *m;
	if (!b->map.grown)
		return true;
	if (mbox_stamp(b, &now))
		return false;
	parser_of_one(&p, b, &now, m->uid, &one);
	mbox_parser_heads(&p);
	holds = mbox_parse_head(&p, m->at, false, &there) == ERR_OK && same_message(m, &there);
	mbox_parser_free(&p);
	if (now_r)
		*now_r = there;
	return holds;
}

enum err mbox_map_one(struct mbox_box *b, uint64_t at, uint32_t uid, struct mbox_msg *m_r)
{
	struct mbox_map map;
	struct mbox_stamp now;
	struct mbox_parser p;
	enum err e = b->fd < 0 ? ERR_NOTFOUND : mbox_stamp(b, &now);

	if (!e && at >= mbox_bytes_n(b, &now))
		e = ERR_NOTFOUND;
	if (e)
		return e;
	parser_of_one(&p, b, &now, uid, &map);
	e = mbox_parse(&p, at, false, m_r);
	if (e == ERR_CORRUPT || (!e && m_r->uid != uid))
		e = ERR_NOTFOUND;
	mbox_parser_free(&p);
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
