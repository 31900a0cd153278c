/*
 * roost: the master. Reads the configuration, binds, starts the helpers, and then only listens to
 * signals, to its children and to the administrator. Also prints the configuration (-n, -a).
 */
#include "master.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/dump.h"
#include "conf/load.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "config.h"

enum { TICK_MS = 10000, DUMP_MAX = 4 << 20, EXIT_USAGE = 64, EXIT_FATAL = 89 };

static const char usage[] =
	"Usage: roost [-F] [-c FILE]      run (-F: in the foreground)\n"
	"       roost -F -m [-c FILE]    for roostadm alone: no listeners but its own\n"
	"       roost -n|-a [-c FILE]    print the settings that differ from the defaults, or all\n"
	"       roost -V                 print the version\n";

/* --- printing the configuration --------------------------------------------------------- */

static void say_lines(const char *what, struct span text)
{
	struct span line;
	while (span_split(&text, '\n', &line))
		if (line.n > 0)
			fprintf(stderr, "%s: %.*s\n", what, (int)line.n, line.p);
}

static int dump(const char *path, bool all)
{
	struct buf errors, warnings, out;
	struct conf *c = NULL;
	buf_init(&errors, 1 << 20);
	buf_init(&warnings, 1 << 20);
	buf_init(&out, DUMP_MAX);
	bool ok = conf_load(path, CONF_LOAD_NO_CONTENT, &c, &errors, &warnings) == ERR_OK;
	say_lines("Warning", buf_span(&warnings));
	say_lines("Error", buf_span(&errors));
	if (!ok)
		fprintf(stderr, "roost: the configuration %s has errors\n", path);
	if (ok) {
		printf("# %s %s: %s\n", PACKAGE_NAME, PACKAGE_VERSION, path);
		conf_dump(c, all, &out);
		fwrite(out.p, 1, out.n, stdout);
	}
	conf_free(&c);
	buf_free(&errors);
	buf_free(&warnings);
	buf_free(&out);
	return ok ? 0 : EXIT_CONFIG;
}

/* --- accounts and directories ------------------------------------------------------------ */

/*
 * The account for unprivileged helpers: the one of the setting, else what Dovecot left on
 * this machine, else nobody, which the log tells.
 */
static bool find_account(const char *name, const char *other, const char *setting, uid_t *uid_r,
			 gid_t *gid_r)
{
	const char *try[] = { name, other, "nobody" };
	for (size_t i = 0; i < ARRAY_LEN(try); i++) {
		const struct passwd *pw = getpwnam(try[i]);
		if (pw == NULL || pw->pw_uid == 0)
			continue;
		if (i > 0)
			log_warning("%s: no user %s on this system; using %s", setting, name,
				    try[i]);
		*uid_r = pw->pw_uid;
		*gid_r = pw->pw_gid;
		return true;
	}
	log_error("%s: no user %s on this system", setting, name);
	return false;
}

static bool make_dir(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST)
		return true;
	log_error("cannot make %s: %s", path, strerror(errno));
	return false;
}

/* base_dir with all its parents, and the empty directory that helpers are locked into. */
static bool make_base(struct master *m)
{
	const char *base = conf_str(m->gen->conf, CONF_BASE_DIR);
	char *path = mem_str(base);
	for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	free(path);
	m->empty_dir = mem_printf("%s/empty", base);
	m->pid_path = mem_printf("%s/master.pid", base);
	return make_dir(base, 0755) && make_dir(m->empty_dir, 0755);
}

