/* The output side of a stream. */
#include "base/must.h"
#include "stream_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	STREAM_OUT_FIRST = 4096,  /* bytes of the first allocation */
	STREAM_OUT_EAGER = 32768, /* pending output from here on is sent at once */
	STREAM_DIRECT = 8192,     /* a write from here on goes to the socket without a copy */
};

struct span stream_unsent(const struct stream *s)
{
	return span_from(buf_span(&s->out), s->out_off);
}

/* Of what was sent TLS may keep some until the socket has room. */
static size_t stream_held(const struct stream *s)
{
	return s->tls ? s->tls->ops->held(s->tls) : 0;
}

size_t stream_pending(const struct stream *s)
{
	const struct stream_filter *f = s->filter;

	return stream_unsent(s).n + (f ? f->out.n - f->out_off + f->held : 0) + stream_held(s);
}

bool stream_full(const struct stream *s)
{
	return stream_pending(s) >= s->limit.out_high;
}

uint64_t stream_bytes_out(const struct stream *s)
{
	return s->bytes_sent + stream_unsent(s).n;
}

bool stream_can_send(const struct stream *s)
{
	return !s->over && s->phase != STREAM_TLS_HANDSHAKE;
}

void stream_sent(struct stream *s, struct span bytes)
{
	s->bytes_sent += bytes.n;
	if (bytes.n && s->handler->sent)
		s->handler->sent(s->ctx, bytes);
}

/* One try at a and then b; under TLS b must be empty unless a is. */
static enum tls_result stream_put(struct stream *s, struct span a, struct span b, size_t *put_r)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)a.p, a.n }, { (void *)(uintptr_t)b.p, b.n } };
	ssize_t n;

	*put_r = 0;
	if (s->tls)
		return s->tls->ops->write(s->tls, a.n ? a : b, put_r);
	do
		n = a.n ? writev(s->fd, iov, b.n ? 2 : 1) : write(s->fd, b.p, b.n);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? TLS_WANT_WRITE : TLS_FAILED;
	*put_r = (size_t)n;
	return TLS_DONE;
}

/* Sends what *out holds from *off on, then extra; answers how much of extra went. */
static size_t stream_drain(struct stream *s, struct buf *out, size_t *off, struct span extra)
{
	size_t gone = 0, put = 0;
	enum tls_result res = TLS_DONE;

	while (res == TLS_DONE && out->n - *off + extra.n - gone + stream_held(s) > 0) {
		size_t had = out->n - *off, from_out;

		res = stream_put(s, span_from(buf_span(out), *off), span_from(extra, gone), &put);
		from_out = put < had ? put : had;
		if (!s->filter) {
			stream_sent(s, span_cut(buf_span(out), *off, from_out));
			stream_sent(s, span_cut(extra, gone, put - from_out));
		}
		*off += from_out;
		gone += put - from_out;
	}
	if (*off == out->n) {
		buf_clear(out);
		*off = 0;
	}
	s->blocked = res == TLS_WANT_READ || res == TLS_WANT_WRITE;
	s->write_wants_read = res == TLS_WANT_READ;
	if (res == TLS_EOF || res == TLS_FAILED) {
		if (s->tls)
			stream_end_tls(s, res);
		else
			stream_end(s, ERR_CLOSED, strerror(errno));
	}
	return gone;
}

static size_t stream_send_with(struct stream *s, struct span extra)
{
	if (s->filter)
		return stream_drain(s, &s->filter->out, &s->filter->out_off, extra);
	return stream_drain(s, &s->out, &s->out_off, extra);
}

/* Passes the output through the filter; full: so that the peer can read all of it. */
static void stream_squeeze(struct stream *s, bool full)
{
	struct stream_filter *f = s->filter;
	struct span bytes = stream_unsent(s);

	if (!f || s->over)
		return;
	if (f->out_off > f->out.n - f->out_off) {
		buf_consume(&f->out, f->out_off);
		f->out_off = 0;
	}
	if (!f->ops->write(s, bytes, full)) {
		stream_end(s, ERR_LIMIT, "too much output waits for the client");
		return;
	}
	stream_sent(s, bytes);
	buf_clear(&s->out);
	s->out_off = 0;
}

void stream_out_rest(struct stream *s)
{
	if (stream_pending(s))
		return;
	buf_free(&s->out);
	if (s->filter) {
		buf_free(&s->filter->out);
		s->filter->ops->rest(s);
	}
}

