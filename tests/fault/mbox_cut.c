/*
 * An mbox whose writer dies: mbox_cut [SEED [EVERY [FIRST]]]. A child works through a script of additions, flags, keywords and
 * expunges and tells what was acknowledged. It is traced, and killed before its n-th change of a file, for every n; each time
 * once keeping all it wrote (a killed process), and once more keeping of what it had not synced in each file only the first few
 * writes, or any, or any sectors of them (a power cut). In every second case another program appends a message before the mbox
 * is opened again. Then everything that was acknowledged must be there, whole and once, under its UID, and nothing that nobody
 * wrote.
 *
 * Directory entries count as durable at once.
 */
#include "config.h"

#include "store/store.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGES = 12, FOREIGN = 90, UNDO_MAX = 4096, SECTOR = 512 };

static char dir[64], now[64]; /* where the trial is, and which it is */

static void die(const char *what, const char *why)
{
	dprintf(STDERR_FILENO, "mbox_cut: %s, %s: %s: %.60s\n", now, dir, what, why);
	exit(1);
}

static void ok(enum err e, const char *what, const struct errtext *t)
{
	if (e)
		die(what, t->text[0] ? t->text : err_name(e));
}

/* --- what is written --------------------------------------------------------------------------- */

static char *text_of(int number)
{
	char *text = mem_printf("Subject: message %d\n%s\nthe body of %d\n", number, number % 3 ? "" : "To: you\n", number);

	for (int i = 0; i < number % 5 * 40; i++) {
		char *more = mem_printf("%sline %d of %d, and so on\n", text, i, number);

		free(text);
		text = more;
	}
	return text;
}

struct job {
	struct store *store;
	struct store_box *box;
	struct arena *arena;
	struct errtext t;
	int out; /* acknowledgements */
};

static void job_open(struct job *j)
{
	static char root[96], inbox[96];
	struct store_config c = { .root = root, .inbox = inbox, .hostname = "cut", .mbox = { .dirty_syncs = true } };

	snprintf(root, sizeof(root), "%s/mail", dir);
	snprintf(inbox, sizeof(inbox), "%s/inbox", dir);
	c.sync = STORE_SYNC_ALWAYS;
	j->arena = arena_new(64 << 20);
	ok(store_mbox.open(&c, &j->store, &j->t), "open", &j->t);
	ok(store_mbox.box_open(j->store, "INBOX", &j->box, &j->t), "box_open", &j->t);
}

static void job_close(struct job *j)
{
	j->box->ops->box_close(j->box);
	j->store->ops->close(j->store);
	arena_free(&j->arena);
}

/* One line an acknowledgement; a pipe takes it at once. */
static void ack(struct job *j, const char *what, int number, uint32_t uid)
{
	dprintf(j->out, "%s %d %u\n", what, number, uid);
}

static void job_add(struct job *j, int number)
{
	struct store_stage st;
	struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN, .recent = true, .internaldate = 1000000 };
	char *text = text_of(number);
	uint32_t uid, next;
	struct span key;

	ok(j->box->ops->stage(j->box, 0, &st, &j->t), "stage", &j->t);
	if (write(st.fd, text, strlen(text)) != (ssize_t)strlen(text))
		die("write", strerror(errno));
	ok(j->box->ops->commit_many(j->box, &c, 1, j->arena, &j->t), "commit", &j->t);
	key = c.key;
	ok(j->box->ops->number(j->box, &key, 1, true, &uid, &next, j->arena, &j->t), "number", &j->t);
	ack(j, "add", number, uid);
	free(text);
}

static void job_expunge(struct job *j, int number, uint32_t uid)
{
	char *key = mem_printf("%u", uid);

	ok(j->box->ops->expunge(j->box, span_str(key), span_of("", 0), &j->t), "expunge", &j->t);
	ok(j->box->ops->expunge_done(j->box, &j->t), "expunge", &j->t);
	ack(j, "gone", number, uid);
	free(key);
}

