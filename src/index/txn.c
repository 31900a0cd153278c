/*
 * Transactions: begin, commit, end, and the environment's own record, which ties each to the one before. Not here:
 * files, growth, reopening (env.c).
 */
#include "boxes.h"
#include "kv.h"
#include "map.h"
#include "purge.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <lmdb.h>

enum {
	COMMIT_PURGE = 512,   /* records of removed mailboxes dropped beside a commit: about a millisecond */
	MINUTE_PURGE = 20000, /* and in the minute's round */
	LOOK_US = 1000,
	READ_TRIES = 10,
};

enum err txn_fail(struct idx_txn *x, enum err e)
{
	if (e && e != ERR_NOTFOUND && e != ERR_EXISTS && x->write && !x->failed)
		x->failed = e;
	return e;
}

static enum err say(struct idx *i, int rc, const char *what, struct errtext *t)
{
	return err_say(t, env_err(i, rc), "index %s: %s: %s", i->dir, what, mdb_strerror(rc));
}

/* --- beginning and ending ------------------------------------------------------------ */

static struct idx_txn *txn_new(struct idx *i)
{
	struct idx_txn *x = i->spare;

	i->spare = NULL;
	if (!x) {
		x = mem_alloc(sizeof(*x));
		buf_init(&x->scratch, REC_SCRATCH_MAX);
	}
	x->i = i;
	x->failed = ERR_OK;
	x->env_loaded = x->wrote = x->purged = false;
	x->boxes = NULL;
	memset(x->last, 0, sizeof(x->last));
	x->counted.uid = 0;
	for (size_t k = 0; k < MAP_SLOTS; k++)
		x->map[k].box = NULL;
	return x;
}

static enum err txn_open(struct idx *i, bool write, struct idx_txn **x_r)
{
	struct idx_txn *x;
	MDB_txn *t;
	int rc = env_txn_start(i, write, &t);

	if (rc)
		return env_err(i, rc);
	x = txn_new(i);
	x->t = t;
	x->write = write;
	i->txns++;
	*x_r = x;
	return ERR_OK;
}

/* The memory is kept for the next transaction, but not the buffer of a huge record. */
static void txn_free(struct idx_txn *x)
{
	struct idx *i = x->i;

	box_slots_free(x);
	i->txns--;
	if (x->scratch.cap > 1 << 20)
		buf_free(&x->scratch);
	if (!i->spare) {
		i->spare = x;
		return;
	}
	buf_free(&x->scratch);
	free(x);
}

/* --- the environment's own record ------------------------------------------------------ */

static bool of_another(const struct idx_txn *x)
{
	return x->env.of && x->i->of && x->env.of != x->i->of;
}

enum err env_get(struct idx_txn *x, struct env_rec **r_r)
{
	struct rec_key key = rec_key32(0);
	struct span body;
	enum err e = ERR_OK;

	if (!x->env_loaded) {
		e = kv_open(x, REC_BOX, &key, &body, NULL);
		if (!e)
			e = env_decode(body, &x->env);
		if (!e && (x->env.txn + x->write != mdb_txn_id(x->t) || x->env.file != x->i->file || of_another(x)))
			e = ERR_CORRUPT;
		if (e)
			return txn_fail(x, e == ERR_NOTFOUND ? ERR_CORRUPT : e);
		x->env_loaded = true;
	}
	*r_r = &x->env;
	return ERR_OK;
}

static enum err put_env(struct idx_txn *x)
{
	struct rec_key key = rec_key32(0);

	x->env.txn = mdb_txn_id(x->t);
	x->env.file = x->i->file;
	x->env.of = x->i->of ? x->i->of : x->env.of;
	env_encode(&x->env, &x->scratch);
	return kv_put_scratch(x, REC_BOX, &key, false, NULL);
}

/* Written at once, so that the commit sees something to write. */
static enum err start_fresh(struct idx_txn *x)
{
	x->env = (struct env_rec){ .next_id = 1, .next_seq = 1 };
	x->env_loaded = true;
	return put_env(x);
}

/*
 * A transaction that sees what was committed last. LMDB lets a reader choose its number and then read the head of that
 * number: when the processor is taken from it in between, two commits may have written another one there. Such a
 * transaction is whole but for its number; only what is wrong again and again is damage.
 */
static enum err txn_checked(struct idx *i, bool write, struct idx_txn **x_r)
{
	struct idx_txn *x;
	struct env_rec *r;
	enum err e = ERR_OK;

	for (int tries = 0; tries < READ_TRIES; tries++) {
		guard_busy(&i->guard, true);
		e = txn_open(i, write, &x);
		if (e)
			return e;
		e = env_get(x, &r);
		if (!e) {
			*x_r = x;
			return ERR_OK;
		}
		idx_abort(&x);
		if (e != ERR_CORRUPT || write)
			return e;
	}
	return e;
}

/* --- the door --------------------------------------------------------------------------- */

