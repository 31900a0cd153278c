/*
 * The administrator's jobs on one user's mail. The command comes in place of the tag: words parted
 * by TAB. Text lines go back over the socket; the last is "OK" or "ERR sentence"; then it is
 * closed.
 */
#include "worker.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "io/stream.h"

#include <stdlib.h>

struct admin {
	struct job *job;
	struct stream *out; /* own */
	struct loop_timer timer;
	struct acct_reindex reindex;
	char *mailbox; /* own; NULL: all */
};

enum { WAIT_MS = 50 };

static void on_closed(void *ctx, enum err why)
{
	struct admin *a = ctx;
	job_end(a->job);
}

static void on_input(void *ctx)
{
	struct admin *a = ctx;
	stream_consume(a->out, stream_input(a->out).n);
}

static void reindex(void *ctx)
{
	struct admin *a = ctx;
	enum step s = acct_reindex(a->job->a->acct, &a->reindex);
	if (s != STEP_DONE) {
		loop_timer_set(a->job->w->h.loop, &a->timer, s == STEP_SLICE ? 0 : WAIT_MS, reindex,
			       a);
		return;
	}
	const struct acct_reindex *r = &a->reindex;
	if (r->err == ERR_OK)
		stream_printf(a->out, "%s\t%u mailboxes\t%u messages\nOK\n", a->job->a->user,
			      r->mailboxes, r->messages);
	else
		stream_printf(a->out, "ERR %s\n",
			      r->text.text[0] != '\0' ? r->text.text : err_name(r->err));
	log_write_as(a->job->name, LOG_LVL_INFO, "reindex: %u mailboxes, %u messages%s",
		     r->mailboxes, r->messages, r->err == ERR_OK ? "" : ", failed");
	stream_finish(a->out);
}

enum err admin_attach(struct job *j, struct span command, int fd_take)
{
	static const struct stream_handler handler = { .input = on_input, .closed = on_closed };
	struct admin *a = mem_alloc(sizeof(*a));
	struct span word;
	a->job = j;
	j->admin = a;
	a->out = stream_new(j->w->h.loop, fd_take, NULL, &handler, a);
	if (!span_split(&command, '\t', &word) || !span_eq_str(word, "reindex")) {
		stream_write_str(a->out, "ERR no such command\n");
		stream_finish(a->out);
		return ERR_OK;
	}
	if (span_split(&command, '\t', &word) && word.n > 0)
		a->mailbox = span_dup(word);
	a->reindex.name = a->mailbox;
	loop_timer_set(j->w->h.loop, &a->timer, 0, reindex, a);
	return ERR_OK;
}

void admin_free(struct admin **ap)
{
	struct admin *a = *ap;
	*ap = NULL;
	if (a == NULL)
		return;
	loop_timer_stop(a->job->w->h.loop, &a->timer);
	stream_free(&a->out);
	free(a->mailbox);
	free(a);
}
