/*
 * Every call that changes a disk fails once: disk_calls [-s STORE] [-f FAILURE] [-e EVERY [-b FIRST]] [-n ONE] [-j JOBS] [-l]. A child does what a user
 * does in a day (tests/unit/box_deeds.h). It is traced, and its n-th change of a file is refused (ENOSPC, EIO, EDQUOT, EACCES),
 * a write takes half of its bytes only (short), or it is killed before it (kill), for every n, over each store. Failures
 * go on with: one more message must be taken. Then another process opens what is there, with the index that was left
 * behind and, in every second trial, without: all that was acknowledged must be true.
 *
 *	-e  only every so many; -b: beginning with this one
 *	-n  only this change
 *	-j  so many trials at a time (6: a trial that has to wait until a lock is old does nothing for seconds)
 *	-a  kill before every system call, not only before those that change something
 *	-l  lists the calls: which, of what, how often, with which failures they were tried
 */
#include "config.h"

#include "tests/unit/box_deeds.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef __x86_64__
int main(void)
{
	puts("registers of this processor are not known here");
	return 77;
}
#else

enum { SITES = 400, SITE_NAME = 160, WEDGED = 3, SHORT = -1, KILL = -2 };

static const struct failure {
	const char *name;
	int with; /* errno, or one of the above */
} failures[] = {
	{ "ENOSPC", ENOSPC }, { "EIO", EIO }, { "EDQUOT", EDQUOT }, { "EACCES", EACCES }, { "short", SHORT }, { "kill", KILL },
};

/* Calls that change something beneath the house; which argument says what. */
static const struct call {
	const char *name;
	int nr;
	signed char fd, path, at; /* of a path: its directory; -1: none */
	bool write;               /* argument 2: how many bytes */
} calls[] = {
	{ "write", SYS_write, 0, -1, -1, true },
	{ "pwrite", SYS_pwrite64, 0, -1, -1, true },
	{ "writev", SYS_writev, 0, -1, -1, false },
	{ "pwritev", SYS_pwritev, 0, -1, -1, false },
	{ "fsync", SYS_fsync, 0, -1, -1, false },
	{ "fdatasync", SYS_fdatasync, 0, -1, -1, false },
	{ "ftruncate", SYS_ftruncate, 0, -1, -1, false },
	{ "fallocate", SYS_fallocate, 0, -1, -1, false },
	{ "fchmod", SYS_fchmod, 0, -1, -1, false },
	{ "fchown", SYS_fchown, 0, -1, -1, false },
	{ "copy_file_range", SYS_copy_file_range, 2, -1, -1, false },
	{ "sendfile", SYS_sendfile, 0, -1, -1, false },
	{ "open", SYS_open, -1, 0, -1, false },
	{ "openat", SYS_openat, -1, 1, 0, false },
	{ "openat2", SYS_openat2, -1, 1, 0, false },
	{ "mkdir", SYS_mkdir, -1, 0, -1, false },
	{ "mkdirat", SYS_mkdirat, -1, 1, 0, false },
	{ "unlink", SYS_unlink, -1, 0, -1, false },
	{ "rmdir", SYS_rmdir, -1, 0, -1, false },
	{ "unlinkat", SYS_unlinkat, -1, 1, 0, false },
	{ "rename", SYS_rename, -1, 1, -1, false },
	{ "renameat", SYS_renameat, -1, 3, 2, false },
	{ "renameat2", SYS_renameat2, -1, 3, 2, false },
	{ "link", SYS_link, -1, 1, -1, false },
	{ "linkat", SYS_linkat, -1, 3, 2, false },
	{ "symlinkat", SYS_symlinkat, -1, 2, 1, false },
	{ "utimensat", SYS_utimensat, -1, 1, 0, false },
};

static const struct store_ops *const stores[] = { &store_maildir, &store_mbox };

static struct {
	char name[SITE_NAME];
	unsigned times, tried; /* tried: a bit for each failure */
} sites[SITES];
static unsigned sites_n;
static bool all_calls;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "disk_calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* --- the child ------------------------------------------------------------------------------------ */

