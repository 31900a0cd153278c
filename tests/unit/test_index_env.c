/* The environment's files: crash guard, dirty mark, size check, damaged or foreign files, many
 * processes. */
#include "config.h"

#include "index/index.h"
#include "src/index/env.h"

#include "base/mem.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(call) assert_int_equal((call), ERR_OK)

/* Offsets drawn in src/index/guard.h. */
enum { GUARD_DEATHS = 16, GUARD_DIRTY = 17, GUARD_BOOT = 24, GUARD_SLOTS = 64 };

/* LMDB's own, but for the number that it tells of some transactions. */
static unsigned misnumbered;

size_t mdb_txn_id(MDB_txn *t)
{
	static size_t (*real)(MDB_txn *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_txn_id");
	return misnumbered && misnumbered-- ? real(t) - 2 : real(t);
}

static int rm_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static void rm_tree(const char *dir)
{
	nftw(dir, rm_one, 10, FTW_DEPTH | FTW_PHYS);
}

/* So many times somebody removes the directory just before its environment is opened. */
static unsigned vanishing;

int mdb_env_open(MDB_env *env, const char *path, unsigned flags, mdb_mode_t mode)
{
	static int (*real)(MDB_env *, const char *, unsigned, mdb_mode_t);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "mdb_env_open");
	if (vanishing && vanishing--)
		rm_tree(path);
	return real(env, path, flags, mode);
}

struct fix {
	char dir[64];
	struct idx_config config;
};

static int setup(void **state)
{
	struct fix *f = mem_alloc(sizeof(*f));

	memcpy(f->dir, "/tmp/test_index_env.XXXXXX", 27);
	assert_non_null(mkdtemp(f->dir));
	f->config.dir = f->dir;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fix *f = *state;

	rm_tree(f->dir);
	free(f);
	return 0;
}

static enum err make_box(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct idx_box b = { .name = SPAN("1INBOX") };
	enum err e = idx_box_find(x, b.name, &b);

	return e == ERR_NOTFOUND ? idx_box_create(x, &b) : e;
}

/* Opens, writes, closes; tells whether it was new. */
static bool visit(struct fix *f)
{
	struct errtext t;
	struct idx *i;
	bool rebuilt;

	if (idx_open(&f->config, &i, &rebuilt, &t))
		fail_msg("%s", t.text);
	OK(idx_update(i, make_box, NULL, NULL));
	idx_close(&i);
	return rebuilt;
}

static int file(struct fix *f, const char *name, int flags)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	fd = open(path, flags, 0600);
	assert_true(fd >= 0);
	return fd;
}

static bool exists(struct fix *f, const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return access(path, F_OK) == 0;
}

static void drop(struct fix *f, const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	assert_int_equal(unlink(path), 0);
}

static uint8_t guard_byte(struct fix *f, off_t at)
{
	int fd = file(f, "guard", O_RDONLY);
	uint8_t c;

	assert_int_equal(pread(fd, &c, 1, at), 1);
	close(fd);
	return c;
}

static void set_guard(struct fix *f, off_t at, const char *s, size_t n)
{
	int fd = file(f, "guard", O_RDWR);

	assert_int_equal(pwrite(fd, s, n, at), n);
	close(fd);
}

enum where { IDLE, READING, WRITING };

/* A process that dies there. */
static void death(struct fix *f, enum where where, int sig)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct idx_txn *x;
		struct idx *i;
		bool rebuilt;

		if (idx_open(&f->config, &i, &rebuilt, NULL) || idx_update(i, make_box, NULL, NULL))
			_exit(1);
		if (where == READING && idx_read(i, &x, NULL))
			_exit(2);
		if (where == WRITING && idx_write(i, &x, NULL))
			_exit(3);
		kill(getpid(), sig);
		pause();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void crash_guard(void **state)
{
	struct fix *f = *state;

	assert_true(visit(f));
	death(f, READING, SIGKILL);
	death(f, WRITING, SIGTERM);
	assert_true(visit(f)); /* the third begins anew */
	assert_true(exists(f, "data.mdb.bad"));
	assert_false(visit(f));
	death(f, WRITING, SIGKILL);
	assert_false(visit(f)); /* closed well: forgiven */
	death(f, WRITING, SIGKILL);
	assert_false(visit(f));
	for (int n = 0; n < 5; n++)
		death(f, IDLE, SIGKILL);
	assert_false(visit(f)); /* not within a transaction: no fault of the index */
}