/* A reader that looked a moment ago need not look again: the file may go while it reads, too. */
static enum err still_ours(struct idx *i, bool write)
{
	uint64_t now = clock_us();
	bool look = write || now - i->looked_us > LOOK_US;

	if (i->gone)
		return ERR_CORRUPT;
	if (look)
		i->looked_us = now;
	return look && !env_named(i) ? ERR_CORRUPT : guard_check(&i->guard, false);
}

static enum err begin(struct idx *i, bool write, struct idx_txn **x_r, struct errtext *t)
{
	enum err e = still_ours(i, write);

	if (e)
		return err_say(t, e, "index %s was removed or replaced", i->dir);
	if (i->txns == 0) {
		guard_busy(&i->guard, true);
		e = i->grow || i->panicked || !i->env ? env_mend(i) : ERR_OK;
	}
	if (!e && (i->panicked || !i->env))
		e = ERR_IO;
	if (!e)
		e = txn_checked(i, write, x_r);
	if (e && i->txns == 0)
		guard_busy(&i->guard, false);
	return e ? err_say(t, e, "index %s: %s", i->dir, err_name(e)) : ERR_OK;
}

enum err idx_read(struct idx *i, struct idx_txn **x_r, struct errtext *t)
{
	return begin(i, false, x_r, t);
}

enum err idx_write(struct idx *i, struct idx_txn **x_r, struct errtext *t)
{
	return begin(i, true, x_r, t);
}

/*
 * What the transaction kept back: map blocks first, they change the mailbox records. Whoever writes
 * anything writes the environment's record too, with the number of this transaction. x->wrote stays
 * false when there was nothing.
 */
static enum err flush(struct idx_txn *x)
{
	enum err e = ERR_OK;

	if (!x->purged)
		e = purge_some(x, COMMIT_PURGE);
	if (!e)
		e = map_flush(x);
	if (!e)
		e = box_flush(x);
	return e || !x->wrote ? e : put_env(x);
}

enum err idx_commit(struct idx_txn **xp, struct errtext *t)
{
	struct idx_txn *x = *xp;
	struct idx *i = x->i;
	enum err e;
	int rc;

	if (!x->write) {
		idx_abort(xp);
		return ERR_OK;
	}
	e = x->failed ? x->failed : flush(x);
	if (!e && x->wrote)
		e = guard_mark(&i->guard);
	if (e || !x->wrote) {
		idx_abort(xp);
		return !e ? ERR_OK : err_say(t, e, "index %s: %s", i->dir, err_name(e));
	}
	kv_close(x);
	rc = mdb_txn_commit(x->t);
	*xp = NULL;
	txn_free(x);
	if (i->txns == 0)
		guard_busy(&i->guard, false);
	/* Cut short where there is room: it was of a wild size. A file that cannot be written is to be replaced anyway. */
	if (rc == EIO)
		rc = env_disk_full(i) ? ENOSPC : MDB_CORRUPTED;
	if (rc)
		return say(i, rc, "commit", t);
	env_reserve(i);
	return ERR_OK;
}

void idx_abort(struct idx_txn **xp)
{
	struct idx_txn *x = *xp;
	struct idx *i;

	if (!x)
		return;
	i = x->i;
	kv_close(x);
	mdb_txn_abort(x->t);
	*xp = NULL;
	txn_free(x);
	if (i->txns == 0)
		guard_busy(&i->guard, false);
}

enum err idx_update(struct idx *i, enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t),
		    void *arg, struct errtext *t)
{
	struct idx_txn *x;
	enum err e;

	do {
		e = idx_write(i, &x, t);
		if (e)
			return e;
		e = fn(x, arg, t);
		if (!e)
			e = idx_commit(&x, t);
		else
			idx_abort(&x);
	} while (e && idx_write_retry(i));
	return e;
}

static enum err purge_minute(struct idx_txn *x, void *arg, struct errtext *t)
{
	x->purged = true;
	return purge_some(x, MINUTE_PURGE);
}

void idx_check_readers(struct idx *i)
{
	struct idx_txn *x;
	struct env_rec *r;
	bool purges;
	int dead;

	if (i->gone || !i->env || i->txns > 0)
		return;
	mdb_reader_check(i->env, &dead);
	if (idx_read(i, &x, NULL))
		return;
	purges = env_get(x, &r) == ERR_OK && r->purges > 0;
	idx_abort(&x);
	if (purges)
		idx_update(i, purge_minute, NULL, NULL);
}

enum err txn_first(struct idx *i, bool fresh)
{
	struct idx_txn *x;
	enum err e = fresh ? txn_open(i, true, &x) : txn_checked(i, false, &x);

	if (e)
		return e;
	if (fresh)
		e = start_fresh(x);
	if (!e)
		return idx_commit(&x, NULL);
	idx_abort(&x);
	return e == ERR_LIMIT ? ERR_NOSPACE : e;
}