/* What the tracer wants to see stops here; everything else runs at full speed. */
static void ask_for_stops(void)
{
	struct sock_filter code[2 * ARRAY_LEN(calls) + 2];
	struct sock_fprog program = { .filter = code };
	unsigned n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; !all_calls && i < ARRAY_LEN(calls); i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].nr, 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, all_calls ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(2);
	raise(SIGSTOP);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(2);
}

/* The next login after one that failed. */
static void open_again(struct house *h)
{
	struct errtext t;

	if (acct_open(&h->config, &h->a, &t) && acct_open(&h->config, &h->a, &t))
		_exit(WEDGED);
}

static _Noreturn void child(struct house *h, struct deeds *k)
{
	bool well;

	ask_for_stops();
	open_again(h);
	deeds_do(h, k);
	well = deeds_last(h, k);
	for (int i = 0; i < 600 && acct_busy(h->a); i++) {
		usleep(i ? 50000 : 0);
		house_work(h);
	}
	k->written = !acct_busy(h->a);
	well = well && k->written;
	house_close(h);
	_exit(well ? 0 : WEDGED);
}

/* --- the tracer ------------------------------------------------------------------------------------ */

static const struct call *call_of(const struct user_regs_struct *r)
{
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (calls[i].nr == (int)r->orig_rax)
			return &calls[i];
	return NULL;
}

static uint64_t argument(const struct user_regs_struct *r, int i)
{
	const uint64_t all[] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	return all[i];
}

static bool read_child(pid_t pid, uint64_t at, void *out, size_t n)
{
	struct iovec here = { out, n }, there = { (void *)(uintptr_t)at, n }; // NOLINT: an address of the child's

	return process_vm_readv(pid, &here, 1, &there, 1, 0) > 0;
}

/* Strings end before the page does, or the rest is read too. */
static void read_string(pid_t pid, uint64_t at, char *out, size_t size)
{
	size_t n = 4096 - at % 4096;

	memset(out, 0, size);
	if (n >= size || !read_child(pid, at, out, n) || !memchr(out, 0, n))
		(void)read_child(pid, at, out, size - 1);
}

static void path_of_fd(pid_t pid, int fd, char out[300])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), fd == AT_FDCWD ? "/proc/%d/cwd" : "/proc/%d/fd/%d", pid, fd);
	n = readlink(link, out, 299);
	out[n > 0 ? n : 0] = '\0';
}

