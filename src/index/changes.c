/*
 * The log of changes: one record a modseq, without gaps from log floor to highestmodseq, so that a
 * lost record shows.
 */
#include "boxes.h"
#include "kv.h"

#include "index/index.h"

#include "base/must.h"

enum err idx_change(struct idx_txn *x, struct idx_box *b, const struct set *changed,
		    const struct set *vanished, uint64_t *modseq_r)
{
	struct box_slot *s;
	struct rec_key key;
	uint64_t modseq;
	enum err e = box_slot(x, b->id, &s);

	must(x->write);
	if (e)
		return e;
	modseq = s->rec.pub.highestmodseq + 1;
	if (modseq > INT64_MAX)
		return ERR_LIMIT;
	key = rec_key32_64(s->rec.space, modseq);
	log_encode(changed, vanished, &x->scratch);
	e = kv_put_scratch(x, REC_LOG, &key, true, NULL);
	if (e)
		return e;
	s->rec.pub.highestmodseq = modseq;
	s->dirty = true;
	b->highestmodseq = modseq;
	b->log_floor = s->rec.pub.log_floor;
	*modseq_r = modseq;
	return ERR_OK;
}

static enum err collect(struct idx_txn *x, const struct box_rec *r, uint64_t since,
			struct set *changed, struct set *vanished)
{
	struct rec_key want = rec_key32_64(r->space, since + 1);
	struct span key, value, body;
	uint64_t at = since + 1;
	enum err e;

	if (at > r->pub.highestmodseq)
		return ERR_OK;
	e = kv_seek(x, REC_LOG, rec_key_span(&want), &key, &value);
	for (; !e; at++) {
		want = rec_key32_64(r->space, at);
		if (!span_eq(key, rec_key_span(&want)))
			return txn_fail(x, ERR_CORRUPT);
		e = rec_open(REC_LOG, key, value, &body, NULL);
		if (!e)
			e = log_decode(body, changed, vanished);
		if (e)
			return txn_fail(x, e);
		if (at == r->pub.highestmodseq)
			return ERR_OK;
		e = kv_next(x, REC_LOG, &key, &value);
	}
	return txn_fail(x, e == ERR_NOTFOUND ? ERR_CORRUPT : e);
}

enum err idx_changes(struct idx_txn *x, const struct idx_box *b, uint64_t since,
		     struct set *changed_r, struct set *vanished_r, bool *complete_r)
{
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	struct box_slot *s;
	enum err e = box_slot(x, b->id, &s);

	if (e)
		return e;
	if (since < s->rec.pub.log_floor || since > s->rec.pub.highestmodseq) {
		*complete_r = false;
		return ERR_OK;
	}
	e = collect(x, &s->rec, since, &changed, &vanished);
	if (e) {
		set_free(&changed);
		set_free(&vanished);
		return e;
	}
	set_remove_set(&changed, &vanished);
	set_free(changed_r);
	set_free(vanished_r);
	*changed_r = changed;
	*vanished_r = vanished;
	*complete_r = true;
	return ERR_OK;
}

enum err idx_changes_trim(struct idx_txn *x, struct idx_box *b, size_t keep)
{
	struct box_slot *s;
	struct rec_key last;
	uint64_t floor;
	size_t budget = SIZE_MAX;
	bool done;
	enum err e = box_slot(x, b->id, &s);

	must(x->write);
	if (e)
		return e;
	if (s->rec.pub.highestmodseq - s->rec.pub.log_floor > keep) {
		floor = s->rec.pub.highestmodseq - keep;
		last = rec_key32_64(s->rec.space, floor);
		e = kv_purge(x, REC_LOG, s->rec.space, &last, &budget, &done);
		if (e)
			return e;
		s->rec.pub.log_floor = floor;
		s->dirty = true;
	}
	b->log_floor = s->rec.pub.log_floor;
	return ERR_OK;
}
