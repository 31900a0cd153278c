/*
 * Carries bytes between a client's stream (usually TLS) and a socket to the process that
 * speaks the protocol, until either end closes.
 *
 * Nothing is kept: bytes go from one read of up to 64 KiB straight
 * into the other side's write; only what the other side does not take at once is
 * copied, into a buffer that lives until it has gone, and reading stops meanwhile.
 * An idle relay holds no buffer. The end of the client's input is carried over to
 * the far end. When that closes, the client gets what is left (within a minute) and a close_notify.
 */
#ifndef IO_RELAY_H
#define IO_RELAY_H

#include "io/stream.h"

struct relay;

struct relay_handler {
	/* The far end said this, and the client will get it. May be NULL. */
	void (*said)(void *ctx, struct span bytes);
	/* The far end closed, and not because the client did, who gets this (NULL: nothing) as the last. May be NULL. */
	const char *(*left)(void *ctx);
	/* The relay is over; the owner frees it. why: ERR_CLOSED for an orderly end. */
	void (*over)(void *ctx, enum err why);
};

/*
 * client_take: its input not yet consumed is the first to go over; its handler is
 * never called again. fd_take: a stream socket. handler: borrowed for the relay's life. Never NULL.
 */
struct relay *relay_new(struct loop *l, struct stream **client_take, int fd_take, const struct relay_handler *handler,
			void *ctx);
void relay_free(struct relay **r); /* closes both; NULL allowed; nulls */

uint64_t relay_bytes_in(const struct relay *r);  /* from the client */
uint64_t relay_bytes_out(const struct relay *r); /* to the client */

#endif
