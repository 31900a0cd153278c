#include "io/listen.h"
#include "base/mem.h"
#include "base/span.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	ACCEPT_BATCH = 16,    /* connections taken before others get their turn */
	ACCEPT_REST_MS = 100, /* when descriptors ran out */
};

struct acceptor {
	struct loop *loop;
	struct loop_io *io; /* own */
	int fd;             /* borrowed */
	acceptor_fn *fn;
	void *ctx;
	struct loop_timer rest;
	bool busy, freed; /* in a callback; freed by it */
	bool paused;
};

static enum err listen_one(const struct addrinfo *ai, int *fd_r)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_from_errno(errno);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0) {
		*fd_r = fd;
		return ERR_OK;
	}
	one = errno;
	close(fd);
	errno = one;
	return err_from_errno(one);
}

/* "[::1]" and "::1" are the same host; "*" is all of IPv4. */
static bool listen_host(const char *address, char *out, size_t n)
{
	struct span host = span_str(address);

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_cut(host, 1, host.n - 2);
	if (host.n == 0 || span_eq_str(host, "*"))
		host = SPAN("0.0.0.0");
	return snprintf(out, n, "%.*s", (int)host.n, host.p) < (int)n;
}

enum err listen_tcp(const char *address, uint16_t port, int *fd_r, size_t max, size_t *n_r,
		    struct errtext *why)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list, *ai;
	char host[256], service[8];
	enum err e = ERR_OK;
	size_t n = 0;
	int res;

	if (!listen_host(address, host, sizeof(host)))
		return err_say(why, ERR_SYNTAX, "listen address too long");
	snprintf(service, sizeof(service), "%u", port);
	res = getaddrinfo(host, service, &hints, &list);
	if (res != 0)
		return err_say(why, ERR_NOTFOUND, "listen address %s: %s", address, gai_strerror(res));
	for (ai = list; ai && !e && n < max; ai = ai->ai_next) {
		e = listen_one(ai, &fd_r[n]);
		n += !e;
	}
	if (e)
		err_sys(why, "cannot listen on %s port %u", address, port);
	freeaddrinfo(list);
	while (e && n > 0)
		close(fd_r[--n]);
	if (!e)
		*n_r = n;
	return e;
}

