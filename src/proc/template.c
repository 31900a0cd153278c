#include "proc/template.h"
#include "ipc/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ORDER_CHAN, ORDER_LOG, ORDER_FDS = ORDER_LOG + LOG_SINKS };

union order_control {
	struct cmsghdr head;
	char room[CMSG_SPACE(ORDER_FDS * sizeof(int))];
};

/* --- the master's side ------------------------------------------------------------------ */

static enum err ended(struct errtext *why)
{
	return err_say(why, ERR_CLOSED, "the template has ended");
}

static enum err order_send(int fd, uint32_t child, const int fds[ORDER_FDS], struct errtext *why)
{
	union order_control control = { 0 };
	struct iovec iov = { &child, sizeof(child) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			     .msg_controllen = sizeof(control) };

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(ORDER_FDS * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, ORDER_FDS * sizeof(int));
	if (sendmsg(fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(child))
		return ERR_OK;
	return errno == EPIPE || errno == ECONNRESET ? ended(why) : err_say(why, ERR_TEMP, "the template takes no order");
}

static enum err order_answer(int fd, int wait_ms, pid_t *pid_r, struct errtext *why)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int32_t pid = 0;
	ssize_t n = -1;

	if (poll(&p, 1, wait_ms) != 1)
		return err_say(why, ERR_TEMP, "the template does not answer");
	n = recv(fd, &pid, sizeof(pid), MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno == ECONNRESET))
		return ended(why);
	if (n != (ssize_t)sizeof(pid) || pid <= 0)
		return err_say(why, ERR_TEMP, "the template made no copy");
	*pid_r = pid;
	return ERR_OK;
}

enum err template_order(int fd, const struct proc_spawn *s, int wait_ms, pid_t *pid_r, int *chan_fd_r,
			struct errtext *why)
{
	int pair[2], fds[ORDER_FDS];
	enum err e;

	if (chan_pair(pair) != ERR_OK)
		return err_sys(why, "socketpair");
	fds[ORDER_CHAN] = pair[1];
	memcpy(fds + ORDER_LOG, s->log_fd, sizeof(s->log_fd));
	e = order_send(fd, s->child, fds, why);
	close(pair[1]);
	if (e == ERR_OK)
		e = order_answer(fd, wait_ms, pid_r, why);
	if (e == ERR_OK)
		*chan_fd_r = pair[0];
	else
		close(pair[0]);
	return e;
}

/* --- the template's side ---------------------------------------------------------------- */

struct order {
	uint32_t child;
	int fd[ORDER_FDS]; /* own */
};

/* False: the master is gone, or what came is no order. */
static bool order_receive(struct order *o)
{
	union order_control control = { 0 };
	struct iovec iov = { &o->child, sizeof(o->child) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			     .msg_controllen = sizeof(control) };
	ssize_t n;

	do
		n = recvmsg(CHILD_FD_CHAN, &mh, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(o->child) || control.head.cmsg_type != SCM_RIGHTS ||
	    control.head.cmsg_len != CMSG_LEN(ORDER_FDS * sizeof(int)))
		return false;
	memcpy(o->fd, CMSG_DATA(&control.head), ORDER_FDS * sizeof(int));
	return true;
}

static void order_tell(int32_t pid)
{
	if (send(CHILD_FD_CHAN, &pid, sizeof(pid), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void close_order(const struct order *o)
{
	for (int i = 0; i < ORDER_FDS; i++)
		close(o->fd[i]);
}

static void order_place(int fd, int at)
{
	if (dup3(fd, at, O_CLOEXEC) < 0)
		_exit(1);
}

/* In the copy: the descriptors of a helper in their places. */
static void order_become(const struct order *o)
{
	order_tell(getpid());
	order_place(o->fd[ORDER_CHAN], CHILD_FD_CHAN);
	for (int i = 0; i < LOG_SINKS; i++)
		order_place(o->fd[ORDER_LOG + i], CHILD_FD_LOG + i);
	close_order(o);
}

/* Twice, so that the copy is nobody's child but the reaper's. True in the copy. */
static bool order_copy(const struct order *o)
{
	pid_t between = fork(), copy;

	if (between > 0) {
		while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
			continue;
		return false;
	}
	copy = between == 0 ? fork() : -1;
	if (copy == 0) {
		order_become(o);
		return true;
	}
	if (copy < 0)
		order_tell(0);
	if (between == 0)
		_exit(0);
	return false;
}

uint32_t template_serve(void)
{
	struct order o;

	if (fcntl(CHILD_FD_CHAN, F_SETFL, fcntl(CHILD_FD_CHAN, F_GETFL) & ~O_NONBLOCK) < 0)
		_exit(1);
	while (order_receive(&o)) {
		if (order_copy(&o))
			return o.child;
		close_order(&o);
	}
	_exit(0);
}
