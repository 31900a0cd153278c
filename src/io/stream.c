#include "io/stream.h"
#include "base/mem.h"
#include "base/must.h"
#include "stream_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static void stream_on_later(void *ctx);

static size_t stream_have(const struct stream *s)
{
	return s->view.n ? s->view.n : s->in.n - s->in_off;
}

static bool stream_can_read(const struct stream *s)
{
	return !s->paused && !s->eof && !s->over && !s->finishing &&
	       (s->phase == STREAM_PLAIN || s->phase == STREAM_TLS) &&
	       stream_have(s) < s->limit.in_max;
}

void stream_watch(struct stream *s)
{
	unsigned events = 0;

	if (s->over || s->freed) {
		events = 0;
	} else if (s->phase == STREAM_TLS_HANDSHAKE) {
		events = s->read_wants_write ? LOOP_WRITE : LOOP_READ;
	} else {
		if (stream_can_read(s))
			events |= s->read_wants_write ? LOOP_WRITE : LOOP_READ;
		if (s->blocked)
			events |= s->write_wants_read ? LOOP_READ : LOOP_WRITE;
	}
	if (s->io)
		loop_set(s->io, events);
}

void stream_owe(struct stream *s)
{
	if (!s->freed)
		loop_later(s->loop, &s->later, stream_on_later, s);
}

void stream_end(struct stream *s, enum err e, const char *why)
{
	if (s->over)
		return;
	s->over = true;
	s->fail = e;
	s->why = mem_str(why);
	buf_free(&s->out);
	s->out_off = 0;
	stream_watch(s);
	stream_owe(s);
}

void stream_end_tls(struct stream *s, enum tls_result res)
{
	stream_end(s, res == TLS_EOF ? ERR_CLOSED : ERR_PROTO, s->tls->ops->why(s->tls));
}

/* Callbacks. The owner may free the stream in any: nothing of it is touched then but held. */

static void stream_hold(struct stream *s)
{
	s->held++;
}

static void stream_release(struct stream *s)
{
	if (--s->held || !s->freed)
		return;
	free(s);
}

static void stream_call(struct stream *s, void (*fn)(void *ctx))
{
	if (fn && !s->freed)
		fn(s->ctx);
}

/* Shows the input to the owner and keeps what he leaves in the scratch. */
static void stream_deliver(struct stream *s)
{
	s->deliver = false;
	stream_call(s, s->handler->input);
	if (s->view.n && !s->freed) {
		buf_add_span(&s->in, s->view);
		if (s->in.failed)
			stream_end(s, ERR_MEMORY, "no memory for input");
	}
	s->view = (struct span){ NULL, 0 };
	stream_watch(s);
}

static void stream_got_eof(struct stream *s)
{
	s->eof = true;
	stream_watch(s);
	if (s->handler->ended)
		stream_call(s, s->handler->ended);
	else
		stream_end(s, ERR_CLOSED, s->tls ? s->tls->ops->why(s->tls) : "closed");
}

enum tls_result stream_recv_raw(struct stream *s, char *p, size_t n, size_t *got_r)
{
	ssize_t got;

	if (s->tls)
		return s->tls->ops->read(s->tls, p, n, got_r);
	do
		got = read(s->fd, p, n);
	while (got < 0 && errno == EINTR);
	*got_r = got > 0 ? (size_t)got : 0;
	if (got == 0)
		return TLS_EOF;
	if (got < 0)
		return errno == EAGAIN ? TLS_WANT_READ : TLS_FAILED;
	return TLS_DONE;
}

static enum tls_result stream_recv(struct stream *s, char *p, size_t n, size_t *got_r)
{
	return s->filter ? s->filter->ops->read(s, p, n, got_r) : stream_recv_raw(s, p, n, got_r);
}

/* Input that epoll does not see. */
static bool stream_hidden(const struct stream *s)
{
	return (s->tls && s->tls->ops->pending(s->tls)) || (s->filter && s->filter->ops->pending(s));
}

