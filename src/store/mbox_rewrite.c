/*
 * Changing an mbox: flags and keywords, UIDs, keyword names, what is expunged. A change that fits the hidden block of its
 * message is one small write in place. Everything else is composed anew, from the first message that changes its length to
 * the end of the file (or, where the lengths stay, to the last that changes), and goes through the journal.
 */
#include "mbox_from.h"
#include "mbox_journal.h"
#include "file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <unistd.h>

enum { SECTOR = 512 }; /* bytes that a disk writes whole */

/* One message on its way: what it is, what it shall be. */
struct item {
	struct mbox_msg *m;  /* in the map, or the pseudo message */
	bool drop, changed;
	bool asked;          /* its flags are those of a change */
	bool claimed;        /* but for that it is not recent any more they are its own */
	uint32_t uid;
	struct mail_flags flags;
	bool first;          /* carries the base */
	uint64_t at;         /* where it lies afterwards, once that is known */
	uint32_t head_n;
};

struct plan {
	struct mbox_box *b;
	struct item *item;   /* own; in the order of the file */
	size_t n;
	const char *names[MAIL_KEYWORDS_MAX];
	uint32_t validity, last;
	const struct mbox_want *want;
	bool based;          /* the base changes */
	bool pseudo_new;     /* nothing is left: a pseudo message keeps the base */
	size_t moved;        /* the first message of the map that may lie elsewhere, SIZE_MAX: none */
	bool mended;         /* a header got the end that it lacked: the message is not what it was */
	struct buf head;     /* of the message in hand, as it is */
	struct buf text;     /* as it shall be */
};

/* --- what waits --------------------------------------------------------------------------- */

static int by_uid(const void *a, const void *b)
{
	const struct mbox_change *x = a, *y = b;

	if (x->uid != y->uid)
		return x->uid > y->uid ? 1 : -1;
	return (x->order > y->order) - (x->order < y->order);
}

void mbox_change_add(struct mbox_box *b, const struct mbox_change *c)
{
	if (b->changes == b->change_cap) {
		b->change_cap = b->change_cap ? b->change_cap * 2 : 16;
		b->change = mem_grow(b->change, b->change_cap, sizeof(*b->change));
	}
	b->change[b->changes] = *c;
	b->change[b->changes].order = b->changes;
	b->changes++;
}

void mbox_changes_drop(struct mbox_box *b)
{
	free(b->change);
	b->change = NULL;
	b->changes = b->change_cap = 0;
}

void mbox_names(const struct mbox_box *b, const char *names[MAIL_KEYWORDS_MAX])
{
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		names[i] = b->map.name[i] ? b->map.name[i] : b->added[i];
}

static bool names_wait(const struct mbox_box *b)
{
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (b->added[i])
			return true;
	return false;
}

/* --- planning ------------------------------------------------------------------------------ */

static uint64_t named(const struct plan *p)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		bits |= (uint64_t)(p->names[i] != NULL) << i;
	return bits;
}

static void plan_changes(struct plan *p)
{
	struct mbox_box *b = p->b;
	uint64_t bits = named(p);

	if (b->changes)
		qsort(b->change, b->changes, sizeof(*b->change), by_uid);
	for (size_t i = 0, k = 0; i < b->changes; i++) {
		const struct mbox_change *c = &b->change[i];

		while (k < p->n && (!p->item[k].m->uid || p->item[k].m->uid < c->uid))
			k++;
		if (k == p->n || p->item[k].m->uid != c->uid || (c->claim && !(p->item[k].m->flags & MAIL_RECENT)))
			continue;
		p->item[k].drop |= c->expunge;
		p->item[k].changed = true;
		p->item[k].asked |= !c->claim;
		p->item[k].claimed |= c->claim;
		if (c->claim)
			p->item[k].flags.system &= MAIL_SYSTEM;
		else if (!c->expunge)
			p->item[k].flags = (struct mail_flags){ c->flags.system, c->flags.keywords & bits };
	}
}

static enum err plan_numbers(struct plan *p, struct errtext *t)
{
	for (size_t i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];

		if (it->uid || it->m == &p->b->map.first)
			continue;
		if (p->last >= MBOX_UID_MAX)
			return err_say(t, ERR_LIMIT, "%s has no more UIDs", p->b->path);
		it->uid = ++p->last;
		it->changed = true;
	}
	return ERR_OK;
}

/* The base goes with the first message that stays. */
static void plan_first(struct plan *p)
{
	size_t i = 0;

	while (i < p->n && p->item[i].drop)
		i++;
	if (i == p->n) {
		p->pseudo_new = p->n > 0;
		return;
	}
	p->item[i].first = true;
	p->item[i].changed |= p->based || i > 0;
}

