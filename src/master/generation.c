/* A generation: the configuration as it was read once, and its sealed copies for the helpers. */
#include "master.h"

#include "base/log.h"
#include "base/mem.h"
#include "conf/export.h"
#include "conf/load.h"
#include "proc/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Logs text line by line. */
static void log_lines(enum log_level level, struct span text)
{
	struct span line;
	while (span_split(&text, '\n', &line))
		if (line.n > 0)
			log_write(level, "config: %.*s", (int)line.n, line.p);
}

/* A memory file that nobody can change any more. -1 with errno. */
static int sealed_file(const char *name, struct span bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	for (size_t at = 0; at < bytes.n;) {
		ssize_t n = write(fd, bytes.p + at, bytes.n - at);
		if (n < 0) {
			close(fd);
			return -1;
		}
		at += (size_t)n;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return fd;
}

static bool export_all(struct generation *g)
{
	bool ok = true;
	for (unsigned i = 0; ok && i < PROC_ROWS; i++) {
		struct buf b;
		buf_init(&b, CONF_EXPORT_MAX);
		ok = conf_export(g->conf, proc_rows[i].conf_role, &b) == ERR_OK;
		if (ok)
			g->conf_fd[i] = sealed_file(proc_rows[i].name, buf_span(&b));
		ok = ok && g->conf_fd[i] >= 0;
		if (b.p != NULL)
			mem_wipe(b.p, b.n);
		buf_free(&b);
	}
	return ok;
}

struct generation *generation_load(const char *path, uint32_t number)
{
	struct buf errors, warnings;
	buf_init(&errors, 1 << 20);
	buf_init(&warnings, 1 << 20);
	struct generation *g = mem_alloc(sizeof(*g));
	g->number = number;
	g->refs = 1;
	for (unsigned i = 0; i < CONF_ROLE_COUNT; i++)
		g->conf_fd[i] = -1;
	enum err e = conf_load(path, 0, &g->conf, &errors, &warnings);
	log_lines(LOG_LVL_WARNING, buf_span(&warnings));
	log_lines(LOG_LVL_ERROR, buf_span(&errors));
	buf_free(&errors);
	buf_free(&warnings);
	if (e == ERR_OK && export_all(g)) {
		spool_check(g->conf);
		return g;
	}
	if (e == ERR_OK)
		log_error("config: cannot hand the configuration to the helpers: %s",
			  strerror(errno));
	generation_unref(&g);
	return NULL;
}

/* Only the login program links TLS, so that it is the one to look. */
bool generation_try_tls(const struct generation *g, const char *libexec)
{
	if (conf_enum(g->conf, CONF_SSL) == CONF_SSL_NO)
		return true;
	char *program = mem_printf("%s/%s", libexec, proc_rows[PROC_LOGIN].program);
	struct proc_spawn s = {
		.program = program,
		.name = CHILD_TRY,
		.conf_fd = g->conf_fd[PROC_LOGIN],
	};
	struct errtext why;
	int fd, status = 0;
	pid_t pid;
	log_fds(s.log_fd);
	bool ok = proc_spawn(&s, &pid, &fd, &why) == ERR_OK;
	if (ok) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		close(fd);
		ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
			log_error("cannot run %s", program);
	} else {
		log_error("cannot run %s: %s", program, why.text);
	}
	free(program);
	return ok;
}

struct generation *generation_ref(struct generation *g)
{
	g->refs++;
	return g;
}

void generation_unref(struct generation **gp)
{
	struct generation *g = *gp;
	*gp = NULL;
	if (g == NULL || --g->refs > 0)
		return;
	for (unsigned i = 0; i < CONF_ROLE_COUNT; i++)
		if (g->conf_fd[i] >= 0)
			close(g->conf_fd[i]);
	conf_free(&g->conf);
	free(g);
}
