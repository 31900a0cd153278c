/*
 * DATA: files staged by the recipients' workers, the message streamed into all of them as it comes, then
 * committed; one reply a recipient, in order (RFC 2033 4.2). The message is never held in memory: what one read
 * brought goes out in few writes a recipient, with LF line ends as mail is stored. What fails for one recipient
 * fails for him alone.
 */
#include "base/must.h"
#include "lmtp.h"

#include <errno.h>
#include <unistd.h>
#include <utlist.h>

enum { LINES_MAX = 16384 }; /* bytes of one write; on the stack */

static const char temporary[] = "Temporary internal error";

/* --- staging ---------------------------------------------------------------------------------- */

static void stage(struct lmtp *lm, struct rcpt *r)
{
	bool tls = client_tls(lm->c);
	struct msg m;

	if (!r->chan || chan_dead(r->chan)) {
		rcpt_result(r, 451, "4.3.0", temporary);
		return;
	}
	msg_init(&m, MSG_DLV_STAGE, 0);
	msg_put_str(&m, lm->sender);
	msg_put_str(&m, r->address);
	msg_put_str(&m, lm->lhlo);
	msg_put_str(&m, lm->c->remote.ip);
	msg_put_bool(&m, tls);
	msg_put_str(&m, tls ? "LMTPS" : "LMTP");
	msg_put_u64(&m, lm->size_hint);
	msg_put_bool(&m, lm->body_8bitmime);
	r->state = RCPT_STAGING;
	chan_send(r->chan, &m);
}

void lmtp_data(struct lmtp *lm)
{
	struct rcpt *r;

	lmtp_set_state(lm, LMTP_STAGE);
	DL_FOREACH(lm->rcpts, r)
		stage(lm, r);
	lmtp_settle(lm);
}

static void start_stream(struct lmtp *lm)
{
	lm->size = lm->octets = 0;
	dot_init(&lm->dot);
	lm->lf = (struct lf_form)LF_FORM_START;
	lmtp_say(lm, "354 OK");
	lmtp_set_state(lm, LMTP_STREAM);
}

enum err lmtp_on_staged(void *ctx, struct chan *chan, struct msg_in *m)
{
	struct rcpt *r = ctx;
	uint64_t room = msg_get_u64(m);

	if (!msg_end(m) || r->state != RCPT_STAGING)
		return ERR_PROTO;
	r->fd = msg_take_fd(m);
	r->room = room;
	r->state = RCPT_STAGED;
	lmtp_settle(r->lm);
	return ERR_OK;
}

/* --- the message ------------------------------------------------------------------------------ */

static void write_failed(struct rcpt *r, int errnum)
{
	if (errnum == ENOSPC || errnum == EFBIG)
		rcpt_result(r, 452, "4.3.1", "Out of disk space");
	else if (errnum == EDQUOT)
		rcpt_result(r, 552, "5.2.2", "Quota exceeded (mailbox for user is full)");
	else
		rcpt_result(r, 451, "4.3.0", temporary);
}

/* All bytes to one file. A short write is a full disk: the next one says so. */
static void write_to(struct rcpt *r, struct span bytes)
{
	if (bytes.n > r->room) {
		rcpt_result(r, 552, "5.3.4", "Message too large");
		return;
	}
	r->room -= bytes.n;
	while (bytes.n > 0) {
		ssize_t done = write(r->fd, bytes.p, bytes.n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			write_failed(r, errno);
			return;
		}
		bytes = span_from(bytes, (size_t)done);
	}
}

static void write_all(struct lmtp *lm, struct span bytes)
{
	uint64_t max = lmtp_size_max(lm);
	struct rcpt *r;

	lm->size += bytes.n;
	DL_FOREACH(lm->rcpts, r) {
		if (r->state != RCPT_STAGED)
			continue;
		if (max > 0 && lm->octets > max)
			rcpt_result(r, 552, "5.3.4", "Message is larger than this server accepts");
		else
			write_to(r, bytes);
	}
}