static struct idx_roll roll;

static void on_death(int sig)
{
	idx_blame(&roll);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* Who dies of what he read says so: one death is enough then, but not one that had nothing to do with it. */
static void blamed(void **state)
{
	struct fix *f = *state;

	f->config.roll = &roll;
	signal(SIGBUS, on_death);
	assert_true(visit(f));
	assert_null(roll.first);
	death(f, IDLE, SIGBUS);
	assert_false(visit(f));
	death(f, READING, SIGBUS);
	assert_int_equal(guard_byte(f, GUARD_DEATHS), 2);
	assert_true(visit(f));
	assert_true(exists(f, "data.mdb.bad"));
	assert_false(visit(f));
	signal(SIGBUS, SIG_DFL);
}

/* Readers wait for no writer. */
static void death_reading(struct fix *f)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct idx_txn *x;
		struct idx *i;
		bool rebuilt;

		if (idx_open(&f->config, &i, &rebuilt, NULL) || idx_read(i, &x, NULL))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

/* A living process neither counts as dead, nor is it disturbed. */
static void alive_beside_dead(void **state)
{
	struct fix *f = *state;
	int ready[2], go[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready) | pipe(go), 0);
	assert_true(visit(f));
	pid = fork();
	if (pid == 0) {
		struct idx_txn *x;
		struct idx *i;
		bool rebuilt;

		if (idx_open(&f->config, &i, &rebuilt, NULL) || rebuilt || idx_write(i, &x, NULL))
			_exit(1);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(2);
		if (make_box(x, NULL, NULL) || idx_commit(&x, NULL))
			_exit(3);
		idx_close(&i);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	death_reading(f);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(guard_byte(f, GUARD_DEATHS), 0); /* forgiven */
	assert_false(visit(f));
}

static void dirty_mark(void **state)
{
	struct fix *f = *state;

	assert_true(visit(f));
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
	death(f, IDLE, SIGKILL);
	assert_int_equal(guard_byte(f, GUARD_DIRTY),
			 0); /* nothing was new to write: make_box found it */
	set_guard(f, GUARD_DIRTY, "\2", 1);
	set_guard(f, GUARD_BOOT, "another boot", 13);
	assert_true(visit(f)); /* the machine died with it */
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
	assert_false(visit(f));
	set_guard(f, GUARD_DIRTY, "\1", 1); /* never said which boot */
	set_guard(f, GUARD_BOOT, "", 1);
	assert_true(visit(f));
}

static void mark_of_this_boot(void **state)
{
	struct fix *f = *state;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct idx *i;
		bool rebuilt;

		if (idx_open(&f->config, &i, &rebuilt, NULL) || idx_update(i, make_box, NULL, NULL))
			_exit(1);
		_exit(0); /* without closing */
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 2);
	assert_false(visit(f)); /* the page cache has it all */
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
}

static void sync_cleans(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x;
	struct idx *i;
	struct idx_box b;
	bool rebuilt;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	OK(idx_update(i, make_box, NULL, NULL));
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 2);
	OK(idx_sync(i));
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
	OK(idx_write(i, &x, NULL));
	OK(idx_commit(&x, NULL)); /* nothing written */
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
	OK(idx_write(i, &x, NULL));
	b = (struct idx_box){ .name = SPAN("1other") };
	OK(idx_box_create(x, &b));
	OK(idx_commit(&x, NULL));
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 2);
	idx_close(&i);
}

enum { MANY = 6000, KEPT = 300 };

/* Messages 1..MANY with a kilobyte of cache each. */
static enum err fill(struct idx_txn *x, void *arg, struct errtext *t)
{
	char text[1000] = { 0 };
	struct idx_cache c = { .field[IDX_ENVELOPE] = span_of(text, sizeof(text)) };
	struct idx_box b;
	enum err e = make_box(x, arg, t);

	if (!e)
		e = idx_box_find(x, SPAN("1INBOX"), &b);
	for (uint32_t uid = 1; !e && uid <= MANY; uid++) {
		struct idx_msg m = { .uid = uid, .modseq = 1, .size = uid, .vsize = uid, .key = SPAN("k") };

		snprintf(text, sizeof(text), "%u", uid);
		e = idx_msg_put(x, b.id, &m);
		if (!e)
			e = idx_cache_put(x, b.id, uid, &c, false);
	}
	return e;
}

