/*
 * The ways from a mailbox into the index: transactions with the mailbox record in hand, the modseq
 * floor kept ahead of what is given, and the mending of a damaged index.
 */
#include "room.h"

#include "base/clock.h"
#include "base/must.h"

enum rec_way { REC_READ, REC_WRITE, REC_BEGIN /* a read transaction that stays open */ };

struct rec_call {
	struct mailbox *mb;
	enum rec_way way;
	enum rec_kind kind;
	rec_fn fn; /* NULL: nothing */
	void *arg;
	bool whole;       /* a mailbox that is being filled will not do */
	bool partial;     /* and it was */
	bool floor_short; /* the folder's modseq floor must be raised first */
	uint64_t highest;
	struct idx_txn *x; /* REC_BEGIN */
};

static enum err rec_load(struct mailbox *mb, struct idx_txn *x, struct rec *r)
{
	enum err e = idx_box_get(x, mb->id, &r->b);
	struct span token = r->b.token, keywords = r->b.keywords;

	if (e)
		return e;
	if (token.n + keywords.n > sizeof(r->text))
		return ERR_CORRUPT;
	if (token.n)
		memcpy(r->text, token.p, token.n);
	if (keywords.n)
		memcpy(r->text + token.n, keywords.p, keywords.n);
	r->b.token = span_of(r->text, token.n);
	r->b.keywords = span_of(r->text + token.n, keywords.n);
	mailbox_take_keywords(mb, r->b.keywords);
	mb->uidvalidity = r->b.uidvalidity;
	return ERR_OK;
}

/* The log is cut where it grows, many records at a time. Who knows less than it tells is told by comparison. */
static enum err trim(struct idx_txn *x, struct rec *r)
{
	if (r->b.highestmodseq - r->b.log_floor <= CHANGES_KEPT + CHANGES_MORE)
		return ERR_OK;
	return idx_changes_trim(x, &r->b, CHANGES_KEPT);
}

static enum err call_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct rec_call *c = arg;
	BIG_LOCAL struct rec r; /* 16 KiB a transaction, of which rec_load fills what counts */
	enum err e = rec_load(c->mb, x, &r);

	if (e == ERR_NOTFOUND)
		c->mb->id = 0;
	if (e)
		return e;
	c->highest = r.b.highestmodseq;
	c->partial = c->whole && (r.b.flags & BOX_ADOPTING || c->mb->owing.lost);
	c->floor_short = c->kind != REC_NOTES && !mailbox_readonly(c->mb) &&
			 c->highest + MODSEQ_SLACK > c->mb->floor;
	if (c->partial || c->floor_short)
		return ERR_TEMP;
	if (c->fn)
		e = c->fn(x, &r, c->arg, t);
	return e || c->kind == REC_NOTES ? e : trim(x, &r);
}

/* Notes in the folder a floor well above all modseqs given so far, so that a rebuilt index begins above them. */
static enum err raise_floor(struct mailbox *mb, uint64_t highest, struct errtext *t)
{
	struct store_identity id;
	struct store_box *sb;
	uint64_t floor;
	enum err e = mailbox_store(mb, &sb, t);

	if (e)
		return e;
	e = sb->ops->identity(sb, &id, t);
	if (e)
		return e;
	if (id.modseq_floor >= highest + MODSEQ_SLACK) {
		mb->floor = id.modseq_floor;
		return ERR_OK;
	}
	floor = highest + MODSEQ_STEP;
	e = sb->ops->set_modseq_floor(sb, floor, t);
	if (!e)
		mb->floor = floor;
	return e;
}

static enum err write_call(struct rec_call *c, struct errtext *t)
{
	enum err e = shelf_update(c->mb->space->shelf, call_run, c, t);

	if (e != ERR_TEMP || c->partial || !c->floor_short)
		return e;
	e = raise_floor(c->mb, c->highest, t);
	return e ? e : shelf_update(c->mb->space->shelf, call_run, c, t);
}

static enum err begin_call(struct rec_call *c, struct errtext *t)
{
	struct shelf *s = c->mb->space->shelf;
	enum err e = shelf_open(s, t);

	if (!e)
		e = idx_read(s->idx, &c->x, t);
	if (!e)
		e = call_run(c->x, c, t);
	if (e)
		idx_abort(&c->x);
	return e;
}

static enum err do_call(struct rec_call *c, struct errtext *t)
{
	switch (c->way) {
	case REC_WRITE:
		return write_call(c, t);
	case REC_BEGIN:
		return begin_call(c, t);
	case REC_READ:
		break;
	}
	return shelf_read(c->mb->space->shelf, call_run, c, t);
}

