/*
 * What the index costs, on this machine: bench_index [DIRECTORY]. Prints a line a figure: the best
 * of five, and what it should be below. Not a test: it never fails.
 */
#include "config.h"

#include "index/index.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, MANY = 100000, SOME = 10000, CACHE = 900 };

static char text[CACHE];

struct bench {
	struct idx *i;
	uint32_t box;
	uint32_t n;
	uint8_t flags;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void check(enum err e)
{
	if (e) {
		fprintf(stderr, "bench_index: %s\n", err_name(e));
		exit(1);
	}
}

static void report(const char *what, double best, double goal, const char *unit)
{
	printf("%-58s %9.2f %s (goal: below %g)\n", what, best, unit, goal);
}

static enum err make_box(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct bench *b = arg;
	struct idx_box box = { .name = SPAN("1INBOX"), .uidvalidity = 1 };
	enum err e = idx_box_find(x, box.name, &box);

	if (!e)
		e = idx_box_remove(x, box.id);
	if (e && e != ERR_NOTFOUND)
		return e;
	e = idx_box_create(x, &box);
	b->box = box.id;
	return e;
}

static enum err add(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct bench *b = arg;
	struct idx_cache c = { .field[IDX_ENVELOPE] = span_of(text, CACHE / 2),
			       .field[IDX_BODYSTRUCTURE] = span_of(text, CACHE / 4),
			       .field[IDX_PARTS] = span_of(text, CACHE / 4) };
	struct set all = SET_EMPTY;
	struct idx_box box;
	char key[64];
	uint64_t modseq;
	enum err e = idx_box_get(x, b->box, &box);

	set_add_range(&all, 1, b->n);
	if (!e)
		e = idx_change(x, &box, &all, NULL, &modseq);
	for (uint32_t uid = 1; !e && uid <= b->n; uid++) {
		struct idx_msg m = { .uid = uid,
				     .modseq = modseq,
				     .size = 1000,
				     .vsize = 1020,
				     .hint = SPAN("c:2,") };
		int n = snprintf(key, sizeof(key), "1700000%u.M%uP12345.mail.example,S=1000,W=1020",
				 uid, uid * 7);

		m.key = span_of(key, (size_t)n);
		e = idx_msg_put(x, b->box, &m);
		if (!e)
			e = idx_cache_put(x, b->box, uid, &c, false);
	}
	set_free(&all);
	return e;
}

static enum err flag(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct bench *b = arg;
	struct set all = SET_EMPTY;
	struct idx_box box;
	struct idx_msg m;
	uint64_t modseq;
	enum err e = idx_box_get(x, b->box, &box);

	set_add_range(&all, 1, b->n);
	if (!e)
		e = idx_change(x, &box, &all, NULL, &modseq);
	for (uint32_t uid = 1; !e && uid <= b->n; uid++) {
		e = idx_msg_get(x, b->box, uid, &m);
		m.flags.system ^= b->flags;
		m.modseq = modseq;
		if (!e)
			e = idx_msg_put(x, b->box, &m);
	}
	set_free(&all);
	return e;
}

static double update(struct bench *b,
		     enum err (*fn)(struct idx_txn *x, void *arg, struct errtext *t))
{
	double start = now_us();

