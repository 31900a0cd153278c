/* IMAP before authentication: the front's parts. Private to login. */
#ifndef LOGIN_IMAP_H
#define LOGIN_IMAP_H

#include "login.h"
#include "wire/imap_lex.h"
#include "wire/line.h"

enum imap_state {
	IMAP_COMMAND,   /* reads commands */
	IMAP_WAIT_AUTH, /* auth thinks */
	IMAP_WAIT_LINE, /* the client owes a line of the SASL exchange */
	IMAP_WAIT_WORKER,
	IMAP_OVER,      /* BYE is said */
};

struct imap {
	struct client *c;      /* borrowed */
	enum imap_state state;
	struct imap_lex *lex;  /* own; while a command is being read */
	struct arena *arena;   /* own; the command's, until it is answered */
	struct line_reader line;
	struct span tag;       /* arena: of the command that waits */
	char method[16];       /* mechanism of the last attempt; "" none */
	char *user;            /* own: of the last attempt, as auth knows it; NULL: not known */
	unsigned attempts;     /* that auth has refused */
	unsigned bad;          /* wrong commands */
	uint64_t first_attempt; /* loop_now; 0: none */
	bool refused_plaintext; /* a password came in clear where that is not allowed */
};

/* imap_text.c: what is said, and written to the log */
void imap_capability(const struct client *c, struct buf *out); /* the words, without CAPABILITY */
void imap_id_fields(const char *id_send, struct buf *out);      /* the list answered to ID, or NIL */
void imap_log_login(const struct imap *im, uint32_t worker_pid);
void imap_log_id(const struct imap *im, const struct imap_arg *list); /* as far as imap_id_log asks */
void imap_log_end(const struct imap *im, const char *why);

/* imap_auth.c: LOGIN, AUTHENTICATE, and what auth and master answer */
void imap_login_cmd(struct imap *im, const struct imap_command *cmd);
void imap_authenticate_cmd(struct imap *im, const struct imap_command *cmd);
enum imap_sasl { IMAP_SASL_DATA, IMAP_SASL_ABORT, IMAP_SASL_BAD };
void imap_sasl_reply(struct imap *im, enum imap_sasl kind, struct span data);
enum err imap_answer(struct client *c, struct msg_in *m);
void imap_auth_lost(struct client *c);

/* imap.c */
void imap_say(struct imap *im, const char *cond, const char *code, const char *text); /* the tagged answer; ends the command */
void imap_bad(struct imap *im, const char *text); /* tagged BAD; the third ends the connection: look at im->state */
void imap_bye(struct imap *im, const char *why, const char *text); /* why: for the log */
void imap_set_state(struct imap *im, enum imap_state state);

#endif
