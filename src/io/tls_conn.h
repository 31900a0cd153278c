/* One TLS connection on a descriptor, non-blocking. The stream owns it; nobody else sees it. */
#ifndef IO_TLS_CONN_H
#define IO_TLS_CONN_H

#include "io/tls.h"

struct tls_conn;

enum tls_result {
	TLS_DONE,
	TLS_WANT_READ,  /* try again when the descriptor is readable */
	TLS_WANT_WRITE, /* try again when it is writable */
	TLS_EOF,        /* the peer closed */
	TLS_FAILED,     /* the connection is of no more use; see tls_conn_why */
};

/* fd borrowed; alpn borrowed (NULL: ignored). NULL when memory is short. */
struct tls_conn *tls_conn_new(struct tls_server *srv, int fd, const char *alpn);
void tls_conn_free(struct tls_conn **c);

enum tls_result tls_conn_handshake(struct tls_conn *c);
/* Reads until n bytes are there or no more can be had: TLS_DONE with *got_r > 0, else the reason. */
enum tls_result tls_conn_read(struct tls_conn *c, char *p, size_t n, size_t *got_r);
/*
 * Writes what the descriptor takes; *put_r bytes are done. When it is less than n with TLS_WANT_*,
 * the next call must begin with the same bytes (they may have moved).
 */
enum tls_result tls_conn_write(struct tls_conn *c, struct span bytes, size_t *put_r);
bool tls_conn_pending(const struct tls_conn *c); /* input that the descriptor no longer announces */
void tls_conn_notify(struct tls_conn *c);        /* close_notify, once, if it can be sent */
const char *tls_conn_why(const struct tls_conn *c);
void tls_conn_describe(const struct tls_conn *c, char *out, size_t n);

#endif
