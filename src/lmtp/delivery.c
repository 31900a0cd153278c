/* One delivery over the socket pair with a login process: stage, stream, commit. */
#include "lmtp/delivery.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/expand.h"
#include "ipc/chan.h"
#include "trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	ADDRESS_MAX = 1024,
	NAME_MAX_LHLO = 512,
	TRACE_MAX = 8192,
	LINE_MAX_BYTES = 4096,
	RETRY_MS = 50,
	RETRIES = 500, /* 25 s: login gives up after 30 */
};

struct delivery {
	struct delivery_config config;
	char *user, *session_id, *mailbox; /* own */
	struct chan *chan;                 /* own */
	struct append *append;             /* own; a message is staged */
	struct loop_timer retry;
	unsigned tries;
	char *sender;   /* own: of the staged message, for the log */
};

/*
 * What an error of the mailbox means in LMTP (RFC 3463 codes). All else is temporary: the user was
 * found at RCPT, so whatever is wrong with his mailbox is ours to mend, and no reason to send mail
 * back.
 */
static const struct {
	enum err err;
	uint16_t code;
	const char *enhanced, *text;
} replies[] = {
	{ ERR_LIMIT, 552, "5.3.4", "Message too large" },
	{ ERR_OVERQUOTA, 552, "5.2.2", "Quota exceeded (mailbox for user is full)" },
	{ ERR_NOSPACE, 452, "4.3.1", "Out of disk space" },
	{ ERR_INUSE, 451, "4.2.0", "Mailbox is locked, try again later" },
	{ ERR_PERM, 451, "4.2.0", "Permission denied by the mailbox" },
};

static void send_result(struct delivery *d, uint16_t code, const char *enhanced, const char *text)
{
	struct msg m;
	msg_init(&m, MSG_DLV_RESULT, 0);
	msg_put_u16(&m, code);
	msg_put_str(&m, enhanced);
	msg_put_str(&m, text);
	chan_send(d->chan, &m);
}

static void drop(struct delivery *d)
{
	append_free(&d->append);
	loop_timer_stop(d->config.loop, &d->retry);
	free(d->sender);
	d->sender = NULL;
}

/* Printable bytes without blanks: a message id or address as it stands in a log, angle brackets kept. */
static void clean(struct span s, char *out, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < s.n && at + 1 < n; i++)
		if (s.p[i] > ' ' && s.p[i] < 0x7f)
			out[at++] = s.p[i];
	out[at] = '\0';
}

/* The line for the log, by deliver_log_format. What the sender wrote is quoted where it could forge a field. */
static void report(struct delivery *d, bool saved, const char *what)
{
	char msgid[256] = "", from[256] = "", sender[256] = "", subject[256] = "", size[24],
	     vsize[24];
	uint64_t bytes = 0, crlf_bytes = 0;
	if (d->append != NULL) {
		append_sizes(d->append, &bytes, &crlf_bytes);
		clean(append_header(d->append, "message-id"), msgid, sizeof(msgid));
		clean(append_header(d->append, "from"), from, sizeof(from));
		log_quote(append_header(d->append, "subject"), subject, sizeof(subject));
	}
	log_quote(span_str(d->sender), sender, sizeof(sender));
	snprintf(size, sizeof(size), "%llu", (unsigned long long)bytes);
	snprintf(vsize, sizeof(vsize), "%llu", (unsigned long long)crlf_bytes);
	const struct expand_var vars[] = {
		{ '$', "message", span_str(what) },	    { 'm', "msgid", span_str(msgid) },
		{ 's', "subject", span_str(subject) },	    { 'f', "from", span_str(from) },
		{ 'e', "from_envelope", span_str(sender) }, { 'p', "size", span_str(size) },
		{ 'w', "vsize", span_str(vsize) },	    { 0, NULL, { NULL, 0 } },
	};
	struct buf line;
	struct errtext why;
	buf_init(&line, LINE_MAX_BYTES);
	if (expand(d->config.log_format, vars, &line, &why) != ERR_OK) {
		buf_clear(&line);
		buf_printf(&line, "%s (deliver_log_format: %s)", what, why.text);
	}
	d->config.on_result(d->config.ctx, saved, buf_cstr(&line));
	buf_free(&line);
}

