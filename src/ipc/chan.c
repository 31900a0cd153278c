#include "ipc/chan.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CHAN_BATCH = 16,           /* messages taken before others get their turn */
	CHAN_QUEUE_MAX = 4 << 20,  /* bytes that may wait for a slow peer */
};

/* A message that waits. */
struct chan_packet {
	struct chan_packet *next;
	struct buf b;
	int fd[MSG_FDS_MAX];
	size_t nfd;
};

struct chan {
	struct loop *loop;
	struct loop_io *io; /* own */
	int fd;             /* own */
	enum msg_role self, peer;
	const struct chan_row *row; /* borrowed */
	size_t rows;
	chan_closed_fn *closed;
	void *ctx;
	struct chan_packet *head, **tail; /* own */
	size_t queued;                    /* bytes */
	struct loop_task tell;
	bool dead, told, freed;
	unsigned held; /* callbacks in progress */
	enum err fail;
	struct errtext why;
};

enum err chan_pair(int fd_r[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd_r) < 0)
		return err_from_errno(errno);
	return ERR_OK;
}

static void chan_close_fds(const int *fd, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fd[i] >= 0)
			close(fd[i]);
}

static void chan_drop_head(struct chan *c)
{
	struct chan_packet *p = c->head;

	c->head = p->next;
	if (!c->head)
		c->tail = &c->head;
	c->queued -= p->b.n;
	chan_close_fds(p->fd, p->nfd);
	buf_free(&p->b);
	free(p);
}

static void chan_release(struct chan *c)
{
	if (--c->held == 0 && c->freed)
		free(c);
}

static void chan_on_tell(void *ctx)
{
	struct chan *c = ctx;

	c->held++;
	if (!c->told) {
		c->told = true;
		c->closed(c->ctx, c, c->fail);
	}
	chan_release(c);
}

/* why is written by the caller. */
static void chan_end(struct chan *c, enum err e)
{
	if (c->dead || c->freed)
		return;
	c->dead = true;
	c->fail = e;
	loop_set(c->io, 0);
	loop_later(c->loop, &c->tell, chan_on_tell, c);
}

/* Sending. */

static bool chan_send_now(struct chan *c, struct span bytes, const int *fd, size_t nfd)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(MSG_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes.p, bytes.n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (nfd) {
		mh.msg_control = &control;
		mh.msg_controllen = CMSG_SPACE(nfd * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(nfd * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fd, nfd * sizeof(int));
	}
	do
		n = sendmsg(c->fd, &mh, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

static bool chan_must_wait(int errnum)
{
	/* ETOOMANYREFS: too many descriptors are on their way in sockets. */
	return errnum == EAGAIN || errnum == ENOBUFS || errnum == ETOOMANYREFS;
}

static void chan_lost(struct chan *c)
{
	err_sys(&c->why, "cannot send to %s", msg_role_name(c->peer));
	chan_end(c, ERR_CLOSED);
}

static void chan_flush(struct chan *c)
{
	while (c->head && !c->dead) {
		if (!chan_send_now(c, buf_span(&c->head->b), c->head->fd, c->head->nfd)) {
			if (!chan_must_wait(errno))
				chan_lost(c);
			break;
		}
		chan_drop_head(c);
	}
	if (!c->dead)
		loop_set(c->io, LOOP_READ | (c->head ? LOOP_WRITE : 0U));
}

static void chan_queue(struct chan *c, struct msg *m, const int *fd, size_t nfd)
{
	struct chan_packet *p = mem_alloc(sizeof(*p));

	p->b = m->b;
	buf_init(&m->b, MSG_MAX);
	p->nfd = nfd;
	if (nfd)
		memcpy(p->fd, fd, nfd * sizeof(int));
	*c->tail = p;
	c->tail = &p->next;
	c->queued += p->b.n;
	loop_set(c->io, LOOP_READ | LOOP_WRITE);
}

/* Our own side of the rules; a message that breaks them is a bug of ours and ends only this channel. */
static bool chan_may_send(struct chan *c, const struct msg *m, size_t nfd)
{
	unsigned type = m->b.n >= 2 ? (unsigned char)m->b.p[0] | (unsigned)(unsigned char)m->b.p[1] << 8 : 0;
	const struct msg_row *row = msg_row(type);

	if (m->b.failed || !row || m->b.n - MSG_HEAD > row->size_max) {
		err_say(&c->why, ERR_LIMIT, "message %s to %s is too long", row ? row->name : "?",
			msg_role_name(c->peer));
		chan_end(c, ERR_LIMIT);
	} else if (!(row->from & c->self) || !(row->to & c->peer) || row->fds != nfd) {
		err_say(&c->why, ERR_PROTO, "message %s must not be sent to %s", row->name,
			msg_role_name(c->peer));
		chan_end(c, ERR_PROTO);
	} else if (c->queued + m->b.n > CHAN_QUEUE_MAX) {
		err_say(&c->why, ERR_LIMIT, "%s does not take its messages", msg_role_name(c->peer));
		chan_end(c, ERR_LIMIT);
	}
	return !c->dead;
}

void chan_send_fds(struct chan *c, struct msg *m, const int *fds_take, size_t n)
{
	bool keep = false;

	must(n <= MSG_FDS_MAX);
	if (!c->dead && chan_may_send(c, m, n)) {
		keep = c->head != NULL;
		if (!keep && !chan_send_now(c, buf_span(&m->b), fds_take, n)) {
			keep = chan_must_wait(errno);
			if (!keep)
				chan_lost(c);
		}
	}
	if (keep)
		chan_queue(c, m, fds_take, n);
	else
		chan_close_fds(fds_take, n);
	msg_free(m);
}

void chan_send(struct chan *c, struct msg *m)
{
	chan_send_fds(c, m, NULL, 0);
}

void chan_send_empty(struct chan *c, enum msg_type type, uint32_t id)
{
	struct msg m;

	msg_init(&m, type, id);
	chan_send(c, &m);
}

/* Receiving. */

static void chan_take_fds(struct msghdr *mh, struct msg_in *m, bool *too_many_r)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(mh); h; h = CMSG_NXTHDR(mh, h)) {
		const unsigned char *at = CMSG_DATA(h);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); n; n--, at += sizeof(int)) {
			int fd;

			memcpy(&fd, at, sizeof(fd));
			if (m->nfd < MSG_FDS_MAX) {
				m->fd[m->nfd++] = fd;
				continue;
			}
			close(fd);
			*too_many_r = true;
		}
	}
}

