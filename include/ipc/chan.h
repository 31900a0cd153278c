/*
 * A channel: messages to and from one other process over a SOCK_SEQPACKET socket.
 *
 * A message arrives only if its row (ipc/msgs.h) allows it from this peer to us, with that size
 * and that many descriptors, and the receiver's table has a handler. Anything else,
 * and a handler that answers other than ERR_OK (wrong time, malformed body: ERR_PROTO), ends the
 * channel: closed(ctx, why) follows, once; the owner frees it then or later. No handler is called after.
 * Handlers and closed come from the loop only. A channel may be freed inside its own callbacks.
 */
#ifndef IPC_CHAN_H
#define IPC_CHAN_H

#include "io/loop.h"
#include "ipc/msg.h"

struct chan;

typedef enum err chan_fn(void *ctx, struct chan *c, struct msg_in *m);
typedef void chan_closed_fn(void *ctx, struct chan *c, enum err why); /* ERR_CLOSED: the peer is gone */

struct chan_row {
	enum msg_type type;
	chan_fn *fn;
};

/* Two ends, non-blocking and close-on-exec. */
enum err chan_pair(int fd_r[2]);

/* fd_take belongs to the channel. rows: borrowed, static. Never NULL. */
struct chan *chan_new(struct loop *l, int fd_take, enum msg_role self, enum msg_role peer,
		      const struct chan_row *rows, size_t n, chan_closed_fn *closed, void *ctx);
void chan_free(struct chan **c); /* what is queued gets one last try; NULL allowed; nulls */

/*
 * Sends m (freed in any case), at once or queued in order. When m broke its limit, the
 * row forbids it or the queue passes 4 MiB, the channel ends (ERR_LIMIT, ERR_PROTO through closed).
 * fds_take: n descriptors, closed here once they are sent or lost.
 */
void chan_send(struct chan *c, struct msg *m);
void chan_send_fds(struct chan *c, struct msg *m, const int *fds_take, size_t n);
/* A message without a body. */
void chan_send_empty(struct chan *c, enum msg_type type, uint32_t id);

bool chan_dead(const struct chan *c);
const char *chan_why(const struct chan *c); /* a sentence on why it ended, for the log */

#endif
