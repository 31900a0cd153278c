#include "io/relay.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RELAY_LINGER_MS = 60000 }; /* how long a client may take to read the rest */

struct relay {
	struct loop *loop;
	struct stream *client; /* own */
	struct loop_io *io;    /* own: of fd */
	int fd;                /* own */
	bool fd_blocked;       /* the far socket took less than there was: client input waits in its stream */
	bool client_ended, fd_ended;
	struct loop_timer linger;
	struct loop_task over;
	bool is_over;
	enum err why;
	const struct relay_handler *handler; /* borrowed */
	void *ctx;
	uint64_t bytes_in, bytes_out;
};

static void relay_on_over(void *ctx)
{
	struct relay *r = ctx;

	r->handler->over(r->ctx, r->why);
}

static void relay_end(struct relay *r, enum err why)
{
	if (r->is_over)
		return;
	r->is_over = true;
	r->why = why;
	stream_pause(r->client);
	loop_set(r->io, 0);
	loop_timer_stop(r->loop, &r->linger);
	loop_later(r->loop, &r->over, relay_on_over, r);
}

static void relay_watch(struct relay *r)
{
	bool read_far = !r->fd_ended && !stream_full(r->client);

	if (!r->is_over)
		loop_set(r->io, (read_far ? LOOP_READ : 0U) | (r->fd_blocked ? LOOP_WRITE : 0U));
}

/* Client to far end: what the socket does not take stays in the stream, which stops reading. */
static void relay_up(struct relay *r)
{
	struct span in = stream_input(r->client);
	ssize_t n;

	if (r->fd_ended) {
		stream_consume(r->client, in.n); /* nobody listens any more */
		return;
	}
	if (in.n == 0)
		return;
	n = send(r->fd, in.p, in.n, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* The far end is gone; what it said last may still lie in our socket. */
		stream_consume(r->client, in.n);
		return;
	}
	n = n < 0 ? 0 : n;
	r->bytes_in += (uint64_t)n;
	stream_consume(r->client, (size_t)n);
	r->fd_blocked = (size_t)n < in.n;
	if (r->fd_blocked)
		stream_pause(r->client);
	else
		stream_resume(r->client);
	if (r->client_ended && !r->fd_blocked)
		shutdown(r->fd, SHUT_WR);
	relay_watch(r);
}

static void relay_on_linger(void *ctx)
{
	relay_end(ctx, ERR_CLOSED);
}

/* The far end closed: the client gets what is left, a last word where there is one, and a close_notify. */
static void relay_far_ended(struct relay *r)
{
	const char *last = r->handler->left && !r->client_ended ? r->handler->left(r->ctx) : NULL;

	r->fd_ended = true;
	r->fd_blocked = false;
	relay_watch(r);
	if (last)
		stream_write_str(r->client, last);
	stream_finish(r->client);
	loop_timer_set(r->loop, &r->linger, RELAY_LINGER_MS, relay_on_linger, r);
}

/* Far end to client: straight from the scratch into the stream's socket. */
static void relay_down(struct relay *r)
{
	char *scratch = loop_scratch(r->loop);
	ssize_t n = read(r->fd, scratch, LOOP_SCRATCH);

	if (n > 0) {
		r->bytes_out += (uint64_t)n;
		if (r->handler->said)
			r->handler->said(r->ctx, span_of(scratch, (size_t)n));
		stream_write(r->client, span_of(scratch, (size_t)n));
		relay_watch(r);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		relay_far_ended(r);
	}
}

static void relay_on_far(void *ctx, unsigned events)
{
	struct relay *r = ctx;

	if (events & LOOP_WRITE && r->fd_blocked)
		relay_up(r);
	if (events & LOOP_READ && !r->fd_ended && !r->is_over)
		relay_down(r);
}

static void relay_on_input(void *ctx)
{
	relay_up(ctx);
}

static void relay_on_drained(void *ctx)
{
	relay_watch(ctx);
}

static void relay_on_ended(void *ctx)
{
	struct relay *r = ctx;

	r->client_ended = true;
	if (!r->fd_blocked)
		shutdown(r->fd, SHUT_WR);
}

static void relay_on_closed(void *ctx, enum err why)
{
	relay_end(ctx, why == ERR_OK ? ERR_CLOSED : why);
}

static const struct stream_handler relay_handler = {
	.input = relay_on_input,
	.drained = relay_on_drained,
	.ended = relay_on_ended,
	.closed = relay_on_closed,
};

struct relay *relay_new(struct loop *l, struct stream **client_take, int fd_take,
			const struct relay_handler *handler, void *ctx)
{
	static const struct stream_limits limits = { .in_max = LOOP_SCRATCH, .out_high = 16384,
						     .out_low = 1 };
	struct relay *r = mem_alloc(sizeof(*r));

	fcntl(fd_take, F_SETFL, fcntl(fd_take, F_GETFL) | O_NONBLOCK);
	*r = (struct relay){ .loop = l, .client = *client_take, .fd = fd_take, .handler = handler, .ctx = ctx };
	*client_take = NULL;
	r->io = loop_add(l, fd_take, 0, relay_on_far, r);
	stream_set_handler(r->client, &relay_handler, r);
	stream_set_limits(r->client, &limits);
	stream_resume(r->client);
	relay_watch(r);
	return r;
}

void relay_free(struct relay **relay)
{
	struct relay *r = *relay;

	if (!r)
		return;
	loop_timer_stop(r->loop, &r->linger);
	loop_task_stop(&r->over);
	loop_remove(&r->io);
	stream_free(&r->client);
	close(r->fd);
	free(r);
	*relay = NULL;
}

uint64_t relay_bytes_in(const struct relay *r)
{
	return r->bytes_in;
}

uint64_t relay_bytes_out(const struct relay *r)
{
	return r->bytes_out;
}