static chan_fn *chan_handler(const struct chan *c, enum msg_type type)
{
	for (size_t i = 0; i < c->rows; i++)
		if (c->row[i].type == type)
			return c->row[i].fn;
	return NULL;
}

/* The whole law of messages: who, to whom, how long, with what. */
static enum err chan_dispatch(struct chan *c, struct msg_in *m)
{
	const struct msg_row *row = msg_row(m->type);
	chan_fn *fn = chan_handler(c, m->type);
	enum err e;

	if (!(row->from & c->peer) || !(row->to & c->self) || !fn)
		return err_say(&c->why, ERR_PROTO, "%s sent %s, which it must not", msg_role_name(c->peer),
			       row->name);
	if (m->rest.n > row->size_max || m->nfd != row->fds)
		return err_say(&c->why, ERR_PROTO, "%s sent %s of the wrong size", msg_role_name(c->peer),
			       row->name);
	e = fn(c->ctx, c, m);
	if (e && !c->freed)
		err_say(&c->why, e, "%s from %s refused: %s", row->name, msg_role_name(c->peer),
			err_name(e));
	return e;
}

static void chan_handle(struct chan *c, struct span packet, struct msghdr *mh)
{
	struct msg_in m = { .fd = { -1, -1, -1, -1 } }, fds = { .fd = { -1, -1, -1, -1 } };
	bool too_many = false;
	enum err e;

	chan_take_fds(mh, &fds, &too_many);
	if (too_many || mh->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || !msg_parse(packet, &m)) {
		chan_close_fds(fds.fd, fds.nfd);
		err_say(&c->why, ERR_PROTO, "%s sent a malformed message", msg_role_name(c->peer));
		chan_end(c, ERR_PROTO);
		return;
	}
	memcpy(m.fd, fds.fd, sizeof(m.fd));
	m.nfd = fds.nfd;
	e = chan_dispatch(c, &m);
	chan_close_fds(m.fd, m.nfd);
	if (e)
		chan_end(c, e);
}

/* One message; false when there is none for now. */
static bool chan_recv(struct chan *c)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE((MSG_FDS_MAX + 1) * sizeof(int))];
	} control;
	struct iovec iov = { loop_scratch(c->loop), MSG_MAX };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0) {
		chan_handle(c, span_of(iov.iov_base, (size_t)n), &mh);
		return true;
	}
	if (n == 0)
		err_say(&c->why, ERR_CLOSED, "%s closed its channel", msg_role_name(c->peer));
	else
		err_sys(&c->why, "cannot receive from %s", msg_role_name(c->peer));
	chan_end(c, ERR_CLOSED);
	return false;
}

static void chan_on_io(void *ctx, unsigned events)
{
	struct chan *c = ctx;

	c->held++;
	if (events & LOOP_WRITE && c->head)
		chan_flush(c);
	for (int i = 0; events & LOOP_READ && i < CHAN_BATCH && !c->dead && !c->freed; i++)
		if (!chan_recv(c))
			break;
	chan_release(c);
}

/* Birth and death. */

struct chan *chan_new(struct loop *l, int fd_take, enum msg_role self, enum msg_role peer,
		      const struct chan_row *rows, size_t n, chan_closed_fn *closed, void *ctx)
{
	struct chan *c = mem_alloc(sizeof(*c));

	fcntl(fd_take, F_SETFL, fcntl(fd_take, F_GETFL) | O_NONBLOCK);
	c->loop = l;
	c->fd = fd_take;
	c->self = self;
	c->peer = peer;
	c->row = rows;
	c->rows = n;
	c->closed = closed;
	c->ctx = ctx;
	c->tail = &c->head;
	c->io = loop_add(l, fd_take, LOOP_READ, chan_on_io, c);
	return c;
}

void chan_free(struct chan **chan)
{
	struct chan *c = *chan;

	if (!c)
		return;
	*chan = NULL;
	chan_flush(c);
	while (c->head)
		chan_drop_head(c);
	loop_task_stop(&c->tell);
	loop_remove(&c->io);
	close(c->fd);
	c->freed = true;
	c->held++;
	chan_release(c);
}

bool chan_dead(const struct chan *c)
{
	return c->dead;
}

const char *chan_why(const struct chan *c)
{
	return c->dead ? c->why.text : err_name(ERR_OK);
}