static void stream_take_in(struct stream *s, struct span got)
{
	s->bytes_in += got.n;
	if (s->in.n == 0) {
		s->view = got;
	} else {
		buf_consume(&s->in, s->in_off);
		s->in_off = 0;
		buf_add_span(&s->in, got);
		if (s->in.failed) {
			stream_end(s, ERR_MEMORY, "no memory for input");
			return;
		}
	}
	stream_deliver(s);
}

static void stream_read(struct stream *s)
{
	char *scratch = loop_scratch(s->loop);
	size_t room = s->limit.in_max - stream_have(s), got = 0;
	enum tls_result res = stream_recv(s, scratch, room < LOOP_SCRATCH ? room : LOOP_SCRATCH, &got);
	int errnum = errno;

	s->reread = false;
	s->read_wants_write = res == TLS_WANT_WRITE;
	if (res == TLS_DONE)
		stream_take_in(s, span_of(scratch, got));
	else if (res == TLS_EOF)
		stream_got_eof(s);
	else if (res == TLS_FAILED && s->filter && s->filter->why)
		stream_end(s, ERR_PROTO, s->filter->why);
	else if (res == TLS_FAILED && s->tls)
		stream_end_tls(s, res);
	else if (res == TLS_FAILED)
		stream_end(s, ERR_CLOSED, strerror(errnum));
	if (s->freed)
		return;
	if (stream_hidden(s) && stream_can_read(s)) {
		s->reread = true;
		stream_owe(s);
	}
	stream_watch(s);
}

static void stream_handshake(struct stream *s)
{
	enum tls_result res = s->tls->ops->handshake(s->tls);

	s->read_wants_write = res == TLS_WANT_WRITE;
	if (res == TLS_EOF || res == TLS_FAILED) {
		stream_end_tls(s, res);
	} else if (res == TLS_DONE) {
		s->phase = STREAM_TLS;
		s->reread = true;
		stream_push(s);
		stream_owe(s);
		stream_call(s, s->handler->secured);
	}
	if (!s->freed)
		stream_watch(s);
}

static void stream_on_io(void *ctx, unsigned events)
{
	struct stream *s = ctx;
	bool write_now = s->blocked && events & (s->write_wants_read ? LOOP_READ : LOOP_WRITE);
	bool read_now = events & (s->read_wants_write ? LOOP_WRITE : LOOP_READ);

	stream_hold(s);
	if (s->phase == STREAM_TLS_HANDSHAKE) {
		stream_handshake(s);
	} else {
		if (write_now) {
			s->blocked = false;
			stream_send(s);
			stream_out_rest(s);
		}
		if (read_now && stream_can_read(s))
			stream_read(s);
	}
	stream_release(s);
}

/* Unread input would make the closing reset the connection under the peer's last lines. */
void stream_drop_input(const struct stream *s)
{
	char piece[16384];

	for (int i = 0; i < 16; i++)
		if (recv(s->fd, piece, sizeof(piece), MSG_DONTWAIT) <= 0)
			break;
}

static void stream_tell_end(struct stream *s)
{
	if (s->told)
		return;
	s->told = true;
	if (s->fail == ERR_OK)
		stream_drop_input(s);
	if (s->handler->closed)
		s->handler->closed(s->ctx, s->fail);
}

static void stream_on_later(void *ctx)
{
	struct stream *s = ctx;

	stream_hold(s);
	if (s->was_full && !s->over && stream_pending(s) <= s->limit.out_low) {
		s->was_full = false;
		stream_call(s, s->handler->drained);
	}
	if (!s->freed && s->deliver && !s->paused && !s->over && !s->finishing)
		stream_deliver(s);
	if (!s->freed && s->reread && stream_can_read(s))
		stream_read(s);
	if (!s->freed && s->over)
		stream_tell_end(s);
	stream_release(s);
}

