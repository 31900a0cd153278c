/* An IMAP session in the worker: its stream, its line in the log. */
#include "worker.h"

#include "base/log.h"
#include "base/must.h"
#include "io/stream.h"

#include <stdlib.h>

enum { LOG_LINE = 900 };

/* --- life --------------------------------------------------------------------------------- */

static void on_end(void *ctx, enum imap_end why, const char *text)
{
	struct job *j = ctx;
	struct buf b;
	buf_init(&b, LOG_LINE);
	imap_session_logout_text(j->imap, &b);
	log_write_as(j->name, LOG_LVL_INFO, "%s%s %s",
		     why == IMAP_END_FAILED ? "Disconnected: " : "", text, buf_cstr(&b));
	buf_free(&b);
	j->imap = NULL;
	if (acct_busy(j->a->acct))
		account_busy(j->a);
	job_end(j);
}

static void on_id(void *ctx, struct span fields)
{
	struct job *j = ctx;
	log_write_as(j->name, LOG_LVL_INFO, "ID sent: %.*s", (int)fields.n, fields.p);
}

static void on_busy(void *ctx)
{
	struct job *j = ctx;
	if (acct_busy(j->a->acct))
		account_busy(j->a);
}

enum err imap_attach(struct job *j, const struct msg_conn *conn, struct span tag, struct span input,
		     int fd_take)
{
	static const struct stream_handler none = { 0 };
	static const struct stream_limits limits = {
		.in_max = 65536, .out_high = 131072, .out_low = 32768, .out_max = 64 << 20
	};
	struct worker *w = j->w;
	struct imap_config c = {
		.acct = j->a->acct,
		.lock_wait_ms = j->a->config.lock_wait_ms,
		.loop = w->h.loop,
		.stream = stream_new(w->h.loop, fd_take, &limits, &none, NULL),
		.user = j->a->user,
		.session_id = j->id,
		.remote_ip = j->rip,
		.login_tag = tag,
		.leftover = input,
		.on_end = on_end,
		.on_busy = on_busy,
		.on_id = on_id,
		.ctx = j,
	};
	imap_settings_read(j->conf, &c.settings);
	return imap_session_new(&c, &j->imap);
}
