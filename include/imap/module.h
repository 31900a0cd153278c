/*
 * How IMAP grows. A module is one file that ends with one const struct imap_module: all that the file
 * adds to the protocol, as tables. src/imap/modules.c is the list of modules and nothing else. Base IMAP
 * consists of such modules itself; the loops of FETCH, SEARCH, STATUS and LIST know only the tables.
 *
 * Tables end with a row whose name is NULL. Lookups take the first match in the order of the list. Nothing
 * is registered at run time; a table that does not change how others speak is all that most extensions need.
 *
 * Extensions that change how others speak get these hooks, set by their enable function or command, and no more:
 *   vanished   how messages that disappeared are announced (EXPUNGE lines; VANISHED after QRESYNC)
 *   unsolicited which FETCH items a flag change carries (FLAGS; MODSEQ after CONDSTORE; UID)
 *   notice     what is told when, of this and other mailboxes (NOTIFY)
 * and one for what is derived from the mailbox and must be told between those:
 *   follow     results that the client follows (RFC 5267)
 * and a switch for how mailbox names are spelled (utf8: UTF-8 after UTF8=ACCEPT), which names.h alone looks at.
 *
 * Pipelining: one command runs at a time, in the order of arrival; a command's answer is complete before the next
 * begins. So no command can be ambiguous (RFC 3501 section 5.5), and clients that rely on order are served.
 */
#ifndef IMAP_MODULE_H
#define IMAP_MODULE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/step.h"
#include "box/query.h"
#include "box/view.h"
#include "imap/session.h"
#include "wire/imap_args.h"
#include "wire/imap_lex.h"

struct imap_append;
struct imap_cmd;
struct imap_emit;
struct imap_fetch;
struct imap_fetch_op;
struct imap_list;
struct imap_search;
struct imap_select;
struct imap_session;
struct imap_store;

/* ---- capabilities ---- */

struct imap_capability {
	const char *name;
	/* May append a value behind the name ("APPENDLIMIT=" ...); false: not now. NULL: always. */
	bool (*when)(const struct imap_settings *settings, struct buf *value);
};

/* ---- commands ---- */

enum imap_states {
	IMAP_AUTH = 0x1,     /* authenticated, no mailbox selected */
	IMAP_SELECTED = 0x2,
	IMAP_ANY = 0x3,
};

enum imap_command_flags {
	IMAP_CMD_UID = 0x1,       /* called by "UID name": numbers are UIDs, answers carry them */
	IMAP_CMD_SEQUENCE = 0x2,  /* speaks of sequence numbers: no EXPUNGE before its tagged answer (RFC 3501 section 7.4.1) */
	IMAP_CMD_NO_SYNC = 0x4,   /* nothing is announced before its tagged answer */
	IMAP_CMD_REFRESH = 0x8,   /* the folder itself is looked at before its tagged answer (NOOP, CHECK) */
	IMAP_CMD_STREAM = 0x10,   /* its literals behind the first argument go to row->literal (APPEND) */
};

/*
 * A row. start is called once the command is complete (or, with IMAP_CMD_STREAM, when its last argument is). It answers by
 * imap_ok, imap_no, imap_bad or imap_fail, all of which return STEP_DONE, or sets c->step and returns another step;
 * c->step is then called again until it says STEP_DONE. Its variables live in c->arena, clean-up is registered there.
 */
struct imap_command_row {
	const char *name;   /* upper case; "UID FETCH" for the UID form */
	unsigned states;    /* enum imap_states */
	unsigned flags;     /* enum imap_command_flags */
	enum step (*start)(struct imap_cmd *c);
	/* A literal is coming (imap_lex_literal): called until STEP_DONE, when it is taken, skipped or collected. */
	enum step (*literal)(struct imap_cmd *c);
};

/* ---- FETCH items ---- */

enum imap_fetch_flags {
	IMAP_FETCH_SECTION = 0x1, /* written NAME[...]: parse gets the SECTION argument */
	IMAP_FETCH_ARGS = 0x2,    /* a list follows the name: parse may take it */
	IMAP_FETCH_SEEN = 0x4,    /* sets \Seen unless the mailbox is read-only */
	IMAP_FETCH_BYTES = 0x8,   /* needs the bytes: opens the message */
};

/*
 * An item's row. parse fills op (zeroed, with op->item set) and may ask the command for more wants; NULL: nothing to do.
 * emit appends "NAME value" to out: no blank in front, none behind. Items with IMAP_FETCH_BYTES have
 * emit_bytes instead, which writes to imap_out in pieces: called again until STEP_DONE, it returns STEP_OUTPUT_FULL when
 * imap_out_full; facts are gone by then. They come behind all others.
 * *a stands at the item's argument; parse moves it when it takes following ones.
 */