enum err rec_update(struct mailbox *mb, enum rec_kind kind, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { .mb = mb, .way = REC_WRITE, .kind = kind, .fn = fn, .arg = arg };

	return do_call(&c, t);
}

enum err rec_read(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { .mb = mb, .kind = REC_NOTES, .fn = fn, .arg = arg };

	return do_call(&c, t);
}

/* --- finding the mailbox in the index -------------------------------------------- */

static enum err find_run(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct mailbox *mb = arg;
	char name[NAME_MAX_STORAGE + 1];
	struct idx_box b;
	enum err e = idx_box_find(x, name_index(mb->space, mb->name, name), &b);

	if (!e)
		mb->id = b.id;
	return e;
}

enum err rec_find(struct mailbox *mb, bool *found_r, struct errtext *t)
{
	enum err e = ERR_OK;

	if (!mb->id)
		e = shelf_read(mb->space->shelf, find_run, mb, t);
	if (e && e != ERR_NOTFOUND)
		return e;
	*found_r = mb->id != 0;
	return ERR_OK;
}

/* --- mending --------------------------------------------------------------------- */

/* fill: what the index has of it is not enough. */
static enum err ready(struct mailbox *mb, bool fill, struct errtext *t)
{
	bool found = false;
	enum err e = rec_find(mb, &found, t);

	if (e == ERR_CORRUPT) {
		e = shelf_repair(mb->space->shelf, t);
		e = e ? e : rec_find(mb, &found, t);
	}
	if (e || (found && !fill))
		return e;
	for (;;) {
		enum step step = mailbox_sync(mb, true, &e, t);

		if (step == STEP_DONE)
			return e;
		if (step == STEP_WAITING)
			return err_say(t, ERR_INUSE, "The mailbox is locked by another program");
	}
}

enum err mailbox_ready(struct mailbox *mb, struct errtext *t)
{
	return ready(mb, false, t);
}

/*
 * Where another session fills the mailbox, a slice at a time, or another process does, what we ask for may be still to
 * come: then it is filled by us to the end.
 */
static enum err mended(struct rec_call *c, struct errtext *t)
{
	struct mailbox *mb = c->mb;
	enum err e = ERR_CORRUPT;

	for (int tries = 0; tries < 3; tries++) {
		e = ready(mb, c->partial, t);
		c->partial = false;
		if (!e)
			e = do_call(c, t);
		if (c->partial) {
			e = err_say(t, ERR_INUSE, "The mailbox is being read anew");
			continue;
		}
		if (e == ERR_NOTFOUND && !mb->id && !mb->dead)
			continue; /* another process dropped the record: find or make it again */
		if (e != ERR_CORRUPT)
			return e;
		e = shelf_repair(mb->space->shelf, t);
		if (e)
			return e;
	}
	return e;
}

enum err mailbox_read(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { .mb = mb, .kind = REC_NOTES, .fn = fn, .arg = arg, .whole = true };

	return mended(&c, t);
}

enum err mailbox_peek(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { .mb = mb, .kind = REC_NOTES, .fn = fn, .arg = arg };

	return mended(&c, t);
}

enum err mailbox_begin(struct mailbox *mb, struct idx_txn **x_r, struct errtext *t)
{
	struct rec_call c = { .mb = mb, .way = REC_BEGIN, .kind = REC_NOTES, .whole = true };
	enum err e = mended(&c, t);

	if (!e)
		*x_r = c.x;
	return e;
}

enum err mailbox_update(struct mailbox *mb, enum rec_kind kind, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { .mb = mb, .way = REC_WRITE, .kind = kind, .fn = fn, .arg = arg };

	c.whole = kind == REC_FACTS;
	return mended(&c, t);
}

/* --- unsynced numbers -------------------------------------------------------------- */

static enum err unsynced_read(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	*(bool *)arg = r->b.flags & BOX_UNSYNCED;
	return ERR_OK;
}

static enum err unsynced_clear(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	r->b.flags &= ~(uint32_t)BOX_UNSYNCED;
	return idx_box_put(x, &r->b);
}

enum err mailbox_sync_numbers(struct mailbox *mb, struct errtext *t)
{
	struct store_box *sb;
	bool unsynced = false;
	enum err e = mailbox_peek(mb, unsynced_read, &unsynced, t);

	if (e || !unsynced)
		return e;
	e = mailbox_store(mb, &sb, t);
	if (!e)
		e = sb->ops->sync_numbers(sb, t);
	return e ? e : mailbox_update(mb, REC_NOTES, unsynced_clear, NULL, t);
}