static void fail(struct delivery *d, enum err e, const struct errtext *why)
{
	char line[512];
	size_t i = 0;
	while (i < ARRAY_LEN(replies) && replies[i].err != e)
		i++;
	if (i < ARRAY_LEN(replies))
		send_result(d, replies[i].code, replies[i].enhanced, replies[i].text);
	else
		send_result(d, 451, "4.3.0", "Temporary internal error");
	snprintf(line, sizeof(line), "save failed to %s: %s", d->mailbox,
		 why->text[0] != '\0' ? why->text : err_name(e));
	report(d, false, line);
	drop(d);
}

/* --- commit ------------------------------------------------------------------------------ */

static void finish(void *ctx)
{
	struct delivery *d = ctx;
	struct errtext why = { "" };
	enum err e = ERR_OK;
	char line[512];
	enum step step = append_finish(d->append, false, &e, &why);
	if (step == STEP_SLICE || (step != STEP_DONE && ++d->tries < RETRIES)) {
		loop_timer_set(d->config.loop, &d->retry, step == STEP_SLICE ? 0 : RETRY_MS, finish,
			       d);
		return;
	}
	if (step != STEP_DONE)
		e = ERR_INUSE;
	if (e != ERR_OK) {
		fail(d, e, &why);
		return;
	}
	snprintf(line, sizeof(line), "%.90s Saved", d->session_id);
	send_result(d, 250, "2.0.0", line);
	snprintf(line, sizeof(line), "saved mail to %s", d->mailbox);
	report(d, true, line);
	drop(d);
	if (d->config.on_busy != NULL && acct_busy(d->config.acct))
		d->config.on_busy(d->config.ctx);
}

static enum err on_commit(void *ctx, struct chan *c, struct msg_in *m)
{
	struct delivery *d = ctx;
	uint64_t size = msg_get_u64(m);
	struct errtext why = { "" };
	struct stat st;
	int fd;
	if (!msg_end(m) || d->append == NULL || loop_timer_armed(&d->retry))
		return ERR_PROTO;
	if (d->config.size_max > 0 && size > d->config.size_max) {
		fail(d, ERR_LIMIT, &why);
		return ERR_OK;
	}
	/* What login says it wrote must be there: a short write of a full disk is not a message. */
	enum err e = append_fd(d->append, &fd, &why);
	if (e == ERR_OK && (fstat(fd, &st) != 0 || (uint64_t)st.st_size < size))
		e = ERR_NOSPACE;
	if (e == ERR_OK)
		e = append_end(d->append, &why);
	if (e != ERR_OK) {
		fail(d, e, &why);
		return ERR_OK;
	}
	d->tries = 0;
	finish(d);
	return ERR_OK;
}

static enum err on_abort(void *ctx, struct chan *c, struct msg_in *m)
{
	if (!msg_end(m))
		return ERR_PROTO;
	drop(ctx);
	return ERR_OK;
}

/* --- stage ------------------------------------------------------------------------------- */

struct stage_request {
	struct span sender, recipient, lhlo, rip, with;
	uint64_t size;
};

/* A folder that a detail names, made if the settings say so. */
static enum err begin_folder(struct delivery *d, struct errtext *why)
{
	enum err e = append_begin(d->config.acct, d->mailbox, &d->append, why);
	if (e != ERR_NOTFOUND || !d->config.autocreate)
		return e;
	e = acct_create(d->config.acct, d->mailbox, NULL, why);
	if (e == ERR_OK && d->config.autosubscribe)
		e = acct_subscribe(d->config.acct, d->mailbox, true, why);
	return e == ERR_OK ? append_begin(d->config.acct, d->mailbox, &d->append, why) : e;
}

/* The sender chose the detail: mail is not sent back because no such folder is there, or can be. */
static enum err begin(struct delivery *d, struct errtext *why)
{
	enum err e = begin_folder(d, why);
	if (e == ERR_OK || e == ERR_NOSPACE || e == ERR_OVERQUOTA ||
	    strcmp(d->mailbox, "INBOX") == 0)
		return e;
	free(d->mailbox);
	d->mailbox = mem_str("INBOX");
	return append_begin(d->config.acct, d->mailbox, &d->append, why);
}

