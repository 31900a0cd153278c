/*
 * A full disk: in a small file system of its own (a tmpfs in a mount namespace), filled to the last byte. Flags, expunges
 * and to-dos go on; adding fails with ERR_NOSPACE and harms nothing; when there is space again, all goes on.
 * Exit 77: no right to mount.
 */
#include "config.h"

#include "index/index.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

enum { UIDS = 3000, REMOVED = 400 };

static char dir[] = "/tmp/index_full.XXXXXX";
static uint32_t box;

static void ok(enum err e, const char *what)
{
	if (!e)
		return;
	fprintf(stderr, "index_full: %s: %s\n", what, err_name(e));
	exit(1);
}

struct job {
	uint32_t first, last;
	bool cache;
};

static enum err add(struct idx_txn *x, void *arg, struct errtext *t)
{
	static char text[700];
	struct idx_cache c = { .field[IDX_ENVELOPE] = span_of(text, sizeof(text)) };
	const struct job *job = arg;
	enum err e = ERR_OK;

	for (uint32_t uid = job->first; !e && uid <= job->last; uid++) {
		struct idx_msg m = { .uid = uid, .key = SPAN("some key of a message") };

		e = idx_msg_put(x, box, &m);
		if (!e)
			e = idx_cache_put(x, box, uid, &c, false);
	}
	return e;
}

static enum err make(struct idx_txn *x, void *arg, struct errtext *t)
{
	struct idx_box b = { .name = SPAN("1INBOX") };
	enum err e = idx_box_create(x, &b);

	box = b.id;
	return e;
}

/* What a user does to get space: flag one, expunge another, and note the disk work. */
static enum err expunge(struct idx_txn *x, void *arg, struct errtext *t)
{
	const struct job *job = arg;
	struct idx_todo todo = { .box = box, .kind = IDX_TODO_EXPUNGE, .uid = job->first, .key = SPAN("k") };
	struct set gone = SET_EMPTY;
	struct idx_box b;
	struct idx_msg m;
	uint64_t modseq;
	enum err e = idx_box_get(x, box, &b);

	set_add(&gone, job->first);
	if (!e)
		e = idx_change(x, &b, NULL, &gone, &modseq);
	if (!e)
		e = idx_msg_remove(x, box, job->first);
	if (!e)
		e = idx_todo_add(x, &todo);
	if (!e)
		e = idx_msg_get(x, box, job->last, &m);
	m.flags.system ^= MAIL_SEEN;
	if (!e)
		e = idx_msg_put(x, box, &m);
	set_free(&gone);
	return e;
}

static uint32_t count(struct idx *i)
{
	struct idx_msg m = { .uid = 0 };
	struct set uids = SET_EMPTY;
	struct idx_walk *w;
	struct idx_txn *x;
	struct span raw;
	uint32_t n = 0;
	enum err e;

	ok(idx_read(i, &x, NULL), "read");
	ok(idx_uids(x, box, &uids), "uids");
	ok(idx_walk_begin(x, box, true, &w), "walk");
	for (; !(e = idx_walk_to(w, m.uid + 1, &m, &raw)); n++)
		continue;
	ok(e == ERR_NOTFOUND ? ERR_OK : e, "walk");
	must(set_count(&uids) == n);
	set_free(&uids);
	idx_walk_end(&w);
	idx_abort(&x);
	return n;
}

/* Takes every byte that is left. */
static char *fill(void)
{
	static const char block[65536];
	char *path = mem_printf("%s/ballast", dir);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	size_t size = sizeof(block);

	while (size > 0)
		if (write(fd, block, size) != (ssize_t)size)
			size /= 2;
	close(fd);
	return path;
}

static void run(struct idx *i)
{
	struct job job = { .first = 1, .last = UIDS };
	char *ballast;
	enum err e = ERR_OK;
	uint32_t more = 0;

	ok(idx_update(i, make, NULL, NULL), "create");
	ok(idx_update(i, add, &job, NULL), "add");
	ballast = fill();
	for (uint32_t k = 0; k < REMOVED; k++) {
		job = (struct job){ .first = 1 + k, .last = UIDS - k };
		ok(idx_update(i, expunge, &job, NULL), "expunge on a full disk");
	}
	for (; !e; more++) {
		job = (struct job){ .first = UIDS + 1 + more * 100, .last = UIDS + 100 + more * 100 };
		e = idx_update(i, add, &job, NULL);
	}
	more--;
	must(e == ERR_NOSPACE);
	must(count(i) == UIDS - REMOVED + more * 100);
	must(unlink(ballast) == 0);
	ok(idx_update(i, add, &job, NULL), "add again");
	must(count(i) == UIDS - REMOVED + more * 100 + 100);
	printf("%d expunges and %u additions on a full disk, then %s, then well again\n", REMOVED, more * 100, err_name(e));
	free(ballast);
}

int main(void)
{
	struct idx_config config = { 0 };
	struct idx *i;
	bool rebuilt;

	must(mkdtemp(dir) != NULL);
	config.dir = mem_printf("%s/index", dir);
	if ((unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) ||
	    /* In a chroot "/" need not be a mount point: then the mount below may show outside too, until it is undone. */
	    (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) && errno != EINVAL) ||
	    mount("index_full", dir, "tmpfs", 0, "size=8m")) {
		printf("no right to mount a small file system: %s\n", strerror(errno));
		rmdir(dir);
		free((char *)(uintptr_t)config.dir);
		return 77;
	}
	ok(idx_open(&config, &i, &rebuilt, NULL), "open");
	run(i);
	idx_close(&i);
	ok(idx_open(&config, &i, &rebuilt, NULL), "open again");
	must(!rebuilt);
	idx_close(&i);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
	free((char *)(uintptr_t)config.dir);
	return 0;
}
