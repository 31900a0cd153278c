/*
 * One delivery: the worker's end of the socket pair over which a login process hands over one
 * message for one recipient (messages DLV_* of ipc/msgs.h).
 *
 * STAGE opens an unseen file in the recipient's mailbox, puts the trace headers in front and
 * answers with its descriptor; login streams the message into it; COMMIT makes it durable and
 * visible and answers 250; ABORT or the end of the socket drops it. Several messages may follow
 * each other over one socket pair.
 */
#ifndef LMTP_DELIVERY_H
#define LMTP_DELIVERY_H

#include "box/acct.h"
#include "io/loop.h"

struct delivery;

struct delivery_config {
	struct loop *loop;              /* borrowed */
	struct acct *acct;              /* borrowed; outlives the delivery */
	int fd_take;                    /* SOCK_SEQPACKET to a login process */
	const char *user;               /* copied */
	const char *session_id;         /* copied: in the Received line and the log */
	const char *hostname;           /* borrowed: of the Received line */
	const char *mailbox;            /* copied: where to; NULL: INBOX */
	bool autocreate, autosubscribe; /* lda_mailbox_autocreate, lda_mailbox_autosubscribe */
	bool add_received;              /* lmtp_add_received_header */
	enum { DELIVERED_FINAL, DELIVERED_ORIGINAL, DELIVERED_NONE } delivered_to; /* lmtp_hdr_delivery_address */
	const char *log_format;         /* borrowed: deliver_log_format; the line that on_result gets */
	uint64_t size_max;              /* octets; 0: no limit of ours */
	/* Called once, from the loop; the delivery frees itself afterwards. */
	void (*on_end)(void *ctx);
	/* One line for the log, after a message was saved or refused; text is clean. */
	void (*on_result)(void *ctx, bool saved, const char *text);
	/* May be NULL: acct_busy may have turned true. */
	void (*on_busy)(void *ctx);
	void *ctx;
};

struct delivery *delivery_new(const struct delivery_config *config); /* never NULL */
void delivery_free(struct delivery **d); /* drops what is unfinished; on_end is not called */

#endif
