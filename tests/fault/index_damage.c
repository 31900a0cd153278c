/*
 * Damaged index files: index_damage [TRIALS [SEED]]. An environment with a known content is copied,
 * damaged (bits, bytes, pages zeroed, exchanged, or from an older copy of the same file,
 * truncation), opened and read whole in a child. The child must find exactly the known content, be
 * told ERR_CORRUPT (or that it was rebuilt), or be killed by a signal; in that case the second
 * child may die too, and the third must find a new environment. Wrong content fails the test.
 */
#include "config.h"

#include "index/index.h"

#include "base/mem.h"
#include "base/must.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UIDS = 6000, ROUNDS = 12, TODOS = 300, PAGE = 4096 };
enum { RIGHT = 0, TOLD = 10, UNKNOWN = 11, REBUILT = 12, WRONG = 20 };

struct model {
	uint32_t box;
	uint64_t start, modseq; /* highestmodseq when made, and now */
	uint64_t since;         /* a middle one, with what changed after it */
	struct set changed, vanished;
	struct mail_flags flags[UIDS + 1];
	uint64_t modseqs[UIDS + 1]; /* 0: no such message */
	uint32_t messages, unseen, todos;
};

static struct model model;
static char base_dir[64];
static char *data, *old_data; /* data.mdb now, and some rounds before */
static size_t data_n, old_n;
static char guard_file[PAGE];

/* --- the known content ----------------------------------------------------------------- */

static size_t cache_text(uint32_t uid, char *out)
{
	size_t n = 100 + uid % 700;

	for (size_t i = 0; i < n; i++)
		out[i] = (char)('a' + (uid + i * 7) % 26);
	return n;
}

static void must_ok(enum err e, const char *what)
{
	if (!e)
		return;
	fprintf(stderr, "index_damage: %s: %s\n", what, err_name(e));
	exit(1);
}

static struct idx_msg message(uint32_t uid, char key[32])
{
	int n = snprintf(key, 32, "%u.M%u.host", uid * 31, uid);

	return (struct idx_msg){ .uid = uid,
				 .flags = model.flags[uid],
				 .modseq = model.modseqs[uid],
				 .internaldate = uid * 3,
				 .savedate = uid * 4,
				 .size = uid * 5,
				 .vsize = uid * 6,
				 .emailid = { (uint8_t)uid, 9 },
				 .key = span_of(key, (size_t)n),
				 .hint = SPAN("c:2,") };
}

static void write_one(struct idx_txn *x, uint32_t uid, bool fresh)
{
	struct idx_cache c = { 0 };
	char key[32], text[1000];
	struct idx_msg m = message(uid, key);

	must_ok(idx_msg_put(x, model.box, &m), "put");
	if (!fresh)
		return;
	c.field[IDX_ENVELOPE] = span_of(text, cache_text(uid, text));
	must_ok(idx_cache_put(x, model.box, uid, &c, false), "cache");
}

/* One round: some arrive, some change, some go, some work is owed. */
static void round_in(struct idx_txn *x, unsigned round)
{
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	uint32_t from = round * (UIDS / ROUNDS) + 1, to = from + UIDS / ROUNDS;
	struct idx_box b;
	uint64_t modseq = model.modseq + 1;

	for (uint32_t uid = 1; uid < to; uid++) {
		bool fresh = uid >= from;

		if (fresh ? uid % 11 == 0 : !model.modseqs[uid] || (uid + round) % 5)
			continue;
		if (!fresh && uid % 7 == round % 7) {
			must_ok(idx_msg_remove(x, model.box, uid), "remove");
			model.modseqs[uid] = 0;
			set_add(&vanished, uid);
			continue;
		}
		model.modseqs[uid] = modseq;
		model.flags[uid] =
			(struct mail_flags){ (uint8_t)((uid * 3 + round * 7) % 32), uid * round };
		write_one(x, uid, fresh);
		set_add(&changed, uid);
	}
	must_ok(idx_box_get(x, model.box, &b), "box");
	must_ok(idx_change(x, &b, &changed, &vanished, &model.modseq), "change");
	must(model.modseq == modseq);
	if (round >= ROUNDS / 2) {
		set_add_set(&model.changed, &changed);
		set_add_set(&model.vanished, &vanished);
	} else {
		model.since = modseq;
	}
	set_free(&changed);
	set_free(&vanished);
}

static void owe(struct idx_txn *x, uint32_t uid)
{
	struct idx_todo t = {
		.box = model.box, .kind = IDX_TODO_FLAGS, .uid = uid, .key = SPAN("some key")
	};

	must_ok(idx_todo_add(x, &t), "todo");
	model.todos++;
}