static enum err thin(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct idx_box b;
	enum err e = idx_box_find(x, SPAN("1INBOX"), &b);

	for (uint32_t uid = KEPT + 1; !e && uid <= MANY; uid++)
		e = idx_msg_remove(x, b.id, uid);
	return e;
}

/* What thin left, whole. */
static void kept(struct idx *i)
{
	struct idx_txn *x;
	struct idx_box b;
	struct idx_cache c;
	struct idx_msg m;
	char text[12];

	OK(idx_read(i, &x, NULL));
	OK(idx_box_find(x, SPAN("1INBOX"), &b));
	assert_int_equal(b.messages, KEPT);
	for (uint32_t uid = 1; uid <= KEPT; uid++) {
		OK(idx_msg_get(x, b.id, uid, &m));
		assert_int_equal(m.size, uid);
		OK(idx_cache_get(x, b.id, uid, &c));
		snprintf(text, sizeof(text), "%u", uid);
		assert_string_equal(c.field[IDX_ENVELOPE].p, text);
	}
	assert_int_equal(idx_msg_get(x, b.id, KEPT + 1, &m), ERR_NOTFOUND);
	idx_abort(&x);
}

static off_t data_size(struct fix *f)
{
	int fd = file(f, "data.mdb", O_RDONLY);
	off_t n = lseek(fd, 0, SEEK_END);

	close(fd);
	return n;
}

static struct idx *filled(struct fix *f)
{
	struct idx *i;
	bool rebuilt;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	OK(idx_update(i, fill, NULL, NULL));
	OK(idx_update(i, thin, NULL, NULL));
	return i;
}

static bool visit_as(struct fix *f, const char *of)
{
	f->config.of = of;
	return visit(f);
}

/* Its place is taken by the index of other mail, of which nothing may be told. */
static void of_other_mail(void **state)
{
	struct fix *f = *state;

	assert_true(visit_as(f, "/usr"));
	assert_false(visit_as(f, "/usr"));
	assert_false(visit_as(f, "/usr/bin/.."));
	assert_false(visit_as(f, NULL));
	assert_false(visit_as(f, "/not there"));
	assert_true(visit_as(f, "/etc"));
	assert_false(visit_as(f, "/etc"));
	assert_true(visit_as(f, "/usr"));
}

/* The mail came after its index. */
static void of_mail_that_came_later(void **state)
{
	struct fix *f = *state;

	struct idx *i;

	assert_true(visit_as(f, "/not there"));
	f->config.of = "/usr";
	i = filled(f);
	idx_close(&i);
	assert_true(visit_as(f, "/etc"));
}

static void reopened_whole(struct fix *f)
{
	struct idx *i;
	bool rebuilt;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	assert_false(rebuilt);
	kept(i);
	OK(idx_update(i, make_box, NULL, NULL));
	idx_close(&i);
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
	assert_false(exists(f, "data.mdb.new"));
}

static void compacted_at_the_last_closing(void **state)
{
	struct fix *f = *state;
	struct idx *i = filled(f), *other;
	off_t large = data_size(f);
	bool rebuilt;

	close(file(f, "data.mdb.new", O_CREAT | O_WRONLY)); /* somebody died in the middle of it */
	OK(idx_open(&f->config, &other, &rebuilt, NULL));
	idx_close(&i);
	assert_int_equal(data_size(f), large); /* not under the feet of another */
	kept(other);
	OK(idx_update(other, make_box, NULL, NULL));
	idx_close(&other);
	assert_true(data_size(f) < large / 4);
	reopened_whole(f);
}

/* Killed anywhere in it: the old file or the new one, either whole. */
static void killed_compacting(void **state)
{
	struct fix *f = *state;

	for (unsigned us = 0; us < 12000; us += 600) {
		struct timespec pause = { 0, us * 1000L };
		int ready[2], status;
		char c;
		pid_t pid;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		if (pid == 0) {
			struct idx *i = filled(f);

			if (write(ready[1], "", 1) != 1)
				_exit(1);
			idx_close(&i);
			_exit(0);
		}
		assert_int_equal(read(ready[0], &c, 1), 1);
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		close(ready[0]);
		close(ready[1]);
		reopened_whole(f);
	}
}

