/* The administrator's command in the worker: its account, its line in the log. */
#include "worker.h"

#include "base/log.h"

static void on_end(void *ctx)
{
	struct job *j = ctx;
	j->admin = NULL;
	job_end(j);
}

static void on_note(void *ctx, const char *line)
{
	struct job *j = ctx;
	log_write_as(j->name, LOG_LVL_INFO, "%s", line);
}

static void on_busy(void *ctx)
{
	struct job *j = ctx;
	if (acct_busy(j->a->acct))
		account_busy(j->a);
}

static enum err location(void *ctx, const char *text, struct arena *ar, struct acct_config *config_r,
			 struct errtext *t)
{
	const struct job *j = ctx;
	return account_location(j->a, text, ar, config_r, t);
}

enum err admin_attach(struct job *j, struct span input, int fd_take)
{
	struct jobs_config config = {
		.loop = j->w->h.loop,
		.acct = j->a->acct,
		.fd_take = fd_take,
		.input = input,
		.user = j->a->user,
		.location = location,
		.on_busy = on_busy,
		.on_note = on_note,
		.on_end = on_end,
		.ctx = j,
	};
	j->admin = jobs_new(&config);
	return ERR_OK;
}
