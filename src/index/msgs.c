/* Message records, and the counters that follow from them. Not here: walking (walk.c), caches (cache.c). */
#include "msgs.h"

#include "index/index.h"
#include "kv.h"

#include "base/must.h"

enum err msg_load(struct idx_txn *x, const struct box_slot *box, const struct map_slot *s,
		  uint32_t uid, struct idx_msg *m_r)
{
	struct rec_key key = rec_key32_32(box->rec.space, uid);
	struct span body;
	uint32_t sum;
	enum err e = kv_open(x, REC_MSG, &key, &body, &sum);

	if (e == ERR_NOTFOUND)
		return txn_fail(x, ERR_CORRUPT);
	if (!e)
		e = txn_fail(x, msg_decode(body, m_r));
	if (e)
		return e;
	if (map_tag(s, uid) != (uint8_t)sum || map_flags(s, uid) != m_r->flags.system)
		return txn_fail(x, ERR_CORRUPT);
	m_r->uid = uid;
	x->counted = (struct counted){ box->rec.space, uid, m_r->flags.system, m_r->vsize };
	return ERR_OK;
}

/* No message says the map: then there is no record either, or the map has lost a block. */
static enum err absent(struct idx_txn *x, const struct box_slot *box, uint32_t uid)
{
	struct rec_key key = rec_key32_32(box->rec.space, uid);
	struct span value;
	enum err e = kv_get(x, REC_MSG, rec_key_span(&key), &value);

	return e ? e : txn_fail(x, ERR_CORRUPT);
}

enum err idx_msg_get(struct idx_txn *x, uint32_t id, uint32_t uid, struct idx_msg *m_r)
{
	struct box_slot *box;
	struct map_slot *s;
	struct idx_msg m;
	enum err e = box_slot(x, id, &box);

	if (!e)
		e = map_slot(x, box, uid, &s);
	if (!e)
		e = map_has(s, uid) ? msg_load(x, box, s, uid, &m) : absent(x, box, uid);
	if (!e)
		*m_r = m;
	return e;
}

/* --- counters ----------------------------------------------------------------------------- */

static uint64_t known(uint64_t size)
{
	return size == UINT64_MAX ? 0 : size;
}

static void count_in(struct box_slot *box, const struct idx_msg *m)
{
	struct idx_box *b = &box->rec.pub;

	b->messages++;
	b->unseen += !(m->flags.system & MAIL_SEEN);
	b->deleted += !!(m->flags.system & MAIL_DELETED);
	b->vsize += known(m->vsize);
	b->unsized += m->vsize == UINT64_MAX;
	box->dirty = true;
}

/* Each counter includes m: its flags were checked against the map, whose sum is in the record. */
static void count_out(struct box_slot *box, const struct counted *m)
{
	struct idx_box *b = &box->rec.pub;
	uint32_t unseen = !(m->flags & MAIL_SEEN), deleted = !!(m->flags & MAIL_DELETED),
		 unsized = m->vsize == UINT64_MAX;

	b->messages -= b->messages > 0;
	b->unseen -= b->unseen >= unseen ? unseen : 0;
	b->deleted -= b->deleted >= deleted ? deleted : 0;
	b->unsized -= b->unsized >= unsized ? unsized : 0;
	b->vsize -= b->vsize >= known(m->vsize) ? known(m->vsize) : b->vsize;
	box->dirty = true;
}

/* --- writing -------------------------------------------------------------------------------- */

/* Encodes into scratch; m's spans may lie in the map, so that comes before any write. */
static enum err encode(struct idx_txn *x, const struct idx_msg *m)
{
	if (m->uid == 0 || m->key.n == 0 || m->key.n > REC_KEY_MAX || m->hint.n > REC_HINT_MAX)
		return ERR_LIMIT;
	msg_encode(m, &x->scratch);
	return ERR_OK;
}

/* What the record of uid, which the map says is there, has in the counters. */
static enum err counted(struct idx_txn *x, const struct box_slot *box, const struct map_slot *s, uint32_t uid,
			struct counted *c_r)
{
	struct idx_msg m;
	enum err e = ERR_OK;

	if (x->counted.uid != uid || x->counted.space != box->rec.space)
		e = msg_load(x, box, s, uid, &m);
	if (!e)
		*c_r = x->counted;
	x->counted.uid = 0; /* for it is about to be written */
	return e;
}

enum err idx_msg_put(struct idx_txn *x, uint32_t id, const struct idx_msg *m)
{
	struct box_slot *box;
	struct map_slot *s;
	struct rec_key key;
	struct counted old = { 0 };
	uint32_t sum;
	bool had;
	enum err e = box_slot(x, id, &box);

	must(x->write);
	if (!e)
		e = map_slot(x, box, m->uid, &s);
	if (e)
		return e;
	had = map_has(s, m->uid);
	if (had)
		e = counted(x, box, s, m->uid, &old);
	if (!e)
		e = encode(x, m);
	if (e)
		return e;
	if (had)
		count_out(box, &old);
	key = rec_key32_32(box->rec.space, m->uid);
	e = kv_put_scratch(x, REC_MSG, &key, !had, &sum);
	if (e)
		return e;
	count_in(box, m);
	map_set(s, m->uid, m->flags.system & MAIL_SYSTEM, (uint8_t)sum);
	return ERR_OK;
}

enum err idx_msg_remove(struct idx_txn *x, uint32_t id, uint32_t uid)
{
	struct box_slot *box;
	struct map_slot *s;
	struct rec_key key;
	struct counted old = { 0 };
	enum err e = box_slot(x, id, &box);

	must(x->write);
	if (!e)
		e = map_slot(x, box, uid, &s);
	if (!e)
		e = map_has(s, uid) ? counted(x, box, s, uid, &old) : absent(x, box, uid);
	if (e)
		return e;
	key = rec_key32_32(box->rec.space, uid);
	count_out(box, &old);
	map_clear(s, uid);
	e = kv_del(x, REC_MSG, rec_key_span(&key));
	if (!e)
		e = kv_del(x, REC_CACHE, rec_key_span(&key));
	return e == ERR_NOTFOUND ? ERR_OK : e; /* of the cache; the message was found before */
}
