/*
 * A buffered, non-blocking byte stream on a socket (or pipe), plain or under TLS.
 *
 * An idle stream holds no buffers: input lies in the loop's scratch during the input
 * callback and only what the callback leaves is copied; output is gathered during one
 * iteration of the loop, sent at its end (at once when it is large), and its
 * memory is released when all is sent.
 *
 * Callbacks come from the loop only, never from inside a call of this interface.
 * A stream may be freed inside its own callbacks. After "closed" nothing is called
 * again; the owner frees the stream.
 */
#ifndef IO_STREAM_H
#define IO_STREAM_H

#include "base/buf.h"
#include "base/err.h"
#include "io/loop.h"

struct stream;
struct tls_server;

struct stream_handler {
	/*
	 * Input arrived, or stream_resume found some. Consume what is complete, leave the
	 * rest. When the buffer is full (in_max) nothing more is read until some is consumed.
	 */
	void (*input)(void *ctx);
	/* Output, full before (stream_full), fell to out_low. May be NULL. */
	void (*drained)(void *ctx);
	/* The TLS handshake is done. May be NULL. */
	void (*secured)(void *ctx);
	/* The peer will send no more, but may still read. NULL: closed(ctx, ERR_CLOSED) instead. */
	void (*ended)(void *ctx);
	/*
	 * End of input (ERR_CLOSED; a last input callback came before), connection
	 * error, failed handshake (ERR_PROTO; stream_why has a sentence), output beyond
	 * out_max (ERR_LIMIT). Also ERR_OK: stream_finish has sent everything.
	 */
	void (*closed)(void *ctx, enum err why);
	/*
	 * The next bytes of the output are the socket's, or in the middle of being compressed. May be NULL. Only for taking note:
	 * it is called from inside the calls that send, and must call none.
	 */
	void (*sent)(void *ctx, struct span bytes);
};

/* Bytes; 0 takes the default. */
struct stream_limits {
	size_t in_max;   /* 65536: most unconsumed input */
	size_t out_high; /* 65536: stream_full from here on */
	size_t out_low;  /* 16384: drained is called from here down */
	size_t out_max;  /* 4 MiB: beyond it the stream fails; so one write may be out_max - out_high */
};

/*
 * fd_take: becomes non-blocking, belongs to the stream, is closed with it; TCP sockets get TCP_NODELAY.
 * limits may be NULL; handler is borrowed for the stream's life. Never NULL.
 */
struct stream *stream_new(struct loop *l, int fd_take, const struct stream_limits *limits,
			  const struct stream_handler *handler, void *ctx);
/* Closes at once; unsent output gets one last try. NULL allowed; nulls. */
void stream_free(struct stream **s);
/* The next owner of the callbacks. */
void stream_set_handler(struct stream *s, const struct stream_handler *handler, void *ctx);

void stream_set_limits(struct stream *s, const struct stream_limits *limits);

/* Input: a view until the next consume, or the end of the callback. */
struct span stream_input(struct stream *s);
void stream_consume(struct stream *s, size_t n); /* n <= stream_input().n */
/* Input that came another way (left over by another process); goes behind what is there. ERR_LIMIT beyond in_max. */
enum err stream_preload(struct stream *s, struct span bytes);
void stream_pause(struct stream *s);  /* no input callbacks, no reading */
void stream_resume(struct stream *s); /* the input callback follows from the loop if anything is buffered */
bool stream_eof(const struct stream *s); /* the peer will send no more */

/* Output. Errors come later through closed. Writes to a stream that has failed are dropped. */
void stream_write(struct stream *s, struct span bytes);
void stream_write_str(struct stream *s, const char *text);
void stream_printf(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The output buffer itself, to be appended to only (borrowed until the next call here); call stream_push after appending. */
struct buf *stream_out(struct stream *s);
void stream_push(struct stream *s);
void stream_flush(struct stream *s);       /* sends now what the socket takes */
bool stream_full(const struct stream *s);  /* out_high reached: stop writing until drained */
size_t stream_pending(const struct stream *s); /* output bytes not yet taken by the socket */

struct span stream_unsent(const struct stream *s); /* what is written and not "sent" yet; until the next call */

/*
 * For the handler of a signal that the process dies of: waits for nothing, takes no memory, changes nothing. The peer gets
 * the first n bytes of stream_unsent and then text, if it can read them and its socket has room. Not under TLS.
 */
void stream_last_words(const struct stream *s, size_t n, struct span text);

/* Sends what is left (TLS: close_notify), then closed(ctx, ERR_OK). Input is dropped from now on. */
void stream_finish(struct stream *s);

/*
 * Starts TLS as the server, after the plain output written so far. alpn: our id
 * ("imap"): a client that offers ALPN without it is refused; NULL: ALPN is ignored.
 * ERR_PROTO when plain input is already buffered (RFC 9051 section 11.1: command
 * injection). srv is borrowed until the stream is freed. Deadlines are the caller's.
 */
enum err stream_start_tls(struct stream *s, struct tls_server *srv, const char *alpn);
bool stream_is_tls(const struct stream *s); /* from stream_start_tls on */
/* "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"; "" when plain. Returns out. */
const char *stream_tls_describe(const struct stream *s, char *out, size_t n);
/* A sentence on why it closed, for the log; never NULL. */
const char *stream_why(const struct stream *s);

/*
 * From here on both directions are DEFLATE (RFC 4978), below which TLS may be. What was written is sent as it
 * is; input that has come and is not consumed is taken to be compressed. ERR_CANNOT: it is on, or the stream ends.
 * Everything else above speaks of the bytes before compression.
 */
enum err stream_compress(struct stream *s);
bool stream_is_compressed(const struct stream *s);
/* An answer is complete: what comes after it is compressed as if nothing had been before. Nothing without compression. */
void stream_answered(struct stream *s);

/*
 * Gives the descriptor and the unconsumed input away and frees the stream. Only
 * a plain, uncompressed stream whose output is all sent (else ERR_CANNOT and nothing happens; for TLS see io/relay.h).
 */
enum err stream_take_fd(struct stream **s, int *fd_r, struct buf *input);

uint64_t stream_bytes_in(const struct stream *s);  /* as the user of the stream sees them */
uint64_t stream_bytes_out(const struct stream *s); /* accepted for sending */

#endif
