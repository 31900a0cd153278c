/* Keys and values within a transaction. */
#include "kv.h"

#include "base/must.h"

#include <lmdb.h>

enum { PREFETCH = 1024 };

static MDB_val val(struct span s)
{
	return (MDB_val){ s.n, (void *)(uintptr_t)s.p };
}

static struct span span_val(const MDB_val *v)
{
	return span_of(v->mv_data, v->mv_size);
}

static enum err result(struct idx_txn *x, int rc)
{
	if (rc == 0)
		return ERR_OK;
	return txn_fail(x, env_err(x->i, rc));
}

static enum err cursor(struct idx_txn *x, enum rec_kind kind, MDB_cursor **c_r)
{
	if (x->failed)
		return x->failed;
	if (!x->cur[kind]) {
		int rc = mdb_cursor_open(x->t, x->i->db[kind], &x->cur[kind]);

		if (rc) {
			x->cur[kind] = NULL;
			return result(x, rc);
		}
	}
	*c_r = x->cur[kind];
	return ERR_OK;
}

void kv_close(struct idx_txn *x)
{
	for (size_t k = 0; k < REC_KINDS; k++) {
		if (x->cur[k])
			mdb_cursor_close(x->cur[k]);
		x->cur[k] = NULL;
	}
}

static enum err get(struct idx_txn *x, enum rec_kind kind, MDB_val *k, MDB_val *v, MDB_cursor_op op)
{
	MDB_cursor *c = NULL;
	enum err e = cursor(x, kind, &c);

	return e ? e : result(x, mdb_cursor_get(c, k, v, op));
}

enum err kv_get(struct idx_txn *x, enum rec_kind kind, struct span key, struct span *value_r)
{
	MDB_val k = val(key), v;
	enum err e = get(x, kind, &k, &v, MDB_SET);

	if (!e)
		*value_r = span_val(&v);
	return e;
}

static enum err find(struct idx_txn *x, enum rec_kind kind, struct span key, MDB_cursor_op op,
		     struct span *key_r, struct span *value_r)
{
	MDB_val k = val(key), v;
	enum err e = get(x, kind, &k, &v, op);

	if (e)
		return e;
	*key_r = span_val(&k);
	*value_r = span_val(&v);
	return ERR_OK;
}

enum err kv_seek(struct idx_txn *x, enum rec_kind kind, struct span key, struct span *key_r,
		 struct span *value_r)
{
	return find(x, kind, key, MDB_SET_RANGE, key_r, value_r);
}

enum err kv_next(struct idx_txn *x, enum rec_kind kind, struct span *key_r, struct span *value_r)
{
	return find(x, kind, span_of(NULL, 0), MDB_NEXT, key_r, value_r);
}

static enum err put(struct idx_txn *x, enum rec_kind kind, struct span key, struct span value,
		    unsigned flags)
{
	MDB_val k = val(key), v = val(value);
	MDB_cursor *c = NULL;
	enum err e;

	must(x->write);
	e = cursor(x, kind, &c);
	x->wrote = true;
	return e ? e : result(x, mdb_cursor_put(c, &k, &v, flags));
}

enum err kv_insert(struct idx_txn *x, enum rec_kind kind, struct span key, struct span value)
{
	return put(x, kind, key, value, MDB_NOOVERWRITE);
}

enum err kv_del(struct idx_txn *x, enum rec_kind kind, struct span key)
{
	MDB_val k = val(key), v;
	enum err e;

	must(x->write);
	e = get(x, kind, &k, &v, MDB_SET);
	if (e)
		return e;
	x->wrote = true;
	return result(x, mdb_cursor_del(x->cur[kind], 0));
}

enum err kv_put_scratch(struct idx_txn *x, enum rec_kind kind, const struct rec_key *key,
			bool insert, uint32_t *sum_r)
{
	struct span k = rec_key_span(key);
	uint32_t sum;
	enum err e;

	if (x->scratch.failed)
		return txn_fail(x, ERR_MEMORY);
	sum = rec_seal(kind, k, &x->scratch);
	e = put(x, kind, k, buf_span(&x->scratch), insert ? MDB_NOOVERWRITE : 0);
	if (e == ERR_EXISTS)
		return txn_fail(x, ERR_CORRUPT);
	if (!e && sum_r)
		*sum_r = sum;
	return e;
}

/*
 * A walk asks for one record after the other: then it is the next one, and no search is needed. Not
 * in a write, where the cursor may stand on a deleted record.
 */
static bool get_next(struct idx_txn *x, enum rec_kind kind, struct span key, struct span *value_r)
{
	MDB_val k, v;

	if (!x->cur[kind] || mdb_cursor_get(x->cur[kind], &k, &v, MDB_NEXT) ||
	    !span_eq(span_val(&k), key))
		return false;
	*value_r = span_val(&v);
	/* LMDB fills a page downwards: the record asked for next mostly lies below. Halves a walk. */
	for (size_t n = 64; n <= v.mv_size + 64 && n <= PREFETCH; n += 64)
		__builtin_prefetch(value_r->p - n);
	return true;
}

enum err kv_open(struct idx_txn *x, enum rec_kind kind, const struct rec_key *key,
		 struct span *body_r, uint32_t *sum_r)
{
	struct span k = rec_key_span(key), value;
	uint64_t number = rec_key_number(key);
	bool near = !x->write && number > 0 && number == x->last[kind] + 1;
	enum err e = near && get_next(x, kind, k, &value) ? ERR_OK : kv_get(x, kind, k, &value);

	x->last[kind] = e ? 0 : number;
	return e ? e : txn_fail(x, rec_open(kind, k, value, body_r, sum_r));
}

enum err kv_purge(struct idx_txn *x, enum rec_kind kind, uint32_t prefix,
		  const struct rec_key *last, size_t *budget, bool *done_r)
{
	struct rec_key from = rec_key32(prefix);
	struct span key, value;
	enum err e = ERR_OK;

	for (;;) {
		e = kv_seek(x, kind, rec_key_span(&from), &key, &value);
		if (e == ERR_NOTFOUND || (!e && !span_starts(key, rec_key_span(&from))) ||
		    (!e && last && span_cmp(key, rec_key_span(last)) > 0)) {
			*done_r = true;
			return ERR_OK;
		}
		if (e || *budget == 0)
			break;
		x->wrote = true;
		e = result(x, mdb_cursor_del(x->cur[kind], 0));
		if (e)
			break;
		--*budget;
	}
	*done_r = false;
	return e;
}

uint64_t kv_size(struct idx_txn *x, enum rec_kind kind)
{
	MDB_stat s;

	if (mdb_stat(x->t, x->i->db[kind], &s))
		return 0;
	return (s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages) * (uint64_t)s.ms_psize;
}