static enum err write_trace(struct delivery *d, const struct stage_request *r, struct errtext *why)
{
	struct trace t = {
		.sender = r->sender,
		.recipient = r->recipient,
		.lhlo = r->lhlo,
		.rip = r->rip,
		.with = r->with,
		.hostname = d->config.hostname,
		.id = d->session_id,
		.now = clock_wall(),
		.received = d->config.add_received,
	};
	if (d->config.delivered_to == DELIVERED_FINAL)
		t.delivered_to = span_str(d->user);
	else if (d->config.delivered_to == DELIVERED_ORIGINAL)
		t.delivered_to = r->recipient;
	struct buf b;
	buf_init(&b, TRACE_MAX);
	trace_write(&t, &b);
	enum err e = b.failed ? ERR_LIMIT : append_write(d->append, buf_span(&b), why);
	buf_free(&b);
	return e;
}

static enum err stage(struct delivery *d, const struct stage_request *r, struct errtext *why)
{
	enum err e = begin(d, why);
	if (e == ERR_OK)
		e = append_start(d->append, r->size, 0, NULL, 0, 0, why);
	if (e != ERR_OK)
		return e;
	append_recent(d->append);
	return write_trace(d, r, why);
}

/*
 * Login may only add to the end of the file: it gets a descriptor of its own, write-only and
 * O_APPEND, through /proc because the name of the staged file is the store's secret.
 */
static enum err write_only(struct delivery *d, int *fd_r, struct errtext *why)
{
	char path[64];
	int fd;
	enum err e = append_fd(d->append, &fd, why);
	if (e != ERR_OK)
		return e;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*fd_r = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return *fd_r < 0 ? err_sys(why, "staged file") : ERR_OK;
}

static enum err on_stage(void *ctx, struct chan *c, struct msg_in *m)
{
	struct delivery *d = ctx;
	struct stage_request r;
	struct errtext why = { "" };
	r.sender = msg_get_str(m, ADDRESS_MAX);
	r.recipient = msg_get_str(m, ADDRESS_MAX);
	r.lhlo = msg_get_str(m, NAME_MAX_LHLO);
	r.rip = msg_get_str(m, 64);
	(void)msg_get_bool(m); /* secured: the protocol's name in "with" says it too */
	r.with = msg_get_str(m, 32);
	r.size = msg_get_u64(m);
	(void)msg_get_bool(m); /* BODY=8BITMIME: bytes are kept as they come in any case */
	if (!msg_end(m) || d->append != NULL)
		return ERR_PROTO;
	enum err e = stage(d, &r, &why);
	int fd = -1;
	if (e == ERR_OK)
		e = write_only(d, &fd, &why);
	if (e != ERR_OK) {
		fail(d, e, &why);
		return ERR_OK;
	}
	d->sender = span_dup(r.sender);
	struct msg answer;
	msg_init(&answer, MSG_DLV_STAGED, 0);
	msg_put_u64(&answer, d->config.size_max > 0 ? d->config.size_max : UINT64_MAX);
	chan_send_fds(d->chan, &answer, &fd, 1);
	return ERR_OK;
}

/* --- life -------------------------------------------------------------------------------- */

static const struct chan_row rows[] = {
	{ MSG_DLV_STAGE, on_stage },
	{ MSG_DLV_COMMIT, on_commit },
	{ MSG_DLV_ABORT, on_abort },
};

static void on_closed(void *ctx, struct chan *c, enum err why)
{
	struct delivery *d = ctx;
	void (*on_end)(void *) = d->config.on_end;
	void *end_ctx = d->config.ctx;
	delivery_free(&d);
	on_end(end_ctx);
}

struct delivery *delivery_new(const struct delivery_config *config)
{
	struct delivery *d = mem_alloc(sizeof(*d));
	d->config = *config;
	d->user = mem_str(config->user);
	d->session_id = mem_str(config->session_id);
	d->mailbox = mem_str(config->mailbox != NULL ? config->mailbox : "INBOX");
	d->chan = chan_new(config->loop, config->fd_take, ROLE_WORKER, ROLE_LOGIN, rows,
			   ARRAY_LEN(rows), on_closed, d);
	return d;
}

void delivery_free(struct delivery **dp)
{
	struct delivery *d = *dp;
	*dp = NULL;
	if (d == NULL)
		return;
	drop(d);
	chan_free(&d->chan);
	free(d->user);
	free(d->session_id);
	free(d->mailbox);
	free(d);
}
