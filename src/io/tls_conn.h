/*
 * One TLS connection on a descriptor, non-blocking. The stream owns it; nobody else sees it.
 * Streams reach it through this table, which only tls_server_new hands out: a program that makes no TLS server
 * (all but login) does not link the TLS library.
 */
#ifndef IO_TLS_CONN_H
#define IO_TLS_CONN_H

#include "io/tls.h"

enum tls_result {
	TLS_DONE,
	TLS_WANT_READ,  /* try again when the descriptor is readable */
	TLS_WANT_WRITE, /* try again when it is writable */
	TLS_EOF,        /* the peer closed */
	TLS_FAILED,     /* the connection is of no more use; see why */
};

struct tls_conn {
	const struct tls_ops *ops;
};

struct tls_server {
	const struct tls_ops *ops;
};

struct tls_ops {
	/* fd borrowed; alpn borrowed (NULL: ignored). NULL when memory is short. */
	struct tls_conn *(*new)(struct tls_server *srv, int fd, const char *alpn);
	void (*free)(struct tls_conn *c);
	enum tls_result (*handshake)(struct tls_conn *c);
	/* Reads until n bytes are there or no more can be had: TLS_DONE with *got_r > 0, else the reason. */
	enum tls_result (*read)(struct tls_conn *c, char *p, size_t n, size_t *got_r);
	/*
	 * Takes what the descriptor takes, and little more, which is held; *put_r bytes are done. When it is less than n
	 * with TLS_WANT_*, the next call must begin with the same bytes (they may have moved). TLS_WANT_WRITE, also
	 * with all n done: something is held, and goes out with the next call, which may be one of no bytes.
	 */
	enum tls_result (*write)(struct tls_conn *c, struct span bytes, size_t *put_r);
	size_t (*held)(const struct tls_conn *c); /* bytes for the wire that the descriptor has not taken */
	bool (*pending)(const struct tls_conn *c); /* input that the descriptor no longer announces */
	void (*notify)(struct tls_conn *c);        /* close_notify, once, if it can be sent */
	const char *(*why)(const struct tls_conn *c);
	void (*describe)(const struct tls_conn *c, char *out, size_t n);
};

#endif
