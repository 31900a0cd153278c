/* Listening sockets and the addresses at their ends. */
#ifndef IO_LISTEN_H
#define IO_LISTEN_H

#include "io/loop.h"

enum { LISTEN_BACKLOG = 511, NET_IP_MAX = 46 };

/*
 * Binds and listens. address: an IPv4 or IPv6 address (brackets allowed), "*" for all
 * IPv4, "::" for all IPv6 (and only those), or a host name, which may give several
 * sockets (at most max). port 0 lets the kernel choose (see net_local). Non-blocking, close-on-exec.
 */
enum err listen_tcp(const char *address, uint16_t port, int *fd_r, size_t max, size_t *n_r,
		    struct errtext *why);

/*
 * Binds a stream socket at path with this mode and owner ((uid_t)-1, (gid_t)-1: as they
 * come). A socket left behind by a dead server is replaced; one that answers gives ERR_INUSE, anything
 * else at that path ERR_EXISTS.
 */
enum err listen_unix(const char *path, mode_t mode, uid_t uid, gid_t gid, int *fd_r,
		     struct errtext *why);

/*
 * Owner ((uid_t)-1, (gid_t)-1: as it is) and mode of a unix socket by its path. Never of anything
 * else: whoever owns the directory cannot slip a link under us.
 */
enum err listen_set_access(const char *path, mode_t mode, uid_t uid, gid_t gid, struct errtext *why);

struct acceptor;
typedef void acceptor_fn(void *ctx, int fd_take);

/*
 * Accepts on fd (borrowed; it may be shared with other processes) and calls fn for every
 * connection: non-blocking, close-on-exec. When descriptors run out it rests for 100 ms.
 */
struct acceptor *acceptor_new(struct loop *l, int fd, acceptor_fn *fn, void *ctx);
void acceptor_pause(struct acceptor *a, bool pause); /* whoever comes waits, or goes to another process */
void acceptor_free(struct acceptor **a); /* NULL allowed; nulls; fd stays open */

/* One end of a connection. A unix socket has ip "" and port 0. IPv4 in IPv6 is shown as IPv4. */
struct net_end {
	char ip[NET_IP_MAX];
	uint16_t port;
};

/* What one person may have of addresses: the IPv4 one, the first 64 bits of an IPv6 one. All zero: a unix socket. */
void net_origin(const struct net_end *end, unsigned char out[16]);

/* False: not connected, or of another kind. */
bool net_peer(int fd, struct net_end *end_r);
bool net_local(int fd, struct net_end *end_r);
/* Credentials of the process at the other end of a unix socket. */
bool net_peer_cred(int fd, pid_t *pid_r, uid_t *uid_r, gid_t *gid_r);

#endif
