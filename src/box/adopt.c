/*
 * From a scan into the index: the comparison by UID, and the writing in batches, each one
 * transaction with one modseq. Messages of the folder are adopted in numbering order.
 */
#include "sync.h"

#include "base/clock.h"
#include "base/mem.h"

enum {
	APPLY_BATCH = 1000,
	CLOCK_EVERY = 256,
};

static void push(struct sync *s, const struct store_msg *m, enum op_kind kind)
{
	if (s->ops == s->ops_cap) {
		s->ops_cap = s->ops_cap ? s->ops_cap * 2 : 64;
		s->op = mem_grow(s->op, s->ops_cap, sizeof(*s->op));
	}
	s->op[s->ops++] = (struct op){ .m = m, .kind = kind };
}

/* --- comparing ------------------------------------------------------------------- */

/* The index knows it, the scan did not see it. */
static void diff_missing(struct sync *s, const struct idx_msg *m)
{
	if ((s->whole || hint_arrived(m->hint)) && !set_has(&s->skip, m->uid))
		set_add(&s->missing, m->uid);
}

static void diff_one(struct sync *s, const struct store_msg *c, const struct idx_msg *m)
{
	if (set_has(&s->skip, c->uid))
		return;
	if (!m)
		push(s, c, OP_ADD);
	else if (!span_eq(c->key, m->key))
		push(s, c, OP_REPLACE);
	else if (((c->flags.system & MAIL_SYSTEM) != m->flags.system || c->flags.keywords != m->flags.keywords) &&
		 !set_has(&s->owed, c->uid))
		push(s, c, OP_FLAGS);
	else if (!span_eq(c->hint, m->hint))
		push(s, c, OP_HINT);
}

struct diff {
	struct sync *s;
	bool more;
};

/* One merge of two lists that ascend by UID. */
static enum err diff_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct diff *d = arg;
	struct sync *s = d->s;
	uint64_t end = clock_us() + SLICE_US;
	struct idx_walk *w;
	struct idx_msg m;
	unsigned n = 0;
	enum err e = idx_walk_begin(x, r->b.id, false, &w);

	if (e)
		return e;
	e = idx_walk_to(w, s->uid, &m, NULL);
	while (e == ERR_OK || (e == ERR_NOTFOUND && s->at < s->scan.n)) {
		const struct store_msg *c = s->at < s->scan.n ? &s->scan.msg[s->at] : NULL;
		bool known = e == ERR_OK && (!c || m.uid <= c->uid);

		if (++n % CLOCK_EVERY == 0 && clock_us() > end) {
			d->more = true;
			break;
		}
		if (!c || (known && m.uid < c->uid)) {
			diff_missing(s, &m);
		} else {
			diff_one(s, c, known ? &m : NULL);
			s->at++;
		}
		if (known) {
			s->uid = m.uid + 1;
			e = idx_walk_to(w, s->uid, &m, NULL);
		}
	}
	idx_walk_end(&w);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

enum err adopt_diff(struct mailbox *mb, bool *more_r, struct errtext *t)
{
	struct diff d = { mb->sync, false };
	enum err e = rec_read(mb, diff_run, &d, t);

	*more_r = d.more;
	return e;
}

/* --- writing ---------------------------------------------------------------------- */

static struct mail_flags stored_flags(struct mail_flags f)
{
	f.system &= MAIL_SYSTEM;
	return f;
}

static enum err put_new(struct idx_txn *x, uint32_t box, const struct store_msg *c, uint64_t modseq)
{
	struct idx_msg m = {
		.uid = c->uid,
		.flags = stored_flags(c->flags),
		.modseq = modseq,
		.size = c->size,
		.vsize = c->vsize,
		.key = c->key,
		.hint = c->hint,
	};

	memcpy(m.emailid, c->guid, sizeof(m.emailid));
	return idx_msg_put(x, box, &m);
}

static enum err put_op(struct idx_txn *x, uint32_t box, const struct op *op, uint64_t modseq)
{
	struct idx_msg m;
	enum err e;