/* Birth and death. */

static size_t stream_or(size_t given, size_t otherwise)
{
	return given ? given : otherwise;
}

void stream_set_limits(struct stream *s, const struct stream_limits *limits)
{
	static const struct stream_limits none;
	const struct stream_limits *l = limits ? limits : &none;

	s->limit.in_max = stream_or(l->in_max, 65536);
	s->limit.out_high = stream_or(l->out_high, 65536);
	s->limit.out_low = stream_or(l->out_low, 16384);
	s->limit.out_max = stream_or(l->out_max, (size_t)4 << 20);
	s->in.max = s->limit.in_max > s->in.n ? s->limit.in_max : s->in.n;
	s->out.max = s->limit.out_max > s->out.n ? s->limit.out_max : s->out.n;
	stream_watch(s);
}

struct stream *stream_new(struct loop *l, int fd_take, const struct stream_limits *limits,
			  const struct stream_handler *handler, void *ctx)
{
	struct stream *s = mem_alloc(sizeof(*s));
	int one = 1, flags = fcntl(fd_take, F_GETFL);

	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd_take, F_SETFL, flags | O_NONBLOCK);
	setsockopt(fd_take, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* refused by other sockets */
	s->loop = l;
	s->fd = fd_take;
	s->handler = handler;
	s->ctx = ctx;
	s->io = loop_add(l, fd_take, 0, stream_on_io, s);
	stream_set_limits(s, limits);
	return s;
}

/* Everything but the descriptor, and the memory while callbacks are in progress. */
static void stream_discard(struct stream *s)
{
	loop_remove(&s->io);
	loop_task_stop(&s->later);
	loop_task_stop(&s->flush);
	if (s->tls)
		s->tls->ops->free(s->tls);
	s->tls = NULL;
	if (s->filter)
		s->filter->ops->free(s);
	s->filter = NULL;
	buf_free(&s->in);
	buf_free(&s->out);
	free(s->why);
	s->why = NULL;
	s->view = (struct span){ NULL, 0 };
	s->freed = true;
	stream_hold(s);
	stream_release(s);
}

void stream_free(struct stream **stream)
{
	struct stream *s = *stream;

	if (!s)
		return;
	*stream = NULL;
	if (!s->over && !s->blocked && stream_pending(s) && stream_can_send(s))
		stream_send(s);
	if (!s->over && s->tls && stream_pending(s) == 0)
		s->tls->ops->notify(s->tls);
	loop_remove(&s->io);
	close(s->fd);
	stream_discard(s);
}

void stream_set_handler(struct stream *s, const struct stream_handler *handler, void *ctx)
{
	s->handler = handler;
	s->ctx = ctx;
}

enum err stream_take_fd(struct stream **stream, int *fd_r, struct buf *input)
{
	struct stream *s = *stream;

	if (s->phase != STREAM_PLAIN || s->over || s->filter)
		return ERR_CANNOT;
	stream_flush(s);
	if (stream_pending(s) || s->over)
		return ERR_CANNOT;
	buf_add_span(input, stream_input(s));
	if (input->failed)
		return ERR_LIMIT;
	*fd_r = s->fd;
	*stream = NULL;
	stream_discard(s);
	return ERR_OK;
}

/* Input. */

struct span stream_input(struct stream *s)
{
	if (s->view.n)
		return s->view;
	return span_from(buf_span(&s->in), s->in_off);
}

/* There is room again, or reading is wanted again. */
static void stream_want_more(struct stream *s)
{
	if (stream_hidden(s) && stream_can_read(s)) {
		s->reread = true;
		stream_owe(s);
	}
	stream_watch(s);
}

void stream_consume(struct stream *s, size_t n)
{
	if (s->view.n) {
		must(n <= s->view.n);
		s->view = span_from(s->view, n);
		return;
	}
	must(n <= s->in.n - s->in_off);
	s->in_off += n;
	if (s->in_off == s->in.n) {
		buf_free(&s->in);
		s->in_off = 0;
	}
	stream_want_more(s);
}

