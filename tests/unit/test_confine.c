/* Each case confines a child process and looks from inside what it still may do. */
#include "proc/confine.h"

#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NOBODY = 65534 };

static char dir[] = "/tmp/test_confine.XXXXXX";

/* The exit status of fn in a confined child; 100 + signal when it was killed; 99 when confining failed. */
static int confined(const struct confine *c, int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct confine_note note;
		struct errtext why;

		if (confine_self(c, &note, &why) != ERR_OK)
			_exit(99);
		_exit(fn());
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : WEXITSTATUS(status);
}

static bool can_open(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int look_limits(void)
{
	struct rlimit core, files;

	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_NOFILE, &files);
	return core.rlim_max == 0 && files.rlim_cur == 100 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 1;
}

static void test_limits(void **state)
{
	struct confine c = { .uid = (uid_t)-1, .gid = (gid_t)-1, .files_max = 100 };

	assert_int_equal(confined(&c, look_limits), 0);
}

static int look_ids(void)
{
	gid_t groups[8];

	if (getuid() != NOBODY || geteuid() != NOBODY || getgid() != NOBODY || getgroups(8, groups) != 1 ||
	    groups[0] != 7)
		return 1;
	return setresuid(0, 0, 0) == 0 || can_open("rw/new", O_CREAT | O_WRONLY);
}

static void test_ids(void **state)
{
	static const gid_t groups[] = { 7 };
	struct confine c = { .uid = NOBODY, .gid = NOBODY, .groups = groups, .ngroups = 1 };

	if (geteuid() != 0) {
		print_message("SKIP: changing the uid needs root\n");
		skip();
	}
	assert_int_equal(confined(&c, look_ids), 0);
	c.uid = 0;
	assert_int_equal(confined(&c, look_ids), 99); /* never to root by accident */
}

static int look_chroot(void)
{
	struct stat st;

	return stat("/rw", &st) == 0 && stat("/etc", &st) < 0 ? 0 : 1;
}

static void test_chroot(void **state)
{
	struct confine c = { .uid = (uid_t)-1, .gid = (gid_t)-1, .chroot = dir };

	if (geteuid() != 0) {
		print_message("SKIP: chroot needs root\n");
		skip();
	}
	assert_int_equal(confined(&c, look_chroot), 0);
}

static int look_files(void)
{
	char from[128], to[128];
	int other = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	snprintf(from, sizeof(from), "%s/rw/tmp/x", dir);
	snprintf(to, sizeof(to), "%s/rw/new/x", dir);
	if (other >= 0 || !can_open("ro/f", O_RDONLY) || can_open("ro/f", O_RDWR))
		return 1;
	if (!can_open("rw/tmp/x", O_CREAT | O_RDWR) || rename(from, to) < 0 || link(to, from) < 0)
		return 2;
	return truncate(to, 0) < 0 || unlink(from) < 0 || unlink(to) < 0 ? 3 : 0;
}

static int look_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EACCES ? 0 : 1;
}

static bool have_landlock(int *abi_r)
{
	*abi_r = (int)syscall(444, NULL, 0, 1);
	if (*abi_r < 2)
		print_message("SKIP: this kernel has no Landlock (version %d)\n", *abi_r);
	return *abi_r >= 2;
}

static void test_landlock(void **state)
{
	char rw[64], ro[64];
	struct confine_path paths[] = { { rw, true }, { ro, false }, { "/nonexistent", true } };
	struct confine c = { .uid = (uid_t)-1, .gid = (gid_t)-1, .landlock = true, .paths = paths, .npaths = 3 };
	int abi;

	if (!have_landlock(&abi))
		skip();
	snprintf(rw, sizeof(rw), "%s/rw", dir);
	snprintf(ro, sizeof(ro), "%s/ro", dir);
	assert_int_equal(confined(&c, look_files), 0);
	if (abi >= 4)
		assert_int_equal(confined(&c, look_connect), 0);
}

#ifndef ROOST_SANITIZE

static int look_calls(void)
{
	void *p = malloc(1 << 20);
	bool denied = open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EPERM &&
		      socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 && errno == EPERM;

	free(p);
	return denied && getpid() > 0 ? 0 : 1;
}

static int look_more_calls(void)
{
	return can_open("rw/y", O_CREAT | O_RDWR) && can_open("ro/f", O_RDONLY) && fork() < 0 ? 0 : 1;
}

static int try_exec(void)
{
	execl("/bin/true", "true", NULL);
	return 0;
}

static void test_seccomp(void **state)
{
	struct confine c = { .uid = (uid_t)-1, .gid = (gid_t)-1, .calls = CALLS_BASE };

	assert_int_equal(confined(&c, look_calls), 0);
	assert_int_equal(confined(&c, try_exec), 100 + SIGSYS);
	c.calls |= CALLS_FILE_READ | CALLS_FILE_WRITE;
	assert_int_equal(confined(&c, look_more_calls), 0);
}

#endif

static int make_tree(void **state)
{
	static const char *const dirs[] = { "", "/rw", "/rw/tmp", "/rw/new", "/ro" };
	char path[128];

	if (!mkdtemp(dir))
		return -1;
	for (size_t i = 1; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, dirs[i]);
		mkdir(path, 0755);
	}
	chmod(dir, 0755);
	return can_open("ro/f", O_CREAT | O_RDWR) ? 0 : -1;
}

static int drop_tree(void **state)
{
	static const char *const names[] = { "ro/f", "rw/y", "rw/new/x", "rw/tmp/x" };
	static const char *const dirs[] = { "/rw/tmp", "/rw/new", "/rw", "/ro", "" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, dirs[i]);
		rmdir(path);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits), cmocka_unit_test(test_ids), cmocka_unit_test(test_chroot),
		cmocka_unit_test(test_landlock),
#ifndef ROOST_SANITIZE /* the sanitizers use other system calls */
		cmocka_unit_test(test_seccomp),
#endif
	};

	return cmocka_run_group_tests(tests, make_tree, drop_tree);
}
