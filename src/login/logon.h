/*
 * Logging in, whatever the protocol: what is asked of auth, the lines of a SASL exchange (RFC 4422), the way to a worker, and the
 * words of the log. A front whose users log in (IMAP, POP3) has one for each connection, as the first member of its state.
 */
#ifndef LOGIN_LOGON_H
#define LOGIN_LOGON_H

#include "login.h"
#include "wire/line.h"

enum logon_state {
	LOGON_COMMAND,     /* commands are read */
	LOGON_WAIT_AUTH,   /* auth thinks */
	LOGON_WAIT_LINE,   /* the client owes a line of the SASL exchange */
	LOGON_WAIT_WORKER,
	LOGON_OVER,        /* the last word is said */
};

/* Why somebody who wanted to log in is not. */
enum logon_no {
	LOGON_REFUSED,   /* wrong user or password */
	LOGON_MECHANISM, /* not one of ours */
	LOGON_PLAINTEXT, /* a password in clear, where that is not allowed */
	LOGON_TEMPORARY, /* auth cannot say now */
	LOGON_INTERNAL,  /* no worker took the connection */
	LOGON_LIMIT,     /* he has too many connections */
	LOGON_ABORTED,   /* by the client, in the exchange */
	LOGON_BASE64,    /* what the client sent in the exchange is none */
};

struct logon;

/* How a protocol says it. */
struct logon_words {
	/* Answers the command that would log in; text: a sentence, without line end. */
	void (*no)(struct logon *g, enum logon_no why, const char *text);
	void (*bye)(struct logon *g, const char *text); /* the last word */
	const char *too_many; /* the last word to one whose commands are wrong again and again */
};

struct logon {
	struct client *c;      /* borrowed */
	const struct logon_words *words;
	enum logon_state state;
	struct line_reader line;
	struct span tag;       /* borrowed; of the command that waits: the worker answers it. Empty in POP3 */
	char method[24];       /* mechanism of the last attempt; "" none */
	char *user;            /* own: of the last attempt, as auth knows it; NULL: not known */
	unsigned attempts;     /* that auth has refused */
	unsigned bad;          /* wrong commands: the third is the last */
	uint64_t first_attempt; /* loop_now; 0: none */
	bool refused_plaintext; /* a password came in clear where that is not allowed */
};

void logon_init(struct logon *g, struct client *c, const struct logon_words *words);
void logon_free(struct logon *g); /* what it owns; ends an exchange with auth */
void logon_set_state(struct logon *g, enum logon_state state); /* input is read in the states that need any */
/* Says why to the log and text to the client, and closes. Nothing when it is over already. */
void logon_bye(struct logon *g, const char *why, const char *text);
void logon_bad(struct logon *g); /* counts a wrong command; the third is the last: look at the state afterwards */

/*
 * Asks auth. initial NULL: the client gave none. False: refused on the spot, and the client knows why.
 * mech is the client's word, in any case.
 */
bool logon_start(struct logon *g, struct span mech, const struct span *initial);
bool logon_password(struct logon *g, struct span user, struct span password); /* the same, by PLAIN */
bool logon_may_send_password(struct logon *g); /* false: he was told that he may not */
/* In LOGON_WAIT_LINE: the client's line out of the stream's input. */
void logon_read_line(struct logon *g, struct span in);
/* Those that may be used on this connection as it is, as the settings spell them; NULL behind the last. */
const char *const *logon_mechanisms(const struct client *c);
void logon_wipe(struct span secret);

/* Of struct front, for a front whose state begins with a logon. */
enum err logon_answer(struct client *c, struct msg_in *m);
void logon_auth_lost(struct client *c);
void logon_secured(struct client *c);
void logon_timeout(struct client *c);
void logon_quit(struct client *c);
void logon_gone(struct client *c, const char *why);

/* --- logon_log.c: its lines, in the shape of login_log_format --- */

void logon_log_login(const struct logon *g, uint32_t worker_pid);
void logon_log_end(const struct logon *g, const char *why);

#endif