enum err stream_preload(struct stream *s, struct span bytes)
{
	if (bytes.n > s->limit.in_max - stream_have(s))
		return ERR_LIMIT;
	if (s->in_off) {
		buf_consume(&s->in, s->in_off);
		s->in_off = 0;
	}
	buf_add_span(&s->in, bytes);
	if (s->in.failed)
		return ERR_MEMORY;
	s->bytes_in += bytes.n;
	s->deliver = true;
	stream_owe(s);
	return ERR_OK;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	stream_watch(s);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	if (stream_have(s)) {
		s->deliver = true;
		stream_owe(s);
	}
	stream_want_more(s);
}

bool stream_eof(const struct stream *s)
{
	return s->eof;
}

uint64_t stream_bytes_in(const struct stream *s)
{
	return s->bytes_in;
}

void stream_insert(struct stream *s, struct stream_filter *f, struct buf *raw)
{
	struct span in = stream_input(s);

	buf_add_span(raw, in);
	s->bytes_in -= in.n; /* counted again when it has passed */
	stream_consume(s, in.n);
	buf_add_span(&f->out, stream_unsent(s));
	stream_sent(s, stream_unsent(s));
	buf_clear(&s->out);
	s->out_off = 0;
	s->filter = f;
	if (in.n) {
		s->reread = true;
		stream_owe(s);
	}
	stream_push(s);
}

/* The end, and TLS. */

static void stream_start_handshake(struct stream *s)
{
	s->tls = s->srv->ops->new(s->srv, s->fd, s->alpn);
	s->phase = STREAM_TLS_HANDSHAKE;
	if (!s->tls)
		stream_end(s, ERR_MEMORY, "no memory for TLS");
	stream_watch(s);
}

void stream_sent_all(struct stream *s)
{
	if (s->finishing) {
		if (s->tls)
			s->tls->ops->notify(s->tls);
		s->blocked = stream_pending(s) > 0; /* the socket had no room for the close_notify */
		if (!s->blocked)
			stream_end(s, ERR_OK, NULL);
	} else if (s->phase == STREAM_TLS_SOON) {
		stream_start_handshake(s);
	}
}

void stream_finish(struct stream *s)
{
	if (s->over || s->finishing)
		return;
	s->finishing = true;
	s->view = (struct span){ NULL, 0 };
	buf_free(&s->in);
	s->in_off = 0;
	if (s->phase == STREAM_TLS_HANDSHAKE) { /* nobody could read it */
		buf_free(&s->out);
		s->out_off = 0;
	}
	if (stream_pending(s) == 0)
		stream_sent_all(s);
	else
		stream_push(s);
	stream_watch(s);
}

enum err stream_start_tls(struct stream *s, struct tls_server *srv, const char *alpn)
{
	if (s->phase != STREAM_PLAIN || s->over || s->finishing || s->filter)
		return ERR_CANNOT;
	if (stream_have(s))
		return ERR_PROTO;
	s->srv = srv;
	s->alpn = alpn;
	s->phase = STREAM_TLS_SOON;
	stream_flush(s);
	if (stream_pending(s) == 0 && s->phase == STREAM_TLS_SOON)
		stream_start_handshake(s);
	stream_watch(s);
	return ERR_OK;
}

bool stream_is_tls(const struct stream *s)
{
	return s->phase != STREAM_PLAIN;
}

bool stream_is_compressed(const struct stream *s)
{
	return s->filter != NULL;
}

const char *stream_tls_describe(const struct stream *s, char *out, size_t n)
{
	if (n)
		out[0] = '\0';
	if (s->tls)
		s->tls->ops->describe(s->tls, out, n);
	return out;
}

const char *stream_why(const struct stream *s)
{
	return s->why ? s->why : err_name(s->over ? s->fail : ERR_OK);
}
