/*
 * Walking over messages in UID order. The map leads: a record that is missing, or is not the one
 * that the map knows, is damage. Cursors are the transaction's own, which stay near, so a step
 * costs no search from the root.
 */
#include "index/index.h"
#include "kv.h"
#include "msgs.h"

#include "base/mem.h"

struct idx_walk {
	struct idx_txn *x;
	uint32_t id; /* not a slot: a write in between may remove and empty */
	bool with_cache;
};

enum err idx_walk_begin(struct idx_txn *x, uint32_t id, bool with_cache, struct idx_walk **w_r)
{
	struct box_slot *box;
	enum err e = box_slot(x, id, &box);
	struct idx_walk *w;

	if (e)
		return e;
	w = mem_alloc(sizeof(*w));
	*w = (struct idx_walk){ .x = x, .id = id, .with_cache = with_cache };
	*w_r = w;
	return ERR_OK;
}

static enum err cache_of(struct idx_walk *w, const struct box_slot *box, uint32_t uid,
			 struct span *raw_r)
{
	struct rec_key key = rec_key32_32(box->rec.space, uid);
	enum err e = w->with_cache ? kv_open(w->x, REC_CACHE, &key, raw_r, NULL) : ERR_NOTFOUND;

	if (e != ERR_NOTFOUND)
		return e;
	*raw_r = span_of(NULL, 0);
	return ERR_OK;
}

enum err idx_walk_to(struct idx_walk *w, uint32_t uid, struct idx_msg *m_r, struct span *cache_r)
{
	struct span raw = { NULL, 0 };
	struct box_slot *box;
	struct map_slot *s;
	struct idx_msg m;
	enum err e = box_slot(w->x, w->id, &box);

	if (!e)
		e = map_next(w->x, box, uid, &uid, &s);
	if (!e)
		e = msg_load(w->x, box, s, uid, &m);
	if (!e && cache_r)
		e = cache_of(w, box, uid, &raw);
	if (e)
		return e;
	*m_r = m;
	if (cache_r)
		*cache_r = raw;
	return ERR_OK;
}

void idx_walk_end(struct idx_walk **w)
{
	free(*w);
	*w = NULL;
}
