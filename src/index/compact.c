/*
 * Writing the data file anew when little of it is in use. LMDB reuses pages but never gives them
 * back: after a large removal, or once a reader that died held old pages, the file would stay as
 * large as it ever was.
 *
 * Not LMDB's own copy: it starts a thread, and its copy counts transactions from one, while the
 * environment's record must bear the number of the transaction that wrote it.
 */
#include "config.h"

#include "env.h"

#include "base/mem.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <unistd.h>

/* Less is not worth the writing; more would take longer than a closing may, and is used again in
 * time. */
static const uint64_t least_free = 2ull << 20;
static const uint64_t most_used = 128ull << 20;

enum { PIECE = 4 << 20 };

struct copy {
	struct idx *i;
	MDB_txn *from;
	MDB_env *env; /* own: the new one */
	MDB_txn *to;
	size_t size; /* bytes in to: they are in memory until it ends */
};

static uint64_t tree_pages(MDB_txn *t, MDB_dbi db)
{
	MDB_stat s;

	if (mdb_stat(t, db, &s))
		return 0;
	return s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages;
}

/* The two heads, LMDB's own two trees (of free pages, of names) and ours. */
static uint64_t used_pages(struct idx *i, MDB_txn *t)
{
	uint64_t n = 2 + tree_pages(t, 0) + tree_pages(t, 1);

	for (size_t k = 0; k < REC_KINDS; k++)
		n += tree_pages(t, i->db[k]);
	return n;
}

static bool pays(struct idx *i, MDB_txn *t)
{
	MDB_envinfo info;
	MDB_stat stat;
	uint64_t used, all;

	if (mdb_env_info(i->env, &info) || mdb_env_stat(i->env, &stat))
		return false;
	used = used_pages(i, t) * stat.ms_psize;
	all = (info.me_last_pgno + 1) * stat.ms_psize;
	return used <= most_used && all >= used * 2 + least_free;
}

static int make_new(struct copy *c)
{
	char *path = mem_printf("%s/%s", c->i->dir, env_file(c->i, ENV_NEW));
	MDB_envinfo info;
	int rc = mdb_env_info(c->i->env, &info), fd;

	if (!rc)
		rc = mdb_env_create(&c->env);
	if (!rc)
		rc = mdb_env_set_mapsize(c->env, info.me_mapsize);
	if (!rc)
		rc = mdb_env_set_maxdbs(c->env, REC_KINDS);
	if (!rc)
		rc = mdb_env_open(c->env, path, MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC, c->i->mode);
	if (!rc && mdb_env_get_fd(c->env, &fd) == 0)
		env_share(c->i, fd);
	if (!rc)
		rc = mdb_txn_begin(c->env, NULL, 0, &c->to);
	free(path);
	return rc;
}

static int end_piece(struct copy *c)
{
	int rc = mdb_txn_commit(c->to);

	c->to = NULL;
	c->size = 0;
	return rc;
}

/* Ascending keys, appended: full pages. Records as they are: their checksums do not depend on where
 * they lie. */
static int copy_some(struct copy *c, MDB_cursor *in, MDB_dbi db)
{
	MDB_cursor *out;
	MDB_val k, v;
	int rc = mdb_cursor_open(c->to, db, &out);

	if (rc)
		return rc;
	while (!rc && c->size < PIECE && (rc = mdb_cursor_get(in, &k, &v, MDB_NEXT)) == 0) {
		c->size += k.mv_size + v.mv_size;
		rc = mdb_cursor_put(out, &k, &v, MDB_APPEND);
	}
	mdb_cursor_close(out);
	return rc;
}

static int copy_tree(struct copy *c, enum rec_kind kind)
{
	MDB_dbi db;
	MDB_cursor *in;
	int rc = mdb_dbi_open(c->to, env_db_name(kind), MDB_CREATE, &db);

	if (!rc)
		rc = mdb_cursor_open(c->from, c->i->db[kind], &in);
	if (rc)
		return rc;
	while ((rc = copy_some(c, in, db)) == 0)
		if ((rc = end_piece(c)) || (rc = mdb_txn_begin(c->env, NULL, 0, &c->to)))
			break;
	mdb_cursor_close(in);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/* The environment's record names the transaction that wrote it, and the file. */
static int sign(struct copy *c)
{
	struct rec_key key = rec_key32(0);
	struct buf out;
	struct env_rec r;
	struct span body;
	MDB_val k = { key.n, key.b }, v;
	MDB_dbi db;
	int fd, rc = mdb_dbi_open(c->to, env_db_name(REC_BOX), 0, &db);

	if (!rc)
		rc = mdb_env_get_fd(c->env, &fd);
	if (!rc)
		rc = mdb_get(c->to, db, &k, &v);
	if (rc)
		return rc;
	if (rec_open(REC_BOX, rec_key_span(&key), span_of(v.mv_data, v.mv_size), &body, NULL) ||
	    env_decode(body, &r))
		return MDB_CORRUPTED;
	r.txn = mdb_txn_id(c->to);
	r.file = env_file_id(fd, "");
	buf_init(&out, REC_SCRATCH_MAX);
	env_encode(&r, &out);
	rc = out.failed ? ENOMEM : 0;
	if (!rc) {
		rec_seal(REC_BOX, rec_key_span(&key), &out);
		v = (MDB_val){ out.n, out.p };
		rc = mdb_put(c->to, db, &k, &v, 0);
	}
	buf_free(&out);
	return rc ? rc : end_piece(c);
}

static bool write_new(struct idx *i, MDB_txn *from)
{
	struct copy c = { .i = i, .from = from };
	int rc = make_new(&c);

	for (enum rec_kind k = 0; k < REC_KINDS && !rc; k++)
		rc = copy_tree(&c, k);
	if (!rc)
		rc = sign(&c);
	if (!rc)
		rc = mdb_env_sync(c.env, 1);
	if (c.to)
		mdb_txn_abort(c.to);
	if (c.env)
		mdb_env_close(c.env);
	return rc == 0;
}

bool env_compact(struct idx *i)
{
	MDB_txn *t;
	bool ok;

	if (i->memory || env_txn_start(i, false, &t))
		return false;
	guard_busy(&i->guard, true);
	unlinkat(i->dirfd, env_file(i, ENV_NEW), 0);
	ok = pays(i, t) && write_new(i, t);
	mdb_txn_abort(t);
	guard_busy(&i->guard, false);
	if (ok)
		ok = renameat(i->dirfd, env_file(i, ENV_NEW), i->dirfd, env_file(i, ENV_DATA)) == 0;
	if (!ok)
		unlinkat(i->dirfd, env_file(i, ENV_NEW), 0);
	return ok && fsync(i->dirfd) == 0;
}
