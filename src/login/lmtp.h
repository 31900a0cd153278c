/* The LMTP front's parts (RFC 2033). Private to login. */
#ifndef LOGIN_LMTP_H
#define LOGIN_LMTP_H

#include "base/lf.h"
#include "login.h"
#include "wire/line.h"
#include "wire/lmtp_cmd.h"

enum {
	LMTP_RCPT_MAX = 1000,      /* recipients of a message */
	LMTP_BAD_MAX = 20,         /* bad commands in a row before we hang up */
	LMTP_IDLE_MS = 300000,     /* RFC 5321 4.5.3.2.7 */
	LMTP_QUIT_MS = 5000,       /* the same when the process must go: less than the master waits */
	LMTP_LOOKUP_MS = 30000,    /* auth, master and worker for one recipient */
	LMTP_COMMIT_MS = 60000,    /* until all recipients' workers have answered */
	LMTP_TEXT_MAX = 256,
};

enum lmtp_state {
	LMTP_COMMAND,     /* reads commands */
	LMTP_WAIT_USER,   /* auth looks the last recipient up */
	LMTP_WAIT_WORKER, /* the master readies his worker */
	LMTP_STAGE,       /* DATA: workers open files */
	LMTP_STREAM,      /* the message comes */
	LMTP_COMMIT,      /* workers make it durable */
	LMTP_OVER,
};

enum rcpt_state {
	RCPT_NEW,
	RCPT_READY,   /* accepted; its worker listens */
	RCPT_STAGING,
	RCPT_STAGED,  /* fd is open */
	RCPT_COMMIT,
	RCPT_DONE,    /* the reply is known */
};

struct lmtp;

struct rcpt {
	struct lmtp *lm;         /* borrowed */
	struct rcpt *prev, *next;
	enum rcpt_state state;
	struct chan *chan;       /* own: to the worker */
	int fd;                  /* own: the staged file; -1: none */
	uint64_t room;           /* bytes it may still take */
	uint16_t code;           /* the reply */
	char enhanced[12];
	char text[LMTP_TEXT_MAX];
	char *address;           /* own: as given, without brackets */
	char *user;              /* own: without detail */
	char *detail;            /* own */
};

struct lmtp {
	struct client *c;        /* borrowed */
	enum lmtp_state state;
	struct line_reader line;
	char *lhlo;              /* own; NULL: not said */
	char *sender;            /* own; NULL: no transaction */
	uint64_t size_hint;
	bool body_8bitmime;
	struct rcpt *rcpts;      /* own: accepted ones, in order; the last may be in question */
	unsigned count;
	struct dot_decoder dot;
	struct lf_form lf;
	uint64_t octets;         /* of the message so far, as it came (RFC 1870) */
	uint64_t size;           /* the same in LF form: bytes written */
	unsigned bad;            /* bad commands in a row */
};

/* lmtp.c */
void lmtp_say(struct lmtp *lm, const char *reply);
void lmtp_set_state(struct lmtp *lm, enum lmtp_state state);
void lmtp_idle_timer(struct lmtp *lm); /* the client may be silent so long */
void lmtp_reset(struct lmtp *lm);      /* forgets the transaction; what is staged is aborted */
uint64_t lmtp_size_max(const struct lmtp *lm); /* 0: no limit */

/* lmtp_rcpt.c: one recipient */
void lmtp_rcpt(struct lmtp *lm, const struct lmtp_path *path);
enum err lmtp_answer(struct client *c, struct msg_in *m);
void lmtp_rcpt_failed(struct lmtp *lm); /* the last one: what was asked will not be answered */
void rcpt_free(struct lmtp *lm, struct rcpt **r);
/* The first result stands; drops the file. */
void rcpt_result(struct rcpt *r, uint16_t code, const char *enhanced, const char *text);

/* lmtp_data.c: all of them */
void lmtp_data(struct lmtp *lm);
void lmtp_stream(struct lmtp *lm);     /* message bytes are in the stream */
void lmtp_data_timeout(struct lmtp *lm);
void lmtp_settle(struct lmtp *lm);     /* goes on when nobody is waited for any more */
enum err lmtp_on_staged(void *ctx, struct chan *chan, struct msg_in *m);
enum err lmtp_on_result(void *ctx, struct chan *chan, struct msg_in *m);

#endif