/* Of a grown map, whoever is touched must be where the map has him, and has the flags of now unless others were asked for. */
static enum err plan_look(struct plan *p, struct errtext *t)
{
	struct mbox_msg now;

	for (size_t i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];

		if (!it->changed && !it->drop)
			continue;
		if (!mbox_map_holds(p->b, it->m, &now)) {
			p->b->map.known = false;
			return err_say(t, ERR_INUSE, "%s changed elsewhere too", p->b->name);
		}
		if (!it->asked)
			it->flags = (struct mail_flags){ it->claimed ? now.flags & MAIL_SYSTEM : now.flags, now.keywords };
	}
	return ERR_OK;
}

static enum err plan_make(struct plan *p, struct errtext *t)
{
	struct mbox_map *map = &p->b->map;
	enum err e = ERR_OK;

	p->item = mem_array(map->n + 1, sizeof(*p->item));
	if (map->pseudo)
		p->item[p->n++] = (struct item){ .m = &map->first, .flags = { map->first.flags, 0 } };
	for (size_t i = 0; i < map->n; i++) {
		struct mbox_msg *m = &map->msg[i];

		p->item[p->n++] = (struct item){ .m = m, .uid = m->uid, .flags = { m->flags, m->keywords } };
	}
	mbox_names(p->b, p->names);
	p->validity = map->validity;
	p->last = map->last;
	if (!map->based)
		e = mbox_base_claim(p->b, true, &p->validity, &p->last, t);
	plan_changes(p);
	if (!e && p->want->number)
		e = plan_numbers(p, t);
	p->last += p->want->reserve;
	if (p->want->validity)
		p->validity = p->want->validity;
	if (p->want->last > p->last)
		p->last = p->want->last;
	p->based = !map->based || names_wait(p->b) || p->last != map->last || p->validity != map->validity;
	plan_first(p);
	return e || !map->grown ? e : plan_look(p, t);
}

/* --- one header ---------------------------------------------------------------------------- */

/* p->text becomes the header that it shall have; of the same length if that can be. */
static enum err compose(struct plan *p, const struct item *it, struct mbox_head *h, size_t *block_r, struct errtext *t)
{
	struct mbox_block block = {
		.uid = it->uid,
		.flags = it->flags,
		.names = p->names,
		.based = it->first,
		.pseudo = it->m == &p->b->map.first && p->b->map.pseudo,
		.validity = p->validity,
		.last = p->last,
		.status = h->status,
		.xstatus = h->xstatus,
	};
	bool ended;
	enum err e = mbox_head_load(p->b, it->m, &p->head, t);

	if (e)
		return e;
	mbox_head_parse(buf_span(&p->head), h);
	ended = h->size > h->end;
	block.content_length = h->content_length == it->m->body_n ? h->content_length : UINT64_MAX;
	buf_clear(&p->text);
	mbox_head_visible(buf_span(&p->head), h, false, &p->text);
	if (p->text.n && p->text.p[p->text.n - 1] != '\n')
		buf_add_char(&p->text, '\n');
	*block_r = p->text.n;
	size_t room = h->end > p->text.n ? h->end - p->text.n : 0;
	if (!room || !mbox_block_put(&p->text, &block, room))
		mbox_block_put(&p->text, &block, 0);
	if (ended)
		buf_add(&p->text, p->head.p + h->end, h->size - h->end);
	else
		buf_add_char(&p->text, '\n');
	return p->text.failed ? err_say(t, ERR_LIMIT, "%s: a header is too long", p->b->path) : ERR_OK;
}

/* --- in place ------------------------------------------------------------------------------- */

/* The bytes that differ, in one write. */
static enum err patch(struct plan *p, const struct item *it, struct errtext *t)
{
	size_t from = 0, to = p->head.n;

	while (from < to && p->head.p[from] == p->text.p[from])
		from++;
	while (to > from && p->head.p[to - 1] == p->text.p[to - 1])
		to--;
	while (from < to) {
		ssize_t put = pwrite(p->b->fd, p->text.p + from, to - from,
				     (off_t)(it->m->at + it->m->from_n + from));

		if (put < 0 && errno != EINTR)
			return err_sys(t, "cannot write to %s", p->b->path);
		from += put > 0 ? (size_t)put : 0;
	}
	return ERR_OK;
}

/*
 * Of a write across two sectors the power may let one arrive: half of a new last UID and half of the old one may be less than
 * both, and then no UID would be believed.
 */
