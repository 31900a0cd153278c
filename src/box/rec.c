/*
 * The ways from a mailbox into the index: transactions with the mailbox record in hand, the modseq
 * floor kept ahead of what is given, and the mending of a damaged index.
 */
#include "room.h"

#include "base/clock.h"
#include "base/must.h"

struct rec_call {
	struct mailbox *mb;
	enum rec_kind kind;
	rec_fn fn;
	void *arg;
	bool floor_short; /* the folder's modseq floor must be raised first */
	uint64_t highest;
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
	c->floor_short = c->kind == REC_FACTS && !mailbox_readonly(c->mb) &&
			 c->highest + MODSEQ_SLACK > c->mb->floor;
	if (c->floor_short)
		return ERR_TEMP;
	e = c->fn(x, &r, c->arg, t);
	return e || c->kind != REC_FACTS ? e : trim(x, &r);
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

enum err rec_update(struct mailbox *mb, enum rec_kind kind, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { mb, kind, fn, arg, false, 0 };
	enum err e = shelf_update(mb->space->shelf, call_run, &c, t);

	if (e != ERR_TEMP || !c.floor_short)
		return e;
	e = raise_floor(mb, c.highest, t);
	return e ? e : shelf_update(mb->space->shelf, call_run, &c, t);
}

enum err rec_read(struct mailbox *mb, rec_fn fn, void *arg, struct errtext *t)
{
	struct rec_call c = { mb, REC_NOTES, fn, arg, false, 0 };

	return shelf_read(mb->space->shelf, call_run, &c, t);
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

enum err mailbox_ready(struct mailbox *mb, struct errtext *t)
{
	bool found = false;
	enum err e = rec_find(mb, &found, t);

	if (e == ERR_CORRUPT) {
		e = shelf_repair(mb->space->shelf, t);
		e = e ? e : rec_find(mb, &found, t);
	}
	if (e || found)
		return e;
	for (;;) {
		enum step step = mailbox_sync(mb, true, &e, t);

		if (step == STEP_DONE)
			return e;
		if (step == STEP_WAITING)
			return err_say(t, ERR_INUSE, "The mailbox is locked by another program");
	}
}

static enum err mended(struct mailbox *mb, bool write, enum rec_kind kind, rec_fn fn, void *arg,
		       struct errtext *t)
{
	enum err e = ERR_CORRUPT;

	for (int tries = 0; tries < 3; tries++) {
		e = mailbox_ready(mb, t);
		if (!e)
			e = write ? rec_update(mb, kind, fn, arg, t) : rec_read(mb, fn, arg, t);
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
	return mended(mb, false, REC_NOTES, fn, arg, t);
}

enum err mailbox_update(struct mailbox *mb, enum rec_kind kind, rec_fn fn, void *arg, struct errtext *t)
{
	return mended(mb, true, kind, fn, arg, t);
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
	enum err e = mailbox_read(mb, unsynced_read, &unsynced, t);

	if (e || !unsynced)
		return e;
	e = mailbox_store(mb, &sb, t);
	if (!e)
		e = sb->ops->sync_numbers(sb, t);
	return e ? e : mailbox_update(mb, REC_NOTES, unsynced_clear, NULL, t);
}