static void job_keyword(struct job *j, int number, uint32_t uid, const char *name)
{
	struct mail_flags f = { .system = MAIL_FLAGGED };
	struct span hint;
	char *key = mem_printf("%u", uid);
	unsigned bit;

	ok(j->box->ops->keyword_add(j->box, name, &bit, &j->t), "keyword", &j->t);
	f.keywords = (uint64_t)1 << bit;
	ok(j->box->ops->set_flags(j->box, span_str(key), span_of("", 0), f, j->arena, &hint, &j->t), "flags", &j->t);
	ok(j->box->ops->flags_done(j->box, &j->t), "flags", &j->t);
	ack(j, "flag", number, uid);
	free(key);
}

/* What procmail does: the From_ line, the text, an empty line. */
static void foreign_add(int number)
{
	char *path = mem_printf("%s/inbox", dir), *text = text_of(number);
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path, strerror(errno));
	dprintf(fd, "From other@example.org Fri Jan  5 12:12:12 1996\n%s\n", text);
	close(fd);
	free(path);
	free(text);
}

static void script(struct job *j)
{
	struct store_identity id;

	job_open(j);
	ok(j->box->ops->identity(j->box, &id, &j->t), "identity", &j->t);
	for (int i = 1; i <= 4; i++)
		job_add(j, i);
	job_keyword(j, 2, 2, "short");
	job_expunge(j, 3, 3);
	job_keyword(j, 4, 4, "a-keyword-that-is-too-long-for-the-blanks-left-in-the-block-of-its-message");
	foreign_add(FOREIGN);
	ok(j->box->ops->identity(j->box, &id, &j->t), "identity", &j->t);
	job_add(j, 5);
	job_expunge(j, 1, 1); /* the base moves on */
	job_add(j, 6);
	job_expunge(j, 2, 2);
	job_expunge(j, 4, 4);
	job_close(j);
}

/* --- tracing ------------------------------------------------------------------------------------- */

struct undo {
	char path[128];
	uint64_t at, size; /* of the file before */
	char *old;         /* own */
	size_t n;
	char *new;         /* own; NULL: it is made at long */
	size_t put;
};

static struct undo undo[UNDO_MAX];
static size_t undos;

static void undo_forget(const char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < undos; i++) {
		if (strcmp(undo[i].path, path) == 0)
			free(undo[i].old), free(undo[i].new);
		else
			undo[kept++] = undo[i];
	}
	undos = kept;
}

/* A regular file beneath dir that has a name. */
static bool file_of(pid_t pid, int fd, char path[128])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, fd);
	n = readlink(link, path, 127);
	path[n > 0 ? n : 0] = '\0';
	return strncmp(path, dir, strlen(dir)) == 0 && !strstr(path, "(deleted)") && !strstr(path, "/#");
}

static void undo_note(const char *path, uint64_t at, size_t n)
{
	struct undo *u = &undo[undos];
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st) < 0 || undos == UNDO_MAX)
		die(path, "cannot be noted");
	snprintf(u->path, sizeof(u->path), "%s", path);
	u->at = at;
	u->size = (uint64_t)st.st_size;
	u->old = mem_array(n + 1, 1);
	ssize_t got = pread(fd, u->old, n, (off_t)at);
	u->n = got > 0 ? (size_t)got : 0;
	u->new = NULL;
	close(fd);
	undos++;
}

/* What the last change noted will write. */
static void undo_take(pid_t pid, uint64_t at, size_t n)
{
	struct undo *u = &undo[undos - 1];
	struct iovec here, there = { (void *)(uintptr_t)at, n };

	u->new = mem_array(n + 1, 1);
	u->put = n;
	here = (struct iovec){ u->new, n };
	if (process_vm_readv(pid, &here, 1, &there, 1, 0) != (ssize_t)n)
		die("process_vm_readv", strerror(errno));
}

/* Does this call change a file? What it changes is noted. */
static bool changes(pid_t pid, const struct __ptrace_syscall_info *call)
{
	const uint64_t *a = (const uint64_t *)call->entry.args;
	char path[128];
	struct stat st;

	switch (call->entry.nr) {
	case SYS_pwrite64:
		if (!file_of(pid, (int)a[0], path))
			return false;
		undo_note(path, a[3], a[2]);
		undo_take(pid, a[1], a[2]);
		return true;
	case SYS_ftruncate:
		if (!file_of(pid, (int)a[0], path) || stat(path, &st) < 0)
			return false;
		undo_note(path, a[1], (uint64_t)st.st_size > a[1] ? (size_t)((uint64_t)st.st_size - a[1]) : 0);
		return true;
	case SYS_fdatasync:
	case SYS_fsync:
	case SYS_unlinkat:
	case SYS_renameat:
	case SYS_renameat2:
		return true;
	default:
		return false;
	}
}

