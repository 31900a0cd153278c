/*
 * Another version's index: index_version DIRECTORY VERSION. All records of the environment are sealed anew as that version would have
 * done it. What is in them stays: whoever does not know a version must not look.
 */
#include "config.h"

#include "src/index/env.h"
#include "src/index/frame.h"

static int version;

/* The frame's own code, with the version asked for. */
#define REC_VERSION version
#include "src/index/frame.c"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

static void ok(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "index_version: %s: %s\n", what, mdb_strerror(rc));
	exit(1);
}

static unsigned seal_all(MDB_txn *x, enum rec_kind kind)
{
	MDB_cursor *c;
	MDB_val k, v;
	MDB_dbi dbi;
	struct buf b;
	unsigned n = 0;
	int rc;

	ok(mdb_dbi_open(x, env_db_name(kind), 0, &dbi), "open");
	ok(mdb_cursor_open(x, dbi, &c), "cursor");
	buf_init(&b, 1 << 24);
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))) {
		struct span key = span_of(k.mv_data, k.mv_size);

		buf_clear(&b);
		buf_add(&b, v.mv_data, v.mv_size);
		rec_seal(kind, key, &b);
		v = (MDB_val){ b.n, b.p };
		ok(mdb_cursor_put(c, &k, &v, MDB_CURRENT), "put");
		n++;
	}
	mdb_cursor_close(c);
	buf_free(&b);
	return n;
}

int main(int argc, char **argv)
{
	unsigned n = 0;
	MDB_env *env;
	MDB_txn *x;

	if (argc != 3 || !(version = (int)strtol(argv[2], NULL, 10)))
		return 2;
	ok(mdb_env_create(&env), "create");
	ok(mdb_env_set_maxdbs(env, REC_KINDS), "create");
	ok(mdb_env_open(env, argv[1], 0, 0600), argv[1]);
	ok(mdb_txn_begin(env, NULL, 0, &x), "begin");
	for (int kind = 0; kind < REC_KINDS; kind++)
		n += seal_all(x, (enum rec_kind)kind);
	ok(mdb_txn_commit(x), "commit");
	mdb_env_close(env);
	return n ? 0 : 1;
}
