/*
 * Killed writers: index_kill [SECONDS]. Three processes change one environment (add, flag, expunge,
 * owe, forget) and are killed with SIGKILL at random moments, then replaced. After each death, and
 * at the end, the parent's child opens the environment and verifies it: counters = bitmaps =
 * records = what the log tells, no acknowledged transaction missing, no hang. Writers acknowledge
 * through a pipe after idx_commit returned. Killed within a transaction twice in a row, an
 * environment may be set aside: then everything starts again, which is counted, and nothing is
 * expected of it but to be consistent.
 */
#include "config.h"

#include "index/index.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 3, UIDS = 3000 };

static struct idx_config config;

static void die(const char *what, enum err e)
{
	dprintf(STDERR_FILENO, "index_kill: %s: %s\n", what, err_name(e));
	_exit(1);
}

static void ok(enum err e, const char *what)
{
	if (e)
		die(what, e);
}

static struct idx *open_index(const char *what)
{
	struct errtext t;
	struct idx *i;
	bool rebuilt;

	if (idx_open(&config, &i, &rebuilt, &t)) {
		dprintf(STDERR_FILENO, "index_kill: %s: %s\n", what, t.text);
		_exit(1);
	}
	return i;
}

/* --- a writer -------------------------------------------------------------------------- */

struct step {
	unsigned seed;
	uint64_t modseq;
	uint32_t born; /* in the guid: tells environments apart */
};

/* The content of a record follows from uid and modseq, so that the verifier knows it. */
static struct idx_msg message(uint32_t uid, uint64_t modseq, char key[48])
{
	int n = snprintf(key, 48, "%u.%llu", uid, (unsigned long long)modseq);

	return (struct idx_msg){ .uid = uid,
				 .modseq = modseq,
				 .vsize = uid,
				 .size = uid,
				 .key = span_of(key, (size_t)n),
				 .flags = { (uint8_t)((uid ^ modseq) & MAIL_SYSTEM), modseq } };
}

static uint32_t born_of(const struct idx_box *b)
{
	uint32_t born;

	memcpy(&born, b->guid, sizeof(born));
	return born;
}

static enum err add_box(struct idx_txn *x, struct idx_box *b)
{
	enum err e = idx_box_find(x, SPAN("1INBOX"), b);

	if (e != ERR_NOTFOUND)
		return e;
	*b = (struct idx_box){ .name = SPAN("1INBOX") };
	memcpy(b->guid, &(uint64_t){ clock_us() }, 8);
	return idx_box_create(x, b);
}

static enum err touch_one(struct idx_txn *x, uint32_t box, uint32_t uid, uint64_t modseq,
			  bool remove)
{
	static char text[4000];
	struct idx_cache c = { .field[IDX_ENVELOPE] = span_of(text, uid % sizeof(text)) };
	char key[48];
	struct idx_msg m = message(uid, modseq, key);
	enum err e;

	if (remove) {
		e = idx_msg_remove(x, box, uid);
		return e == ERR_NOTFOUND ? ERR_OK : e;
	}
	e = idx_msg_put(x, box, &m);
	if (!e && uid % 3 == 0)
		e = idx_cache_put(x, box, uid, &c, true);
	return e;
}

static enum err work(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct step *s = arg;
	unsigned seed = s->seed;
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	struct idx_box b;
	struct idx_todo todo = { .kind = IDX_TODO_FLAGS, .key = SPAN("k") };
	bool remove = rand_r(&seed) % 4 == 0;
	uint32_t from = 1 + (uint32_t)rand_r(&seed) % UIDS, n = 1 + (uint32_t)rand_r(&seed) % 60;
	enum err e = add_box(x, &b);

	set_add_range(remove ? &vanished : &changed, from, from + n);
	if (!e)
		e = idx_change(x, &b, &changed, &vanished, &s->modseq);
	for (uint32_t uid = from; !e && uid <= from + n; uid++)
		e = touch_one(x, b.id, uid, s->modseq, remove);
	todo.box = b.id;
	if (!e)
		e = idx_todo_add(x, &todo);
	if (!e && rand_r(&seed) % 2 && !idx_todo_next(x, 0, 0, &todo))
		e = idx_todo_done(x, todo.box, todo.seq);
	if (!e && rand_r(&seed) % 16 == 0)
		e = idx_changes_trim(x, &b, 50);
	if (!e && rand_r(&seed) % 200 == 0)
		e = idx_box_empty(x, b.id);
	s->born = born_of(&b);
	set_free(&changed);
	set_free(&vanished);
	return e;
}

struct ack {
	uint64_t modseq;
	uint32_t born;
};

static _Noreturn void writer(int fd, unsigned seed)
{
	struct idx *i = open_index("open");

	for (;;) {
		struct step s = { .seed = seed++ };
		struct ack ack = { 0 };
		enum err e = idx_update(i, work, &s, NULL);

		if (e == ERR_CORRUPT) { /* set aside by a newcomer */
			idx_close(&i);
			i = open_index("open again");
			continue;
		}
		ok(e, "update");
		ack.modseq = s.modseq;
		ack.born = s.born;
		if (write(fd, &ack, sizeof(ack)) != sizeof(ack))
			_exit(0);
		if (rand_r(&seed) % 50 == 0) {
			idx_close(&i);
			i = open_index("open once more");
		}
	}
}

/* --- verifying ------------------------------------------------------------------------------ */

struct counts {
	uint32_t messages, unseen, deleted;
	uint64_t vsize;
};