static void synced(pid_t pid, const struct __ptrace_syscall_info *call)
{
	char path[128];

	if ((call->entry.nr == SYS_fdatasync || call->entry.nr == SYS_fsync) &&
	    file_of(pid, (int)call->entry.args[0], path))
		undo_forget(path);
}

/* Until the child ends or cut changes were made. True: it was killed. */
static bool trace(pid_t pid, unsigned cut)
{
	struct __ptrace_syscall_info call, at;
	unsigned n = 0;
	bool entering = true;
	int status;

	waitpid(pid, &status, 0);
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;; entering = !entering) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status))
			break;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(at), &at) < 0)
			die("ptrace", strerror(errno));
		if (!entering) {
			synced(pid, &call);
			continue;
		}
		call = at;
		if (changes(pid, &call) && ++n == cut) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return true;
		}
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		die("the script", "it failed");
	return false;
}

/* What a disk may do with the changes that nobody synced: the first few are there, or any, or any sectors of any. */
enum kept { KEPT_FIRST, KEPT_SOME, KEPT_SECTORS, KEPT_WAYS };

static void put_at(int fd, const struct undo *u, size_t from, size_t n)
{
	if (pwrite(fd, u->new + from, n, (off_t)(u->at + from)) != (ssize_t)n)
		die(u->path, strerror(errno));
}

static void put_sectors(int fd, const struct undo *u)
{
	for (size_t from = 0, n; from < u->put; from += n) {
		n = SECTOR - (size_t)((u->at + from) % SECTOR);
		n = n < u->put - from ? n : u->put - from;
		if (rand() % 2)
			put_at(fd, u, from, n);
	}
}

static void make_again(int fd, const struct undo *u, enum kept kept)
{
	if (!u->new) {
		if (ftruncate(fd, (off_t)u->at) < 0)
			die(u->path, strerror(errno));
	} else if (kept == KEPT_SECTORS) {
		put_sectors(fd, u);
	} else {
		put_at(fd, u, 0, u->put);
	}
}

static void take_back(int fd, const struct undo *u)
{
	if (pwrite(fd, u->old, u->n, (off_t)u->at) != (ssize_t)u->n || ftruncate(fd, (off_t)u->size) < 0)
		die(u->path, strerror(errno));
}

/* The last change noted was not made, or was it? */
static void power_cut_file(const char *path)
{
	int fd = open(path, O_WRONLY);
	enum kept kept = (enum kept)(rand() % KEPT_WAYS);
	size_t n = 0, first;

	for (size_t i = undos; fd >= 0 && i-- > 0;) {
		if (strcmp(undo[i].path, path) == 0) {
			take_back(fd, &undo[i]);
			n++;
		}
	}
	first = (size_t)rand() % (n + 1);
	for (size_t i = 0, k = 0; fd >= 0 && i < undos; i++) {
		if (strcmp(undo[i].path, path) != 0)
			continue;
		if (kept == KEPT_FIRST ? k < first : rand() % 2)
			make_again(fd, &undo[i], kept);
		k++;
	}
	if (fd >= 0)
		close(fd);
}

static void power_cut(void)
{
	char path[128];

	while (undos > 0) {
		snprintf(path, sizeof(path), "%s", undo[undos - 1].path);
		power_cut_file(path);
		undo_forget(path);
	}
}

/* --- what must be true -------------------------------------------------------------------------------- */

struct fate {
	uint32_t uid;
	bool added, removing, gone, flagged, seen;
};

static void read_acks(int fd, struct fate *f)
{
	static char text[1 << 16];
	ssize_t n = read(fd, text, sizeof(text)); /* all of it: the writer is dead, and a pipe holds as much */
	struct span rest = span_of(text, n > 0 ? (size_t)n : 0), line, what, word;
	uint32_t number, uid;

	close(fd);
	while (span_split(&rest, '\n', &line)) {
		if (!span_split(&line, ' ', &what) || !span_split(&line, ' ', &word) || !span_u32(word, &number) ||
		    !span_u32(line, &uid) || number > FOREIGN)
			die("an acknowledgement", "it cannot be read");
		f[number].uid = uid;
		f[number].added = true;
		f[number].gone |= span_eq_str(what, "gone");
		f[number].flagged |= span_eq_str(what, "flag");
	}
}

