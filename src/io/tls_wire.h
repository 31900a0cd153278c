/*
 * What lies under one TLS connection: its descriptor, and the records on their way there.
 *
 * The library would make a system call of every record of 16 KiB. Here the records of one call gather in
 * memory that all connections of a server share, and go out together; only what the
 * socket does not take is copied, and nothing is encrypted for this connection until that has gone.
 */
#ifndef IO_TLS_WIRE_H
#define IO_TLS_WIRE_H

#include "base/buf.h"
#include "tls_conn.h"

#include <openssl/bio.h>

enum {
	WIRE_GATHER = 64 << 10,     /* records are sent from here on */
	WIRE_MAX = 4 * WIRE_GATHER, /* in memory, gathered and held; a peer cannot make it more */
};

struct tls_wire {
	int fd;             /* borrowed */
	struct buf *gather; /* borrowed: empty between calls */
	struct buf held;    /* own: records that the socket has not taken */
	bool eof;
};

/* NULL: no memory. */
BIO_METHOD *wire_method(void);
/* Reads and writes through w, which must live as long. NULL: no memory. */
BIO *wire_bio(const BIO_METHOD *method, struct tls_wire *w);
/* Sends what was gathered, after what is held. TLS_DONE: all is gone; TLS_WANT_WRITE: held; TLS_FAILED: see errno. */
enum tls_result wire_flush(struct tls_wire *w);

#endif