static bool may_tear(struct plan *p, const struct item *it, size_t block)
{
	uint64_t at = it->m->at + it->m->from_n;
	size_t from = block, to;

	if (!it->first || !p->based)
		return false;
	while (from < p->head.n && p->head.p[from] == p->text.p[from])
		from++;
	if (from == p->head.n)
		return false;
	to = from + span_find(span_from(buf_span(&p->head), from), '\n');
	while (to > from && p->head.p[to - 1] == p->text.p[to - 1])
		to--;
	return (at + from) / SECTOR != (at + to - 1) / SECTOR;
}

static void take_facts(struct plan *p, struct item *it)
{
	struct mbox_map *map = &p->b->map;

	map->unnumbered -= it->m->uid == 0 && it->uid != 0 && it->m != &map->first;
	it->m->uid = it->uid;
	it->m->flags = it->flags.system;
	it->m->keywords = it->flags.keywords;
	it->changed = false;
}

/* Writes what can be written in place; *rest_r: something is left. */
static enum err in_place(struct plan *p, bool *rest_r, struct errtext *t)
{
	enum err e = ERR_OK;

	*rest_r = p->pseudo_new;
	for (size_t i = 0; !e && i < p->n; i++) {
		struct item *it = &p->item[i];
		struct mbox_head h;
		size_t block;

		if (it->drop)
			*rest_r = true;
		if (it->drop || !it->changed)
			continue;
		e = compose(p, it, &h, &block, t);
		if (e)
			break;
		if (p->text.n != p->head.n || h.scattered || h.block != block || may_tear(p, it, block) ||
		    !mbox_block_same_lines(span_cut(buf_span(&p->text), block, h.end - block),
					   span_cut(buf_span(&p->head), block, h.end - block))) {
			*rest_r = true;
			continue;
		}
		e = patch(p, it, t);
		if (!e)
			take_facts(p, it);
	}
	return e;
}

/* --- anew ------------------------------------------------------------------------------------ */

static enum err spill_item(struct plan *p, struct spill *s, struct item *it, struct errtext *t)
{
	struct mbox_box *b = p->b;
	struct mbox_head h;
	size_t block;
	enum err e;

	e = compose(p, it, &h, &block, t);
	it->head_n = (uint32_t)p->text.n;
	p->mended |= h.size == h.end;
	if (!e)
		e = spill_range(b, s, it->m->at, it->m->from_n, t);
	if (!e)
		e = spill_bytes(b, s, buf_span(&p->text), t);
	if (!e)
		e = spill_range(b, s, mbox_msg_body(it->m), it->m->body_n + it->m->gap_n, t);
	return e;
}

static void pseudo_text(struct plan *p, struct buf *out)
{
	struct mbox_block block = {
		.flags = { MAIL_SEEN, 0 },
		.names = p->names,
		.based = true,
		.pseudo = true,
		.validity = p->validity,
		.last = p->last,
		.content_length = UINT64_MAX,
	};

	mbox_from_put(out, SPAN("MAILER-DAEMON"), clock_wall());
	buf_printf(out,
		   "From: Mail System Internal Data <MAILER-DAEMON@localhost>\n"
		   "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
		   "Message-ID: <%lld.folder@localhost>\n",
		   (long long)clock_wall());
	mbox_block_put(out, &block, 0);
	buf_add_str(out,
		    "\n"
		    "This is no mail: it holds what mail programs have to remember of this folder.\n"
		    "It is made again when it is deleted, and until then mail programs forget.\n"
		    "\n");
}

static bool stays(const struct item *it)
{
	return !it->changed && !it->drop;
}

static void moved(struct item *it, uint64_t at)
{
	it->at = at;
	it->head_n = it->m->head_n;
}

/* Items from i on that stay as they are, in one piece; the first one behind them. */
static enum err spill_run(struct plan *p, size_t *i, size_t to, uint64_t at, struct spill *s, struct errtext *t)
{
	uint64_t from = p->item[*i].m->at, end = from;

	for (; *i < to && stays(&p->item[*i]); (*i)++) {
		moved(&p->item[*i], at + s->n + (end - from));
		end = mbox_msg_end(p->item[*i].m);
	}
	return spill_range(p->b, s, from, end - from, t);
}

/* Items [i, to), which will lie at at. */
static enum err spill_items(struct plan *p, size_t i, size_t to, uint64_t at, struct spill *s, struct errtext *t)
{
	enum err e = ERR_OK;

