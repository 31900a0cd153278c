/*
 * The server that runs; or, when none does, one for the time being: the same programs under the same rules and
 * locks, without listeners, its sockets in a directory of its own, ended with the command.
 */
#include "adm.h"

#include "conf/conf.h"
#include "conf/load.h"

#include "base/mem.h"
#include "base/must.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONF_TEXT_MAX = 1 << 20, START_TRIES = 1000, TRY_MS = 20, END_TRIES = 1500, STALE_S = 60 };

static const char dir_prefix[] = "roostadm-";

int adm_conf(const struct adm *a, struct conf **c_r)
{
	struct buf errors, warnings;
	int status = STATUS_OK;

	buf_init(&errors, CONF_TEXT_MAX);
	buf_init(&warnings, CONF_TEXT_MAX);
	if (conf_load(a->conf, CONF_LOAD_NO_CONTENT, c_r, &errors, &warnings) != ERR_OK) {
		fwrite(errors.p, 1, errors.n, stderr);
		/* Which of its files, the text says; doveadm, too, tells that it is not there from that it is wrong. */
		status = access(a->conf, R_OK) == 0 ? STATUS_CONFIG : STATUS_TEMP;
	}
	buf_free(&errors);
	buf_free(&warnings);
	return status;
}

int server_path(const struct adm *a, char *out, size_t n)
{
	struct conf *c = NULL;
	int status;

	if (a->socket)
		return (size_t)snprintf(out, n, "%s", a->socket) < n ? STATUS_OK : STATUS_USAGE;
	status = adm_conf(a, &c);
	if (status == STATUS_OK)
		snprintf(out, n, "%s/control", conf_str(c, CONF_BASE_DIR));
	conf_free(&c);
	return status;
}

int server_connect(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd, why;

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	why = errno;
	if (fd >= 0)
		close(fd);
	errno = why;
	return -1;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

/* These settings, but for where it would be heard. */
static bool write_conf(const char *settings, const struct server *s)
{
	char path[128];
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/roost.conf", s->dir);
	f = fopen(path, "we");
	ok = f && fprintf(f, "%s\nbase_dir = %s\nprotocols =\n", settings, s->dir) > 0;
	return f ? fclose(f) == 0 && ok : false;
}

static int open_in(const struct server *s, const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	return open(path, flags | O_CLOEXEC, 0600);
}

/* What it said before it opened its log. */
static void tell_errors(const struct server *s)
{
	char text[4096];
	int fd = open_in(s, "errors", O_RDONLY);
	ssize_t n;

	while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stderr);
	if (fd >= 0)
		close(fd);
}

static pid_t spawn(const struct server *s)
{
	char path[128];
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	snprintf(path, sizeof(path), "%s/roost.conf", s->dir);
	int log = open_in(s, "errors", O_WRONLY | O_CREAT);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	setpgid(0, 0); /* ^C is for us: we end it */
	if (getppid() == parent)
		execl(SBINDIR "/roost", "roost", "-F", "-m", "-c", path, (char *)NULL);
	_exit(127);
}

static bool wait_for_start(struct server *s)
{
	for (int i = 0; i < START_TRIES; i++) {
		int fd = server_connect(s->path);

		if (fd >= 0) {
			close(fd);
			return true;
		}
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
			s->pid = 0;
			return false;
		}
		pause_ms(TRY_MS);
	}
	return false;
}

/* Where such directories are made. */
static const char *place(void)
{
	return geteuid() == 0 ? "/run" : "/tmp";
}

