/* A delivery in the worker: settings for it, its line in the log. */
#include "worker.h"

#include "base/log.h"
#include "base/must.h"
#include "lmtp/delivery.h"

#include <stdlib.h>

static void on_end(void *ctx)
{
	struct job *j = ctx;
	j->delivery = NULL;
	job_end(j);
}

static void on_result(void *ctx, bool saved, const char *text)
{
	struct job *j = ctx;
	log_write_as(j->name, saved ? LOG_LVL_INFO : LOG_LVL_ERROR, "%s", text);
}

static void on_busy(void *ctx)
{
	struct job *j = ctx;
	account_busy(j->a);
}

/* detail: what stood behind the recipient_delimiter, when lmtp_save_to_detail_mailbox asks for it; else empty. */
enum err deliver_attach(struct job *j, const struct msg_conn *conn, struct span detail, int fd_take)
{
	static const int delivered[] = {
		[CONF_DELIVERED_FINAL] = DELIVERED_FINAL,
		[CONF_DELIVERED_ORIGINAL] = DELIVERED_ORIGINAL,
		[CONF_DELIVERED_NONE] = DELIVERED_NONE,
	};
	const struct conf *c = j->conf;
	char *mailbox = detail.n > 0 ? span_dup(detail) : NULL;
	struct delivery_config config = {
		.loop = j->w->h.loop,
		.acct = j->a->acct,
		.fd_take = fd_take,
		.user = j->a->user,
		.session_id = j->id,
		.hostname = j->w->hostname,
		.mailbox = mailbox,
		.autocreate = conf_bool(c, CONF_LDA_MAILBOX_AUTOCREATE),
		.autosubscribe = conf_bool(c, CONF_LDA_MAILBOX_AUTOSUBSCRIBE),
		.add_received = conf_bool(c, CONF_LMTP_ADD_RECEIVED_HEADER),
		.delivered_to = delivered[conf_enum(c, CONF_LMTP_HDR_DELIVERY_ADDRESS)],
		.log_format = conf_str(c, CONF_DELIVER_LOG_FORMAT),
		.size_max = conf_u64(c, CONF_MESSAGE_SIZE_MAX),
		.on_end = on_end,
		.on_result = on_result,
		.on_busy = on_busy,
		.ctx = j,
	};
	j->delivery = delivery_new(&config);
	free(mailbox);
	return ERR_OK;
}
