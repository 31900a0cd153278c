/*
 * Keys and values within a transaction: the thin layer over LMDB. Each kind of record has one
 * database and one cursor a transaction. Failures but ERR_NOTFOUND and ERR_EXISTS stick to a write
 * (txn_fail). Values given out lie in the map until the next write or the end of the transaction.
 */
#ifndef INDEX_KV_H
#define INDEX_KV_H

#include "env.h"

enum err kv_get(struct idx_txn *x, enum rec_kind kind, struct span key, struct span *value_r);
/* The first record with a key >= key. ERR_NOTFOUND at the end. And the one behind what the last call here found. */
enum err kv_seek(struct idx_txn *x, enum rec_kind kind, struct span key, struct span *key_r,
		 struct span *value_r);
enum err kv_next(struct idx_txn *x, enum rec_kind kind, struct span *key_r, struct span *value_r);

enum err kv_insert(struct idx_txn *x, enum rec_kind kind, struct span key, struct span value); /* ERR_EXISTS */
enum err kv_del(struct idx_txn *x, enum rec_kind kind, struct span key);                       /* ERR_NOTFOUND */

/* Seals what x->scratch holds and writes it (insert: ERR_CORRUPT when the key is taken). sum_r may be NULL. */
enum err kv_put_scratch(struct idx_txn *x, enum rec_kind kind, const struct rec_key *key,
			bool insert, uint32_t *sum_r);
/* Gets a record and checks its frame. sum_r may be NULL. */
enum err kv_open(struct idx_txn *x, enum rec_kind kind, const struct rec_key *key,
		 struct span *body_r, uint32_t *sum_r);

/*
 * Removes records whose key begins with the number prefix, from the smallest on, while *budget
 * (counted down a record) lasts; last: none with a key greater than it (NULL: all of the prefix).
 * *done_r: none is left.
 */
enum err kv_purge(struct idx_txn *x, enum rec_kind kind, uint32_t prefix,
		  const struct rec_key *last, size_t *budget, bool *done_r);

uint64_t kv_size(struct idx_txn *x, enum rec_kind kind); /* bytes of the pages that hold these records */

void kv_close(struct idx_txn *x); /* all cursors */

#endif