/* The lock on the pid file says that we run; it goes with the process. Returns the descriptor, -1 logged. */
static int lock_pid_file(const struct master *m)
{
	int fd = open(m->pid_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	if (fd < 0) {
		log_error("cannot open %s: %s", m->pid_path, strerror(errno));
		return -1;
	}
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return fd;
	fcntl(fd, F_GETLK, &lock);
	log_error("roost is already running with pid %d (%s)", (int)lock.l_pid, m->pid_path);
	close(fd);
	return -1;
}

static void write_pid(int fd)
{
	if (ftruncate(fd, 0) == 0)
		dprintf(fd, "%d\n", (int)getpid());
}

static bool open_log(const struct master *m, bool foreground)
{
	const struct conf *c = m->gen->conf;
	const char *path = conf_str(c, CONF_LOG_PATH);
	struct log_form form = conf_log_form(c);
	bool ok = log_open(path, conf_str(c, CONF_INFO_LOG_PATH), conf_str(c, CONF_DEBUG_LOG_PATH), &form);
	if (!ok && foreground && strcmp(path, "syslog") == 0) {
		log_warning("no system log here: logging to standard error");
		ok = log_open("/dev/stderr", "", "", &form);
	}
	if (!ok)
		log_error("log_path = %s: cannot open the log: %s%s", path, strerror(errno),
			  strcmp(path, "syslog") == 0 ? " (does a system log run?)" : "");
	return ok;
}

/* --- life -------------------------------------------------------------------------------- */

bool master_reload(struct master *m)
{
	struct generation *next = generation_load(m->conf_path, m->gen->number + 1);
	if (next != NULL && !generation_try_tls(next, m->libexec))
		generation_unref(&next);
	if (next == NULL) {
		log_error("reload refused: the configuration has errors; the old one stays");
		return false;
	}
	if (listeners_open(m, next) > 0)
		log_warning("some sockets could not be bound; the others are served");
	listeners_commit(m, next);
	generation_unref(&m->gen);
	m->gen = next;
	memset(m->backoff, 0, sizeof(m->backoff));
	children_fill(m);
	children_quit_old(m);
	log_info("configuration reloaded (generation %u)", next->number);
	return true;
}

void master_stop(struct master *m)
{
	if (m->stopping)
		return;
	m->stopping = true;
	listeners_close(m);
	children_quit_all(m);
}

static void on_stop(void *ctx)
{
	struct master *m = ctx;
	if (!m->stopping)
		log_info("stopping on a signal");
	master_stop(m);
}

static void on_reload(void *ctx)
{
	struct master *m = ctx;
	if (!m->stopping)
		master_reload(m);
}

static void on_reopen(void *ctx)
{
	struct master *m = ctx;
	struct child *c;
	if (!log_reopen())
		log_error("cannot open the log again: %s", strerror(errno));
	DL_FOREACH (m->children, c) {
		int fd[LOG_SINKS];
		struct msg msg;
		log_fds(fd);
		for (int i = 0; i < LOG_SINKS; i++)
			fd[i] = dup(fd[i]);
		msg_init(&msg, MSG_LOG, 0);
		chan_send_fds(c->chan, &msg, fd, LOG_SINKS);
	}
}

static void tick(void *ctx)
{
	struct master *m = ctx;
	tickets_expire(m);
	loop_timer_set(m->loop, &m->tick_timer, TICK_MS, tick, m);
}

/* All that can fail before anything runs. */
static bool prepare(struct master *m, bool foreground, int *pid_fd_r)
{
	const struct conf *c = m->gen->conf;
	if (!make_base(m) || (*pid_fd_r = lock_pid_file(m)) < 0)
		return false;
	if (m->root && (!find_account(conf_str(c, CONF_DEFAULT_LOGIN_USER), "dovenull",
				      "default_login_user", &m->login_uid, &m->login_gid) ||
			!find_account(conf_str(c, CONF_DEFAULT_INTERNAL_USER), "dovecot",
				      "default_internal_user", &m->internal_uid, &m->internal_gid)))
		return false;
	size_t n;
	conf_listeners(c, &n);
	if (m->alone)
		return listeners_open(m, m->gen) == 0 && open_log(m, foreground);
	if (n == 0)
		log_error("nothing to listen on: see protocols, listen and service in the "
			  "configuration");
	if (n == 0 || listeners_open(m, m->gen) > 0)
		return false;
	return open_log(m, foreground);
}

static void serve(struct master *m)
{
	m->loop = loop_new();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* whose children the template's copies become */
	loop_signal_add(m->loop, SIGTERM, on_stop, m);
	loop_signal_add(m->loop, SIGINT, on_stop, m);
	loop_signal_add(m->loop, SIGHUP, on_reload, m);
	loop_signal_add(m->loop, SIGUSR1, on_reopen, m);
	m->since = clock_wall();
	log_info("%s %s starting (pid %d)", PACKAGE_NAME, PACKAGE_VERSION, (int)getpid());
	if (!m->root)
		log_info(
			"not running as root: all processes share uid %d, separation by ids is off",
			(int)geteuid());
	children_fill(m);
	tick(m);
	loop_run(m->loop);
	/* Asking again must not make an orderly end look like a death. */
	static const int asks[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	for (size_t i = 0; i < ARRAY_LEN(asks); i++)
		signal(asks[i], SIG_IGN);
	log_info("stopped");
}

/* The parent returns to the shell once everything that can fail has been done. */
static void into_background(void)
{
	pid_t pid = fork();
	if (pid < 0)
		log_fatal(EXIT_FATAL, "cannot fork: %s", strerror(errno));
	if (pid > 0)
		_exit(0);
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	if (chdir("/") != 0)
		log_warning("cannot change to /: %s", strerror(errno));
}

static void master_free(struct master *m)
{
	tickets_free(m);
	generation_unref(&m->gen);
	loop_free(&m->loop);
	free(m->empty_dir);
	free(m->pid_path);
	free((char *)(uintptr_t)m->conf_path);
}

/* A descriptor a worker, and those on their way through us: as many as we may have. */
static void raise_limits(void)
{
	struct rlimit lim;
	if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
		return;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
}

static int run(const char *path, bool foreground, bool alone)
{
	struct master m = { .conf_path = realpath(path, NULL),
			    .libexec = LIBEXECDIR,
			    .root = geteuid() == 0,
			    .alone = alone };
	int pid_fd = -1;
	if (m.conf_path == NULL)
		log_fatal(EXIT_CONFIG, "cannot open %s: %s", path, strerror(errno));
	m.gen = generation_load(m.conf_path, 1);
	if (m.gen == NULL || !generation_try_tls(m.gen, m.libexec))
		log_fatal(EXIT_CONFIG, "the configuration %s has errors", path);
	if (!prepare(&m, foreground, &pid_fd)) {
		listeners_close(&m);
		if (pid_fd >= 0)
			unlink(m.pid_path);
		log_fatal(EXIT_FATAL, "cannot start");
	}
	if (!foreground)
		into_background();
	/* A fork leaves the lock with the parent: take it again. */
	if (!foreground) {
		close(pid_fd);
		pid_fd = lock_pid_file(&m);
	}
	write_pid(pid_fd);
	raise_limits();
	serve(&m);
	unlink(m.pid_path);
	master_free(&m);
	return 0;
}

int main(int argc, char **argv)
{
	const char *path = SYSCONFDIR "/roost/roost.conf";
	bool foreground = false, alone = false, print = false, all = false;
	int opt;
	log_name("master");
	while ((opt = getopt(argc, argv, "Fc:mnaV")) != -1) {
		switch (opt) {
		case 'F':
			foreground = true;
			break;
		case 'c':
			path = optarg;
			break;
		case 'm':
			alone = true;
			break;
		case 'n':
		case 'a':
			print = true;
			all = opt == 'a';
			break;
		case 'V':
			printf("%s\n", PACKAGE_VERSION);
			return 0;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	umask(022);
	return print ? dump(path, all) : run(path, foreground, alone);
}