/* An open is a change when it makes the file, or empties it. */
static bool opens_only(pid_t pid, const struct call *c, const struct user_regs_struct *r)
{
	uint64_t flags;

	if (c->nr != SYS_open && c->nr != SYS_openat && c->nr != SYS_openat2)
		return false;
	flags = argument(r, c->path + 1);
	if (c->nr == SYS_openat2 && !read_child(pid, flags, &flags, sizeof(flags)))
		return true;
	return !(flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE;
}

/* A name without what differs from run to run: every number, decimal or hexadecimal, as one #. */
static void plain_name(const char *p, char *out, size_t size)
{
	size_t n = 0;

	while (*p && n + 1 < size) {
		size_t run = strspn(p, "0123456789abcdef");
		bool number = run > 0 && strcspn(p, "0123456789") < run;

		run = run ? run : 1;
		for (size_t i = 0; !number && i < run && n + 1 < size; i++)
			out[n++] = p[i];
		if (number)
			out[n++] = '#';
		p += run;
	}
	out[n] = '\0';
}

/* What is changed, and how; false: it is not below the house. */
static bool what_of(pid_t pid, const struct house *h, const struct call *c, const struct user_regs_struct *r, char name[SITE_NAME])
{
	char path[300] = "", leaf[300] = "", full[700];
	int n;

	if (c->path >= 0)
		read_string(pid, argument(r, c->path), leaf, sizeof(leaf));
	if (c->fd >= 0 || (leaf[0] != '/' && c->at >= 0))
		path_of_fd(pid, (int)argument(r, c->fd >= 0 ? c->fd : c->at), path);
	snprintf(full, sizeof(full), "%s%s%s", path, *path && *leaf ? "/" : "", leaf);
	if (strncmp(full, h->dir, strlen(h->dir)) != 0)
		return false;
	n = snprintf(name, SITE_NAME, "%s ", c->name);
	plain_name(full + strlen(h->dir) + 1, name + n, SITE_NAME - (size_t)n);
	return true;
}

static void note_site(const char *name, int failure)
{
	unsigned i = 0;

	while (i < sites_n && strcmp(sites[i].name, name) != 0)
		i++;
	if (i == SITES)
		return;
	if (i == sites_n)
		snprintf(sites[sites_n++].name, SITE_NAME, "%s", name);
	if (failure < 0)
		sites[i].times++;
	else
		sites[i].tried |= 1U << failure;
}

static void fail_call(pid_t pid, const struct call *c, struct user_regs_struct *r, int with)
{
	if (with == SHORT) {
		if (c->write && r->rdx > 1)
			r->rdx /= 2;
		else if ((c->nr == SYS_writev || c->nr == SYS_pwritev) && r->rdx > 1)
			r->rdx = 1;
	} else {
		r->orig_rax = (unsigned long long)-1;
		r->rax = (unsigned long long)-with;
	}
	if (ptrace(PTRACE_SETREGS, pid, NULL, r) < 0)
		die("ptrace");
}

/* Until the child ends or its n-th change was met, which then lets it run alone. Its name into site. */
static bool trace(pid_t pid, const struct house *h, unsigned nth, int with, char site[SITE_NAME])
{
	struct user_regs_struct r;
	unsigned n = 0;
	int status;

	*site = '\0';
	for (;;) {
		const struct call *c;

		if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status))
			return false;
		if (status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
			if (WSTOPSIG(status) == SIGSTOP)
				ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
			ptrace(PTRACE_CONT, pid, NULL, WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status));
			continue;
		}
		if (ptrace(PTRACE_GETREGS, pid, NULL, &r) < 0)
			die("ptrace");
		c = call_of(&r);
		if ((all_calls || (c && !opens_only(pid, c, &r) && what_of(pid, h, c, &r, site))) && ++n) {
			if (!nth)
				note_site(site, -1);
			if (n == nth)
				break;
		}
		ptrace(PTRACE_CONT, pid, NULL, NULL);
	}
	if (with == KILL) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return true;
	}
	fail_call(pid, call_of(&r), &r, with);
	/* A call that still wants to stop after its tracer went fails: so it stays, and lets all of them pass. */
	for (;;) {
		ptrace(PTRACE_CONT, pid, NULL, NULL);
		if (waitpid(pid, &status, 0) < 0 || WIFEXITED(status) || WIFSIGNALED(status))
			break;
	}
	if (WIFSIGNALED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "disk_calls: %s, change %u, %s: %s\n", h->ns.ops->driver, nth, site,
			WIFSIGNALED(status)                  ? strsignal(WTERMSIG(status))
			: WEXITSTATUS(status) == WEDGED ? "it goes on failing"
							     : "the child failed");
		exit(1);
	}
	return true;
}

/* --- trials ------------------------------------------------------------------------------------------ */

/* In a process of its own: it finds what the first left, as any other would. */
static bool checked(struct house *h, struct deeds *k, const char *where, bool without_index, bool killed)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (without_index)
			remove_tree(h->index);
		open_again(h);
		deeds_check(h, k, where, without_index && killed);
		house_close(h);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

static void shut(struct house *h)
{
	arena_free(&h->ar);
	remove_tree(h->dir);
}