/* A socket that nobody answers any more may go. */
static enum err listen_clear_path(const struct sockaddr_un *at, struct errtext *why)
{
	struct stat st;
	int fd, res;

	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? ERR_OK : err_sys(why, "%s", at->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_say(why, ERR_EXISTS, "%s exists and is not a socket", at->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(why, "socket");
	res = connect(fd, (const struct sockaddr *)at, sizeof(*at));
	close(fd);
	if (res == 0 || errno == EAGAIN)
		return err_say(why, ERR_INUSE, "%s: another server answers there", at->sun_path);
	return unlink(at->sun_path) == 0 ? ERR_OK : err_sys(why, "cannot replace %s", at->sun_path);
}

enum err listen_set_access(const char *path, mode_t mode, uid_t uid, gid_t gid, struct errtext *why)
{
	char self[40];
	struct stat st;
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && fstat(fd, &st) == 0;

	if (ok && !S_ISSOCK(st.st_mode)) {
		close(fd);
		return err_say(why, ERR_EXISTS, "%s is not a socket", path);
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (ok && (uid != (uid_t)-1 || gid != (gid_t)-1))
		ok = fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0;
	ok = ok && chmod(self, mode) == 0;
	if (!ok)
		err_sys(why, "cannot set owner and mode of %s%s", path,
			fd >= 0 && errno == ENOENT ? " (is /proc mounted?)" : "");
	if (fd >= 0)
		close(fd);
	return ok ? ERR_OK : ERR_PERM;
}

/* Nobody may connect before owner and mode are set. */
static enum err listen_bind_unix(int fd, const struct sockaddr_un *at, mode_t mode, uid_t uid, gid_t gid,
				 struct errtext *why)
{
	mode_t mask = umask(0777);
	int res = bind(fd, (const struct sockaddr *)at, sizeof(*at));
	enum err e = ERR_OK;

	if (res < 0)
		e = err_sys(why, "cannot listen on %s", at->sun_path);
	umask(mask);
	if (!e)
		e = listen_set_access(at->sun_path, mode, uid, gid, why);
	if (!e && listen(fd, LISTEN_BACKLOG) < 0)
		e = err_sys(why, "cannot listen on %s", at->sun_path);
	return e;
}

enum err listen_unix(const char *path, mode_t mode, uid_t uid, gid_t gid, int *fd_r,
		     struct errtext *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	enum err e;
	int fd;

	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s", path) >= (int)sizeof(at.sun_path))
		return err_say(why, ERR_CANNOT, "%s: longer than a unix socket's name may be (%zu)", path,
			       sizeof(at.sun_path) - 1);
	e = listen_clear_path(&at, why);
	if (e)
		return e;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(why, "socket");
	e = listen_bind_unix(fd, &at, mode, uid, gid, why);
	if (e) {
		close(fd);
		return e;
	}
	*fd_r = fd;
	return ERR_OK;
}

static void acceptor_watch(struct acceptor *a)
{
	bool on = !a->paused && !loop_timer_armed(&a->rest);

	loop_set(a->io, on ? LOOP_READ | LOOP_EXCLUSIVE : 0);
}

static void acceptor_rested(void *ctx)
{
	acceptor_watch(ctx);
}

static bool acceptor_is_transient(int errnum)
{
	return errnum == EINTR || errnum == ECONNABORTED || errnum == EPROTO;
}

/* The kernel wakes the first of those that wait for a socket: who had his turn goes to the end of the queue. */
static void acceptor_queue_up(struct acceptor *a)
{
	loop_set(a->io, 0);
	acceptor_watch(a);
}

static void acceptor_on_io(void *ctx, unsigned events)
{
	struct acceptor *a = ctx;
	bool any = false;

	a->busy = true;
	for (int i = 0; i < ACCEPT_BATCH && !a->freed && !a->paused; i++) {
		int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			any = true;
			a->fn(a->ctx, fd);
			continue;
		}
		if (acceptor_is_transient(errno))
			continue;
		if (errno != EAGAIN) {
			loop_timer_set(a->loop, &a->rest, ACCEPT_REST_MS, acceptor_rested, a);
			acceptor_watch(a);
		}
		break;
	}
	a->busy = false;
	if (a->freed)
		free(a);
	else if (any)
		acceptor_queue_up(a);
}

struct acceptor *acceptor_new(struct loop *l, int fd, acceptor_fn *fn, void *ctx)
{
	struct acceptor *a = mem_alloc(sizeof(*a));

	a->loop = l;
	a->fd = fd;
	a->fn = fn;
	a->ctx = ctx;
	a->io = loop_add(l, fd, 0, acceptor_on_io, a);
	acceptor_watch(a);
	return a;
}

void acceptor_pause(struct acceptor *a, bool pause)
{
	a->paused = pause;
	acceptor_watch(a);
}

void acceptor_free(struct acceptor **a)
{
	if (!*a)
		return;
	loop_timer_stop((*a)->loop, &(*a)->rest);
	loop_remove(&(*a)->io);
	(*a)->freed = true;
	if (!(*a)->busy)
		free(*a);
	*a = NULL;
}

static bool net_end(const struct sockaddr_storage *sa, struct net_end *end_r)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	memset(end_r, 0, sizeof(*end_r));
	if (sa->ss_family == AF_INET) {
		end_r->port = ntohs(v4->sin_port);
		return inet_ntop(AF_INET, &v4->sin_addr, end_r->ip, sizeof(end_r->ip)) != NULL;
	}
	if (sa->ss_family == AF_INET6) {
		bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);

		end_r->port = ntohs(v6->sin6_port);
		return inet_ntop(mapped ? AF_INET : AF_INET6, v6->sin6_addr.s6_addr + (mapped ? 12 : 0),
				 end_r->ip, sizeof(end_r->ip)) != NULL;
	}
	return sa->ss_family == AF_UNIX;
}

void net_origin(const struct net_end *end, unsigned char out[16])
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET, end->ip, out) == 1)
		return;
	if (inet_pton(AF_INET6, end->ip, out) == 1)
		memset(out + 8, 0, 8);
}

bool net_peer(int fd, struct net_end *end_r)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	return getpeername(fd, (struct sockaddr *)&sa, &len) == 0 && net_end(&sa, end_r);
}

bool net_local(int fd, struct net_end *end_r)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && net_end(&sa, end_r);
}

bool net_peer_cred(int fd, pid_t *pid_r, uid_t *uid_r, gid_t *gid_r)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	*pid_r = cred.pid;
	*uid_r = cred.uid;
	*gid_r = cred.gid;
	return true;
}