struct imap_fetch_item {
	const char *name;
	unsigned flags;   /* enum imap_fetch_flags */
	unsigned want;    /* enum view_want */
	enum err (*parse)(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op);
	void (*emit)(struct imap_emit *e, const struct message_facts *m, struct buf *out);
	enum step (*emit_bytes)(struct imap_fetch *f, const struct imap_fetch_op *op);
};

/* A word that stands for several: "ALL", "FAST", "FULL". Only allowed alone. */
struct imap_fetch_macro {
	const char *name;
	const char *items; /* blank-separated */
};

/* ---- SEARCH keys ---- */

/* Builds *q_r (arena, zeroed with kind Q_ALL) from the arguments at *a, which it moves behind what it took. */
struct imap_search_key {
	const char *name;
	enum err (*parse)(struct imap_search *s, const struct imap_search_key *key, const struct imap_arg **a,
			  struct query *q_r);
	enum query_kind kind; /* for parse functions that serve several rows */
	uint8_t flag;         /* likewise */
	bool negate;          /* the tree is wrapped in Q_NOT */
};

/* ---- APPEND data ---- */

/* A word and a list in the place of a message literal (RFC 4466 section 2.3): "CATENATE (...)"; see append.h. */
struct imap_append_item {
	const char *name;
	/*
	 * Uses the children of ap->list behind ap->part, as far as they are there, moves ap->part and sets ap->want.
	 * STEP_DONE: all are used, or the command is answered.
	 */
	enum step (*parts)(struct imap_cmd *c, struct imap_append *ap);
};

/* ---- STATUS items ---- */

struct imap_status_item {
	const char *name;
	void (*emit)(const struct acct_status *st, struct buf *out); /* the value only */
	bool sizes; /* needs the sizes of all messages */
	void (*emit_setting)(const struct imap_settings *settings, struct buf *out); /* instead, when emit is NULL */
	void (*asked)(struct imap_session *s); /* may be NULL: what asking for it does to the session */
};

/* ---- LIST ---- */

enum imap_list_option_kind { IMAP_LIST_SELECT, IMAP_LIST_RETURN };

/* A word in the selection list or behind RETURN (RFC 5258). parse may take a following list. */
struct imap_list_option {
	const char *name;
	enum imap_list_option_kind kind;
	enum err (*parse)(struct imap_list *l, const struct imap_arg **a);
};

/* ---- modifiers ---- */

enum imap_modifier_of {
	IMAP_OF_SELECT, IMAP_OF_FETCH, IMAP_OF_STORE, IMAP_OF_SEARCH, IMAP_OF_RETURN, IMAP_OF_APPEND, IMAP_OF_CREATE
};

/*
 * A parameter in parentheses behind SELECT, FETCH, STORE, RETURN and kin (RFC 4466): "CHANGEDSINCE 7". state is the
 * command's own struct (struct imap_select *, imap_fetch *, imap_store * ... of the private headers).
 */
struct imap_modifier {
	const char *name;
	enum imap_modifier_of of;
	enum err (*parse)(struct imap_cmd *c, void *state, const struct imap_arg **a);
};

/* ---- ENABLE ---- */

struct imap_enable {
	const char *name;
	/* Switches it on (sets hooks); true: it is on now, whether or not it was before. */
	bool (*enable)(struct imap_session *s);
};

/* ---- the module ---- */

struct imap_module {
	const char *name;
	bool base; /* is there even if imap_capability masks all its words */
	const struct imap_capability *capabilities;
	const struct imap_command_row *commands;
	const struct imap_fetch_item *fetch_items;
	const struct imap_fetch_macro *fetch_macros;
	const struct imap_search_key *search_keys;
	const struct imap_append_item *append_items;
	const struct imap_status_item *status_items;
	const struct imap_list_option *list_options;
	const struct imap_modifier *modifiers;
	const struct imap_enable *enables;
};

/* The list, ended by NULL. */
extern const struct imap_module *const imap_modules[];

/* ---- what all modules use ---- */

/*
 * Announces messages that are gone: changes' expunged numbers (descending) or vanished UIDs. *pos is 0 at first
 * and the function's own from then on; it returns STEP_OUTPUT_FULL when imap_out_full, to be called again, or STEP_DONE.
 * Called in every round of announcements, also when nothing is gone.
 */
typedef enum step imap_vanished_fn(struct imap_session *s, const struct view_changes *c, size_t *pos);

