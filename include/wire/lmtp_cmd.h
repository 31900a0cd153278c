/*
 * LMTP command lines (RFC 2033 over RFC 5321; SIZE of RFC 1870, BODY of RFC 6152).
 * Leniencies, as in Postfix and Dovecot: blanks before a path, a mailbox without
 * angle brackets. Source routes are read and dropped (RFC 5321 appendix C).
 */
#ifndef WIRE_LMTP_CMD_H
#define WIRE_LMTP_CMD_H

#include "base/span.h"

enum lmtp_verb {
	LMTP_UNKNOWN,
	LMTP_LHLO,
	LMTP_HELO, /* HELO, EHLO: refused by RFC 2033 4.1 */
	LMTP_STARTTLS,
	LMTP_MAIL,
	LMTP_RCPT,
	LMTP_DATA,
	LMTP_RSET,
	LMTP_VRFY,
	LMTP_EXPN,
	LMTP_HELP,
	LMTP_NOOP,
	LMTP_QUIT,
};

enum lmtp_body { LMTP_BODY_7BIT, LMTP_BODY_8BITMIME };

enum {
	LMTP_LINE_MAX = 2048,  /* RFC 5321 4.5.3.1.4: 512, plus what extensions add */
	LMTP_LOCAL_MAX = 255,  /* RFC 5321 says 64; longer ones exist */
	LMTP_DOMAIN_MAX = 255,
};

struct lmtp_path {
	char local[LMTP_LOCAL_MAX + 1]; /* quoting resolved; NUL-terminated; printable ASCII and blank only */
	size_t local_n;
	struct span domain;             /* borrowed from the line; empty for <postmaster>, <local> and <> */
	struct span text;               /* borrowed: between the brackets as sent, without a source route */
};                                      /* text.n == 0: the null path <> */

struct lmtp_command {
	enum lmtp_verb verb;
	struct span arg;        /* borrowed: LHLO name, VRFY and NOOP argument; empty when absent */
	struct lmtp_path path;  /* MAIL, RCPT */
	bool has_size;
	uint64_t size;          /* MAIL SIZE= */
	enum lmtp_body body;    /* MAIL BODY= */
	struct span orcpt;      /* borrowed: RCPT ORCPT=, as sent */
};

/*
 * Parses one line without its end. NULL when it is well formed (UNKNOWN counts as such),
 * else the reply to give ("501 5.5.4 ..."), a constant without CRLF; cmd_r->verb is set then too.
 */
const char *lmtp_parse(struct span line, struct lmtp_command *cmd_r);

/*
 * Parses what stands between the angle brackets: [@route:]local[@domain].
 * Refuses empty local parts, 8-bit and control bytes, over-long parts, malformed domains and literals.
 */
bool lmtp_path_parse(struct span text, struct lmtp_path *path_r);

#endif
