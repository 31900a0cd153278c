/*
 * A disk whose power can be cut at any moment: power record BASE DIRECTORY LOG | power replay BASE LOG SEED IMAGE.
 *
 * record: a FUSE file system at DIRECTORY with two files: "disk" holds the image BASE in memory, for a loop device to stand on;
 * "mark" takes lines of a test. What is written is applied at once and goes to LOG: 'W' offset length bytes, 'F' (flush),
 * 'M' length text. One request is answered before the next is read, so what stands before an F was on the disk when the
 * flush was over. Ends when it is unmounted; with 77 where nothing of that kind may be mounted.
 *
 * replay: picks a moment between the first mark and the end, and makes an IMAGE of what may be on the disk then: all that was
 * flushed, and of the rest all, nothing, some blocks, some sectors (a write of which half arrives), or a prefix.
 * Prints the marks before.
 */
#include "config.h"

#include "base/mem.h"
#include "base/span.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK = 2, MARK = 3, WRITE_MAX = 1 << 20, SECTOR = 512, BLOCK = 4096, NO_FUSE = 77 };

static char *image;
static size_t image_n;
static FILE *record_log;
static int fuse_fd;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "power: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void image_load(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	image_n = (size_t)st.st_size;
	image = mmap(NULL, image_n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (image == MAP_FAILED)
		die(path);
	close(fd);
}

/* --- recording: the kernel's side of FUSE, as far as a loop device needs it ------------------------------ */

static void note(char kind, uint64_t at, const void *p, uint32_t n)
{
	fputc(kind, record_log);
	if (kind == 'W')
		fwrite(&at, sizeof(at), 1, record_log);
	if (kind != 'F') {
		fwrite(&n, sizeof(n), 1, record_log);
		fwrite(p, 1, n, record_log);
	}
}

static void answer(const struct fuse_in_header *in, int error, const void *p, size_t n)
{
	static char out[WRITE_MAX + 4096];
	struct fuse_out_header *h = (struct fuse_out_header *)out;

	*h = (struct fuse_out_header){ .len = (uint32_t)(sizeof(*h) + (error ? 0 : n)), .error = -error, .unique = in->unique };
	if (!error && n)
		memcpy(out + sizeof(*h), p, n);
	if (write(fuse_fd, out, h->len) < 0 && errno != ENOENT)
		die("answer");
}

static struct fuse_attr attr_of(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.size = node == DISK ? image_n : 0,
		.blocks = node == DISK ? image_n / 512 : 0,
		.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0666,
		.nlink = 1,
		.blksize = BLOCK,
	};
}

static void lookup(const struct fuse_in_header *in, const char *name)
{
	uint64_t node = strcmp(name, "disk") == 0 ? DISK : strcmp(name, "mark") == 0 ? MARK : 0;
	struct fuse_entry_out e = { .nodeid = node, .attr = attr_of(node), .entry_valid = 3600, .attr_valid = 3600 };

	answer(in, node ? 0 : ENOENT, &e, sizeof(e));
}

static void do_read(const struct fuse_in_header *in, const struct fuse_read_in *r)
{
	size_t n = r->offset < image_n ? image_n - r->offset : 0;

	n = n < r->size ? n : r->size;
	answer(in, 0, in->nodeid == DISK ? image + r->offset : NULL, in->nodeid == DISK ? n : 0);
}

static void do_write(const struct fuse_in_header *in, const struct fuse_write_in *w)
{
	struct fuse_write_out out = { .size = w->size };
	const char *p = (const char *)(w + 1);

	if (in->nodeid == DISK && (w->offset > image_n || w->size > image_n - w->offset)) {
		answer(in, ENOSPC, NULL, 0);
		return;
	}
	if (in->nodeid == DISK) {
		memcpy(image + w->offset, p, w->size);
		note('W', w->offset, p, w->size);
	} else {
		note('M', 0, p, w->size);
	}
	answer(in, 0, &out, sizeof(out));
}

static void hello(const struct fuse_in_header *in, const struct fuse_init_in *init)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = init->max_readahead,
		.flags = init->flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES),
		.max_background = 16,
		.max_write = WRITE_MAX,
		.max_pages = WRITE_MAX / BLOCK,
	};

	answer(in, 0, &out, sizeof(out));
}