/*
 * What is told of results in a round of announcements; called until STEP_DONE, or STEP_OUTPUT_FULL or STEP_SLICE come first.
 * removed: behind the flags, before what vanished is told: the client still has the old numbers, the view has the new
 * ones already. added: behind EXISTS, which told of the messages news (UIDs).
 */
struct imap_follow {
	enum step (*removed)(struct imap_session *s, const struct view_changes *c);
	enum step (*added)(struct imap_session *s, const struct set *news);
	void (*drop)(struct imap_session *s); /* the mailbox is left */
};

/* What of the selected mailbox is told, and when. */
enum imap_heard {
	IMAP_HEARD_COUNTS = 0x1,     /* EXISTS, RECENT, what vanished */
	IMAP_HEARD_FLAGS = 0x2,
	IMAP_HEARD_ALL = 0x3,
	IMAP_HEARD_AT_ONCE = 0x4,    /* also while no command is in progress, */
	IMAP_HEARD_VANISHED = 0x8,   /* what vanished too */
};

/* What a session hears that has said what it wants to hear (RFC 5465). All are set. */
struct imap_notice {
	unsigned (*heard)(const struct imap_session *s);  /* enum imap_heard */
	/* FETCHes the messages that EXISTS has just told of, behind what they changed in results; called until STEP_DONE. */
	enum step (*fresh)(struct imap_session *s, const struct set *uids);
	void (*told)(struct imap_session *s);             /* a round of announcements is over */
	/* Tells what is not about the selected mailbox; called until STEP_DONE after imap_notice_due. */
	enum step (*others)(struct imap_session *s);
	void (*drop)(struct imap_session *s);             /* the session ends */
};

enum { IMAP_UNSOLICITED_MAX = 4 };

struct imap_hooks {
	imap_vanished_fn *vanished;
	/*
	 * Items without arguments and without bytes; ended by NULL. FLAGS is the first; of a session's own silent change
	 * the others are told.
	 */
	const struct imap_fetch_item *unsolicited[IMAP_UNSOLICITED_MAX + 1];
	const struct imap_follow *follow; /* NULL: nothing is followed */
	bool utf8; /* mailbox names are UTF-8, in both directions: names.h */
	bool uid; /* and UID in front of them also outside of UID commands */
	const struct imap_notice *notice; /* NULL: the rules of RFC 3501 and IDLE */
};

struct imap_cmd {
	struct imap_session *s;
	struct arena *arena;                 /* of the command: freed after the tagged answer */
	const struct imap_command_row *row;
	struct span tag;
	const struct imap_arg *args;         /* behind the name; of "UID FETCH" behind FETCH */
	enum step (*step)(struct imap_cmd *c);
	void *state;                         /* the command's own, in the arena */
	uint64_t deadline_us;                /* end of the present time slice */
	bool numbers;                        /* sequence numbers were said after all: as IMAP_CMD_SEQUENCE (RFC 7162 3.2.10.2) */

	/* For INPROGRESS (RFC 9585): */
	uint64_t done, goal;                 /* things done so far, of how many; 0: not known */
	bool midway;                         /* a response is half written: nothing may come between */
	uint64_t noted_ms;                   /* when the command began, or its progress was told */

	void (*after)(struct imap_session *s); /* may be NULL: called behind the tagged answer */

	const char *cond, *code, *text;      /* the tagged answer, once there is one; arena or constants */
};

/* The tagged answer; sent after what has to be announced before it. code may be NULL. All return STEP_DONE. */
enum step imap_ok(struct imap_cmd *c, const char *code, const char *text);
enum step imap_no(struct imap_cmd *c, const char *code, const char *text);
enum step imap_bad(struct imap_cmd *c, const char *text);          /* counts as a bad command */
enum step imap_fail(struct imap_cmd *c, enum err e, const char *text); /* by the table in fail.c; text NULL or "": its own */

/* The command's state: zeroed, in its arena; NULL at the arena's limit, then answered already. */
void *imap_cmd_state(struct imap_cmd *c, size_t size);

/*
 * Is word one of those in the session's CAPABILITY list, as settings and imap_capability have it? What is not must not be
 * answered as if it were. The rows of a module whose words are all masked are not found at all; this is for
 * finer questions ("LITERAL-" or "LITERAL+"?). Builds the list: not for a loop.
 */
bool imap_word(const struct imap_session *s, const char *word);

struct buf *imap_out(struct imap_session *s);          /* untagged responses are appended here */
bool imap_out_full(const struct imap_session *s);      /* above the water mark: return STEP_OUTPUT_FULL soon */
bool imap_slice_over(const struct imap_cmd *c);        /* the time slice is used */

#endif
