/*
 * The template of the workers (proc/template.h): one a generation of the configuration, started at the first need.
 * Without one, workers are started as other helpers are: it saves time and memory, nothing depends on it.
 */
#include "master.h"

#include "base/log.h"
#include "base/mem.h"
#include "proc/template.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	ANSWER_MS = 5000,   /* the first answer waits for the program to start and to read its settings */
	NOT_AGAIN_MS = 60000, /* after one that failed */
};

static void template_forget(struct master *m)
{
	m->template.pid = 0;
	close(m->template.fd);
}

static void template_ended(void *ctx, pid_t pid, int status)
{
	struct master *m = ctx;

	if (pid != m->template.pid)
		return; /* dropped */
	log_error("service(" CHILD_TEMPLATE "): child %d ended", (int)pid);
	template_forget(m);
}

void template_drop(struct master *m)
{
	if (m->template.pid == 0)
		return;
	kill(m->template.pid, SIGKILL); /* it has nothing to finish */
	template_forget(m);
}

static enum err template_start(struct master *m, const struct proc_spawn *worker, struct errtext *why)
{
	struct proc_spawn s = *worker;
	enum err e;

	s.name = CHILD_TEMPLATE;
	e = proc_spawn(&s, &m->template.pid, &m->template.fd, why);
	if (e != ERR_OK)
		return e;
	m->template.generation = m->gen->number;
	loop_child_add(m->loop, m->template.pid, template_ended, m);
	return ERR_OK;
}

static enum err copy(struct master *m, const struct proc_spawn *s, pid_t *pid_r, int *fd_r, struct errtext *why)
{
	enum err e = m->template.pid != 0 ? ERR_OK : template_start(m, s, why);

	return e == ERR_OK ? template_order(m->template.fd, s, ANSWER_MS, pid_r, fd_r, why) : e;
}

/* One that has served may have been killed a moment ago, of which the loop does not know yet. */
static enum err copy_anyway(struct master *m, const struct proc_spawn *s, pid_t *pid_r, int *fd_r, struct errtext *why)
{
	bool served = m->template.pid != 0;
	enum err e = copy(m, s, pid_r, fd_r, why);

	if (e != ERR_CLOSED || !served)
		return e;
	template_ended(m, m->template.pid, 0);
	return copy(m, s, pid_r, fd_r, why);
}

enum err template_spawn(struct master *m, const struct proc_spawn *s, pid_t *pid_r, int *fd_r, struct errtext *why)
{
	if (loop_now(m->loop) < m->template.not_before)
		return proc_spawn(s, pid_r, fd_r, why);
	if (m->template.generation != m->gen->number)
		template_drop(m);
	if (copy_anyway(m, s, pid_r, fd_r, why) == ERR_OK)
		return ERR_OK;
	log_error("service(" CHILD_TEMPLATE "): %s; workers are started one by one", why->text);
	template_drop(m);
	m->template.not_before = loop_now(m->loop) + NOT_AGAIN_MS;
	return proc_spawn(s, pid_r, fd_r, why);
}

bool template_crashed(int status)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGSYS };

	for (size_t i = 0; WIFSIGNALED(status) && i < sizeof(signals) / sizeof(signals[0]); i++)
		if (WTERMSIG(status) == signals[i])
			return true;
	return false;
}
