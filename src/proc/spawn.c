#include "proc/spawn.h"
#include "base/mem.h"
#include "base/must.h"
#include "base/span.h"
#include "ipc/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SPAWN_FDS_MAX = CHILD_FD_EXTRA + CHILD_EXTRA_MAX,
	SPAWN_TITLE_ROOM = 160, /* bytes kept free behind argv for what ps shows */
	SPAWN_ENV_MAX = 8,
};

extern char **environ;

/* All that the child needs, made before fork, so that it only makes system calls. */
struct spawn_plan {
	char *argv[4];
	char *envp[SPAWN_ENV_MAX];
	int fd[SPAWN_FDS_MAX]; /* borrowed; the index is the child's number; -1: inherit */
	unsigned nfd;
};

static void spawn_keep_env(struct spawn_plan *p, size_t *n, const char *name)
{
	const char *value = getenv(name);

	if (value)
		p->envp[(*n)++] = mem_printf("%s=%s", name, value);
}

static void spawn_plan_env(struct spawn_plan *p, size_t nextra)
{
	size_t n = 0;

	p->envp[n++] = mem_str("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	spawn_keep_env(p, &n, "TZ");
	spawn_keep_env(p, &n, "LANG");
	spawn_keep_env(p, &n, "ASAN_OPTIONS");
	spawn_keep_env(p, &n, "UBSAN_OPTIONS");
	p->envp[n++] = mem_printf("ROOST_FDS=%zu", nextra);
	p->envp[n++] = mem_printf("ROOST_TITLE=%*s", SPAWN_TITLE_ROOM, "");
	must(n < SPAWN_ENV_MAX);
}

static void spawn_plan_make(struct spawn_plan *p, const struct proc_spawn *s, int null_fd, int chan_fd)
{
	*p = (struct spawn_plan){ .nfd = CHILD_FD_EXTRA + (unsigned)s->nextra };
	p->argv[0] = mem_str(s->program);
	p->argv[1] = mem_str(s->name);
	p->argv[2] = mem_printf("%u", s->child);
	spawn_plan_env(p, s->nextra);
	p->fd[0] = null_fd;
	p->fd[1] = p->fd[2] = -1;
	p->fd[CHILD_FD_CHAN] = chan_fd;
	for (int i = 0; i < LOG_SINKS; i++)
		p->fd[CHILD_FD_LOG + i] = s->log_fd[i];
	p->fd[CHILD_FD_CONF] = s->conf_fd >= 0 ? s->conf_fd : null_fd;
	for (size_t i = 0; i < s->nextra; i++)
		p->fd[CHILD_FD_EXTRA + i] = s->extra[i];
}

static void spawn_plan_free(struct spawn_plan *p)
{
	for (char **s = p->argv; *s; s++)
		free(*s);
	for (char **s = p->envp; *s; s++)
		free(*s);
}

/* Out of the way of the targets first, then each to its place; what is above goes. */
static bool spawn_place_fds(struct spawn_plan *p)
{
	for (unsigned i = 0; i < p->nfd; i++) {
		if (p->fd[i] < 0)
			continue;
		p->fd[i] = fcntl(p->fd[i], F_DUPFD_CLOEXEC, SPAWN_FDS_MAX);
		if (p->fd[i] < 0)
			return false;
	}
	for (unsigned i = 0; i < p->nfd; i++)
		if (p->fd[i] >= 0 && dup2(p->fd[i], (int)i) < 0)
			return false;
	return close_range(p->nfd, ~0U, 0) == 0;
}

static _Noreturn void spawn_child(struct spawn_plan *p)
{
	sigset_t none;

	setsid(); /* a terminal's ^C is for the master, which then ends us in order */
	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (spawn_place_fds(p))
		execve(p->argv[0], p->argv, p->envp);
	_exit(127);
}

enum err proc_spawn(const struct proc_spawn *s, pid_t *pid_r, int *chan_fd_r, struct errtext *why)
{
	struct spawn_plan plan;
	int null_fd, pair[2];
	pid_t pid;

	must(s->nextra <= CHILD_EXTRA_MAX);
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null_fd < 0)
		return err_sys(why, "/dev/null");
	if (chan_pair(pair) != ERR_OK) {
		close(null_fd);
		return err_sys(why, "socketpair");
	}
	spawn_plan_make(&plan, s, null_fd, pair[1]);
	pid = fork();
	if (pid == 0)
		spawn_child(&plan);
	spawn_plan_free(&plan);
	close(null_fd);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(why, "fork");
	}
	*pid_r = pid;
	*chan_fd_r = pair[0];
	return ERR_OK;
}

static bool child_mark_fds(size_t nextra)
{
	for (size_t fd = CHILD_FD_CHAN; fd < CHILD_FD_EXTRA + nextra; fd++)
		if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
			return false;
	return true;
}

/* Bytes from argv[0] on that the kernel laid out without a gap: arguments, then environment. */
static size_t child_title_room(int argc, char **argv)
{
	char *end = argv[0];

	for (int i = 0; i < argc; i++)
		if (argv[i] == end)
			end += strlen(end) + 1;
	for (char **e = environ; *e; e++)
		if (*e == end)
			end += strlen(end) + 1;
	return (size_t)(end - argv[0]);
}

/* The environment moves away, so that the title may be written over it. */
static void child_move_env(void)
{
	size_t n = 0, kept = 0;
	char **copy;

	while (environ[n])
		n++;
	copy = mem_array(n + 1, sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "ROOST_", 6) != 0)
			copy[kept++] = mem_str(environ[i]);
	environ = copy;
}

enum err proc_child_init(int argc, char **argv, struct proc_child *self_r, struct errtext *why)
{
	const char *fds = getenv("ROOST_FDS");
	socklen_t len = sizeof(int);
	uint32_t child, nextra;
	int type = 0;

	if (argc != 3 || !fds || !span_u32(span_str(fds), &nextra) || nextra > CHILD_EXTRA_MAX ||
	    !span_u32(span_str(argv[2]), &child))
		return err_say(why, ERR_CANNOT, "it takes no arguments of its own");
	if (getsockopt(CHILD_FD_CHAN, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET ||
	    !child_mark_fds(nextra))
		return err_say(why, ERR_CANNOT, "no channel to the master on descriptor %d", CHILD_FD_CHAN);
	*self_r = (struct proc_child){ .name = mem_str(argv[1]), .child = child, .nextra = nextra,
				       .title = argv[0], .title_max = child_title_room(argc, argv) };
	child_move_env();
	return ERR_OK;
}

void proc_title(const struct proc_child *self, const char *text)
{
	if (self->title_max < 2)
		return;
	memset(self->title, 0, self->title_max);
	snprintf(self->title, self->title_max, "roost/%s%s%s", self->name, *text ? " " : "", text);
}
