/*
 * An IMAP session after login (RFC 3501): from the tagged answer to LOGIN or AUTHENTICATE to the
 * end of the connection.
 *
 * Single-threaded, on the loop: imap_session_new answers the login and returns; everything else happens in
 * the loop's callbacks until on_end is called, exactly once per session, out of a loop callback (never from within
 * imap_session_new). The mailbox is closed by then; after on_end has returned the session frees itself and its
 * stream, the caller frees nothing.
 *
 * The acct must outlive its sessions; several sessions share one. Nothing here logs: on_end brings the
 * reason and the counters, the caller adds who and where (law 7).
 */
#ifndef IMAP_SESSION_H
#define IMAP_SESSION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

struct acct;
struct conf;
struct imap_session;
struct loop;
struct stream;

/* imap_fetch_failure: what becomes of a session that asks for a message which cannot be read. */
enum imap_fetch_failure { IMAP_FETCH_NO_AFTER, IMAP_FETCH_END_AFTER, IMAP_FETCH_END_NOW };

/* What the settings say; filled by imap_settings_read or by hand (tests). Strings are borrowed as long as the session lives. */
struct imap_settings {
	const char *capability;        /* imap_capability, as in wire/imap_words.h */
	const char *id_log;            /* imap_id_log: names, or "*"; "": nothing is told to on_id */
	const char *id_send;           /* imap_id_send: "name * version *"; "" answers NIL */
	const char *logout_format;     /* imap_logout_format */
	uint64_t idle_notify_ms;       /* imap_idle_notify_interval: "* OK Still here" in IDLE; 0: never */
	uint64_t idle_check_ms;        /* mailbox_idle_check_interval: look at the folder when no watch tells; 0: never */
	uint64_t inactivity_ms;        /* 30 min (RFC 3501 section 5.4); IDLE is exempt */
	uint64_t search_ms;            /* 10 s: processor time of one SEARCH, SORT or THREAD */
	uint64_t progress_ms;          /* 12 s: how often a long command tells how far it is */
	uint64_t append_max;           /* octets of one appended message; 0: no limit of ours */
	size_t line_max;               /* octets of a command without its literals; at least 1 MiB is used */
	unsigned keyword_max;          /* mail_max_keyword_length */
	enum imap_fetch_failure fetch_failure;
	bool delay_newmail;            /* EXISTS is told by NOOP, CHECK and IDLE only */
};

/* The settings as configuration c has them; c must outlive the sessions that use them. */
void imap_settings_read(const struct conf *c, struct imap_settings *s_r);
void imap_settings_default(struct imap_settings *s_r); /* what the table of settings has as defaults */

enum imap_end {
	IMAP_END_LOGOUT,   /* LOGOUT */
	IMAP_END_CLOSED,   /* the client closed */
	IMAP_END_IDLE,     /* silent for inactivity_ms */
	IMAP_END_STALLED,  /* took no output for five minutes */
	IMAP_END_BAD,      /* twenty bad commands, or a stream that cannot be followed */
	IMAP_END_KICKED,   /* imap_session_kick */
	IMAP_END_FAILED,   /* an error of ours: the mailbox or the memory budget is gone */
};

/* Counters of the session's life, for the line at its end. */
struct imap_stats {
	uint64_t in, out;              /* octets from and to the client */
	uint64_t deleted;              /* messages that \Deleted was set on */
	uint64_t expunged;
	uint64_t trashed;              /* copied or moved to a \Trash mailbox */
	uint64_t hdr_count, hdr_bytes; /* header sections fetched */
	uint64_t body_count, body_bytes;
	uint64_t autoexpunged;         /* always 0: of the settings' format */
	uint64_t append, copied;       /* messages added by either */
	uint64_t commands;
};

struct imap_config {
	struct acct *acct;             /* borrowed */
	struct loop *loop;             /* borrowed */
	struct stream *stream;         /* taken: the session owns it from now on, also on failure */
	struct imap_settings settings; /* copied; its strings borrowed */
	const char *user;              /* copied, as are all strings below */
	const char *session_id;
	const char *remote_ip;         /* may be "" */
	struct span login_tag;         /* empty: greet with "* PREAUTH" instead of answering a login */
	struct span leftover;          /* bytes that the client sent behind its login */
	void (*on_end)(void *ctx, enum imap_end why, const char *text); /* text: the words of the log, e.g. "Logged out" */
	/* May be NULL: the session has work for the process (acct_busy may have turned true). */
	void (*on_busy)(void *ctx);
	/* May be NULL: what settings.id_log wants of the client's ID, quoted for the log. */
	void (*on_id)(void *ctx, struct span fields);
	void *ctx;
	uint64_t lock_wait_ms;    /* most that another program's lock is waited for; 0: half a minute, which is never exceeded */
};

/* ERR_MEMORY; then on_end is not called. */
enum err imap_session_new(const struct imap_config *config, struct imap_session **s_r);

/* Ends the session soon: "* BYE text" is sent if the client takes it at once; on_end follows from the loop. */
void imap_session_kick(struct imap_session *s, const char *text);

/*
 * For the handler of a signal that the process dies of; waits for nothing. The client gets the responses that are whole and
 * a BYE, unless it would be in the middle of another response then.
 */
void imap_session_last_words(const struct imap_session *s);

const struct imap_stats *imap_session_stats(struct imap_session *s); /* valid until on_end returns */
const char *imap_session_state(const struct imap_session *s); /* "IDLE", "FETCH", "" between commands; a constant */
const char *imap_session_mailbox(const struct imap_session *s); /* client name of what is selected; "" */

/* Appends imap_logout_format with its variables filled in. */
void imap_session_logout_text(struct imap_session *s, struct buf *out);

/*
 * The capability words after login, by the session's modules, as imap_capability changes them: for the
 * pre-authentication side, which must announce the same text. Without "CAPABILITY" and brackets.
 */
void imap_capability_text(const struct imap_settings *settings, struct buf *out);

#endif
