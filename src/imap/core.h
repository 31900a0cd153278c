/*
 * The session's inside, shared by the rooms of this floor only: what session.c keeps, and the calls between
 * the engine (session, dispatch, announce) and the commands.
 */
#ifndef IMAP_CORE_H
#define IMAP_CORE_H

#include "imap/module.h"
#include "imap/session.h"
#include "box/patience.h"
#include "io/loop.h"
#include "io/stream.h"
#include "wire/imap_speech.h"

enum {
	IMAP_BAD_MAX = 20,                /* bad commands in a row that end the session */
	IMAP_SLICE_US = 4000,             /* one slice of a pausable command */
	IMAP_WAIT_MS = BOX_PATIENCE_MS,   /* STEP_WAITING is answered with NO [INUSE] after this */
	IMAP_STALL_MS = 5 * 60 * 1000,    /* a client that takes no output */
	IMAP_REFRESH_MS = 1000,           /* how often ordinary commands look at the folder */
	IMAP_ARENA_MAX = 16 << 20,        /* memory of one command: a line of 1 MiB as a tree, results */
	IMAP_LINE_MAX = 1 << 20,
	IMAP_LITERALS_MAX = 1 << 20,
	IMAP_MODULES_MAX = 128,
};

enum imap_phase {
	IMAP_READING,  /* a command, or the rest of one, is awaited */
	IMAP_LITERAL,  /* the row's literal function takes a literal */
	IMAP_RUNNING,  /* start or step */
	IMAP_SYNCING,  /* announcing before the tagged answer */
	IMAP_TELLING,  /* announcing between commands */
	IMAP_ENDING,   /* output is flushed, or the end is on its way */
};

enum imap_announce_phase {
	ANNOUNCE_IDLE,
	ANNOUNCE_REFRESH,
	ANNOUNCE_UPDATE,
	ANNOUNCE_FLAGS,
	ANNOUNCE_REMOVED,
	ANNOUNCE_VANISHED,
	ANNOUNCE_COUNTS,
	ANNOUNCE_ADDED,
	ANNOUNCE_FRESH,
	ANNOUNCE_DONE,
};

/* One round of telling the client what changed; see announce.c. */
struct imap_announce {
	enum imap_announce_phase phase;
	struct arena *arena;         /* own, while a round runs */
	struct view_changes changes;
	struct set uids;             /* what the flag FETCHes are about */
	struct set bare;             /* among them: FLAGS is left out, the client knows them */
	struct view_walk *walk;
	struct set news;             /* what EXISTS tells of, */
	struct set fresh;            /* and of it what hooks.notice tells of */
	unsigned heard;              /* enum imap_heard: of this round */
	size_t pos;                  /* in changes.expunged: of the flags phase from the end, then of the hook */
	bool uid;                    /* FETCH lines carry the UID */
};

struct imap_session {
	struct imap_config cfg;      /* strings in arena */
	struct arena *arena;         /* own: of the session's life */
	struct stream *stream;       /* own */
	struct imap_lex *lex;        /* own */
	struct imap_speech heard;    /* what has been sent to the client */
	struct view *view;           /* own: what is selected, or NULL */
	struct imap_hooks hooks;
	uint64_t masked[IMAP_MODULES_MAX / 64]; /* modules that are not there, by their place in the list */
	enum imap_phase phase;
	struct imap_cmd cmd;         /* arena NULL: none begun */

	struct imap_announce announce;
	struct set echo;             /* own: UIDs whose flags are told in any case */
	struct set quiet;            /* own: UIDs whose silent change is told without FLAGS */
	void *followed;              /* of hooks.follow */
	struct set saved;            /* own: "$", the last saved search result, as UIDs (RFC 5182) */
	struct binary_mark *binary;  /* own: where a part that is fetched in pieces was left, or NULL */
	struct set own;              /* own: UIDs that the client itself added to the selected mailbox */
	unsigned asked;              /* enum imap_heard: of what the present command does it must be told in any case */
	void *noticed;               /* of hooks.notice */
	bool notice;                 /* there is something for it to tell */
	bool acting;                 /* what happens now the session does itself */
	uint32_t told_exists, told_recent;
	uint64_t refreshed_ms;
	bool changed;                /* the view's notify came since the last round */
	bool look;                   /* and said that the folder itself may have changed */
	bool missed;                 /* the last round could not look at the folder: it was locked */
	bool listening;              /* IDLE: changes wake the session */
	bool leaving;                /* LOGOUT: the session ends behind the tagged answer */

	struct loop_task task;       /* the next slice */
	struct loop_task last;       /* the end */
	struct loop_timer wait;      /* retry of STEP_WAITING */
	struct loop_timer life;      /* inactivity, stalled output */
	uint64_t active_ms;          /* last sign of life of the client */
	uint64_t waiting_since;      /* 0: not */
	enum step blocked;           /* what the present work waits for; STEP_DONE: nothing */

	unsigned bad;                /* in a row */
	enum imap_end end;
	const char *end_text;        /* constant or arena */
	struct imap_stats stats;
};

/* ---- session.c ---- */

void imap_session_wake(struct imap_session *s);  /* from callbacks: go on with the present work, soon */
void imap_session_end(struct imap_session *s, enum imap_end why, const char *text); /* text: constant; flushes output first */
void imap_session_bye(struct imap_session *s, enum imap_end why, const char *code, const char *text);
void imap_session_stir(struct imap_session *s);  /* likewise, if it awaits input: there is something to tell */
void imap_notice_due(struct imap_session *s);    /* hooks.notice has something to tell */
void imap_session_busy(struct imap_session *s);  /* disk work may be owed now */
void imap_session_unselect(struct imap_session *s);

/* ---- dispatch.c ---- */

/* Does what can be done now; what it answers is what the session waits for (STEP_DONE: it is ending). */
enum step imap_dispatch(struct imap_session *s);
void imap_dispatch_drop(struct imap_session *s); /* forgets the present command without an answer */

/* ---- ext_binary.c ---- */

void imap_binary_forget(struct imap_session *s);

/* ---- ext_inprogress.c ---- */

void imap_progress(struct imap_cmd *c); /* between slices: tells how far the command is, if that is due */

/* ---- announce.c ---- */

/* Tells what changed; call until STEP_DONE. expunge: EXPUNGE may be sent; refresh: look at the folder first. */
enum step imap_announce_step(struct imap_session *s, bool expunge, bool refresh);
void imap_announce_drop(struct imap_session *s);
imap_vanished_fn imap_vanished_expunge;
/*
 * A client takes the highest MODSEQ of a command for known, unless it is told otherwise. It is where something vanished
 * (RFC 7162 sections 3.2.7 and 3.2.9), and where not all can be told yet: then a lower one (section 3.2).
 */
void imap_tell_highest(struct imap_session *s);
/* Does a change carry more than the flags (MODSEQ)? Then the client hears of what it did itself, too. */
bool imap_tells_own(const struct imap_session *s);
unsigned imap_heard(const struct imap_session *s); /* enum imap_heard; ALL by the rules of RFC 3501 */
void imap_write_flags_lines(struct imap_session *s); /* FLAGS and PERMANENTFLAGS as the view has them now */

/* ---- out.c ---- */

void imap_untagged(struct imap_session *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void imap_continue(struct imap_session *s, const char *text); /* "+ text", sent at once */

/* ---- fail.c ---- */

/* "OK", "NO" or "BAD", the response code without brackets (or NULL) and a sentence for a kind of error. */
struct imap_failure {
	const char *cond, *code, *text;
};
const struct imap_failure *imap_failure(enum err e);

#endif