/* At rest nothing is lost, the mark stays as it is, and closing still cleans. */
static void rests(void **state)
{
	const struct span name = SPAN("1INBOX"); /* what a find answers lies in the map, which goes */
	struct fix *f = *state;
	struct idx_box b;
	struct idx_txn *x;
	struct idx *i;
	bool rebuilt;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	OK(idx_update(i, make_box, NULL, NULL));
	OK(idx_read(i, &x, NULL));
	idx_rest(i); /* not now */
	OK(idx_box_find(x, name, &b));
	idx_abort(&x);
	idx_rest(i);
	idx_rest(i);
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 2);
	OK(idx_read(i, &x, NULL));
	OK(idx_box_find(x, name, &b));
	idx_abort(&x);
	idx_rest(i);
	OK(idx_update(i, make_box, NULL, NULL));
	idx_rest(i);
	idx_close(&i);
	assert_int_equal(guard_byte(f, GUARD_DIRTY), 0);
	assert_false(visit(f));
	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	idx_rest(i);
	drop(f, "data.mdb");
	drop(f, "guard");
	assert_int_equal(idx_read(i, &x, NULL), ERR_CORRUPT);
	idx_close(&i);
}

/* Who wakes up finds the files that were there, or learns that they went: whoever discards them keeps the door locked. */
static void wakes_up(void **state)
{
	struct flock door = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	struct fix *f = *state;
	struct idx_txn *x;
	struct idx *i;
	bool rebuilt;
	int fd;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	OK(idx_update(i, make_box, NULL, NULL));
	idx_rest(i);
	fd = file(f, "guard", O_RDWR);
	OK(fcntl(fd, F_OFD_SETLK, &door));
	assert_int_equal(idx_read(i, &x, NULL), ERR_INUSE);
	close(fd);
	OK(idx_read(i, &x, NULL));
	idx_abort(&x);
	idx_rest(i);
	drop(f, "data.mdb");
	assert_int_equal(idx_read(i, &x, NULL), ERR_CORRUPT); /* not an empty one: what the caller knows of it is no more */
	OK(idx_destroy(i, NULL));
	idx_close(&i);
	assert_true(visit(f));
}

/* The directory is removed while it is opened: another is made. */
static void directory_goes(void **state)
{
	vanishing = 2;
	assert_true(visit(*state));
	assert_int_equal(vanishing, 0);
	assert_false(visit(*state));
}

/* Any of these files may be damaged or missing; the answer is a new environment, never a crash. */
static void bad_files(void **state)
{
	static char junk[5000];
	struct fix *f = *state;
	int fd;

	memset(junk, 'j', sizeof(junk));
	assert_true(visit(f));
	fd = file(f, "data.mdb", O_RDWR);
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_END) - 1), 0);
	close(fd);
	assert_true(visit(f));
	for (off_t n = 1; n < 20000; n += 4000) {
		fd = file(f, "data.mdb", O_RDWR);
		assert_int_equal(ftruncate(fd, n), 0);
		close(fd);
		assert_true(visit(f));
	}
	fd = file(f, "data.mdb", O_RDWR | O_TRUNC);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	assert_true(visit(f));
	fd = file(f, "data.mdb", O_RDWR | O_TRUNC);
	close(fd);
	assert_true(visit(f));
	fd = file(f, "lock.mdb", O_RDWR);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	assert_false(visit(f)); /* made anew by whoever is alone */
	set_guard(f, 0, junk, sizeof(junk));
	assert_true(visit(f));
	set_guard(f, 0, junk, 4096);
	assert_true(visit(f));
	fd = file(f, "guard", O_RDWR | O_TRUNC);
	close(fd);
	assert_true(visit(f));
	set_guard(f, GUARD_SLOTS, junk, 128); /* slots of nobody */
	assert_false(visit(f));
	drop(f, "guard");
	assert_true(visit(f)); /* data without a guard is not trusted */
	drop(f, "data.mdb");
	assert_true(visit(f));
	drop(f, "lock.mdb");
	assert_false(visit(f));
}