/* After sending: who waits for room, or for the end of output. */
static void stream_after_send(struct stream *s)
{
	if (s->was_full && stream_pending(s) <= s->limit.out_low)
		stream_owe(s);
	if (stream_pending(s) == 0 && !s->over)
		stream_sent_all(s);
	stream_watch(s);
}

static void stream_send_squeezed(struct stream *s, bool full)
{
	stream_squeeze(s, full);
	if (s->over)
		return;
	stream_send_with(s, (struct span){ NULL, 0 });
	stream_after_send(s);
}

void stream_send(struct stream *s)
{
	stream_send_squeezed(s, true);
}

static void stream_on_flush(void *ctx)
{
	struct stream *s = ctx;

	if (!s->blocked && stream_can_send(s) && stream_pending(s))
		stream_send(s);
	stream_out_rest(s);
}

struct buf *stream_out(struct stream *s)
{
	if (s->out_off > stream_pending(s)) {
		buf_consume(&s->out, s->out_off);
		s->out_off = 0;
	}
	if (!s->out.p && s->limit.out_max >= STREAM_OUT_FIRST)
		buf_reserve(&s->out, STREAM_OUT_FIRST - 1);
	return &s->out;
}

void stream_push(struct stream *s)
{
	if (s->over) {
		buf_free(&s->out);
		s->out_off = 0;
		return;
	}
	if (s->out.failed) {
		stream_end(s, ERR_LIMIT, "too much output waits for the client");
		return;
	}
	if (!s->blocked && stream_can_send(s) && stream_pending(s) >= STREAM_OUT_EAGER)
		stream_send_squeezed(s, false);
	s->was_full = s->was_full || stream_full(s);
	if (s->out.p || s->filter)
		loop_finish(s->loop, &s->flush, stream_on_flush, s);
}

void stream_flush(struct stream *s)
{
	if (!s->blocked && stream_can_send(s) && stream_pending(s))
		stream_send(s);
}

void stream_answered(struct stream *s)
{
	stream_squeeze(s, true);
	stream_push(s);
}

void stream_write(struct stream *s, struct span bytes)
{
	/* Under TLS a little that waits is better copied together into one record. */
	bool direct = bytes.n >= STREAM_DIRECT && !s->filter && !s->blocked && stream_can_send(s) &&
		      !s->finishing && (s->phase == STREAM_PLAIN ||
					(s->phase == STREAM_TLS && stream_pending(s) == 0));

	if (s->over || s->finishing || bytes.n == 0)
		return;
	if (direct)
		bytes = span_from(bytes, stream_send_with(s, bytes));
	if (bytes.n && !s->over)
		buf_add_span(stream_out(s), bytes);
	if (direct)
		stream_after_send(s);
	stream_push(s);
}

void stream_write_str(struct stream *s, const char *text)
{
	stream_write(s, span_str(text));
}

void stream_printf(struct stream *s, const char *fmt, ...)
{
	struct buf *out = stream_out(s);
	char line[512];
	va_list args;
	int n;

	if (s->over || s->finishing)
		return;
	va_start(args, fmt);
	n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (n >= (int)sizeof(line) && buf_reserve(out, (size_t)n + 1)) {
		va_start(args, fmt);
		vsnprintf(out->p + out->n, (size_t)n + 1, fmt, args);
		va_end(args);
		out->n += (size_t)n;
	} else if (n > 0 && n < (int)sizeof(line)) {
		buf_add(out, line, (size_t)n);
	}
	stream_push(s);
}

void stream_last_words(const struct stream *s, size_t n, struct span text)
{
	const struct stream_filter *f = s->filter;
	struct span rest = span_cut(stream_unsent(s), 0, n);
	char head[STREAM_PASS_HEAD];
	size_t head_n = f ? f->ops->pass(s, rest.n + text.n, head) : 0;
	struct iovec iov[] = { { head, head_n },
			       { (void *)(uintptr_t)rest.p, rest.n },
			       { (void *)(uintptr_t)text.p, text.n } };
	struct msghdr mh = { .msg_iov = iov, .msg_iovlen = 3 };

	if (s->over || s->freed || s->finishing || s->phase != STREAM_PLAIN || (f && head_n == 0))
		return;
	if (sendmsg(s->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		stream_drop_input(s);
}