	while (!e && i < to) {
		struct item *it = &p->item[i];

		if (stays(it)) {
			e = spill_run(p, &i, to, at, s, t);
			continue;
		}
		it->at = at + s->n;
		if (!it->drop)
			e = spill_item(p, s, it, t);
		i++;
	}
	if (!e && p->pseudo_new) {
		buf_clear(&p->text);
		pseudo_text(p, &p->text);
		e = spill_bytes(p->b, s, buf_span(&p->text), t);
	}
	return e;
}

/* Items [first, last) change; where the length does, all behind them moves. */
static enum err anew(struct plan *p, size_t first, size_t last, struct errtext *t)
{
	uint64_t from = p->item[first].m->at, to = mbox_msg_end(p->item[last - 1].m);
	uint64_t end = mbox_msg_end(p->item[p->n - 1].m);
	struct spill s;
	enum err e = spill_begin(p->b, &s, t);

	if (!e)
		e = spill_items(p, first, last, from, &s, t);
	for (size_t i = last; i < p->n; i++)
		moved(&p->item[i], p->item[i].m->at + s.n - (to - from));
	if (!e && s.n != to - from) {
		e = spill_range(p->b, &s, to, end - to, t);
		to = end;
	}
	if (!e)
		e = spill_apply(p->b, &s, from, to, t);
	spill_end(&s);
	return e;
}

static enum err rewrite(struct plan *p, struct errtext *t)
{
	size_t first = 0, last = p->n;

	while (first < last && stays(&p->item[first])) {
		moved(&p->item[first], p->item[first].m->at);
		first++;
	}
	while (last > first && stays(&p->item[last - 1]))
		last--;
	p->moved = first ? first - p->b->map.pseudo : 0;
	return first < last ? anew(p, first, last, t) : ERR_OK;
}

/* --- the lead ---------------------------------------------------------------------------------- */

static void added_done(struct mbox_box *b)
{
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		free(b->added[i]);
		b->added[i] = NULL;
	}
}

static bool nothing_to_do(const struct mbox_box *b, const struct mbox_want *want)
{
	return !b->changes && !names_wait(b) && !(want->number && b->map.unnumbered) && !want->reserve &&
	       !want->validity && !want->last;
}

/* The map becomes that of the file as it has been written. */
static void map_follow(struct plan *p, bool rest)
{
	struct mbox_map *map = &p->b->map;
	bool found = false;
	size_t n = 0;

	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (!map->name[i] && p->b->added[i])
			map->name[i] = mem_str(p->b->added[i]);
	map->validity = p->validity;
	map->last = p->last;
	map->based = true;
	map->unnumbered = 0;
	for (size_t i = 0; i < p->n; i++) {
		struct item *it = &p->item[i];
		struct mbox_msg m = *it->m;

		if (it->drop)
			continue;
		if (rest) {
			m.at = it->at;
			m.head_n = it->head_n;
		}
		if (it->m != &map->first) {
			m.uid = it->uid;
			m.flags = it->flags.system;
			m.keywords = it->flags.keywords;
			map->unnumbered += m.uid == 0;
			map->msg[n++] = m;
		}
		if (!found)
			map->first = m;
		found = true;
	}
	map->n = n;
}

static enum err plan_carry_out(struct plan *p, bool *rest_r, struct errtext *t)
{
	enum err e = in_place(p, rest_r, t);

	return !e && *rest_r ? rewrite(p, t) : e;
}

enum err mbox_rewrite(struct mbox_box *b, const struct mbox_want *want, struct errtext *t)
{
	struct plan p = { .b = b, .want = want, .moved = SIZE_MAX };
	bool rest = false;
	enum err e;

	must(b->locked && b->map.known);
	if (nothing_to_do(b, want) || (!b->map.n && !b->map.pseudo))
		return ERR_OK;
	if (!b->writable)
		return err_say(t, ERR_READONLY, "%s may not be written to", b->path);
	buf_init(&p.head, MBOX_HEAD_MAX);
	buf_init(&p.text, 2 * MBOX_HEAD_MAX);
	e = plan_make(&p, t);
	if (!e)
		e = plan_carry_out(&p, &rest, t);
	if (!e && !rest && want->sync && file_sync_data(b->fd))
		e = err_say(t, ERR_IO, "%s cannot be synced", b->path);
	if (!e && (rest || p.based) && !p.pseudo_new && !p.mended)
		map_follow(&p, rest);
	else if (e || rest || p.based) /* what was written the file tells */
		b->map.known = false;
	free(p.item);
	buf_free(&p.head);
	buf_free(&p.text);
	if (!e)
		e = b->map.known ? mbox_map_written(b, p.moved, t) : mbox_map_update(b, MBOX_LOOK_ALL, t);
	if (!e) {
		mbox_changes_drop(b);
		added_done(b);
	}
	return e;
}