static char *slurp(const char *name, size_t *n_r)
{
	char *path = mem_printf("%s/%s", base_dir, name), *p;
	struct stat st;
	int fd = open(path, O_RDONLY);

	must(fd >= 0 && fstat(fd, &st) == 0);
	p = mem_alloc((size_t)st.st_size);
	must(read(fd, p, (size_t)st.st_size) == st.st_size);
	close(fd);
	free(path);
	*n_r = (size_t)st.st_size;
	return p;
}

static void build(void)
{
	struct idx_config config = { .dir = base_dir };
	struct idx_box b = { .name = SPAN("1INBOX"),
			     .uidvalidity = 42,
			     .uidnext = UIDS + 1,
			     .highestmodseq = 1000,
			     .token = SPAN("the token"),
			     .keywords = SPAN("$Forwarded\0") };
	struct idx_txn *x;
	struct idx *i;
	char *guard;
	size_t n;
	bool rebuilt;

	must_ok(idx_open(&config, &i, &rebuilt, NULL), "open");
	for (unsigned round = 0; round < ROUNDS; round++) {
		must_ok(idx_write(i, &x, NULL), "write");
		if (round == 0) {
			must_ok(idx_box_create(x, &b), "create");
			model.box = b.id;
			model.modseq = model.start = b.highestmodseq;
		}
		round_in(x, round);
		for (uint32_t k = 0; k < TODOS / ROUNDS; k++)
			owe(x, round * 100 + k);
		must_ok(idx_commit(&x, NULL), "commit");
		if (round == ROUNDS - 4)
			old_data = slurp("data.mdb", &old_n);
	}
	idx_close(&i);
	set_remove_set(&model.changed, &model.vanished);
	for (uint32_t uid = 1; uid <= UIDS; uid++) {
		model.messages += model.modseqs[uid] > 0;
		model.unseen += model.modseqs[uid] > 0 && !(model.flags[uid].system & MAIL_SEEN);
	}
	data = slurp("data.mdb", &data_n);
	guard = slurp("guard", &n);
	must(n == PAGE);
	memcpy(guard_file, guard, PAGE);
	free(guard);
}

/* --- the child: everything is read ----------------------------------------------------------- */

static const char *at;

static _Noreturn void leave(int code)
{
	if (code == WRONG || code >= 30)
		dprintf(STDERR_FILENO, "exit %d: %s\n", code, at);
	_exit(code);
}

static void want(bool ok, const char *what)
{
	at = what;
	if (!ok)
		leave(WRONG);
}

/* Failures tell; anything else goes on. */
static void tell(enum err e)
{
	if (e)
		leave(e == ERR_CORRUPT ? TOLD : e == ERR_NOTFOUND ? UNKNOWN : 30 + (int)e);
}

static bool set_same(const struct set *a, const struct set *b)
{
	return a->n == b->n && (!a->n || memcmp(a->r, b->r, a->n * sizeof(*a->r)) == 0);
}

static void check_box(struct idx_txn *x, struct idx_box *b)
{
	tell(idx_box_find(x, SPAN("1INBOX"), b));
	want(b->id == model.box, "id");
	want(b->uidvalidity == 42 && b->uidnext == UIDS + 1, "uidvalidity, uidnext");
	want(b->highestmodseq == model.modseq && b->log_floor == model.start, "modseqs");
	want(b->messages == model.messages && b->unseen == model.unseen, "counters");
	want(span_eq_str(b->token, "the token") && span_eq(b->keywords, SPAN("$Forwarded\0")),
	     "strings");
}

static void check_map(struct idx_txn *x)
{
	struct set all = SET_EMPTY, got = SET_EMPTY;

	for (uint32_t uid = 1; uid <= UIDS; uid++)
		if (model.modseqs[uid])
			set_add(&all, uid);
	tell(idx_uids(x, model.box, &got));
	want(set_same(&all, &got), "uids");
	for (uint8_t flag = 1; flag < MAIL_RECENT; flag = (uint8_t)(flag << 1)) {
		set_clear(&all);
		for (uint32_t uid = 1; uid <= UIDS; uid++)
			if (model.modseqs[uid] && (model.flags[uid].system & flag))
				set_add(&all, uid);
		tell(idx_uids_flagged(x, model.box, flag, true, &got));
		want(set_same(&all, &got), "flagged");
	}
	set_free(&all);
	set_free(&got);
}

static void check_msg(const struct idx_msg *m)
{
	char key[32];
	struct idx_msg w = message(m->uid, key);

	want(m->flags.system == w.flags.system && m->flags.keywords == w.flags.keywords, "flags");
	want(m->modseq == w.modseq, "modseq");
	want(m->internaldate == w.internaldate && m->savedate == w.savedate, "dates");
	want(m->size == w.size && m->vsize == w.vsize, "sizes");
	want(memcmp(m->emailid, w.emailid, 16) == 0, "emailid");
	want(span_eq(m->key, w.key) && span_eq(m->hint, w.hint), "key");
}

