/*
 * The FETCH walk: message records and their cache records in one pass of two cursors, spans straight from
 * the map. What is not cached is made from the bytes and written back in batches.
 */
#include "made.h"
#include "query.h"
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mime/bodystruct.h"

#include <unistd.h>

enum {
	NOTES_MAX = 256,            /* messages made before they are written */
	NOTES_BYTES = 2 << 20,
	NOTES_HELD = 128 << 10,     /* so little may wait for more when the walk pauses */
	HEADERS_MAX = 16 << 20,
	WANT_RECORD = WANT_VSIZE | WANT_DATES | WANT_SENT, /* what needs no cache record */
	LOOKS = 16,                /* messages that come from the index alone between looks at the clock */
	KEEP_BUF = 1 << 20,        /* a larger read buffer is given back */
};

/* What was found out about a message and is not yet in the index. */
struct note {
	uint32_t uid;
	int64_t internaldate, savedate, sent;
	uint64_t size, vsize;
	size_t off[IDX_FIELDS], n[IDX_FIELDS]; /* into notes_text; n SIZE_MAX: none */
	bool cache_only; /* nothing new for the message record */
};

struct view_walk {
	struct view_walk *next; /* of the account */
	struct view *v;         /* borrowed */
	struct set uids;
	unsigned want, fields;  /* enum view_want; bits of enum idx_field that it takes */
	bool with_cache;        /* cache records come along */
	bool touched;           /* a file since the last look at the clock */
	unsigned steps;
	struct idx_txn *x;      /* own, while reading */
	struct idx_walk *w;
	uint32_t at;            /* next UID to report */
	uint32_t ahead;         /* the cursor stands on this UID: those before it are gone */
	size_t range;           /* in v->uids, with the count of members before it */
	uint64_t before;
	struct object o;        /* being unpacked, loaded, or made facts of, of the message o_uid */
	uint32_t o_uid;
	struct made made;
	struct loaded load;
	struct buf body;
	struct buf long_headers; /* of a message that has too many for the cache */
	struct note note[NOTES_MAX];
	size_t notes;
	struct buf notes_text;
};

static void stop_reading(struct view_walk *w)
{
	if (w->w)
		idx_walk_end(&w->w);
	idx_abort(&w->x);
	w->ahead = 0;
}

void acct_pause_walks(struct acct *a)
{
	for (struct view_walk *w = a->walks; w; w = w->next)
		stop_reading(w);
}

/* --- writing back ----------------------------------------------------------------- */

static enum err put_record(struct idx_txn *x, uint32_t box, const struct note *n, struct idx_msg *m)
{
	m->internaldate = n->internaldate;
	m->savedate = n->savedate;
	m->sent = n->sent;
	m->size = n->size;
	m->vsize = n->vsize;
	return idx_msg_put(x, box, m);
}

static enum err put_note(struct idx_txn *x, uint32_t box, const struct view_walk *w, const struct note *n)
{
	struct idx_cache c = { .field = { { NULL, 0 } } };
	bool any = false;
	struct idx_msg m;
	enum err e = idx_msg_get(x, box, n->uid, &m);

	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	if (!n->cache_only)
		e = put_record(x, box, n, &m);
	for (int i = 0; i < IDX_FIELDS; i++) {
		if (n->n[i] == SIZE_MAX)
			continue;
		any = true;
		c.field[i] = span_of(n->n[i] ? w->notes_text.p + n->off[i] : "", n->n[i]);
	}
	if (!e && any)
		e = idx_cache_put(x, box, n->uid, &c, true);
	return e;
}

static enum err put_notes(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct view_walk *w = arg;
	enum err e = ERR_OK;

	if (r->b.uidvalidity != w->v->uidvalidity)
		return ERR_OK; /* they are of other messages */
	for (size_t i = 0; !e && i < w->notes; i++)
		e = put_note(x, r->b.id, w, &w->note[i]);
	return e;
}

/* A cache that could not be written costs time, nothing else. */
static void write_notes(struct view_walk *w)
{
	if (w->notes)
		(void)mailbox_update(w->v->mb, REC_NOTES, put_notes, w, NULL);
	w->notes = 0;
	buf_clear(&w->notes_text);
}

