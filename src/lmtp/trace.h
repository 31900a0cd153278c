/* The trace headers of a delivery (RFC 5321 section 4.4): Return-Path, Delivered-To, Received. */
#ifndef LMTP_TRACE_H
#define LMTP_TRACE_H

#include "base/buf.h"

#include <stdint.h>

struct trace {
	struct span sender;       /* the reverse path without brackets; empty for <> */
	struct span delivered_to; /* empty: no such header */
	struct span recipient;    /* in the Received line */
	struct span lhlo, rip;    /* the client's name and address; rip empty: a unix socket */
	struct span with;         /* "LMTP" or "LMTPS" (RFC 3848) */
	const char *hostname;
	const char *id;
	int64_t now;
	bool received;
};

/*
 * Appends the headers with LF line ends. Addresses have been parsed by login and hold no controls;
 * what does is left out.
 */
void trace_write(const struct trace *t, struct buf *out);

#endif