static void check_walk(struct idx_txn *x)
{
	struct idx_msg m = { .uid = 0 };
	struct idx_cache c;
	struct idx_walk *w;
	struct span raw;
	char text[1000];
	uint32_t uid = 0;
	enum err e;

	tell(idx_walk_begin(x, model.box, true, &w));
	while (!(e = idx_walk_to(w, m.uid + 1, &m, &raw))) {
		do
			uid++;
		while (uid <= UIDS && !model.modseqs[uid]);
		want(m.uid == uid, "walk");
		check_msg(&m);
		if (!raw.n)
			continue;
		tell(idx_cache_decode(raw, IDX_ALL_FIELDS, &c));
		want(span_eq(c.field[IDX_ENVELOPE], span_of(text, cache_text(uid, text))), "cache");
	}
	if (e != ERR_NOTFOUND)
		tell(e);
	for (uid++; uid <= UIDS; uid++)
		want(!model.modseqs[uid], "walk ended early");
}

static void check_changes(struct idx_txn *x, const struct idx_box *b)
{
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	bool complete;

	tell(idx_changes(x, b, model.since, &changed, &vanished, &complete));
	want(complete && set_same(&changed, &model.changed) && set_same(&vanished, &model.vanished),
	     "changes");
	set_free(&changed);
	set_free(&vanished);
}

/* Work with it as a server does: flags, and all that is owed; a lost to-do must show at the end. */
static void use(struct idx *i)
{
	struct idx_txn *x;
	struct idx_todo t;
	struct idx_msg m;
	uint32_t done = 0;
	enum err e;

	tell(idx_write(i, &x, NULL));
	for (uint32_t uid = 1; uid <= UIDS; uid += 97) {
		if (!model.modseqs[uid])
			continue;
		tell(idx_msg_get(x, model.box, uid, &m));
		model.flags[uid].system ^= MAIL_SEEN;
		m.flags.system ^= MAIL_SEEN;
		model.unseen += m.flags.system & MAIL_SEEN ? UINT32_MAX : 1;
		tell(idx_msg_put(x, model.box, &m));
	}
	while (!(e = idx_todo_next(x, 0, 0, &t))) {
		want(t.box == model.box && span_eq_str(t.key, "some key"), "to-do");
		tell(idx_todo_done(x, t.box, t.seq));
		done++;
	}
	if (e != ERR_NOTFOUND)
		tell(e);
	want(done == model.todos, "number of to-dos");
	tell(idx_commit(&x, NULL));
}

static void read_all(struct idx *i)
{
	struct idx_txn *x;
	struct idx_box b;

	tell(idx_read(i, &x, NULL));
	check_box(x, &b);
	check_map(x);
	check_walk(x);
	check_changes(x, &b);
	idx_abort(&x);
}

static _Noreturn void child(const char *dir)
{
	/* As large as growing would make it: a map that damage makes look full has nowhere to go. */
	struct idx_config config = { .dir = dir, .map_start = 32ULL << 30 };
	struct idx *i;
	bool rebuilt;

	close(STDIN_FILENO);
	if (!freopen("/dev/null", "w",
		     stderr)) /* LMDB's last words; ours when the parent repeats the trial */
		_exit(99);
	if (getenv("INDEX_DAMAGE_LOUD"))
		dup2(STDOUT_FILENO, STDERR_FILENO);
	tell(idx_open(&config, &i, &rebuilt, NULL));
	if (rebuilt)
		leave(REBUILT);
	read_all(i);
	use(i);
	read_all(i);
	idx_close(&i);
	leave(RIGHT);
}

/* --- the damage --- */

static unsigned pick(size_t n)
{
	return (unsigned)((((unsigned)rand() << 16) ^ (unsigned)rand()) % n);
}

enum damage {
	BIT,
	BYTES,
	ZERO_PAGE,
	COPY_PAGE,
	OLD_PAGE,
	OLD_PAGES,
	TRUNCATE,
	HEADER_BIT,
	DAMAGES
};

static const char *const damage_name[DAMAGES] = {
	[BIT] = "one bit",
	[BYTES] = "16 bytes",
	[ZERO_PAGE] = "page zeroed",
	[COPY_PAGE] = "page over another",
	[OLD_PAGE] = "page of an older file",
	[OLD_PAGES] = "half an older file",
	[TRUNCATE] = "truncated",
	[HEADER_BIT] = "bit in a page header",
};