static void keep_note(struct view_walk *w, const struct idx_msg *m, bool made)
{
	struct note *n = &w->note[w->notes++];
	struct idx_cache c;

	*n = (struct note){ m->uid, m->internaldate, m->savedate, m->sent, m->size, m->vsize, { 0 }, { 0 }, false };
	made_cache(&w->made, &c);
	made = made && w->made.text.n <= MADE_CACHED_MAX;
	for (int i = 0; i < IDX_FIELDS; i++) {
		n->n[i] = SIZE_MAX;
		if (!made || !c.field[i].p)
			continue;
		n->off[i] = w->notes_text.n;
		n->n[i] = c.field[i].n;
		buf_add_span(&w->notes_text, c.field[i]);
	}
}

void walk_note_asked(struct view_walk *w, uint32_t uid, struct span asked)
{
	struct note *n;

	if (w->notes == NOTES_MAX || w->notes_text.n > NOTES_BYTES)
		write_notes(w);
	n = &w->note[w->notes++];
	*n = (struct note){ .uid = uid, .cache_only = true };
	for (int i = 0; i < IDX_FIELDS; i++)
		n->n[i] = SIZE_MAX;
	n->off[IDX_ASKED] = w->notes_text.n;
	n->n[IDX_ASKED] = asked.n;
	buf_add_span(&w->notes_text, asked);
}

/* --- making ------------------------------------------------------------------------ */

/* What must be made when it is not cached. */
static const unsigned want_of[IDX_FIELDS] = {
	[IDX_ENVELOPE] = WANT_ENVELOPE,
	[IDX_BODYSTRUCTURE] = WANT_BODYSTRUCTURE | WANT_BODY,
	[IDX_PARTS] = WANT_PARTS,
	[IDX_HEADERS] = WANT_HEADERS | WANT_THREADID,
	[IDX_PREVIEW] = WANT_PREVIEW,
};

static void set_want(struct view_walk *w, unsigned want)
{
	w->want = want;
	w->fields = 0;
	for (int i = 0; i < IDX_FIELDS; i++)
		if (want & want_of[i])
			w->fields |= 1u << i;
	if (want & WANT_PREVIEW_KEPT)
		w->fields |= 1u << IDX_PREVIEW;
	if (want & WANT_ASKED)
		w->fields |= 1u << IDX_ASKED;
}

static bool bytes_needed(const struct view_walk *w, const struct idx_msg *m, const struct idx_cache *c)
{
	if ((w->want & WANT_VSIZE) && m->vsize == STORE_SIZE_UNKNOWN)
		return true;
	if ((w->want & WANT_SENT) && !m->sent)
		return true;
	for (int i = 0; i < IDX_FIELDS; i++)
		if ((w->want & want_of[i]) && !c->field[i].p)
			return true;
	return false;
}

static void take_look(struct idx_msg *m, const struct object *o)
{
	if (!m->internaldate)
		m->internaldate = o->mtime;
	if (!m->savedate)
		m->savedate = o->ctime;
	if (!o->kind)
		m->size = o->length;
}

/* What was begun is done, or given up. */
static void end_reading(struct view_walk *w)
{
	object_close(&w->o);
	made_stop(&w->made);
	if (w->load.map || w->load.buf.cap > KEEP_BUF)
		loaded_free(&w->load);
}

/* Only looks at the message's file. */
static enum err look(struct view_walk *w, struct idx_msg *m, struct errtext *t)
{
	struct object o = OBJECT_CLOSED;
	enum err e = object_find(w->v->mb, m->key, m->hint, &o, t);

	if (!e)
		take_look(m, &o);
	object_close(&o);
	return e;
}

/* Reads it, too: its bytes are in w->load and what they tell in w->made, until end_reading. ERR_AGAIN. */
static enum err read_message(struct view_walk *w, struct idx_msg *m, struct errtext *t)
{
	struct acct *a = w->v->mb->acct;
	enum err e = object_open(w->v->mb, m->key, m->hint, &w->o, &w->load, t);

	w->o_uid = m->uid;
	if (!e)
		e = loaded_get(&w->load, a, &w->o, t);
	if (!e)
		e = made_some(&w->made, acct_charsets(a), w->load.bytes, w->want & (WANT_PREVIEW | WANT_PREVIEW_KEPT),
			      clock_us() + SLICE_US);
	if (e)
		return e;
	take_look(m, &w->o);
	m->vsize = w->made.vsize;
	m->sent = w->made.sent;
	return ERR_OK;
}

