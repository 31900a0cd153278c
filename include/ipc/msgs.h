/*
 * The list of messages: who may send what to whom. The body of each is drawn here, in
 * the words of ipc/msg.h; "id" is the number in the head (0 where nothing is said).
 * src/ipc/msgs.c has one row for each: from, to, descriptors, largest size.
 * conn, user: the groups at the end of this file.
 */
#ifndef IPC_MSGS_H
#define IPC_MSGS_H

#include "base/span.h"

#include <sys/types.h>

enum msg_role {
	ROLE_MASTER = 1,
	ROLE_LOGIN = 2,
	ROLE_AUTH = 4,
	ROLE_AUTHWORKER = 8,
	ROLE_WORKER = 16,
	ROLE_CONTROL = 32,
	ROLE_DOTLOCK = 64,
};

enum msg_type {
	/* Every child and the master (proc/helper.h does this part for all). */
	MSG_BEGIN = 1, /* master to login, auth, authworker, control, dotlock, first of all: confine yourself, then say READY.
			* (u32 uid, u32 gid, str chroot); (uid_t)-1, "": stay. A worker gets ASSIGN instead, later. */
	MSG_LOG,       /* master: the fds are the log from now on (base/log.h). () */
	MSG_READY,     /* child: start-up done, sandboxed, takes work. () */
	MSG_QUIT,      /* master: finish what runs, take nothing new, exit. () */
	MSG_PEER,      /* master: fd is your channel to another child. (u32 child, u8 role) */
	MSG_PEER_LOST, /* login, control, authworker: the channel to auth has closed; another PEER, if auth lives. () */
	MSG_LISTEN,    /* master to login and control: fd is a listening socket.
			* (str protocol "imap" "lmtp" "control", bool ssl from the first byte) */

	/* login <-> auth; id: login's number of the connection. */
	MSG_AUTH_START,     /* (conn, str mech, bool has_initial, blob initial) */
	MSG_AUTH_CONT,      /* (blob data) */
	MSG_AUTH_ABORT,     /* () no answer follows */
	MSG_USER_LOOKUP,    /* (conn, str user) for deliveries: no password */
	MSG_AUTH_CHALLENGE, /* (blob data) */
	MSG_AUTH_OK,        /* (str user, bytes ticket) */
	MSG_AUTH_FAIL,      /* (u8 enum auth_fail, str reason for the client or "", str user as given) */
	MSG_USER_OK,        /* (str user, bytes ticket) */
	MSG_USER_FAIL,      /* (u8 enum auth_fail) */

	/* auth <-> authworker; id: auth's number of the request. */
	MSG_WORK_START,     /* as AUTH_START */
	MSG_WORK_CONT,      /* as AUTH_CONT */
	MSG_WORK_ABORT,     /* as AUTH_ABORT */
	MSG_WORK_LOOKUP,    /* as USER_LOOKUP */
	MSG_WORK_CHALLENGE, /* as AUTH_CHALLENGE */
	MSG_WORK_OK,        /* (user) */
	MSG_WORK_FAIL,      /* as AUTH_FAIL */

	/* auth -> master, before AUTH_OK or USER_OK of the same ticket. */
	MSG_TICKET, /* (bytes ticket, u32 login child, conn, user) */

	/* login <-> master; id: login's number of the connection. */
	MSG_HANDOFF,      /* fd: client (plain), end of a socket pair (TLS, delivery).
			   * (bytes ticket, conn, str tag, blob input) */
	MSG_HANDOFF_OK,   /* (u32 pid of the worker that has it) */
	MSG_HANDOFF_FAIL, /* (u8 enum err, str text) */

