/* Disk work owed. Keyed by mailbox, then sequence; sequence numbers are one row over all mailboxes. */
#include "boxes.h"
#include "kv.h"

#include "index/index.h"

#include "base/must.h"

enum err idx_todo_add(struct idx_txn *x, struct idx_todo *t)
{
	struct box_slot *s;
	struct env_rec *env;
	struct rec_key key;
	enum err e;

	must(x->write);
	must(t->kind >= IDX_TODO_EXPUNGE && t->kind < IDX_TODO_KINDS);
	if (t->key.n > REC_KEY_MAX || t->hint.n > REC_HINT_MAX)
		return ERR_LIMIT;
	e = box_slot(x, t->box, &s);
	if (!e)
		e = env_get(x, &env);
	if (e)
		return e;
	key = rec_key32_64(t->box, env->next_seq);
	todo_encode(t, &x->scratch);
	e = kv_put_scratch(x, REC_TODO, &key, true, NULL);
	if (e)
		return e;
	t->seq = env->next_seq++;
	env->todos++;
	s->rec.todos++;
	s->dirty = true;
	return ERR_OK;
}

struct found {
	uint32_t box;
	uint64_t seq;
};

/* The first record of this or a later mailbox with at least this sequence number within its mailbox. */
static enum err seek(struct idx_txn *x, uint32_t box, uint64_t seq, struct found *f_r)
{
	struct rec_key from = rec_key32_64(box, seq);
	struct span key, value;
	enum err e = kv_seek(x, REC_TODO, rec_key_span(&from), &key, &value);

	if (!e && !rec_key_read32_64(key, &f_r->box, &f_r->seq))
		e = txn_fail(x, ERR_CORRUPT);
	return e;
}

/* From the beginning there must be one if the counter says so. */
static enum err none_left(struct idx_txn *x)
{
	struct env_rec *env;
	enum err e = env_get(x, &env);

	if (!e)
		e = env->todos > 0 ? ERR_CORRUPT : ERR_NOTFOUND;
	return txn_fail(x, e);
}

/* The smallest sequence number > after over all mailboxes: one seek or two for each that owes anything. */
static enum err next_any(struct idx_txn *x, uint64_t after, struct found *best_r)
{
	struct found f, best = { 0, UINT64_MAX };
	enum err e = seek(x, 1, after + 1, &f);

	while (!e) {
		uint32_t box = f.box;

		if (f.seq <= after) { /* came in at the start of a mailbox */
			e = seek(x, box, after + 1, &f);
			if (e || f.box != box)
				continue;
		}
		if (f.seq < best.seq)
			best = f;
		if (box == UINT32_MAX)
			break;
		e = seek(x, box + 1, 0, &f);
	}
	if (e && e != ERR_NOTFOUND)
		return e;
	if (best.box == 0)
		return after == 0 ? none_left(x) : ERR_NOTFOUND;
	*best_r = best;
	return ERR_OK;
}

/* Of one mailbox. From its beginning, there must be one if its record counts any. */
static enum err next_of(struct idx_txn *x, uint32_t box, uint64_t after, struct found *f_r)
{
	struct box_slot *s;
	enum err e = box_slot(x, box, &s);

	if (e)
		return e;
	e = seek(x, box, after + 1, f_r);
	if (!e && f_r->box != box)
		e = ERR_NOTFOUND;
	if (e == ERR_NOTFOUND && after == 0 && s->rec.todos > 0)
		return txn_fail(x, ERR_CORRUPT);
	return e;
}

enum err idx_todo_next(struct idx_txn *x, uint32_t box, uint64_t after, struct idx_todo *t_r)
{
	struct rec_key key;
	struct idx_todo t;
	struct found f;
	struct span body;
	enum err e;

	if (after == UINT64_MAX)
		return ERR_NOTFOUND;
	e = box ? next_of(x, box, after, &f) : next_any(x, after, &f);
	if (e)
		return e;
	key = rec_key32_64(f.box, f.seq);
	e = kv_open(x, REC_TODO, &key, &body, NULL);
	if (e == ERR_NOTFOUND) /* but it was found a moment ago: keys out of order */
		e = ERR_CORRUPT;
	if (!e)
		e = todo_decode(body, &t);
	if (!e && t.kind >= IDX_TODO_KINDS)
		e = ERR_CORRUPT;
	if (e)
		return txn_fail(x, e);
	t.box = f.box;
	t.seq = f.seq;
	*t_r = t;
	return ERR_OK;
}

enum err idx_todo_done(struct idx_txn *x, uint32_t box, uint64_t seq)
{
	struct rec_key key = rec_key32_64(box, seq);
	struct box_slot *s;
	struct env_rec *env;
	enum err e = box_slot(x, box, &s);

	must(x->write);
	if (!e)
		e = env_get(x, &env);
	if (e)
		return e;
	e = kv_del(x, REC_TODO, rec_key_span(&key));
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	if (env->todos == 0 || s->rec.todos == 0) /* a damaged page shows one record twice */
		return txn_fail(x, ERR_CORRUPT);
	env->todos--;
	s->rec.todos--;
	s->dirty = true;
	return ERR_OK;
}