static size_t damage(enum damage kind, char *p, size_t n)
{
	size_t pages = n / PAGE, page = pick(pages), old_pages = old_n / PAGE;

	switch (kind) {
	case BIT:
		p[pick(n)] ^= (char)(1u << pick(8));
		break;
	case BYTES:
		for (size_t at_byte = pick(n - 16), i = 0; i < 16; i++)
			p[at_byte + i] = (char)pick(256);
		break;
	case ZERO_PAGE:
		memset(p + page * PAGE, 0, PAGE);
		break;
	case COPY_PAGE:
		memmove(p + page * PAGE, p + pick(pages) * PAGE, PAGE);
		break;
	case OLD_PAGE:
		page = 2 + pick(old_pages - 2);
		memcpy(p + page * PAGE, old_data + page * PAGE, PAGE);
		break;
	case OLD_PAGES:
		for (page = 2; page < old_pages; page++)
			if (pick(2))
				memcpy(p + page * PAGE, old_data + page * PAGE, PAGE);
		break;
	case TRUNCATE:
		return pick(n);
	case HEADER_BIT:
		p[page * PAGE + pick(24)] ^= (char)(1u << pick(8));
		break;
	case DAMAGES:
		break;
	}
	return n;
}

static void spill(const char *dir, const char *name, const char *p, size_t n)
{
	char *path = mem_printf("%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	must(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
	free(path);
}

/* The very file that the records name: no copy is believed. */
static void spill_data(const char *dir, const char *p, size_t n)
{
	char *from = mem_printf("%s/data.mdb", base_dir), *to = mem_printf("%s/data.mdb", dir);

	must(link(from, to) == 0);
	spill(dir, "data.mdb", p, n);
	free(from);
	free(to);
}

static int run_child(const char *dir)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(dir);
	must(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

struct tally {
	unsigned right, told, unknown, rebuilt, killed;
};

/* False: the trial went wrong. */
static bool trial(enum damage kind, const char *dir, struct tally *t)
{
	char *p = mem_alloc(data_n);
	size_t n;
	int status;

	memcpy(p, data, data_n);
	n = damage(kind, p, data_n);
	must(mkdir(dir, 0700) == 0);
	spill_data(dir, p, n);
	spill(dir, "guard", guard_file, PAGE);
	free(p);
	status = run_child(dir);
	if (WIFSIGNALED(status)) {
		t->killed++;
		status = run_child(dir);
		if (WIFSIGNALED(status))
			status = run_child(dir);
		if (!WIFEXITED(status) ||
		    (WEXITSTATUS(status) != REBUILT && WEXITSTATUS(status) != TOLD)) {
			printf("%s: after two deaths: status 0x%x\n", damage_name[kind],
			       (unsigned)status);
			return false;
		}
		return true;
	}
	t->right += WEXITSTATUS(status) == RIGHT;
	t->told += WEXITSTATUS(status) == TOLD;
	t->unknown += WEXITSTATUS(status) == UNKNOWN;
	t->rebuilt += WEXITSTATUS(status) == REBUILT;
	if (WEXITSTATUS(status) == RIGHT ||
	    (WEXITSTATUS(status) >= TOLD && WEXITSTATUS(status) <= REBUILT))
		return true;
	printf("%s: exit %d\n", damage_name[kind], WEXITSTATUS(status));
	return false;
}

int main(int argc, char **argv)
{
	unsigned trials = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 400;
	unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : (unsigned)getpid();
	char work[] = "/tmp/index_damage.XXXXXX";
	char *dir;
	unsigned bad = 0;

	must(mkdtemp(work) != NULL);
	snprintf(base_dir, sizeof(base_dir), "%s/base", work);
	dir = mem_printf("%s/trial", work);
	build();
	srand(seed);
	printf("%u trials a kind, seed %u, file of %zu pages\n", trials, seed, data_n / PAGE);
	printf("%-24s %8s %8s %8s %8s %8s\n", "damage", "right", "told", "unknown", "rebuilt",
	       "killed");
	for (int kind = 0; kind < DAMAGES; kind++) {
		struct tally t = { 0 };

		for (unsigned k = 0; k < trials; k++) {
			bad += !trial((enum damage)kind, dir, &t);
			nftw(dir, rm_one, 10, FTW_DEPTH | FTW_PHYS);
		}
		printf("%-24s %8u %8u %8u %8u %8u\n", damage_name[kind], t.right, t.told, t.unknown,
		       t.rebuilt, t.killed);
		fflush(stdout);
	}
	nftw(work, rm_one, 10, FTW_DEPTH | FTW_PHYS);
	free(dir);
	return bad > 0;
}