static int which(const char *text)
{
	for (int i = 1; i <= FOREIGN + 1; i++) {
		char *expected = text_of(i);
		bool same = strcmp(text, expected) == 0;

		free(expected);
		if (same)
			return i;
	}
	return 0;
}

static void check_message(struct job *j, const struct store_msg *m, struct fate *f)
{
	static char text[1 << 16];
	struct store_object o;
	int number;

	ok(j->box->ops->locate(j->box, m->key, m->hint, &o, NULL, NULL, &j->t), "locate", &j->t);
	if (o.length >= sizeof(text) || pread(o.fd, text, o.length, (off_t)o.offset) != (ssize_t)o.length)
		die("a message", "cannot be read");
	close(o.fd);
	text[o.length] = '\0';
	number = which(text);
	if (!number)
		die("a message that nobody wrote", text);
	if (f[number].seen)
		die("a message is there twice", text);
	f[number].seen = true;
	if (f[number].gone)
		die("an expunged message is back", text);
	if (f[number].added && f[number].uid != m->uid)
		die("a message has another UID", text);
	if (f[number].flagged && !(m->flags.system & MAIL_FLAGGED))
		die("a message lost its flag", text);
}

static void check(struct fate *f, bool foreign)
{
	struct job j = { .out = -1 };
	struct store_identity id;
	struct store_scan s;

	job_open(&j);
	ok(j.box->ops->identity(j.box, &id, &j.t), "identity", &j.t);
	ok(j.box->ops->scan(j.box, j.arena, &s, &j.t), "scan", &j.t);
	for (size_t i = 0; i < s.n; i++)
		check_message(&j, &s.msg[i], f);
	for (int i = 1; i <= FOREIGN + 1; i++)
		if ((f[i].added && !f[i].gone && !f[i].seen && !f[i].removing) || (i == FOREIGN + 1 && foreign && !f[i].seen))
			die("a message is lost", text_of(i));
	job_close(&j);
}

/* The script removes these after the others are acknowledged: begun and not acknowledged they may be there or not. */
static void may_be_going(struct fate *f)
{
	static const int order[] = { 3, 1, 2, 4 };

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (f[order[i]].gone)
			continue;
		f[order[i]].removing = true;
		return;
	}
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

/* True: the script was cut short. */
static bool trial(unsigned cut, bool power, bool foreign)
{
	struct fate f[FOREIGN + 2] = { { 0 } };
	int pipe_fd[2];
	bool killed;
	pid_t pid;

	snprintf(now, sizeof(now), "%s %u%s", power ? "power cut" : "kill", cut, foreign ? ", appended to" : "");
	snprintf(dir, sizeof(dir), "%.40s/roost-cut.XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
	if (!mkdtemp(dir) || pipe(pipe_fd) < 0)
		die(dir, strerror(errno));
	pid = fork();
	if (pid == 0) {
		struct job j = { .out = pipe_fd[1] };

		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		script(&j);
		_exit(0);
	}
	close(pipe_fd[1]);
	killed = trace(pid, cut);
	if (killed && power)
		power_cut();
	while (undos)
		undo_forget(undo[0].path);
	read_acks(pipe_fd[0], f);
	may_be_going(f);
	if (foreign)
		foreign_add(FOREIGN + 1);
	check(f, foreign);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return killed;
}

int main(int argc, char **argv)
{
	uint32_t seed = 1, every = 1, first = 1;
	unsigned cuts = 0;

	if ((argc > 1 && !span_u32(span_str(argv[1]), &seed)) || (argc > 2 && !span_u32(span_str(argv[2]), &every)) ||
	    (argc > 3 && !span_u32(span_str(argv[3]), &first)))
		die("usage", "mbox_cut [SEED [EVERY [FIRST]]]");
	srand(seed);
	for (int power = 0; power < 2; power++)
		for (int foreign = 0; foreign < 2; foreign++)
			for (unsigned cut = first; trial(cut, power, foreign); cut += every)
				cuts++;
	printf("mbox_cut: %u cuts, nothing lost\n", cuts);
	return cuts > 600 / every ? 0 : 1;
}