	check(idx_update(b->i, fn, b, NULL));
	return now_us() - start;
}

static double uids(struct bench *b)
{
	struct set s = SET_EMPTY;
	struct idx_txn *x;
	double start = now_us();

	check(idx_read(b->i, &x, NULL));
	check(idx_uids(x, b->box, &s));
	idx_abort(&x);
	start = now_us() - start;
	must(set_count(&s) == b->n);
	set_free(&s);
	return start;
}

static double walk(struct bench *b)
{
	struct idx_msg m = { .uid = 0 };
	struct idx_cache c;
	struct idx_walk *w;
	struct idx_txn *x;
	struct span raw;
	uint32_t n = 0;
	double start = now_us();

	check(idx_read(b->i, &x, NULL));
	check(idx_walk_begin(x, b->box, true, &w));
	for (; !idx_walk_to(w, m.uid + 1, &m, &raw); n++)
		check(idx_cache_decode(raw, IDX_ALL_FIELDS, &c));
	idx_walk_end(&w);
	idx_abort(&x);
	start = now_us() - start;
	must(n == b->n);
	return start / n;
}

static double scattered(struct bench *b)
{
	struct idx_msg m;
	struct idx_txn *x;
	uint32_t uid = 1, n = 20000;
	double start = now_us();

	check(idx_read(b->i, &x, NULL));
	for (uint32_t k = 0; k < n; k++) {
		uid = (uid * 69069u + 1) % b->n;
		check(idx_msg_get(x, b->box, uid + 1, &m));
	}
	idx_abort(&x);
	return (now_us() - start) / n;
}

/* In a program started for it, as LMDB's first allocations cost a used heap more. Told through
 * standard output. */
static int open_read_child(const struct idx_config *config)
{
	struct idx_box box;
	struct idx_txn *x;
	struct idx *i;
	bool rebuilt;
	double us, start = now_us();

	check(idx_open(config, &i, &rebuilt, NULL));
	check(idx_read(i, &x, NULL));
	check(idx_box_find(x, SPAN("1INBOX"), &box));
	idx_abort(&x);
	us = now_us() - start;
	idx_close(&i);
	return write(STDOUT_FILENO, &us, sizeof(us)) != sizeof(us);
}

static double open_read(const struct idx_config *config)
{
	double us = 0;
	int p[2];

	if (pipe(p))
		exit(1);
	if (fork() == 0) {
		dup2(p[1], STDOUT_FILENO);
		execl("/proc/self/exe", "bench_index", "--open", config->dir, (char *)NULL);
		_exit(1);
	}
	if (read(p[0], &us, sizeof(us)) != sizeof(us))
		exit(1);
	wait(NULL);
	close(p[0]);
	close(p[1]);
	return us;
}

#define BEST(var, expr)                                                                            \
	do {                                                                                       \
		for (int round_ = 0; round_ < ROUNDS; round_++) {                                  \
			double us_ = (expr);                                                       \
			if (round_ == 0 || us_ < (var))                                            \
				(var) = us_;                                                       \
		}                                                                                  \
	} while (0)

static double fresh_add(struct bench *b)
{
	check(idx_update(b->i, make_box, b, NULL));
	return update(b, add);
}

static void run(const struct idx_config *config)
{
	struct bench b = { .n = SOME, .flags = MAIL_SEEN };
	bool rebuilt;
	double best = 0;

	check(idx_open(config, &b.i, &rebuilt, NULL));
	BEST(best, fresh_add(&b));
	report("add 10,000 messages with cache", best / 1e3, 60, "ms");
	BEST(best, update(&b, flag));
	report("get, change flags of, put 10,000 messages", best / 1e3, 15, "ms");
	b.n = MANY;
	fresh_add(&b);
	BEST(best, uids(&b));
	report("all UIDs of 100,000 messages", best, 100, "us");
	BEST(best, walk(&b));
	report("walk over 100,000 messages and caches, each", best, 0.5, "us");
	BEST(best, scattered(&b));
	report("get a message of 100,000 at random", best, 2, "us");
	idx_close(&b.i);
	BEST(best, open_read(config));
	report("open and read a mailbox record, fresh process", best, 200, "us");
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	struct idx_config config = { 0 };
	char *dir;

	if (argc == 3 && strcmp(argv[1], "--open") == 0) {
		config.dir = argv[2];
		return open_read_child(&config);
	}
	dir = mem_printf("%s/bench_index.XXXXXX", argc > 1 ? argv[1] : "/tmp");
	if (!mkdtemp(dir))
		return 1;
	config.dir = dir;
	memset(text, 'e', sizeof(text));
	run(&config);
	nftw(dir, rm_one, 10, FTW_DEPTH | FTW_PHYS);
	free(dir);
	return 0;
}