/* c holds the cached fields, and afterwards all that could be made. */
static void take_made(struct view_walk *w, struct idx_cache *c)
{
	struct idx_cache made;

	made_cache(&w->made, &made);
	for (int i = 0; i < IDX_FIELDS; i++)
		if (made.field[i].p)
			c->field[i] = made.field[i];
	if (!(w->want & WANT_THREADID) || c->field[IDX_HEADERS].p)
		return;
	buf_clear(&w->long_headers);
	made_headers_add(acct_charsets(w->v->mb->acct), w->load.bytes, HEADERS_MAX, &w->long_headers);
	c->field[IDX_HEADERS] = buf_span(&w->long_headers);
}

/* Reads the message, or only looks at its file. */
static enum err make(struct view_walk *w, struct idx_msg *m, struct idx_cache *c, bool bytes, struct errtext *t)
{
	enum err e = bytes ? read_message(w, m, t) : look(w, m, t);

	w->touched = true;
	if (e == ERR_EXPUNGED)
		mailbox_look_again(w->v->mb);
	if (!e && bytes)
		take_made(w, c);
	if (e != ERR_AGAIN && bytes)
		end_reading(w);
	if (!e)
		keep_note(w, m, bytes);
	return e;
}

/* --- the walk ----------------------------------------------------------------------- */

static uint32_t seq_of(struct view_walk *w, uint32_t uid)
{
	const struct set *s = &w->v->uids;

	for (; w->range < s->n && s->r[w->range].last < uid; w->range++)
		w->before += (uint64_t)s->r[w->range].last - s->r[w->range].first + 1;
	return w->range < s->n ? (uint32_t)(w->before + (uid - s->r[w->range].first) + 1) : 0;
}

static enum err start_reading(struct view_walk *w, struct errtext *t)
{
	struct mailbox *mb = w->v->mb;
	enum err e = ERR_OK;

	if (w->x)
		return ERR_OK;
	e = mailbox_begin(mb, &w->x, t);
	if (!e)
		e = idx_walk_begin(w->x, mb->id, w->with_cache, &w->w);
	if (e)
		stop_reading(w);
	return e;
}

/* A keyword that came after the view's last update is named in the same snapshot. The next update tells of it once more:
 * not everybody who walks tells flags. */
static bool learn_keywords(struct view_walk *w, uint64_t bits)
{
	struct view *v = w->v;
	uint64_t before = v->named;
	struct idx_box b;

	if (!(bits & ~before))
		return false;
	if (w->x && !idx_box_get(w->x, v->mb->id, &b))
		mailbox_take_keywords(v->mb, b.keywords);
	view_name_keywords(v);
	bits &= ~v->named;
	v->named |= bits;
	return (v->named & ~bits) != before;
}

static void fill(struct view_walk *w, const struct idx_msg *m, const struct idx_cache *c, struct message_facts *f)
{
	f->flags = m->flags;
	f->new_keywords |= learn_keywords(w, m->flags.keywords);
	if (w->v->recent.n && set_has(&w->v->recent, m->uid))
		f->flags.system |= MAIL_RECENT;
	f->modseq = m->modseq;
	/* Changed since the last update: what else changed with it, or before, is not told with it. */
	w->v->state.behind |= m->modseq > w->v->absorbed;
	f->internaldate = m->internaldate;
	f->savedate = m->savedate;
	f->sent = m->sent;
	f->size = m->size;
	f->vsize = m->vsize;
	f->key = m->key;
	memcpy(f->emailid, m->emailid, sizeof(f->emailid));
	f->envelope = c->field[IDX_ENVELOPE];
	f->bodystructure = c->field[IDX_BODYSTRUCTURE];
	f->parts = c->field[IDX_PARTS];
	f->headers = c->field[IDX_HEADERS];
	f->preview = c->field[IDX_PREVIEW];
	f->asked = c->field[IDX_ASKED];
	if (w->want & WANT_THREADID)
		threadid_of(f->headers, f->emailid, f->threadid);
}

static enum err body_from(struct view_walk *w, struct message_facts *f)
{
	enum err e;

	if (!(w->want & WANT_BODY))
		return ERR_OK;
	buf_clear(&w->body);
	e = mime_body_from_structure(f->bodystructure, &w->body);
	f->body = buf_span(&w->body);
	return e;
}

static enum err one(struct view_walk *w, uint32_t uid, struct message_facts *f, struct errtext *t)
{
	struct idx_cache c = { .field = { { NULL, 0 } } };
	struct idx_msg m;
	struct span raw = { NULL, 0 };
	bool bytes;
	enum err e = start_reading(w, t);