/* False: there is no n-th change. */
static bool trial(const struct store_ops *ops, unsigned nth, int failure, bool without_index)
{
	struct deeds *k = mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int with = failure < 0 ? 0 : failures[failure].with;
	char site[SITE_NAME], where[SITE_NAME + 60];
	struct house h;
	bool met;
	pid_t pid;

	house_prepare(&h, ops);
	h.ns.store.sync = nth % 3 ? STORE_SYNC_OPTIMIZED : STORE_SYNC_ALWAYS;
	pid = fork();
	if (pid == 0)
		child(&h, k);
	met = trace(pid, &h, nth, with, site);
	if (met && !all_calls)
		note_site(site, failure);
	snprintf(where, sizeof(where), "%s, change %u, %s%s: %s", ops->driver, nth, failure < 0 ? "-" : failures[failure].name,
		 without_index ? ", no index" : "", site);
	if (!met && !deeds_all_done(k))
		die("the deeds were not done");
	if (!checked(&h, k, where, without_index, with == KILL)) {
		fprintf(stderr, "disk_calls: %s: see %s\n", where, h.dir);
		exit(1);
	}
	shut(&h);
	munmap(k, sizeof(*k));
	return met;
}

static void list_sites(const char *driver)
{
	for (unsigned i = 0; i < sites_n; i++) {
		printf("%-8s %-60s %4u ", driver, sites[i].name, sites[i].times);
		for (size_t f = 0; f < ARRAY_LEN(failures); f++)
			printf(" %s", sites[i].tried >> f & 1 ? failures[f].name : "-");
		putchar('\n');
	}
}

static bool wanted(const char *name, const char *want)
{
	return !want || strcmp(name, want) == 0;
}

struct plan {
	const char *store, *failure; /* only this one, or NULL */
	unsigned every, begin, one, jobs;
	bool list;
};

/* Every p->jobs-th trial of a store; how many. */
static unsigned try_share(const struct plan *p, const struct store_ops *ops, unsigned share)
{
	unsigned trials = 0;

	for (size_t f = 0; f < ARRAY_LEN(failures); f++) {
		unsigned first = p->one ? p->one : 1 + (p->begin + (unsigned)f - 1) % p->every;

		if (!wanted(failures[f].name, p->failure) || (all_calls && failures[f].with != KILL))
			continue;
		for (unsigned n = first + share * p->every; trial(ops, n, (int)f, (n / p->every + f) % 2); n += p->every * p->jobs) {
			trials++;
			if (p->one)
				break;
		}
	}
	return trials;
}

/* All of a store, in processes side by side; how many. */
static unsigned try_all(const struct plan *p, const struct store_ops *ops)
{
	unsigned *trials = mmap(NULL, p->jobs * sizeof(*trials), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned sum = 0;
	int status;

	for (unsigned i = 0; i < p->jobs; i++)
		if (fork() == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			trials[i] = try_share(p, ops, i);
			exit(0);
		}
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			exit(1);
	for (unsigned i = 0; i < p->jobs; i++)
		sum += trials[i];
	munmap(trials, p->jobs * sizeof(*trials));
	return sum;
}

static unsigned *number_of(struct plan *p, int option)
{
	return option == 'e' ? &p->every : option == 'b' ? &p->begin : option == 'j' ? &p->jobs : &p->one;
}

static void read_options(int argc, char **argv, struct plan *p)
{
	int o;

	while ((o = getopt(argc, argv, "s:f:e:b:n:j:al")) != -1) {
		if (o == 's')
			p->store = optarg;
		else if (o == 'f')
			p->failure = optarg;
		else if (o == 'a')
			all_calls = true;
		else if (o == 'l')
			p->list = true;
		else if (o == '?' || !span_u32(span_str(optarg), number_of(p, o)) || !p->every || !p->begin || !p->jobs)
			die("usage");
	}
}

int main(int argc, char **argv)
{
	struct plan p = { .every = 1, .begin = 1, .jobs = 6 };
	unsigned trials = 0;

	read_options(argc, argv, &p);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t s = 0; s < ARRAY_LEN(stores); s++) {
		if (!wanted(stores[s]->driver, p.store))
			continue;
		sites_n = 0;
		memset(sites, 0, sizeof(sites));
		trial(stores[s], 0, -1, false);
		if (p.list || p.one) { /* what is listed is counted in this process */
			p.jobs = 1;
			trials += try_share(&p, stores[s], 0);
		} else {
			trials += try_all(&p, stores[s]);
		}
		if (p.list)
			list_sites(stores[s]->driver);
	}
	printf("disk_calls: %u failures, nothing lost\n", trials);
	return 0;
}
#endif