static void count(struct counts *n, const struct idx_msg *m)
{
	n->messages++;
	n->unseen += !(m->flags.system & MAIL_SEEN);
	n->deleted += !!(m->flags.system & MAIL_DELETED);
	n->vsize += m->vsize;
}

static void verify_walk(struct idx_txn *x, const struct idx_box *b)
{
	struct counts n = { 0 };
	struct set uids = SET_EMPTY, walked = SET_EMPTY;
	struct idx_msg m = { .uid = 0 }, w;
	struct idx_walk *walk;
	struct span raw;
	char key[48];
	enum err e;

	ok(idx_uids(x, b->id, &uids), "uids");
	ok(idx_walk_begin(x, b->id, true, &walk), "walk");
	while (!(e = idx_walk_to(walk, m.uid + 1, &m, &raw))) {
		w = message(m.uid, m.modseq, key);
		if (!span_eq(m.key, w.key) || m.flags.system != w.flags.system ||
		    m.modseq > b->highestmodseq)
			die("message", ERR_CORRUPT);
		set_add(&walked, m.uid);
		count(&n, &m);
	}
	if (e != ERR_NOTFOUND)
		die("walk", e);
	idx_walk_end(&walk);
	if (uids.n != walked.n || (uids.n && memcmp(uids.r, walked.r, uids.n * sizeof(*uids.r))))
		die("uids against records", ERR_CORRUPT);
	if (n.messages != b->messages || n.unseen != b->unseen || n.deleted != b->deleted ||
	    n.vsize != b->vsize)
		die("counters", ERR_CORRUPT);
	set_free(&uids);
	set_free(&walked);
}

/* What vanished since the floor is not there unless it came again later; the log has no gap. */
static void verify_log(struct idx_txn *x, const struct idx_box *b)
{
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	bool complete = false;

	ok(idx_changes(x, b, b->log_floor, &changed, &vanished, &complete), "changes");
	if (!complete)
		die("changes", ERR_CORRUPT);
	set_free(&changed);
	set_free(&vanished);
}

static _Noreturn void verify(struct ack newest)
{
	struct idx_txn *x;
	struct idx_box b;
	struct idx *i = open_index("verify: open");
	enum err e;

	e = idx_read(i, &x, NULL);
	if (e == ERR_CORRUPT) /* set aside in between */
		_exit(2);
	ok(e, "verify: read");
	e = idx_box_find(x, SPAN("1INBOX"), &b);
	if (e == ERR_NOTFOUND)
		_exit(2);
	ok(e, "verify: mailbox");
	if (born_of(&b) == newest.born && b.highestmodseq < newest.modseq)
		die("an acknowledged transaction is missing", ERR_CORRUPT);
	verify_walk(x, &b);
	verify_log(x, &b);
	idx_abort(&x);
	idx_close(&i);
	_exit(born_of(&b) == newest.born ? 0 : 2);
}

/* --- the parent: opens nothing itself --- */

struct child {
	pid_t pid;
	int fd;
};

static struct child start(void)
{
	struct child c;
	int p[2];

	must(pipe2(p, O_CLOEXEC) == 0);
	c.pid = fork();
	if (c.pid == 0) {
		close(p[0]);
		writer(p[1], (unsigned)rand() ^ (unsigned)getpid());
	}
	close(p[1]);
	c.fd = p[0];
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	return c;
}

/* The newest acknowledgement; of an environment that came later, or of a greater modseq. */
static uint64_t hear(struct child *c, struct ack *newest)
{
	struct ack a;
	uint64_t n = 0;

	for (; read(c->fd, &a, sizeof(a)) == sizeof(a); n++)
		if (a.born != newest->born || a.modseq > newest->modseq)
			*newest = a;
	return n;
}

static bool check(struct ack newest, unsigned *fresh)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		verify(newest);
	}
	must(waitpid(pid, &status, 0) == pid);
	*fresh += WIFEXITED(status) && WEXITSTATUS(status) == 2;
	return WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2);
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	uint64_t end = clock_ms() + 1000 * (argc > 1 ? strtoul(argv[1], NULL, 10) : 10), acks = 0;
	char work_dir[] = "/tmp/index_kill.XXXXXX";
	struct child c[WRITERS];
	struct ack newest = { 0 };
	unsigned kills = 0, fresh = 0;
	bool good = true;

	must(mkdtemp(work_dir) != NULL);
	config = (struct idx_config){ .dir = mem_printf("%s/index", work_dir),
				      .map_start = 256 << 10 };
	srand((unsigned)getpid());
	for (size_t k = 0; k < WRITERS; k++)
		c[k] = start();
	while (good && clock_ms() < end) {
		size_t k = (size_t)rand() % WRITERS;
		int status;

		poll(NULL, 0, rand() % 40);
		for (size_t j = 0; j < WRITERS; j++)
			acks += hear(&c[j], &newest);
		kill(c[k].pid, SIGKILL);
		must(waitpid(c[k].pid, &status, 0) == c[k].pid);
		good = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		kills++;
		acks += hear(&c[k], &newest);
		close(c[k].fd);
		if (good && kills % 4 == 0)
			good = check(newest, &fresh);
		c[k] = start();
	}
	for (size_t k = 0; k < WRITERS; k++) {
		kill(c[k].pid, SIGKILL);
		waitpid(c[k].pid, NULL, 0);
		acks += hear(&c[k], &newest);
	}
	good = good && check(newest, &fresh);
	printf("%u kills, %llu transactions acknowledged, %u times anew: %s\n", kills,
	       (unsigned long long)acks, fresh, good ? "good" : "BAD");
	nftw(work_dir, rm_one, 10, FTW_DEPTH | FTW_PHYS);
	return !good;
}