static void commit(struct lmtp *lm)
{
	struct rcpt *r;
	struct msg m;

	lmtp_set_state(lm, LMTP_COMMIT);
	DL_FOREACH(lm->rcpts, r) {
		if (r->state != RCPT_STAGED)
			continue;
		close(r->fd);
		r->fd = -1;
		r->state = RCPT_COMMIT;
		msg_init(&m, MSG_DLV_COMMIT, 0);
		msg_put_u64(&m, lm->size);
		chan_send(r->chan, &m);
	}
	lmtp_settle(lm);
}

void lmtp_stream(struct lmtp *lm)
{
	struct span in = stream_input(lm->c->stream), piece;
	size_t before = in.n, n = 0;
	char lines[LINES_MAX + 1]; /* and a CR held from before */

	while (lm->dot.state != DOT_DONE && dot_next(&lm->dot, &in, &piece)) {
		lm->octets += piece.n;
		while (piece.n > 0) {
			struct span part = span_cut(piece, 0, LINES_MAX - n);

			n += lf_form(&lm->lf, part, lines + n);
			piece = span_from(piece, part.n);
			if (n < LINES_MAX)
				continue;
			write_all(lm, span_of(lines, n));
			n = 0;
		}
	}
	if (n > 0)
		write_all(lm, span_of(lines, n));
	stream_consume(lm->c->stream, before - in.n);
	lmtp_idle_timer(lm);
	if (lm->dot.state == DOT_DONE)
		commit(lm);
}

/* --- answers ---------------------------------------------------------------------------------- */

/* What a worker says goes into our reply: one line of printable ASCII. */
static void clean(struct span s, char *out, size_t n)
{
	size_t i = 0;

	for (; i < s.n && i + 1 < n; i++)
		out[i] = s.p[i] >= ' ' && s.p[i] < 0x7f ? s.p[i] : '?';
	out[i] = '\0';
}

enum err lmtp_on_result(void *ctx, struct chan *chan, struct msg_in *m)
{
	struct rcpt *r = ctx;
	uint16_t code = msg_get_u16(m);
	struct span enhanced = msg_get_str(m, sizeof(r->enhanced) - 1), text = msg_get_str(m, LMTP_TEXT_MAX);
	bool good = code >= 200 && code <= 299;
	char status[sizeof(r->enhanced)], words[LMTP_TEXT_MAX];

	if (!msg_end(m) || !(good || (code >= 400 && code <= 599)))
		return ERR_PROTO;
	if (r->state == RCPT_DONE)
		return ERR_OK; /* too late, or after ABORT */
	if (r->state != RCPT_COMMIT && (good || (r->state != RCPT_STAGING && r->state != RCPT_STAGED)))
		return ERR_PROTO;
	clean(enhanced, status, sizeof(status));
	clean(text, words, sizeof(words));
	rcpt_result(r, code, status, words);
	lmtp_settle(r->lm);
	return ERR_OK;
}

static bool waits_for(const struct lmtp *lm, enum rcpt_state state)
{
	const struct rcpt *r;

	DL_FOREACH(lm->rcpts, r) {
		if (r->state == state)
			return true;
	}
	return false;
}

static void reply_all(struct lmtp *lm)
{
	const struct rcpt *r;

	DL_FOREACH(lm->rcpts, r)
		stream_printf(lm->c->stream, "%u %s <%s> %s\r\n", r->code, r->enhanced, r->address, r->text);
	lmtp_reset(lm);
	lmtp_set_state(lm, LMTP_COMMAND);
}

void lmtp_settle(struct lmtp *lm)
{
	if (lm->state == LMTP_STAGE && !waits_for(lm, RCPT_STAGING))
		start_stream(lm);
	else if (lm->state == LMTP_COMMIT && !waits_for(lm, RCPT_COMMIT))
		reply_all(lm);
}

void lmtp_data_timeout(struct lmtp *lm)
{
	struct rcpt *r;

	DL_FOREACH(lm->rcpts, r) {
		if (r->state == RCPT_STAGING || r->state == RCPT_COMMIT)
			rcpt_result(r, 451, "4.3.0", "Timeout while delivering");
	}
	lmtp_settle(lm);
}
