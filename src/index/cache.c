/* Cache records: what would have to be parsed again. Their absence is never an error of the message. */
#include "kv.h"
#include "map.h"

#include "index/index.h"

#include "base/must.h"

enum err idx_cache_decode(struct span raw, unsigned want, struct idx_cache *c_r)
{
	return raw.n > 0 ? cache_decode(raw, want, c_r) : ERR_NOTFOUND;
}

static enum err get(struct idx_txn *x, const struct rec_key *key, struct idx_cache *c_r)
{
	struct span body;
	enum err e = kv_open(x, REC_CACHE, key, &body, NULL);

	return e ? e : txn_fail(x, cache_decode(body, IDX_ALL_FIELDS, c_r));
}

enum err idx_cache_get(struct idx_txn *x, uint32_t id, uint32_t uid, struct idx_cache *c_r)
{
	struct box_slot *box;
	struct rec_key key;
	enum err e = box_slot(x, id, &box);

	if (e)
		return e;
	key = rec_key32_32(box->rec.space, uid);
	return get(x, &key, c_r);
}

/* The fields of c, and those of old that c lacks. ERR_LIMIT when they are too large together. */
static enum err merge(struct idx_cache *c, const struct idx_cache *old)
{
	size_t sum = 0;

	for (size_t f = 0; f < IDX_FIELDS; f++) {
		if (!c->field[f].p)
			c->field[f] = old->field[f];
		if (c->field[f].n > REC_CACHE_MAX)
			return ERR_LIMIT;
		sum += c->field[f].n;
	}
	return sum > REC_CACHE_MAX ? ERR_LIMIT : ERR_OK;
}

/* The oldest message of the mailbox that the cache knows; where it knows none, that of the mailbox made first. */
static enum err oldest(struct idx_txn *x, uint32_t space, struct rec_key *key_r)
{
	struct rec_key from = rec_key32(space);
	struct span key, value;
	enum err e = kv_seek(x, REC_CACHE, rec_key_span(&from), &key, &value);
	uint32_t uid;

	if (e == ERR_NOTFOUND || (!e && !span_starts(key, rec_key_span(&from)))) {
		from = rec_key32(0);
		e = kv_seek(x, REC_CACHE, rec_key_span(&from), &key, &value);
	}
	if (!e && !rec_key_read32_32(key, &space, &uid))
		e = txn_fail(x, ERR_CORRUPT);
	if (!e)
		*key_r = rec_key32_32(space, uid);
	return e;
}

/*
 * Keeps the cache as large as it may be. ERR_CANNOT: key is of the oldest message of its mailbox. A few at a time: what
 * goes is about as large as what comes, and pages that it leaves half empty are joined.
 */
static enum err make_room(struct idx_txn *x, uint32_t space, const struct rec_key *key)
{
	struct rec_key old;
	enum err e = ERR_OK;

	for (int n = 0; !e && n < 4 && kv_size(x, REC_CACHE) >= x->i->cache_max; n++) {
		e = oldest(x, space, &old);
		if (!e && span_starts(rec_key_span(&old), span_cut(rec_key_span(key), 0, 4)) &&
		    rec_key_number(&old) >= rec_key_number(key))
			return ERR_CANNOT;
		if (!e)
			e = kv_del(x, REC_CACHE, rec_key_span(&old));
	}
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

enum err idx_cache_put(struct idx_txn *x, uint32_t id, uint32_t uid, const struct idx_cache *c,
		       bool keep)
{
	struct idx_cache all = *c, old = { 0 };
	struct box_slot *box;
	struct map_slot *s;
	struct rec_key key;
	enum err e = box_slot(x, id, &box);

	must(x->write);
	if (!e)
		e = map_slot(x, box, uid, &s);
	if (!e && !map_has(s, uid))
		e = ERR_NOTFOUND;
	if (e)
		return e;
	key = rec_key32_32(box->rec.space, uid);
	if (keep)
		e = get(x, &key, &old);
	if (!e || e == ERR_NOTFOUND)
		e = merge(&all, &old);
	if (e)
		return e;
	cache_encode(&all, &x->scratch);
	e = make_room(x, box->rec.space, &key);
	if (e)
		return e == ERR_CANNOT ? ERR_OK : e;
	return kv_put_scratch(x, REC_CACHE, &key, false, NULL);
}