static void serve(const struct fuse_in_header *in, const void *body)
{
	struct fuse_attr_out attr = { .attr_valid = 3600, .attr = attr_of(in->nodeid) };
	struct fuse_open_out open = { .open_flags = FOPEN_DIRECT_IO };
	struct fuse_statfs_out fs = { .st = { .bsize = BLOCK, .namelen = 255, .frsize = BLOCK } };

	switch (in->opcode) {
	case FUSE_INIT:
		hello(in, body);
		break;
	case FUSE_LOOKUP:
		lookup(in, body);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		answer(in, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		answer(in, 0, &open, sizeof(open));
		break;
	case FUSE_READ:
		do_read(in, body);
		break;
	case FUSE_WRITE:
		do_write(in, body);
		break;
	case FUSE_FSYNC:
		note('F', 0, NULL, 0);
		answer(in, 0, NULL, 0);
		break;
	case FUSE_STATFS:
		answer(in, 0, &fs, sizeof(fs));
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		answer(in, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* no answer */
	default:
		answer(in, ENOSYS, NULL, 0);
	}
}

static int record(const char *base, const char *dir, const char *log)
{
	size_t size = WRITE_MAX + 8192;
	char *request = mem_array(size, 1), options[100];

	image_load(base);
	record_log = fopen(log, "w");
	fuse_fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (!record_log)
		die(log);
	if (fuse_fd < 0)
		return NO_FUSE;
	setvbuf(record_log, NULL, _IOFBF, 1 << 20);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse_fd);
	if (mount("power", dir, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return NO_FUSE;
	for (;;) {
		ssize_t n = read(fuse_fd, request, size);

		if (n < 0 && errno == ENODEV)
			break;
		if (n >= (ssize_t)sizeof(struct fuse_in_header))
			serve((struct fuse_in_header *)request, request + sizeof(struct fuse_in_header));
	}
	free(request);
	return fclose(record_log) == 0 ? 0 : 1;
}

/* --- replaying ------------------------------------------------------------------------------------------------ */

struct event {
	char kind;
	uint64_t at;
	uint32_t n;
	const char *p;
};

static struct event *event;
static size_t events;

static void log_load(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	size_t cap = 0;
	char *all, *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	all = mmap(NULL, (size_t)st.st_size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
	if (all == MAP_FAILED)
		die(path);
	close(fd);
	for (p = all; p < all + st.st_size;) {
		struct event e = { .kind = *p++ };

		if (e.kind == 'W') {
			memcpy(&e.at, p, sizeof(e.at));
			p += sizeof(e.at);
		}
		if (e.kind != 'F') {
			memcpy(&e.n, p, sizeof(e.n));
			e.p = p + sizeof(e.n);
			p += sizeof(e.n) + e.n;
		}
		if (events == cap) {
			cap = cap ? 2 * cap : 1024;
			event = mem_grow(event, cap, sizeof(*event));
		}
		event[events++] = e;
	}
}

/* Pieces of a write that was not flushed: each arrives or does not. */
static void apply_some(const struct event *e, size_t piece)
{
	for (size_t at = 0; at < e->n; at += piece)
		if (random() & 1)
			memcpy(image + e->at + at, e->p + at, e->n - at < piece ? e->n - at : piece);
}

static void apply(const struct event *e, bool flushed, int policy)
{
	if (e->kind != 'W')
		return;
	if (flushed || policy == 0)
		memcpy(image + e->at, e->p, e->n);
	else if (policy == 2)
		apply_some(e, BLOCK);
	else if (policy == 3)
		apply_some(e, SECTOR);
	else if (policy == 4 && random() % 4)
		apply_some(e, random() & 1 ? BLOCK : e->n);
}

static int replay(const char *base, const char *log, unsigned seed, const char *path)
{
	size_t first = 0, cut, flush = 0;
	int policy, fd;

	image_load(base);
	log_load(log);
	while (first < events && event[first].kind != 'M')
		first++;
	if (first == events)
		die("no mark");
	srandom(seed);
	cut = first + 1 + (size_t)random() % (events - first);
	policy = (int)(random() % 5);
	for (size_t i = 0; i < cut; i++)
		flush = event[i].kind == 'F' ? i : flush;
	for (size_t i = 0; i < cut; i++)
		apply(&event[i], i < flush, policy);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0)
		die(path);
	for (size_t at = 0; at < image_n;) {
		ssize_t n = write(fd, image + at, image_n - at);

		if (n <= 0)
			die(path);
		at += (size_t)n;
	}
	close(fd);
	printf("cut %zu of %zu, policy %d\n", cut, events, policy);
	for (size_t i = 0; i < cut; i++)
		if (event[i].kind == 'M')
			fwrite(event[i].p, 1, event[i].n, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	uint32_t seed;

	if (argc == 5 && strcmp(argv[1], "record") == 0)
		return record(argv[2], argv[3], argv[4]);
	if (argc == 6 && strcmp(argv[1], "replay") == 0 && span_u32(span_str(argv[4]), &seed))
		return replay(argv[2], argv[3], seed, argv[5]);
	fputs("usage: power record BASE DIRECTORY LOG | power replay BASE LOG SEED IMAGE\n", stderr);
	return 2;
}