static void remove_files(int fd, const char *path)
{
	static const char *const names[] = { "roost.conf", "control", "master.pid", "errors", "empty" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (unlinkat(fd, names[i], 0) != 0)
			unlinkat(fd, names[i], AT_REMOVEDIR);
	rmdir(path);
}

/*
 * The directory, locked as long as we live: so it shows whether it is still of use. -1: it is not there, not ours, or of
 * use to another.
 */
static int lock_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* One that has rested for a while, and where nobody listens: its server may outlive a roostadm that was killed, for a moment. */
static bool is_stale(int fd, const char *path)
{
	char control[ADM_PATH];
	struct stat st;
	int there;

	snprintf(control, sizeof(control), "%s/control", path);
	there = server_connect(control);
	if (there >= 0)
		close(there);
	return there < 0 && fstat(fd, &st) == 0 && time(NULL) - st.st_mtime > STALE_S;
}

/* What others left behind who were killed. */
static void remove_stale(void)
{
	DIR *d = opendir(place());
	struct dirent *e;
	char path[128];

	while (d && (e = readdir(d))) {
		size_t n = sizeof(dir_prefix) - 1;
		int fd = -1;

		if (strncmp(e->d_name, dir_prefix, n) == 0 && strlen(e->d_name) == n + 6 &&
		    (size_t)snprintf(path, sizeof(path), "%s/%s", place(), e->d_name) < sizeof(path))
			fd = lock_dir(path);
		if (fd >= 0 && is_stale(fd, path))
			remove_files(fd, path);
		if (fd >= 0)
			close(fd);
	}
	if (d)
		closedir(d);
}

static bool make_dir(struct server *s)
{
	snprintf(s->dir, sizeof(s->dir), "%s/%sXXXXXX", place(), dir_prefix);
	if (!mkdtemp(s->dir))
		return false;
	while ((s->dir_fd = lock_dir(s->dir)) < 0 && errno == EWOULDBLOCK)
		pause_ms(1); /* another is looking whether it is stale */
	return s->dir_fd >= 0 && fchmod(s->dir_fd, 0755) == 0;
}

int server_begin(const struct adm *a, const char *settings, struct server *s)
{
	*s = (struct server){ .dir_fd = -1 };
	remove_stale();
	if (!make_dir(s) || !write_conf(settings, s)) {
		fprintf(stderr, "%s: %s cannot be made: %s\n", a->program, s->dir, strerror(errno));
		return STATUS_TEMP;
	}
	snprintf(s->path, sizeof(s->path), "%s/control", s->dir);
	s->pid = spawn(s);
	if (s->pid > 0 && wait_for_start(s))
		return STATUS_OK;
	tell_errors(s);
	fprintf(stderr, "%s: no server can be started (see its log)\n", a->program);
	return STATUS_DOWN;
}

/* None runs: one under the configuration as it is. */
static int begin_own(const struct adm *a, struct server *s)
{
	char *conf = realpath(a->conf, NULL), *settings = mem_printf("!include %s", conf ? conf : a->conf);
	int status = server_begin(a, settings, s);

	free(conf);
	free(settings);
	return status;
}

int server_find(const struct adm *a, struct server *s_r)
{
	int fd, status;

	*s_r = (struct server){ .dir_fd = -1 };
	status = server_path(a, s_r->path, sizeof(s_r->path));
	if (status != STATUS_OK)
		return status;
	fd = server_connect(s_r->path);
	if (fd >= 0) {
		close(fd);
		return STATUS_OK;
	}
	if (!a->socket && (errno == ENOENT || errno == ECONNREFUSED))
		return begin_own(a, s_r);
	fprintf(stderr, "%s: %s: %s\n", a->program, s_r->path, strerror(errno));
	return errno == EACCES ? STATUS_DENIED : STATUS_DOWN;
}

void server_end(struct server *s)
{
	if (s->pid > 0)
		kill(s->pid, SIGTERM);
	for (int i = 0; s->pid > 0 && i < END_TRIES; i++) {
		if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
			s->pid = 0;
		else
			pause_ms(TRY_MS);
	}
	if (s->dir_fd < 0)
		return;
	remove_files(s->dir_fd, s->dir);
	close(s->dir_fd);
	s->dir_fd = -1;
}