	if (e)
		return e;
	if (w->o_uid != uid)
		end_reading(w);
	if (w->ahead > uid)
		return ERR_EXPUNGED;
	e = idx_walk_to(w->w, uid, &m, w->want & ~(unsigned)WANT_RECORD ? &raw : NULL);
	if (e == ERR_NOTFOUND || (!e && m.uid != uid)) {
		w->ahead = e ? UINT32_MAX : m.uid;
		return ERR_EXPUNGED;
	}
	if (!e && raw.n)
		e = idx_cache_decode(raw, w->fields, &c);
	if (e)
		return e;
	fill(w, &m, &c, f);
	bytes = bytes_needed(w, &m, &c);
	if (!bytes && (!(w->want & WANT_DATES) || (m.internaldate && m.savedate)))
		return body_from(w, f);
	e = make(w, &m, &c, bytes, t);
	if (e)
		return e;
	fill(w, &m, &c, f);
	return body_from(w, f);
}

enum err view_walk_begin(struct view *v, const struct set *uids, unsigned want, struct view_walk **w_r,
			 struct errtext *t)
{
	struct view_walk *w = mem_alloc(sizeof(*w));

	w->v = v;
	set_want(w, want);
	w->with_cache = want & ~(unsigned)WANT_RECORD;
	set_copy(&w->uids, uids);
	set_intersect(&w->uids, &v->uids);
	made_init(&w->made);
	w->o = OBJECT_CLOSED;
	loaded_init(&w->load);
	buf_init(&w->body, 16 << 20);
	buf_init(&w->long_headers, HEADERS_MAX);
	buf_init(&w->notes_text, NOTES_BYTES + 2 * MADE_CACHED_MAX);
	w->next = v->mb->acct->walks;
	v->mb->acct->walks = w;
	w->at = 1;
	*w_r = w;
	return ERR_OK;
}

enum err view_walk_next(struct view_walk *w, struct message_facts *f_r, struct errtext *t)
{
	struct message_facts f = { .seq = 0 };
	uint32_t uid;
	enum err e;

	if (w->notes == NOTES_MAX || w->notes_text.n > NOTES_BYTES)
		write_notes(w);
	uid = w->at ? set_next(&w->uids, w->at) : 0;
	if (!uid) {
		view_walk_pause(w);
		return ERR_NOTFOUND;
	}
	f.uid = uid;
	f.seq = seq_of(w, uid);
	e = one(w, uid, &f, t);
	if (e == ERR_CORRUPT) {
		e = shelf_repair(w->v->mb->space->shelf, t);
		if (!e)
			e = one(w, uid, &f, t);
	}
	if (e == ERR_NOTFOUND) /* of the mailbox: no end of the walk */
		e = err_say(t, ERR_INUSE, "The mailbox is gone, or is being read anew");
	if (e == ERR_OK || view_err_passes(e)) {
		w->at = uid + 1;
		*f_r = f;
	}
	return e;
}

void view_walk_back(struct view_walk *w)
{
	w->at--;
}

void walk_touch(struct view_walk *w)
{
	w->touched = true;
}

bool walk_time_left(struct view_walk *w, uint64_t end_us)
{
	if (!w->touched && ++w->steps % LOOKS)
		return true;
	w->touched = false;
	return clock_us() < end_us;
}

void walk_want(struct view_walk *w, unsigned want)
{
	set_want(w, want);
}

enum err walk_again(struct view_walk *w, unsigned want, struct message_facts *f_r, struct errtext *t)
{
	unsigned usual = w->want;
	struct message_facts f = { .seq = f_r->seq, .uid = f_r->uid };
	enum err e;

	if (!w->with_cache)
		return ERR_OK;
	if (w->notes == NOTES_MAX)
		write_notes(w);
	set_want(w, want);
	e = one(w, f.uid, &f, t);
	set_want(w, usual);
	if (!e)
		*f_r = f;
	return e;
}

void view_walk_pause(struct view_walk *w)
{
	stop_reading(w);
	if (w->notes_text.n > NOTES_HELD)
		write_notes(w);
}

void view_walk_end(struct view_walk **w)
{
	struct view_walk *c = *w, **link;

	if (!c)
		return;
	stop_reading(c);
	write_notes(c);
	for (link = &c->v->mb->acct->walks; *link != c; link = &(*link)->next)
		;
	*link = c->next;
	set_free(&c->uids);
	made_free(&c->made);
	object_close(&c->o);
	loaded_free(&c->load);
	buf_free(&c->body);
	buf_free(&c->long_headers);
	buf_free(&c->notes_text);
	free(c);
	*w = NULL;
}
