/*
 * Landlock by its system calls: the C library has no wrappers, and the headers of the
 * distribution may be older than the kernel that runs. Versions of the interface:
 * 1 files; 2 moving between directories; 3 truncate; 4 TCP; 5 ioctl; 6 signals and abstract sockets.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LANDLOCK_LEAST = 2, LANDLOCK_VERSION_FLAG = 1, LANDLOCK_PATH_RULE = 1 };

/* Rights, as in the kernel's linux/landlock.h. */
#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_UP_TO_V2 ((1ULL << 14) - 1) /* all of the above, remove, make, and move (1 << 13) */
#define FS_MAKE_SPECIAL ((1ULL << 6) | (1ULL << 11)) /* devices */
#define NET_BIND_CONNECT 3ULL
#define SCOPE_ALL 3ULL

struct landlock_rules {
	uint64_t fs, net, scoped;
};

struct landlock_path {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

/* Read by libraries at any time: character sets, time zones, the null device, random bytes. */
static const char *const landlock_system[] = {
	"/usr/lib/x86_64-linux-gnu/gconv", "/usr/lib/aarch64-linux-gnu/gconv",
	"/usr/lib64/gconv", "/usr/lib/gconv",
	"/usr/share/zoneinfo", "/etc/localtime", "/dev/null", "/dev/urandom",
	/* a character set is a library: the loader reads its cache and those it depends on */
	"/etc/ld.so.cache", "/usr/lib", "/lib", "/lib64",
	NULL,
};

static struct landlock_rules landlock_handled(int abi, bool may_connect)
{
	struct landlock_rules r = { .fs = FS_UP_TO_V2 };

	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 4 && !may_connect)
		r.net = NET_BIND_CONNECT;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= 6)
		r.scoped = SCOPE_ALL;
	return r;
}

/* A path that is not there needs no rule. */
static enum err landlock_allow(int rules, uint64_t handled, const char *path, bool write, struct errtext *why)
{
	uint64_t file_rights = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
	struct landlock_path rule = { .allowed = FS_READ_FILE | FS_READ_DIR };
	struct stat st;
	enum err e = ERR_OK;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? ERR_OK :
			err_sys(why, "Landlock: %s", path);
	if (write)
		rule.allowed = handled & ~(FS_EXECUTE | FS_MAKE_SPECIAL | FS_IOCTL_DEV);
	if (fstat(rule.fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed &= file_rights;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_PATH_RULE, &rule, 0) < 0)
		e = err_sys(why, "Landlock: %s", path);
	close(rule.fd);
	return e;
}

static enum err landlock_allow_all(int rules, uint64_t handled, const struct confine *c, struct errtext *why)
{
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < c->npaths; i++)
		e = landlock_allow(rules, handled, c->paths[i].path, c->paths[i].write, why);
	if (!(c->calls & (CALLS_FILE_READ | CALLS_FILE_WRITE)) && c->calls != CALLS_ANY)
		return e; /* it opens nothing */
	for (size_t i = 0; !e && landlock_system[i]; i++)
		e = landlock_allow(rules, handled, landlock_system[i], false, why);
	return e;
}

enum err sandbox_files(const struct confine *c, struct confine_note *note, struct errtext *why)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION_FLAG);
	struct landlock_rules handled;
	enum err e;
	int rules;

	if (abi < LANDLOCK_LEAST) { /* version 1 cannot rename from tmp/ into new/ */
		confine_note_add(note, "Landlock is not available (%s): files are not confined",
				 abi < 0 ? strerror(errno) : "kernel too old");
		return ERR_OK;
	}
	handled = landlock_handled((int)abi, c->calls & CALLS_CONNECT);
	rules = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);
	if (rules < 0)
		return err_sys(why, "Landlock");
	e = landlock_allow_all(rules, handled.fs, c, why);
	if (!e && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		e = err_sys(why, "Landlock");
	close(rules);
	return e;
}
