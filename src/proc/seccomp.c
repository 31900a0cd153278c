/*
 * System call filters, as lists of what is allowed. By name, resolved for the machine that
 * runs; a name that it does not have is passed over.
 */
#include "base/mem.h"
#include "base/must.h"
#include "sandbox.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct confine_filter {
	struct sock_fprog prog; /* own */
};

void confine_filter_free(struct confine_filter **f)
{
	if (*f)
		free((*f)->prog.filter);
	free(*f);
	*f = NULL;
}

#ifdef ROOST_SANITIZE

enum err confine_compile(unsigned calls, struct confine_filter **f_r, struct errtext *why)
{
	*f_r = NULL;
	return ERR_OK;
}

enum err sandbox_calls(const struct confine *c, struct confine_note *note, struct errtext *why)
{
	return ERR_OK;
}

#else

#include <seccomp.h>

static const char *const calls_base[] = {
	"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "lseek", "_llseek",
	"close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "fstat", "fstat64", "ioctl",
	"newfstatat", "fstatat64", "statx",
	"mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "brk", "membarrier",
	"futex", "futex_time64", "set_robust_list", "get_robust_list", "rseq", "sched_yield", "sched_getaffinity",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_gettime64", "clock_getres", "gettimeofday", "time",
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups", "getresuid",
	"getresgid", "getuid32", "geteuid32", "getgid32", "getegid32", "umask",
	"getrandom", "uname", "sysinfo", "getrusage", "getrlimit", "ugetrlimit", "prlimit64", "times",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack", "restart_syscall",
	"tgkill", "exit", "exit_group", "prctl", "arch_prctl",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"ppoll_time64", "select", "pselect6", "eventfd2", "signalfd4", "timerfd_create", "timerfd_settime",
	"send", "recv", "sendto", "recvfrom", "sendmsg", "recvmsg", "getsockopt", "setsockopt",
	"getsockname", "getpeername", "shutdown", "socketpair", "pipe2", "sendfile", "splice",
	NULL,
};

static const char *const calls_socket[] = { "accept", "accept4", NULL };

static const char *const calls_file_read[] = {
	"open", "openat", "openat2", "stat", "lstat", "stat64", "lstat64", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getdents", "getdents64", "getcwd", "chdir", "fchdir", "statfs", "statfs64",
	"fstatfs", "fstatfs64", "readahead", "fadvise64", "fadvise64_64", "flock", "mincore",
	"memfd_create", NULL,
};

static const char *const calls_file_write[] = {
	"creat", "mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat", "unlink",
	"unlinkat", "symlink", "symlinkat", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown",
	"lchown", "fchownat", "chown32", "fchown32", "truncate", "ftruncate", "truncate64", "ftruncate64",
	"fallocate", "fsync", "fdatasync", "sync_file_range", "syncfs", "msync", "utime", "utimes",
	"utimensat", "utimensat_time64", "futimesat", "copy_file_range", "kill", NULL,
};

static const char *const calls_watch[] = {
	"inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", NULL,
};

static const char *const calls_connect[] = {
	"socket", "connect", "bind", "sendmmsg", "recvmmsg", NULL,
};

static const struct {
	unsigned set;
	const char *const *names;
} calls_table[] = {
	{ CALLS_BASE, calls_base },
	{ CALLS_SOCKET, calls_socket },
	{ CALLS_FILE_READ, calls_file_read },
	{ CALLS_FILE_WRITE, calls_file_write },
	{ CALLS_WATCH, calls_watch },
	{ CALLS_CONNECT, calls_connect },
};

static bool calls_rule(scmp_filter_ctx filter, uint32_t action, const char *name)
{
	int nr = seccomp_syscall_resolve_name(name);

	return nr < 0 || seccomp_rule_add(filter, action, nr, 0) == 0;
}

static bool calls_allow(scmp_filter_ctx filter, unsigned calls)
{
	bool ok = true;

	for (size_t i = 0; i < ARRAY_LEN(calls_table); i++) {
		if (!(calls & calls_table[i].set))
			continue;
		for (const char *const *name = calls_table[i].names; ok && *name; name++)
			ok = calls_rule(filter, SCMP_ACT_ALLOW, *name);
	}
	return ok && calls_rule(filter, SCMP_ACT_KILL_PROCESS, "execve") &&
	       calls_rule(filter, SCMP_ACT_KILL_PROCESS, "execveat");
}

/* The library writes a program into a file only. */
static enum err filter_read(scmp_filter_ctx lib, struct confine_filter *f, struct errtext *why)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	enum err e = ERR_OK;

	if (fd < 0)
		return err_sys(why, "seccomp");
	if (seccomp_export_bpf(lib, fd) != 0 || fstat(fd, &st) < 0 ||
	    st.st_size > (off_t)(BPF_MAXINSNS * sizeof(*f->prog.filter))) {
		close(fd);
		return err_say(why, ERR_CANNOT, "seccomp: the filter cannot be made");
	}
	f->prog.len = (unsigned short)((size_t)st.st_size / sizeof(*f->prog.filter));
	f->prog.filter = mem_alloc((size_t)st.st_size);
	if (pread(fd, f->prog.filter, (size_t)st.st_size, 0) != st.st_size)
		e = err_sys(why, "seccomp");
	close(fd);
	return e;
}

enum err confine_compile(unsigned calls, struct confine_filter **f_r, struct errtext *why)
{
	scmp_filter_ctx lib = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	struct confine_filter *f;
	enum err e;

	if (!lib)
		return err_say(why, ERR_MEMORY, "seccomp: no filter");
	f = mem_alloc(sizeof(*f));
	seccomp_attr_set(lib, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree instead of a list */
	e = calls_allow(lib, calls) ? filter_read(lib, f, why) : err_say(why, ERR_CANNOT, "seccomp: a rule was refused");
	seccomp_release(lib);
	if (e)
		confine_filter_free(&f);
	else
		*f_r = f;
	return e;
}

static enum err filter_load(const struct confine_filter *f, struct confine_note *note, struct errtext *why)
{
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->prog) == 0)
		return ERR_OK;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return err_sys(why, "seccomp");
	confine_note_add(note, "seccomp is not available: system calls are not confined");
	return ERR_OK;
}

enum err sandbox_calls(const struct confine *c, struct confine_note *note, struct errtext *why)
{
	struct confine_filter *own = NULL;
	enum err e = c->filter ? ERR_OK : confine_compile(c->calls, &own, why);

	if (!e)
		e = filter_load(c->filter ? c->filter : own, note, why);
	confine_filter_free(&own);
	return e;
}

#endif
