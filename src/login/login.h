/*
 * The login process: everything before authentication, TLS for the life of a connection, and LMTP's dialogue.
 * It knows no password store and no mail; auth says who a user is, to the master, and login only
 * redeems the ticket. One struct client a connection; what a protocol does is its struct front.
 *
 * Ownership: struct login owns its clients; a client owns its stream until the connection is handed over.
 * A client may be freed (client_close) inside any callback of its own; its caller then returns at once.
 */
#ifndef LOGIN_LOGIN_H
#define LOGIN_LOGIN_H

#include "conf/conf.h"
#include "io/listen.h"
#include "io/relay.h"
#include "io/stream.h"
#include "io/tls.h"
#include "ipc/chan.h"
#include "wire/imap_speech.h"

#include <uthash.h>

enum {
	LOGIN_TIME_MS = 60000,     /* from the connection to the end of authentication */
	HANDSHAKE_TIME_MS = 15000, /* of TLS */
	QUIT_TIME_MS = 2000,       /* what clients that are not logged in get when the process must go */
	BAD_COMMANDS_MAX = 3,
	LOGIN_INPUT_MAX = 16384,   /* unread input of a connection before authentication */
	SESSION_ID_MAX = 24,
	LOGIN_USER_MAX = 1024,
};

struct client;

/* A protocol. All functions are there, but where it says so. */
struct front {
	const char *service;  /* "imap", "lmtp" */
	const char *log_name; /* of its log lines */
	const char *alpn;     /* NULL: none */
	const struct stream_limits *limits;
	void (*open)(struct client *c);   /* makes c->state; says nothing yet */
	void (*greet)(struct client *c);  /* connected; with implicit TLS after the handshake */
	void (*input)(struct client *c);
	void (*secured)(struct client *c);  /* after STARTTLS */
	/* What auth or the master say to a question of this client. Malformed: ERR_PROTO, before anything is done. */
	enum err (*answer)(struct client *c, struct msg_in *m);
	void (*auth_lost)(struct client *c); /* auth has died; what was asked of it (c->asking) gets no answer */
	void (*timeout)(struct client *c);  /* client_timer ran out */
	void (*quit)(struct client *c);     /* the process must go: end as soon as it is polite */
	void (*gone)(struct client *c, const char *why); /* the peer closed or failed; say so in the log */
	void (*free)(struct client *c);     /* c->state, unless that is NULL */
	/* Behind a handoff under TLS, without a state; may be missing: what the worker says; what to say when it has died. */
	void (*overheard)(struct client *c, struct span bytes);
	const char *(*orphaned)(const struct client *c); /* NULL: nothing, it is not the time for it */
};

extern const struct front front_imap, front_lmtp;

struct client {
	struct login *login;        /* borrowed */
	const struct front *front;
	const struct conf *conf;    /* borrowed: the settings for this connection */
	struct stream *stream;      /* own; NULL while a plain connection waits for its worker, or relayed */
	struct relay *relay;        /* own; after a handoff under TLS */
	struct imap_speech heard;   /* of front_imap: what came that way */
	int fd;                     /* own; -1, or a plain connection that waits for its worker */
	int far_fd;                 /* own; -1, or our end for the relay until the worker has the other */
	struct net_end remote, local;
	char session[SESSION_ID_MAX];
	bool local_peer;            /* the same host: as good as TLS */
	bool greeted;
	bool handshake;             /* TLS is being negotiated */
	bool asking_auth;           /* asking, and it is auth that owes */
	bool asking;                /* auth or master owe an answer */
	bool finishing;             /* client_finish was called */
	uint64_t since;             /* loop_now */
	struct loop_timer timer;
	void *state;                /* own, by front->free */
	uint32_t number;            /* id in messages */
	struct origin *origin;      /* borrowed; while it has to log in */
	struct client *prev, *next; /* by age */
	UT_hash_handle hh;          /* by number */
};

/* Where connections come from that have to log in: an IPv4 address, or what one customer has of IPv6 (64 bits). */
struct origin {
	unsigned char net[16];
	unsigned waiting;
	UT_hash_handle hh;
};

struct login {
	struct loop *loop;     /* borrowed */
	struct chan *master;   /* borrowed */
	struct chan *auth;     /* own; NULL: none now */
	const struct conf *conf;               /* borrowed */
	struct tls_server *tls;                /* own; NULL: TLS is off */
	struct client *by_number;              /* own */
	struct client *by_age;                 /* those that hold a stream, oldest first */
	unsigned waiting, waiting_max;         /* IMAP connections before authentication */
	struct origin *origins;                /* own; of those */
	unsigned clients_max;                  /* as many as descriptors suffice for */
	void (*full)(void *ctx, bool full);    /* no more connections, please; or: again. May be NULL */
	void *full_ctx;
	bool is_full;
	uint32_t next_number;
	bool quitting;
	char hostname[256];
};

/* --- login.c: the process --- */

/* A new connection on one of the listeners. */
void login_accept(struct login *l, const struct front *front, bool tls, int fd_take);
void login_check_end(struct login *l); /* stops the loop when it quits and nobody is left */
enum err login_answer(struct login *l, struct msg_in *m); /* gives an answer to the client that asked */
void login_set_auth(struct login *l, int fd_take); /* the channel to (a new) auth */
void login_quit(struct login *l); /* ends what may end; stops the loop when all have gone */

/* --- client.c: a connection --- */

struct client *client_new(struct login *l, const struct front *front, bool tls, int fd_take); /* NULL: refused */
void client_close(struct client **c);                 /* frees all; nulls */
void client_finish(struct client *c);                 /* sends what is written, then closes; nothing is called but gone */
void client_timer(struct client *c, uint64_t ms);     /* front->timeout after ms; 0: never */
void client_login_timer(struct client *c);            /* what is left of LOGIN_TIME_MS */
bool client_tls(const struct client *c);
bool client_may_starttls(const struct client *c);
bool client_plaintext_ok(const struct client *c);     /* may passwords be sent here? */
bool client_starttls(struct client *c);               /* false: input was buffered behind the command; close */
void client_conn(const struct client *c, struct msg_conn *conn_r, char *tls_text, size_t n);
/* Sends m (its id is the client's number) and notes that an answer is due. False: no auth process now; m is freed. */
bool client_ask_auth(struct client *c, struct msg *m);
void client_abort_auth(struct client *c); /* the exchange is over for us; no answer follows */
/*
 * Waits no longer for what was asked. An answer that is on its way finds nobody: the client goes on
 * under a new number, so that it is not taken for the answer to the next question.
 */
void client_forget_question(struct client *c);

enum { CLIENT_TLS_TEXT = 128 };

/*
 * Hands the connection over: the ticket goes to the master with the descriptor, or with one end of a
 * socket pair under TLS. HANDOFF_OK or HANDOFF_FAIL is the answer; then client_handed or client_handoff_failed.
 * ERR_*: could not even ask.
 */
enum err client_handoff(struct client *c, const uint8_t ticket[], struct span tag);
void client_handed(struct client *c);                 /* the worker has it; c may be gone afterwards */
void client_handoff_failed(struct client *c);         /* the stream is back */

/* --- session.c --- */

/* Base64 of time and random bytes, as Dovecot's. */
void session_id_make(char out[SESSION_ID_MAX]);

#endif