	if (op->kind == OP_ADD)
		return put_new(x, box, op->m, modseq);
	if (op->kind == OP_REPLACE) {
		e = idx_msg_remove(x, box, op->m->uid);
		return e ? e : put_new(x, box, op->m, modseq);
	}
	e = idx_msg_get(x, box, op->m->uid, &m);
	if (e)
		return e;
	if (op->kind == OP_FLAGS) {
		m.flags = stored_flags(op->m->flags);
		m.modseq = modseq;
	}
	m.hint = op->m->hint;
	return idx_msg_put(x, box, &m);
}

/* Is there still something to do, and is it news (live, with a modseq)? Sessions may have been faster. */
static enum err decide(struct idx_txn *x, const struct rec *r, struct sync *s, struct op *op, struct set *news)
{
	struct idx_msg m;
	enum err e = idx_msg_get(x, r->b.id, op->m->uid, &m);

	op->live = false;
	if (e && e != ERR_NOTFOUND)
		return e;
	if (set_has(&s->skip, op->m->uid) || (op->kind == OP_ADD) != (e == ERR_NOTFOUND))
		return ERR_OK;
	if (op->kind == OP_FLAGS && set_has(&s->owed, op->m->uid))
		return ERR_OK;
	op->live = true;
	if (op->kind != OP_HINT)
		set_add(news, op->m->uid);
	return ERR_OK;
}

/*
 * New messages that some program has already taken out of the arrivals are not \Recent, as far as one number
 * can say so: when nothing unclaimed lies before them.
 */
static void move_recent(struct rec *r, const struct sync *s, size_t to)
{
	if (r->b.recent_from < r->b.uidnext)
		return;
	for (size_t i = s->at; i < to; i++)
		if (s->op[i].live && s->op[i].kind == OP_ADD && !(s->op[i].m->flags.system & MAIL_RECENT))
			r->b.recent_from = s->op[i].m->uid + 1;
}

/* What happened to the messages since the scan began is newer than the scan. */
static enum err take_later(struct idx_txn *x, const struct rec *r, struct sync *s)
{
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	bool complete = true;
	enum err e = ERR_OK;

	if (r->b.highestmodseq != s->since)
		e = idx_changes(x, &r->b, s->since, &changed, &vanished, &complete);
	set_add_set(&s->owed, &changed);
	set_add_set(&s->skip, &vanished);
	set_free(&changed);
	set_free(&vanished);
	s->outrun = !e && !complete;
	return e;
}

/* The names that the folder had at the scan, and those that were added since. */
static bool merge_keywords(struct rec *r, const struct sync *s, struct buf *out)
{
	struct span ours = buf_span(&s->keywords), theirs = r->b.keywords, a, b;

	while (ours.n || theirs.n) {
		a = b = (struct span){ NULL, 0 };
		(void)span_split(&ours, '\0', &a);
		(void)span_split(&theirs, '\0', &b);
		buf_add_span(out, a.n ? a : b);
		buf_add_char(out, '\0');
	}
	r->b.keywords = buf_span(out);
	return !out->failed;
}

static enum err put_rec(struct idx_txn *x, struct rec *r, const struct sync *s)
{
	struct buf names;
	enum err e = ERR_LIMIT;

	buf_init(&names, REC_TEXT);
	if (merge_keywords(r, s, &names))
		e = idx_box_put(x, &r->b);
	buf_free(&names);
	return e;
}

static enum err apply_batch(struct idx_txn *x, struct rec *r, struct sync *s, size_t to, struct set *news)
{
	uint64_t modseq = 0;
	enum err e = take_later(x, r, s);

	if (s->outrun)
		return ERR_OK;
	for (size_t i = s->at; !e && i < to; i++)
		e = decide(x, r, s, &s->op[i], news);
	if (!e && news->n)
		e = idx_change(x, &r->b, news, NULL, &modseq);
	for (size_t i = s->at; !e && i < to; i++)
		if (s->op[i].live)
			e = put_op(x, r->b.id, &s->op[i], modseq);
	if (e)
		return e;
	move_recent(r, s, to);
	if (news->n && set_max(news) >= r->b.uidnext)
		r->b.uidnext = set_max(news) + 1;
	s->since = r->b.highestmodseq;
	return put_rec(x, r, s);
}