	/* master <-> worker; id: the master's number of the session. */
	MSG_ASSIGN,      /* become this owner. (u32 uid, u32 gid, u32 n, n x u32 groups, u8 enum worker_kind,
			  * str user or "" when pooled, u32 n, n x str root: all that may be touched) */
	MSG_ATTACH,      /* fd as in HANDOFF. (conn, user, str tag, blob input) */
	MSG_SESSION_END, /* worker: () */
	MSG_IDLE_EXIT,   /* worker: no session since worker_linger; send none, I exit. () */
	MSG_KICK,        /* master: end that session. () */

	/*
	 * Lock files where workers may not write (mail_privileged_group). The master joins a worker and dotlock by a pair
	 * of sockets for each inbox; the socket is the right to this lock and no other. id of the last three: the worker's
	 * number of the try.
	 */
	MSG_LOCK_GRANT,  /* master to dotlock: fd. (u32 pid of the worker, str inbox, beneath the chroot) */
	MSG_LOCK_DOOR,   /* master to worker: fd. (str inbox) */
	MSG_LOCK_TAKE,   /* worker to dotlock: () */
	MSG_LOCK_ANSWER, /* dotlock: (u8 enum err, str text) */
	MSG_LOCK_DROP,   /* worker: () no answer follows */

	/* control <-> master; id: control's number of the request. */
	MSG_CTL_REQUEST, /* (str command, u32 n, n x str argument) */
	MSG_CTL_REPLY,   /* (bool final, bool ok, str text) */

	/* login <-> worker over a delivery socket pair; id: 0. The login speaks first. */
	MSG_DLV_STAGE,  /* (str sender, str recipient as given, str lhlo name, str rip, bool secured,
			 * str protocol of the Received line, u64 size hint or 0, bool body_8bitmime) */
	MSG_DLV_STAGED, /* worker: fd, write-only, of the staged file. (u64 most bytes it takes) */
	MSG_DLV_COMMIT, /* (u64 size: bytes written) */
	MSG_DLV_ABORT,  /* () no answer follows */
	MSG_DLV_RESULT, /* worker: (u16 reply code, str enhanced code, str text); also instead of STAGED */

	MSG_TYPES
};

enum auth_fail { AUTH_FAIL_BAD = 1, AUTH_FAIL_TEMP, AUTH_FAIL_DISABLED, AUTH_FAIL_NOUSER, AUTH_FAIL_MECH };
enum worker_kind { WORKER_SINGLE = 1, WORKER_POOLED };
enum { TICKET_SIZE = 16 };

/* What a message of a type may be. A type without a row (from 0) is refused. */
struct msg_row {
	const char *name;
	unsigned from, to;  /* enum msg_role bits */
	unsigned fds;       /* exactly so many descriptors */
	uint32_t size_max;  /* of the body */
};

const struct msg_row *msg_row(unsigned type); /* NULL: no such message */
const char *msg_role_name(enum msg_role role);

struct msg;
struct msg_in;

/*
 * conn: the client's side of a session.
 * (str service "imap" "lmtp", str session id, str rip, str lip, u16 rport, u16 lport, bool secured, str tls description)
 */
struct msg_conn {
	struct span service, session, rip, lip;
	uint16_t rport, lport;
	bool secured;
	struct span tls;
};

void msg_put_conn(struct msg *m, const struct msg_conn *c);
void msg_get_conn(struct msg_in *m, struct msg_conn *c_r);

/*
 * user: what passdb and userdb said.
 * (str user, u32 uid, u32 gid, str home, str mail or "", blob extra: NUL-terminated "key=value" strings)
 */
struct msg_user {
	struct span user;
	uid_t uid;
	gid_t gid;
	struct span home, mail, extra;
};

void msg_put_user(struct msg *m, const struct msg_user *u);
void msg_get_user(struct msg_in *m, struct msg_user *u_r); /* a user without a name is bad */
/* The next "key=value" of extra, without its NUL; false at the end. */
bool msg_extra_next(struct span *extra, struct span *key_r, struct span *value_r);
/* The value of "namespace/NAME/location", empty when there is none. */
struct span msg_extra_location(struct span extra, const char *namespace);

#endif
