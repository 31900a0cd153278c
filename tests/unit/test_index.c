/* The index through its door: mailboxes, messages, uid map, walks, changes, cache, to-dos, growth,
 * removal. */
#include "config.h"

#include "index/index.h"
#include "src/index/kv.h"

#include "base/mem.h"

#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), ERR_OK)

struct fix {
	char dir[64];
	struct idx_config config;
	struct idx *i;
};

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static void reopen(struct fix *f, bool rebuilt)
{
	struct errtext t;
	bool r;

	idx_close(&f->i);
	if (idx_open(&f->config, &f->i, &r, &t))
		fail_msg("%s", t.text);
	assert_int_equal(r, rebuilt);
}

static int setup(void **state)
{
	struct fix *f = mem_alloc(sizeof(*f));

	memcpy(f->dir, "/tmp/test_index.XXXXXX", 23);
	assert_non_null(mkdtemp(f->dir));
	f->config = (struct idx_config){ .dir = mem_printf("%s/index", f->dir) };
	reopen(f, true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	idx_close(&f->i);
	nftw(f->dir, rm_one, 10, FTW_DEPTH | FTW_PHYS);
	free((char *)(uintptr_t)f->config.dir);
	free(f);
	return 0;
}

static struct idx_txn *begin_write(struct fix *f)
{
	struct idx_txn *x;
	struct errtext t;

	if (idx_write(f->i, &x, &t))
		fail_msg("%s", t.text);
	return x;
}

static struct idx_txn *begin_read(struct fix *f)
{
	struct idx_txn *x;

	OK(idx_read(f->i, &x, NULL));
	return x;
}

static uint32_t make_box(struct idx_txn *x, const char *name)
{
	struct idx_box b = { .name = span_str(name), .uidvalidity = 7, .uidnext = 1 };

	OK(idx_box_create(x, &b));
	return b.id;
}

static void put(struct idx_txn *x, uint32_t box, uint32_t uid, uint8_t flags)
{
	char key[40];
	struct idx_msg m = {
		.uid = uid, .flags = { flags, uid % 7 }, .modseq = 5, .size = 100, .vsize = uid
	};
	int n = snprintf(key, sizeof(key), "key-%u.M1P2.host,S=100", uid);

	m.key = span_of(key, (size_t)n);
	m.hint = SPAN("c:2,S");
	m.emailid[3] = (uint8_t)uid;
	OK(idx_msg_put(x, box, &m));
}

static void check_counts(struct idx_txn *x, uint32_t id, uint32_t messages, uint32_t unseen,
			 uint32_t deleted)
{
	struct idx_box b;

	OK(idx_box_get(x, id, &b));
	assert_int_equal(b.messages, messages);
	assert_int_equal(b.unseen, unseen);
	assert_int_equal(b.deleted, deleted);
}

/* --- mailboxes ---------------------------------------------------------------------- */

static void boxes(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	struct idx_box b = { .name = SPAN("1INBOX"),
			     .uidvalidity = 9,
			     .uidnext = 3,
			     .highestmodseq = 40,
			     .recent_from = 2,
			     .flags = 6,
			     .guid = { 1, 2 },
			     .token = SPAN("t\0k"),
			     .keywords = SPAN("a\0\0b\0"),
			     .messages = 99 };
	struct idx_box g, again = b;

	OK(idx_box_create(x, &b));
	assert_int_equal(b.messages, 0);
	assert_int_equal(b.log_floor, 40);
	assert_int_equal(idx_box_create(x, &again), ERR_EXISTS);
	OK(idx_commit(&x, NULL));
	reopen(f, false);
	x = begin_read(f);
	assert_int_equal(idx_box_find(x, SPAN("1inbox"), &g), ERR_NOTFOUND);
	assert_int_equal(idx_box_find(x, SPAN(""), &g), ERR_NOTFOUND);
	OK(idx_box_find(x, SPAN("1INBOX"), &g));
	assert_int_equal(g.id, b.id);
	assert_int_equal(g.uidvalidity, 9);
	assert_int_equal(g.uidnext, 3);
	assert_int_equal(g.highestmodseq, 40);
	assert_int_equal(g.recent_from, 2);
	assert_int_equal(g.flags, 6);
	assert_memory_equal(g.guid, b.guid, 16);
	assert_true(span_eq(g.token, SPAN("t\0k")));
	assert_true(span_eq(g.keywords, SPAN("a\0\0b\0")));
	assert_int_equal(idx_box_get(x, 0, &g), ERR_NOTFOUND);
	assert_int_equal(idx_box_get(x, 77, &g), ERR_NOTFOUND);
	idx_abort(&x);
}

static void box_put_keeps(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a");
	struct idx_box b, stale;
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	uint64_t modseq;
	bool complete;

	OK(idx_box_get(x, id, &stale));
	put(x, id, 5, 0);
	OK(idx_box_get(x, id, &b));
	OK(idx_change(x, &b, NULL, NULL, &modseq));
	stale.uidnext = 6;
	stale.token = SPAN("new token");
	OK(idx_box_put(x, &stale));
	OK(idx_box_get(x, id, &b));
	assert_int_equal(b.messages, 1);
	assert_int_equal(b.vsize, 5);
	assert_int_equal(b.highestmodseq, modseq);
	assert_int_equal(b.uidnext, 6);
	b.uidnext = 8;
	OK(idx_box_put(x, &b)); /* its strings are the transaction's own */
	OK(idx_box_get(x, id, &b));
	assert_true(span_eq_str(b.token, "new token"));
	assert_true(span_eq_str(b.name, "1a"));

	b.highestmodseq = 1000; /* a floor: the log starts afresh */
	OK(idx_box_put(x, &b));
	OK(idx_change(x, &b, NULL, NULL, &modseq));
	assert_int_equal(modseq, 1001);
	OK(idx_changes(x, &b, 2, &changed, &vanished, &complete));
	assert_false(complete);
	OK(idx_changes(x, &b, 1000, &changed, &vanished, &complete));
	assert_true(complete);
	b.keywords = SPAN("not ended");
	assert_int_equal(idx_box_put(x, &b), ERR_LIMIT);
	OK(idx_commit(&x, NULL));
}

static void names(void **state)
{
	static const char *const want[] = { "1A", "1Z", "2B", "2C/D" };
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t c = make_box(x, "1C");
	struct idx_box b;
	struct span after = SPAN("");
	char long_name[501];

	make_box(x, "2B");
	make_box(x, "1A");
	make_box(x, "2C/D");
	assert_int_equal(idx_box_rename(x, c, SPAN("2B")), ERR_EXISTS);
	OK(idx_box_rename(x, c, SPAN("1C")));
	OK(idx_box_rename(x, c, SPAN("1Z")));
	assert_int_equal(idx_box_find(x, SPAN("1C"), &b), ERR_NOTFOUND);
	OK(idx_box_find(x, SPAN("1Z"), &b));
	assert_int_equal(b.id, c);
	OK(idx_commit(&x, NULL));
	x = begin_read(f);
	for (size_t n = 0; n < 4; n++) {
		OK(idx_box_next(x, after, &b));
		assert_true(span_eq_str(b.name, want[n]));
		after = b.name;
	}
	assert_int_equal(idx_box_next(x, after, &b), ERR_NOTFOUND);
	OK(idx_box_next(x, SPAN("1B"), &b));
	assert_int_equal(b.id, c);
	idx_abort(&x);
	x = begin_write(f);
	memset(long_name, 'x', sizeof(long_name));
	b = (struct idx_box){ .name = span_of(long_name, 501) };
	assert_int_equal(idx_box_create(x, &b), ERR_LIMIT);
	b.name.n = 500;
	OK(idx_box_create(x, &b));
	OK(idx_commit(&x, NULL));
}

/* --- messages ------------------------------------------------------------------------ */

static void messages(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a"), uid;
	struct idx_msg m;
	struct idx_box b;

	put(x, id, 10, MAIL_SEEN);
	put(x, id, 2000, MAIL_DELETED | MAIL_RECENT);
	put(x, id, UINT32_MAX, MAIL_FLAGGED | MAIL_DRAFT | MAIL_ANSWERED);
	check_counts(x, id, 3, 2, 1);
	OK(idx_commit(&x, NULL));
	reopen(f, false);
	x = begin_write(f);
	OK(idx_msg_get(x, id, 2000, &m));
	assert_int_equal(m.uid, 2000);
	assert_int_equal(m.flags.system, MAIL_DELETED);
	assert_int_equal(m.flags.keywords, 2000 % 7);
	assert_true(span_eq_str(m.key, "key-2000.M1P2.host,S=100"));
	assert_true(span_eq_str(m.hint, "c:2,S"));
	assert_int_equal(m.vsize, 2000);
	m.flags.system = MAIL_SEEN;
	m.vsize = UINT64_MAX;
	OK(idx_msg_put(x, id, &m)); /* its spans lie in the map */
	OK(idx_msg_get(x, id, 2000, &m));
	assert_true(span_eq_str(m.key, "key-2000.M1P2.host,S=100"));
	check_counts(x, id, 3, 1, 0);
	OK(idx_box_get(x, id, &b));
	assert_int_equal(b.vsize, 10 + (uint64_t)UINT32_MAX);
	assert_int_equal(b.unsized, 1);
	assert_int_equal(idx_msg_get(x, id, 11, &m), ERR_NOTFOUND);
	assert_int_equal(idx_msg_remove(x, id, 11), ERR_NOTFOUND);
	OK(idx_first_unseen(x, id, &uid));
	assert_int_equal(uid, UINT32_MAX);
	OK(idx_msg_remove(x, id, UINT32_MAX));
	assert_int_equal(idx_msg_get(x, id, UINT32_MAX, &m), ERR_NOTFOUND);
	OK(idx_first_unseen(x, id, &uid));
	assert_int_equal(uid, 0);
	check_counts(x, id, 2, 0, 0);
	OK(idx_commit(&x, NULL));
	x = begin_read(f);
	check_counts(x, id, 2, 0, 0);
	idx_abort(&x);
}

static void message_limits(void **state)
{
	static char big[2000];
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a");
	struct idx_msg m = { .uid = 1 };

	assert_int_equal(idx_msg_put(x, id, &m), ERR_LIMIT); /* no key */
	m.key = span_of(big, 256);
	assert_int_equal(idx_msg_put(x, id, &m), ERR_LIMIT);
	m.key.n = 255;
	m.hint = span_of(big, 1025);
	assert_int_equal(idx_msg_put(x, id, &m), ERR_LIMIT);
	m.hint.n = 1024;
	m.uid = 0;
	assert_int_equal(idx_msg_put(x, id, &m), ERR_LIMIT);
	m.uid = 1;
	OK(idx_msg_put(x, id, &m));
	assert_int_equal(idx_msg_put(x, id + 40, &m), ERR_NOTFOUND);
	OK(idx_commit(&x, NULL));
	x = begin_read(f);
	OK(idx_msg_get(x, id, 1, &m));
	assert_int_equal(m.key.n, 255);
	assert_int_equal(m.hint.n, 1024);
	idx_abort(&x);
}

static void uids(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a"), other = make_box(x, "1b");
	struct set want = SET_EMPTY, seen = SET_EMPTY, got = SET_EMPTY;
	uint32_t uid = 1;

	srand(5);
	for (int n = 0; n < 6000; n++) {
		uint8_t flags = rand() % 3 ? MAIL_SEEN : 0;

		put(x, id, uid, flags);
		put(x, other, uid / 3 + 1, 0);
		set_add(&want, uid);
		if (flags)
			set_add(&seen, uid);
		uid += rand() % 40 ? 1 : (uint32_t)(rand() % 3000);
	}
	for (int pass = 0; pass < 2; pass++) { /* kept back, then committed */
		OK(idx_uids(x, id, &got));
		assert_int_equal(got.n, want.n);
		assert_memory_equal(got.r, want.r, want.n * sizeof(*want.r));
		OK(idx_uids_flagged(x, id, MAIL_SEEN, true, &got));
		assert_int_equal(got.n, seen.n);
		assert_memory_equal(got.r, seen.r, seen.n * sizeof(*seen.r));
		OK(idx_uids_flagged(x, id, MAIL_SEEN, false, &got));
		assert_int_equal(set_count(&got), set_count(&want) - set_count(&seen));
		set_intersect(&got, &seen);
		assert_int_equal(got.n, 0);
		OK(idx_uids_flagged(x, id, MAIL_DRAFT, true, &got));
		assert_int_equal(got.n, 0);
		if (pass == 0) {
			OK(idx_commit(&x, NULL));
			x = begin_read(f);
		}
	}
	idx_abort(&x);
	set_free(&want);
	set_free(&seen);
	set_free(&got);
}

static void put_cache(struct idx_txn *x, uint32_t box, uint32_t uid, enum idx_field field,
		      const char *s)
{
	struct idx_cache c = { 0 };

	c.field[field] = span_str(s);
	OK(idx_cache_put(x, box, uid, &c, true));
}

static void walk(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a");
	struct idx_cache c;
	struct idx_walk *w;
	struct idx_msg m = { .uid = 0 };
	struct span raw;
	enum err e;
	unsigned n = 0;

	for (uint32_t uid = 3; uid <= 9000; uid += 3) {
		put(x, id, uid, 0);
		if (uid % 2)
			put_cache(x, id, uid, IDX_ENVELOPE, "(env)");
	}
	OK(idx_commit(&x, NULL));
	x = begin_read(f);
	OK(idx_walk_begin(x, id, true, &w));
	while (!(e = idx_walk_to(w, m.uid + 1, &m, &raw))) {
		n++;
		assert_int_equal(m.uid, n * 3);
		e = idx_cache_decode(raw, 1u << IDX_ENVELOPE, &c);
		assert_int_equal(e, m.uid % 2 ? ERR_OK : ERR_NOTFOUND);
		if (!e)
			assert_true(span_eq_str(c.field[IDX_ENVELOPE], "(env)"));
	}
	assert_int_equal(e, ERR_NOTFOUND);
	assert_int_equal(n, 3000);
	OK(idx_walk_to(w, 4999, &m, NULL));
	assert_int_equal(m.uid, 5001);
	OK(idx_walk_to(w, 0, &m, NULL));
	assert_int_equal(m.uid, 3);
	idx_walk_end(&w);
	idx_abort(&x);
	x = begin_write(f); /* walking while removing and changing */
	OK(idx_walk_begin(x, id, false, &w));
	for (m.uid = 0, n = 0; !(e = idx_walk_to(w, m.uid + 1, &m, NULL)); n++) {
		if (m.uid % 2) {
			OK(idx_msg_remove(x, id, m.uid));
		} else {
			uint32_t uid = m.uid;

			m.flags.system ^= MAIL_SEEN;
			OK(idx_msg_put(x, id, &m));
			m.uid = uid;
		}
	}
	assert_int_equal(n, 3000);
	idx_walk_end(&w);
	check_counts(x, id, 1500, 0, 0);
	OK(idx_commit(&x, NULL));
	x = begin_read(f);
	assert_int_equal(idx_cache_get(x, id, 3, &c), ERR_NOTFOUND);
	assert_int_equal(idx_walk_begin(x, 99, false, &w), ERR_NOTFOUND);
	idx_abort(&x);
}

/* --- changes ---------------------------------------------------------------------------- */

static void changes(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a");
	struct set s = SET_EMPTY, v = SET_EMPTY, changed = SET_EMPTY, vanished = SET_EMPTY;
	struct idx_box b;
	uint64_t modseq;
	bool complete;

	OK(idx_box_get(x, id, &b));
	assert_int_equal(b.highestmodseq, 1);
	for (uint32_t n = 1; n <= 20; n++) {
		set_clear(&s);
		set_clear(&v);
		set_add_range(&s, n * 10, n * 10 + 4);
		set_add(&s, UINT32_MAX - n * 2);
		if (n > 1)
			set_add(&v, n * 10 - 10);
		OK(idx_change(x, &b, &s, n > 1 ? &v : NULL, &modseq));
		assert_int_equal(modseq, 1 + n);
		assert_int_equal(b.highestmodseq, modseq);
	}
	OK(idx_commit(&x, NULL));
	x = begin_write(f);
	OK(idx_box_get(x, id, &b));
	assert_int_equal(b.highestmodseq, 21);
	OK(idx_changes(x, &b, 19, &changed, &vanished, &complete));
	assert_true(complete);
	assert_int_equal(set_count(&vanished), 2);
	assert_true(set_has(&vanished, 190) && set_has(&vanished, 180));
	assert_int_equal(set_count(&changed), 2 * 6 - 1); /* 190 came and went */
	assert_true(set_has(&changed, UINT32_MAX - 40) && set_has(&changed, 204));
	OK(idx_changes(x, &b, 21, &changed, &vanished, &complete));
	assert_true(complete);
	assert_int_equal(changed.n + vanished.n, 0);
	OK(idx_changes(x, &b, 22, &changed, &vanished, &complete)); /* from the future */
	assert_false(complete);
	OK(idx_changes_trim(x, &b, 100));
	assert_int_equal(b.log_floor, 1);
	OK(idx_changes_trim(x, &b, 5));
	assert_int_equal(b.log_floor, 16);
	OK(idx_commit(&x, NULL));
	x = begin_read(f);
	OK(idx_box_get(x, id, &b));
	assert_int_equal(b.log_floor, 16);
	OK(idx_changes(x, &b, 15, &changed, &vanished, &complete));
	assert_false(complete);
	OK(idx_changes(x, &b, 16, &changed, &vanished, &complete));
	assert_true(complete);
	assert_int_equal(set_count(&vanished), 5);
	idx_abort(&x);
	set_free(&s);
	set_free(&v);
	set_free(&changed);
	set_free(&vanished);
}

/* --- cache --------------------------------------------------------------------------------- */

static void cache(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a");
	struct idx_cache c = { .field[IDX_PARTS] = SPAN("parts"), .field[IDX_PREVIEW] = { "", 0 } };
	struct idx_cache g;
	char *big = mem_alloc(17 << 20);

	assert_int_equal(idx_cache_put(x, id, 4, &c, false), ERR_NOTFOUND);
	put(x, id, 4, 0);
	OK(idx_cache_put(x, id, 4, &c, false));
	put_cache(x, id, 4, IDX_ENVELOPE, "(\"x\")");
	OK(idx_commit(&x, NULL));
	x = begin_write(f);
	OK(idx_cache_get(x, id, 4, &g));
	assert_true(span_eq_str(g.field[IDX_PARTS], "parts"));
	assert_true(span_eq_str(g.field[IDX_ENVELOPE], "(\"x\")"));
	assert_non_null(g.field[IDX_PREVIEW].p);
	assert_int_equal(g.field[IDX_PREVIEW].n, 0);
	assert_null(g.field[IDX_BODY].p);
	g = (struct idx_cache){ .field[IDX_HEADERS] = span_of(big, 3 << 20) };
	OK(idx_cache_put(x, id, 4, &g, true));
	g.field[IDX_HEADERS].n = 17 << 20;
	assert_int_equal(idx_cache_put(x, id, 4, &g, false), ERR_LIMIT);
	OK(idx_cache_get(x, id, 4, &g));
	assert_int_equal(g.field[IDX_HEADERS].n, 3 << 20);
	assert_true(span_eq_str(g.field[IDX_PARTS], "parts"));
	OK(idx_cache_put(x, id, 4, &c, false));
	OK(idx_cache_get(x, id, 4, &g));
	assert_null(g.field[IDX_ENVELOPE].p);
	OK(idx_commit(&x, NULL));
	free(big);
}

/* --- to-do ----------------------------------------------------------------------------------- */

static uint64_t add_todo(struct idx_txn *x, uint32_t box, enum idx_todo_kind kind, uint32_t uid)
{
	struct idx_todo t = { .box = box,
			      .kind = kind,
			      .uid = uid,
			      .key = SPAN("k"),
			      .hint = SPAN("h:2,"),
			      .flags = { MAIL_SEEN, 3 } };

	OK(idx_todo_add(x, &t));
	return t.seq;
}

static void todo(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t a = make_box(x, "1a"), b = make_box(x, "1b");
	uint64_t s1 = add_todo(x, b, IDX_TODO_FLAGS, 5), s2 = add_todo(x, a, IDX_TODO_EXPUNGE, 6);
	uint64_t s3 = add_todo(x, b, IDX_TODO_EXPUNGE, 7);
	const uint64_t order[] = { s1, s2, s3 };
	struct idx_todo t = { .seq = 0 };

	OK(idx_commit(&x, NULL));
	reopen(f, false);
	x = begin_write(f);
	for (size_t n = 0; n < 3; n++) {
		OK(idx_todo_next(x, 0, t.seq, &t));
		assert_int_equal(t.seq, order[n]);
	}
	assert_int_equal(t.box, b);
	assert_int_equal(t.kind, IDX_TODO_EXPUNGE);
	assert_int_equal(t.uid, 7);
	assert_true(span_eq_str(t.key, "k") && span_eq_str(t.hint, "h:2,"));
	assert_int_equal(t.flags.keywords, 3);
	assert_int_equal(idx_todo_next(x, 0, t.seq, &t), ERR_NOTFOUND);
	OK(idx_todo_next(x, b, s1, &t));
	assert_int_equal(t.seq, s3);
	OK(idx_todo_done(x, b, s1));
	OK(idx_todo_done(x, b, s1));
	OK(idx_todo_next(x, b, 0, &t));
	assert_int_equal(t.seq, s3);
	OK(idx_todo_done(x, b, s3));
	assert_int_equal(idx_todo_next(x, b, 0, &t), ERR_NOTFOUND);
	OK(idx_box_remove(x, a));
	assert_int_equal(idx_todo_next(x, 0, 0, &t), ERR_NOTFOUND);
	OK(idx_commit(&x, NULL));
}

/* --- removal --- */

static void fill(struct idx_txn *x, uint32_t id, uint32_t n)
{
	for (uint32_t uid = 1; uid <= n; uid++) {
		put(x, id, uid, 0);
		put_cache(x, id, uid, IDX_ENVELOPE, "(something to remove)");
	}
}

static void removal(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	uint32_t id = make_box(x, "1a"), keep = make_box(x, "1b");
	struct set got = SET_EMPTY;
	struct idx_box b;
	struct idx_msg m;
	uint64_t modseq;
	bool complete;

	fill(x, id, 8000);
	fill(x, keep, 1500);
	OK(idx_commit(&x, NULL));
	x = begin_write(f); /* empty: more than is removed at once */
	OK(idx_box_get(x, id, &b));
	OK(idx_change(x, &b, NULL, NULL, &modseq));
	put(x, id, 4, MAIL_SEEN);
	OK(idx_box_empty(x, id));
	check_counts(x, id, 0, 0, 0);
	OK(idx_uids(x, id, &got));
	assert_int_equal(got.n, 0);
	assert_int_equal(idx_msg_get(x, id, 4, &m), ERR_NOTFOUND);
	OK(idx_changes(x, &b, modseq - 1, &got, &got, &complete));
	assert_false(complete);
	put(x, id, 4, MAIL_SEEN);
	OK(idx_commit(&x, NULL));
	for (int n = 0; n < 30; n++) { /* the rest goes with other commits */
		x = begin_write(f);
		OK(idx_box_get(x, id, &b));
		assert_int_equal(b.highestmodseq, modseq + (uint64_t)n);
		OK(idx_change(x, &b, NULL, NULL, &(uint64_t){ 0 }));
		OK(idx_commit(&x, NULL));
	}
	idx_check_readers(f->i);
	x = begin_write(f);
	check_counts(x, id, 1, 0, 0);
	check_counts(x, keep, 1500, 1500, 0);
	OK(idx_box_remove(x, keep));
	assert_int_equal(idx_box_get(x, keep, &b), ERR_NOTFOUND);
	assert_int_equal(idx_msg_get(x, keep, 3, &m), ERR_NOTFOUND);
	assert_int_equal(idx_box_find(x, SPAN("1b"), &b), ERR_NOTFOUND);
	make_box(x, "1b");
	OK(idx_commit(&x, NULL));
	x = begin_write(f); /* made and removed in one */
	OK(idx_box_remove(x, make_box(x, "1c")));
	OK(idx_commit(&x, NULL));
	idx_check_readers(f->i);
	x = begin_read(f);
	OK(idx_uids(x, id, &got));
	assert_int_equal(set_count(&got), 1);
	idx_abort(&x);
	set_free(&got);
}

/* --- the size of the cache */

enum { CACHED = 400 };

/* Caches a kilobyte of each. */
static void cache_all(struct idx_txn *x, uint32_t box, uint32_t from, uint32_t to)
{
	static char text[1000];
	struct idx_cache c = { .field[IDX_ENVELOPE] = span_of(text, sizeof(text)) };

	for (uint32_t uid = from; uid <= to; uid++)
		OK(idx_cache_put(x, box, uid, &c, true));
}

static unsigned cached(struct idx_txn *x, uint32_t box, uint32_t from, uint32_t to)
{
	struct idx_cache c;
	unsigned n = 0;

	for (uint32_t uid = from; uid <= to; uid++)
		n += idx_cache_get(x, box, uid, &c) == ERR_OK;
	return n;
}

/* New messages displace old ones, of another mailbox where their own has none; never the reverse. */
static void cache_bounded(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x;
	uint32_t a, b;
	unsigned most;

	idx_close(&f->i);
	f->config.cache_max = 256 << 10;
	reopen(f, false);
	x = begin_write(f);
	a = make_box(x, "1a");
	b = make_box(x, "1b");
	for (uint32_t uid = 1; uid <= CACHED; uid++) {
		put(x, a, uid, 0);
		put(x, b, uid, 0);
	}
	cache_all(x, a, 1, CACHED);
	assert_true(kv_size(x, REC_CACHE) <= (256 << 10) + 8192);
	most = cached(x, a, 1, CACHED);
	assert_in_range(most, 100, 260); /* two or three fit in a page */
	assert_int_equal(cached(x, a, CACHED - most + 1, CACHED), most);
	cache_all(x, a, 1, 10);
	assert_int_equal(cached(x, a, 1, 10), 0);
	assert_int_equal(cached(x, a, 1, CACHED), most);
	cache_all(x, b, 1, CACHED); /* the first finds a place at a's cost; then b keeps to what it has */
	assert_int_equal(cached(x, b, CACHED, CACHED), 1);
	assert_int_equal(cached(x, a, CACHED, CACHED), 1);
	assert_true(kv_size(x, REC_CACHE) <= (256 << 10) + 8192);
	OK(idx_commit(&x, NULL));
}

/* --- growth, two processes, life cycle
 * -------------------------------------------------------------- */

struct job {
	uint32_t runs, n;
};

static enum err big_update(struct idx_txn *x, void *arg, struct errtext *t)
{
	static char text[3000];
	struct idx_cache c = { .field[IDX_HEADERS] = span_of(text, sizeof(text)) };
	struct job *job = arg;
	struct idx_box b;
	enum err e = idx_box_find(x, SPAN("1a"), &b);

	job->runs++;
	if (e == ERR_NOTFOUND) {
		b = (struct idx_box){ .name = SPAN("1a") };
		e = idx_box_create(x, &b);
	}
	for (uint32_t uid = 1; !e && uid <= job->n; uid++) {
		struct idx_msg m = { .uid = uid, .key = SPAN("k") };

		e = idx_msg_put(x, b.id, &m);
		if (!e)
			e = idx_cache_put(x, b.id, uid, &c, false);
	}
	return e;
}

static void growth(void **state)
{
	struct fix *f = *state;
	struct job job = { .n = 1000 };
	struct idx_txn *x;
	struct idx_box b;

	idx_close(&f->i);
	f->config.map_start = 64 << 10;
	reopen(f, false);
	OK(idx_update(f->i, big_update, &job, NULL));
	assert_true(job.runs > 4);
	x = begin_read(f);
	OK(idx_box_find(x, SPAN("1a"), &b));
	check_counts(x, b.id, 1000, 1000, 0);
	idx_abort(&x);
	f->config.map_max = 6 << 20; /* the end: an error, and the index goes on as it was */
	reopen(f, false);
	job.n = 4000;
	assert_int_equal(idx_update(f->i, big_update, &job, NULL), ERR_LIMIT);
	x = begin_read(f);
	check_counts(x, b.id, 1000, 1000, 0);
	idx_abort(&x);
	x = begin_write(f);
	OK(idx_msg_remove(x, b.id, 3));
	OK(idx_commit(&x, NULL));
}

/* A failure inside a write sticks, even when the caller overlooks it. */
static void sticky(void **state)
{
	struct fix *f = *state;
	struct job job = { .n = 1000 };
	struct idx_txn *x;

	f->config.map_start = 64 << 10;
	OK(idx_destroy(f->i, NULL));
	reopen(f, true);
	x = begin_write(f);
	assert_int_equal(big_update(x, &job, NULL), ERR_LIMIT);
	assert_int_equal(idx_commit(&x, NULL), ERR_LIMIT);
	assert_null(x);
	assert_true(idx_write_retry(f->i));
	assert_false(idx_write_retry(f->i));
}

static void grow_it(struct fix *f)
{
	struct job job = { .n = 2000 };
	struct idx *i;
	bool rebuilt;

	if (idx_open(&f->config, &i, &rebuilt, NULL) || rebuilt ||
	    idx_update(i, big_update, &job, NULL))
		_exit(1);
	idx_close(&i);
}

/* Another process, which does its work when it is told to. */
struct other {
	pid_t pid;
	int go[2], done[2];
};

/* A child must not inherit an open environment: this one is closed for the fork, and then has one mailbox more. */
static void other_begin(struct other *o, struct fix *f, void (*work)(struct fix *f))
{
	struct idx_txn *x;
	char c;

	idx_close(&f->i);
	assert_int_equal(pipe(o->go) | pipe(o->done), 0);
	o->pid = fork();
	if (o->pid == 0) {
		if (read(o->go[0], &c, 1) != 1)
			_exit(2);
		work(f);
		_exit(write(o->done[1], "x", 1) == 1 ? 0 : 3);
	}
	reopen(f, false);
	x = begin_write(f);
	make_box(x, "1z");
	OK(idx_commit(&x, NULL));
}

static void other_works(struct other *o)
{
	char c;

	assert_int_equal(write(o->go[1], "x", 1), 1);
	assert_int_equal(read(o->done[0], &c, 1), 1);
}

static void other_end(struct other *o)
{
	int status;

	waitpid(o->pid, &status, 0);
	assert_int_equal(status, 0);
	for (int i = 0; i < 2; i++) {
		close(o->go[i]);
		close(o->done[i]);
	}
}

static void grown_elsewhere(void **state)
{
	struct fix *f = *state;
	struct other o;
	struct idx_txn *x;
	struct idx_box b;

	f->config.map_start = 64 << 10;
	other_begin(&o, f, grow_it);
	other_works(&o);
	x = begin_read(f); /* MDB_MAP_RESIZED inside */
	OK(idx_box_find(x, SPAN("1a"), &b));
	check_counts(x, b.id, 2000, 2000, 0);
	idx_abort(&x);
	other_end(&o);
}

static void destroy_it(struct fix *f)
{
	struct idx *i;
	bool rebuilt;

	if (idx_open(&f->config, &i, &rebuilt, NULL) || rebuilt || idx_destroy(i, NULL))
		_exit(1);
	idx_close(&i);
	if (idx_open(&f->config, &i, &rebuilt, NULL) || !rebuilt)
		_exit(2);
	idx_close(&i);
}

static void destroyed_elsewhere(void **state)
{
	struct fix *f = *state;
	struct other o;
	struct idx_txn *x;

	other_begin(&o, f, destroy_it);
	other_works(&o);
	assert_int_equal(idx_read(f->i, &x, NULL), ERR_CORRUPT);
	assert_int_equal(idx_write(f->i, &x, NULL), ERR_CORRUPT);
	OK(idx_destroy(f->i, NULL)); /* harmless to the new one */
	idx_close(&f->i);
	other_end(&o);
	reopen(f, false);
}

static void destroy(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x = begin_write(f);
	struct idx_box b;

	make_box(x, "1a");
	OK(idx_commit(&x, NULL));
	OK(idx_sync(f->i));
	OK(idx_destroy(f->i, NULL));
	assert_int_equal(idx_read(f->i, &x, NULL), ERR_CORRUPT);
	assert_int_equal(idx_sync(f->i), ERR_CORRUPT);
	idx_check_readers(f->i);
	reopen(f, true);
	x = begin_read(f);
	assert_int_equal(idx_box_find(x, SPAN("1a"), &b), ERR_NOTFOUND);
	assert_int_equal(idx_box_next(x, SPAN(""), &b), ERR_NOTFOUND);
	idx_abort(&x);
	reopen(f, false);
}

/* rm -rf while it is open. */
static void directory_gone(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x;

	nftw(f->config.dir, rm_one, 10, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(idx_write(f->i, &x, NULL), ERR_CORRUPT);
	OK(idx_destroy(f->i, NULL));
	reopen(f, true);
	x = begin_write(f);
	make_box(x, "1a");
	OK(idx_commit(&x, NULL));
	reopen(f, false);
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	for (struct dirent *e = readdir(d); e; e = readdir(d))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void memory(void **state)
{
	struct fix *f = *state;
	struct idx_config config = { .dir = f->dir, .memory = true };
	struct job job = { .n = 300 };
	struct idx *i;
	bool rebuilt;

	OK(idx_open(&config, &i, &rebuilt, NULL));
	assert_true(rebuilt);
	OK(idx_update(i, big_update, &job, NULL));
	assert_int_equal(entries(f->dir), 1); /* only "index" of the fixture */
	OK(idx_destroy(i, NULL));
	idx_close(&i);
	config.dir = "/nonexistent/dir";
	assert_int_equal(idx_open(&config, &i, &rebuilt, NULL), ERR_NOTFOUND);
	config.memory = false;
	assert_int_equal(idx_open(&config, &i, &rebuilt, NULL), ERR_NOTFOUND);
}

/* Two transactions at once: a reader keeps its view. */
static void views(void **state)
{
	struct fix *f = *state;
	struct idx_txn *w = begin_write(f), *r = begin_read(f), *r2;
	struct idx_box b;

	make_box(w, "1a");
	assert_int_equal(idx_box_find(r, SPAN("1a"), &b), ERR_NOTFOUND);
	OK(idx_commit(&w, NULL));
	assert_int_equal(idx_box_find(r, SPAN("1a"), &b), ERR_NOTFOUND);
	r2 = begin_read(f);
	OK(idx_box_find(r2, SPAN("1a"), &b));
	OK(idx_commit(&r, NULL));
	idx_abort(&r2);
	idx_abort(&r2);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(boxes),    T(box_put_keeps),   T(names),
		T(messages), T(message_limits),  T(uids),
		T(walk),     T(changes),         T(cache),
		T(todo),     T(removal),         T(cache_bounded), T(growth),
		T(sticky),   T(grown_elsewhere), T(destroyed_elsewhere),
		T(destroy),  T(directory_gone),  T(memory),
		T(views),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