static size_t apply_end(const struct sync *s)
{
	return s->ops - s->at > APPLY_BATCH ? s->at + APPLY_BATCH : s->ops;
}

static enum err apply_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct sync *s = arg;
	struct set news = SET_EMPTY;
	enum err e = apply_batch(x, r, s, apply_end(s), &news);

	set_free(&news);
	return e;
}

enum err adopt_apply(struct mailbox *mb, bool *more_r, struct errtext *t)
{
	struct sync *s = mb->sync;
	enum err e;

	*more_r = false;
	if (s->at == s->ops)
		return ERR_OK;
	e = rec_update(mb, REC_FACTS, apply_run, s, t);
	if (e)
		return e;
	if (s->outrun)
		return ERR_OK;
	s->at = apply_end(s);
	s->wrote = true;
	*more_r = s->at < s->ops;
	return ERR_OK;
}

/* --- vanished --------------------------------------------------------------------- */

static enum err vanish_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct set *gone = arg;
	uint64_t modseq;
	enum err e = idx_change(x, &r->b, NULL, gone, &modseq);

	for (uint32_t uid = set_min(gone); !e && uid; uid = set_next(gone, uid + 1)) {
		e = idx_msg_remove(x, r->b.id, uid);
		if (e == ERR_NOTFOUND)
			e = ERR_OK;
	}
	return e ? e : idx_box_put(x, &r->b);
}

enum err adopt_vanish(struct mailbox *mb, bool *more_r, struct errtext *t)
{
	struct sync *s = mb->sync;
	struct set batch = SET_EMPTY;
	enum err e = ERR_OK;

	for (uint32_t uid = set_min(&s->vanished), n = 0; uid && n < APPLY_BATCH; n++) {
		set_add(&batch, uid);
		uid = set_next(&s->vanished, uid + 1);
	}
	if (batch.n)
		e = rec_update(mb, REC_FACTS, vanish_run, &batch, t);
	if (!e && batch.n) {
		set_remove_set(&s->vanished, &batch);
		s->wrote = true;
	}
	*more_r = s->vanished.n > 0;
	set_free(&batch);
	return e;
}

/* --- the end ---------------------------------------------------------------------- */

/* Where \Recent begins in a mailbox adopted from nothing: behind the last message that was taken out of the arrivals. */
static uint32_t recent_from(const struct sync *s)
{
	for (size_t i = s->scan.n; i > 0; i--)
		if (!(s->scan.msg[i - 1].flags.system & MAIL_RECENT))
			return s->scan.msg[i - 1].uid + 1;
	return 1;
}

static enum err finish_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct mailbox *mb = arg;
	const struct sync *s = mb->sync;

	/* As long as something is missing the next look must not trust the token. */
	r->b.token = mb->missing.n ? (struct span){ NULL, 0 } : s->scan.token;
	memcpy(r->b.guid, s->id.guid, sizeof(r->b.guid));
	if (s->id.uidnext > r->b.uidnext)
		r->b.uidnext = s->id.uidnext;
	if (s->fresh && s->whole && (r->b.flags & BOX_ADOPTING)) /* else another process has shown them already */
		r->b.recent_from = recent_from(s);
	r->b.flags &= ~(uint32_t)BOX_ADOPTING;
	return put_rec(x, r, s);
}

enum err adopt_finish(struct mailbox *mb, struct errtext *t)
{
	enum err e = rec_update(mb, REC_NOTES, finish_run, mb, t);

	place_knows(mb->place, e || mb->missing.n || mb->sync->again || mb->sync->unnumbered ? KNOWN_NOT
											  : mb->sync->foreign);
	if (mb->sync->young)
		mailbox_guarded(mb);
	if (!e && mb->sync->fresh)
		mb->epoch++;
	return e;
}