/* The head points behind the end of the file, or has wild numbers: refused before it is touched. */
static void wild_head(void **state)
{
	struct fix *f = *state;

	assert_true(visit(f));
	for (off_t page = 0; page < 2; page++) {
		for (off_t at = 16; at < 152; at += 4) {
			int fd = file(f, "data.mdb", O_RDWR), status;
			pid_t pid;

			assert_int_equal(pwrite(fd, "\xff\xff\xff\x7f", 4, page * 4096 + at), 4);
			close(fd);
			pid = fork(); /* LMDB may die of some of them: then the guard counts */
			if (pid == 0) {
				struct idx *i;
				bool rebuilt;

				if (!freopen("/dev/null", "w", stderr) ||
				    idx_open(&f->config, &i, &rebuilt, NULL))
					_exit(1);
				idx_close(&i);
				_exit(0);
			}
			waitpid(pid, &status, 0);
			assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		}
	}
	for (int n = 0; n < 3; n++)
		visit(f);
	assert_false(visit(f)); /* at last a sound one */
}

static void two_opened(void **state)
{
	struct fix *f = *state;
	pid_t pid[4];
	int status;

	for (size_t n = 0; n < 4; n++) {
		pid[n] = fork();
		if (pid[n] == 0) {
			for (int k = 0; k < 50; k++)
				visit(f);
			_exit(0);
		}
	}
	for (size_t n = 0; n < 4; n++) {
		assert_int_equal(waitpid(pid[n], &status, 0), pid[n]);
		assert_int_equal(status, 0);
	}
	assert_false(visit(f));
}

/* LMDB gives up after a failed write of its head: the next transaction begins with a reopened environment. */
static void panic(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x, *y;
	struct idx *i;
	struct idx_box b;
	bool rebuilt;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	OK(idx_update(i, make_box, NULL, NULL));
	OK(idx_read(i, &x, NULL));
	assert_int_equal(env_err(i, -30795 /* MDB_PANIC */), ERR_IO);
	assert_int_equal(idx_write(i, &y, NULL), ERR_IO); /* not under a reader's feet */
	idx_abort(&x);
	OK(idx_write(i, &x, NULL));
	OK(idx_box_find(x, SPAN("1INBOX"), &b));
	b.uidnext = 5;
	OK(idx_box_put(x, &b));
	OK(idx_commit(&x, NULL));
	idx_close(&i);
	assert_false(visit(f));
}

static void no_directory(void **state)
{
	struct fix *f = *state;
	struct errtext t;
	struct idx *i;
	bool rebuilt;
	int fd = file(f, "plain", O_RDWR | O_CREAT);
	char path[100];

	close(fd);
	snprintf(path, sizeof(path), "%s/plain", f->dir);
	f->config.dir = path;
	assert_int_not_equal(idx_open(&f->config, &i, &rebuilt, &t), ERR_OK);
	assert_non_null(strstr(t.text, "plain"));
	snprintf(path, sizeof(path), "%s/a/b", f->dir);
	assert_int_equal(idx_open(&f->config, &i, &rebuilt, &t), ERR_NOTFOUND);
}

/* A reader whose processor was taken away while it began, for two commits of others: no damage. */
static void overtaken_reader(void **state)
{
	struct fix *f = *state;
	struct idx_txn *x;
	struct idx *i;
	bool rebuilt;

	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	misnumbered = 3;
	OK(idx_read(i, &x, NULL));
	assert_int_equal(misnumbered, 0);
	idx_abort(&x);
	idx_close(&i);
	misnumbered = 3; /* also where it is the first */
	OK(idx_open(&f->config, &i, &rebuilt, NULL));
	assert_false(rebuilt);
	misnumbered = 1000;
	assert_int_equal(idx_read(i, &x, NULL), ERR_CORRUPT);
	misnumbered = 0;
	idx_close(&i);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(crash_guard),       T(blamed),            T(alive_beside_dead), T(dirty_mark),
		T(mark_of_this_boot), T(sync_cleans),       T(bad_files),
		T(wild_head),         T(two_opened),        T(no_directory), T(panic),
		T(rests),
		T(wakes_up),
		T(directory_goes),
		T(of_other_mail),
		T(of_mail_that_came_later),
		T(overtaken_reader),
		T(compacted_at_the_last_closing),
		T(killed_compacting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
