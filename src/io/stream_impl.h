/*
 * The inside of a stream, shared by its two files: stream.c (life, input, TLS) and stream_out.c
 * (output). Every byte passes stream_recv or stream_put: the seam for what changes bytes
 * on their way, as TLS and the filter do.
 */
#ifndef IO_STREAM_IMPL_H
#define IO_STREAM_IMPL_H

#include "io/stream.h"
#include "tls_conn.h"

enum stream_phase {
	STREAM_PLAIN,
	STREAM_TLS_SOON,      /* TLS starts when the plain output is sent */
	STREAM_TLS_HANDSHAKE, /* nothing else moves */
	STREAM_TLS,
};

enum { STREAM_PASS_HEAD = 8 };

/*
 * What stands between the stream's buffers and the wire once stream_insert has put it there. Reached through
 * a table, so that a program that never compresses does not link the library.
 */
struct stream_filter_ops {
	/* As stream_recv_raw, of which it makes its own input. */
	enum tls_result (*read)(struct stream *s, char *p, size_t n, size_t *got_r);
	bool (*pending)(const struct stream *s); /* input that the descriptor no longer announces */
	/* Takes bytes into filter->out, or keeps some back (held); full: keeps none. False: no memory. */
	bool (*write)(struct stream *s, struct span bytes, bool full);
	void (*rest)(struct stream *s);          /* everything is sent: gives memory back */
	/*
	 * What makes the next n bytes fit for the wire as they are, written to head, and its length; 0: impossible. For
	 * stream_last_words, under the same rules.
	 */
	size_t (*pass)(const struct stream *s, size_t n, char head[STREAM_PASS_HEAD]);
	void (*free)(struct stream *s);
};

struct stream_filter {
	const struct stream_filter_ops *ops;
	struct buf out;      /* for the wire, from out_off on */
	size_t out_off;
	bool held;           /* the filter has bytes that are not in out */
	const char *why;     /* a constant: its input cannot be read */
};

struct stream {
	struct loop *loop;   /* borrowed */
	struct loop_io *io;  /* own */
	int fd;              /* own */
	const struct stream_handler *handler;
	void *ctx;
	struct stream_limits limit;

	struct buf in;       /* input that callbacks left, from in_off on */
	size_t in_off;
	struct span view;    /* in the input callback: input that lies in the loop's scratch */
	struct buf out;      /* output not yet sent, from out_off on */
	size_t out_off;

	enum stream_phase phase;
	struct tls_conn *tls;   /* own; NULL before the handshake */
	struct tls_server *srv; /* borrowed */
	const char *alpn;       /* borrowed */
	bool read_wants_write;  /* TLS may need the other direction first */
	bool write_wants_read;

	struct stream_filter *filter; /* own; NULL: none */

	bool paused;
	bool eof;
	bool blocked;    /* the socket took less than there was */
	bool was_full;   /* drained is owed once the output is low */
	bool deliver;    /* an input callback is owed */
	bool reread;     /* input may wait inside TLS, where epoll does not see it */
	bool finishing;
	bool over;       /* closed is owed (or told) with the reason in fail */
	bool told;
	bool freed;      /* by its owner, inside a callback */
	unsigned held;   /* callbacks in progress */
	enum err fail;
	char *why;       /* own; NULL: nothing more to say */

	struct loop_task later, flush;
	uint64_t bytes_in, bytes_sent; /* before the filter */
};

/* Interest in events, from the state. After every change of state. */
void stream_watch(struct stream *s);
/* Calls what is owed to the owner, from the loop. */
void stream_owe(struct stream *s);
/* Ends the stream: closed(ctx, e) is owed, nothing else moves. The first reason stays. */
void stream_end(struct stream *s, enum err e, const char *why);
void stream_end_tls(struct stream *s, enum tls_result res);
/* All plain output is sent: what was waiting for that (TLS, finish). */
void stream_sent_all(struct stream *s);
/* Takes what the peer has sent and nobody will read; as stream_last_words. */
void stream_drop_input(const struct stream *s);
/* Counts what is the socket's or the filter's, and tells the owner. */
void stream_sent(struct stream *s, struct span bytes);
/* Sends pending output until done or blocked; only when not blocked. */
void stream_send(struct stream *s);
bool stream_can_send(const struct stream *s);
/* Gives the memory of output back, when all of it is sent. */
void stream_out_rest(struct stream *s);
/* What the socket or TLS has: at most n bytes; TLS_DONE with *got_r > 0, or the reason why there are none. */
enum tls_result stream_recv_raw(struct stream *s, char *p, size_t n, size_t *got_r);
/*
 * All output that was written so far goes past the filter, all input that is not consumed goes through it: into raw,
 * which can hold it.
 */
void stream_insert(struct stream *s, struct stream_filter *f, struct buf *raw);

#endif
