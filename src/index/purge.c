/* Removing the records of a space. */
#include "purge.h"

#include "kv.h"

enum { AT_ONCE = 4096 }; /* records: a few milliseconds */

/* The map last: it is small, and cheap to find the rest without. */
static const enum rec_kind kinds[] = { REC_MSG, REC_CACHE, REC_LOG, REC_MAP };

static enum err drop(struct idx_txn *x, uint32_t space, size_t *budget, bool *done_r)
{
	bool done = true;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && done; k++) {
		enum err e = kv_purge(x, kinds[k], space, NULL, budget, &done);

		if (e)
			return e;
	}
	*done_r = done;
	return ERR_OK;
}

enum err purge_space(struct idx_txn *x, uint32_t space)
{
	struct rec_key key = rec_key32_64(0, space);
	size_t budget = AT_ONCE;
	struct env_rec *env;
	bool done;
	enum err e = drop(x, space, &budget, &done);

	x->purged = true;
	if (e || done)
		return e;
	e = env_get(x, &env);
	if (e)
		return e;
	todo_encode(&(struct idx_todo){ .kind = (enum idx_todo_kind)REC_TODO_PURGE }, &x->scratch);
	e = kv_put_scratch(x, REC_TODO, &key, true, NULL);
	if (e)
		return e;
	env->purges++;
	return ERR_OK;
}

/* The smallest space given up; ERR_CORRUPT when none is found although env counts some. */
static enum err first(struct idx_txn *x, uint32_t *space_r)
{
	struct rec_key from = rec_key32_64(0, 0);
	struct span key, value;
	uint64_t space;
	uint32_t box;
	enum err e = kv_seek(x, REC_TODO, rec_key_span(&from), &key, &value);

	if (e == ERR_NOTFOUND)
		return txn_fail(x, ERR_CORRUPT);
	if (e)
		return e;
	if (!rec_key_read32_64(key, &box, &space) || box != 0 || space == 0 || space > UINT32_MAX)
		return txn_fail(x, ERR_CORRUPT);
	*space_r = (uint32_t)space;
	return ERR_OK;
}

enum err purge_some(struct idx_txn *x, size_t budget)
{
	struct env_rec *env;
	struct rec_key key;
	uint32_t space = 0;
	bool done;
	enum err e = env_get(x, &env);

	while (!e && env->purges > 0 && budget > 0) {
		e = first(x, &space);
		if (!e)
			e = drop(x, space, &budget, &done);
		if (e || !done)
			return e;
		key = rec_key32_64(0, space);
		e = kv_del(x, REC_TODO, rec_key_span(&key));
		env->purges--;
	}
	return e;
}
