/* One FETCH command, and how items are written; for cmd_fetch, fetch_meta, fetch_body, announce and FETCH extensions. */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "core.h"

enum {
	IMAP_FETCH_OPS_MAX = 256,  /* items of one command */
	IMAP_FLAGS_MEMO = 8,       /* slots; power of two */
	IMAP_FLAGS_TEXT = 160,     /* longest text that is remembered */
};

/*
 * What writing items remembers from message to message: the text of the last flag sets, the calendar day. Zeroed before
 * use; keyword names may change only between two uses (imap_emit_init).
 */
struct imap_emit {
	const struct view_state *st;         /* borrowed */
	struct span keywords[MAIL_KEYWORDS_MAX]; /* borrowed from st */
	struct {
		struct mail_flags flags;
		uint16_t n;                  /* 0: free */
		char text[IMAP_FLAGS_TEXT];  /* "FLAGS (...)" */
	} memo[IMAP_FLAGS_MEMO];
	int64_t quarter;                     /* of an hour, since 1970, that zone_s belongs to, if has_zone */
	int64_t day;                         /* local day that date shows */
	int32_t zone_s;                      /* seconds east */
	bool has_zone, has_date;
	char date[26];                       /* "17-Jul-1996 00:00:00 -0700" */
};

void imap_emit_init(struct imap_emit *e, const struct view *v);
void imap_tell_keywords(struct imap_session *s, struct imap_emit *e); /* names that a FETCH is going to show */
void imap_emit_flags(struct imap_emit *e, struct mail_flags flags, struct buf *out);     /* "FLAGS (...)" */
void imap_emit_date(struct imap_emit *e, const char *name, int64_t when, struct buf *out); /* name, blank, "..." quoted */
void imap_emit_u64(struct buf *out, const char *name, uint64_t v);                       /* name, blank, number */

/* One item of the command, compiled. */
struct imap_fetch_op {
	const struct imap_fetch_item *item;
	void *data;                          /* arena: of the item's parse */
};

struct imap_fetch {
	struct imap_cmd *c;
	struct imap_fetch_op *op;            /* arena: those without bytes first, then those with */
	size_t ops, meta;                    /* how many; of them without bytes */
	unsigned want;
	bool unsolicited;                    /* nobody asked: UID and MODSEQ as with changed flags */
	bool seen;                           /* some item sets \Seen, and it may be set */
	bool has_flags;                      /* FLAGS is among the items */

	struct set uids;                     /* own: cleaned up by the arena */
	/* Set by a modifier: called until STEP_DONE before the walk; may take uids away, write, answer the command. */
	enum step (*before)(struct imap_fetch *f);
	struct imap_since *since;            /* arena: of CHANGEDSINCE */
	bool partial;                        /* PARTIAL was given: uids are that part already */
	struct view_walk *walk;              /* own, likewise */
	struct imap_emit emit;
	struct message_facts m;              /* of the present message; spans only until the walk pauses */
	struct message *opening;             /* own: the present message, while it is being unpacked */
	struct message *msg;                 /* own: the present message's bytes, while items with bytes are written */
	bool again;                          /* the present message is begun anew, others first */
	size_t at;                           /* op of the present message */
	struct set mark;                     /* own: UIDs that \Seen is still to be set on */
	bool gone;                           /* something asked for was expunged */
	enum err err;                        /* ended the walk */
	enum err late;                       /* did not, but the command fails with it */
	struct errtext text;
};

/* Adds an item without arguments; false: answered. */
bool imap_fetch_add(struct imap_fetch *f, struct span name);

/* What came of a message's bytes: errors of this message alone are told at the end, others end the walk. ERR_OK: nothing. */
void imap_fetch_failed(struct imap_fetch *f, enum err e);

/*
 * The parts of the command, for others who FETCH: f zeroed but for c (whose arena it uses), unsolicited and, before the
 * run, uids. compile: items is one argument, an item, a macro or a list; false: c is answered. run: until STEP_DONE;
 * f->err tells what ended it early. The caller calls free, or lets the arena do it.
 */
bool imap_fetch_compile(struct imap_fetch *f, const struct imap_arg *items);
enum step imap_fetch_run(struct imap_fetch *f);
void imap_fetch_free(void *f);

/* A FETCH of new messages that was asked for before they came, while it runs; zeroed otherwise. */
struct imap_standing {
	struct arena *arena;                 /* own */
	struct imap_cmd cmd;
	struct imap_fetch *fetch;            /* arena */
};

/*
 * try: what is wrong with the items is answered now; false: c is answered. run: until STEP_DONE; uids matter to the first
 * call only. end: gives up one that may be running, before the view is closed.
 */
bool imap_standing_try(struct imap_cmd *c, const struct imap_arg *items);
enum step imap_standing_run(struct imap_session *s, struct imap_standing *st, const struct imap_arg *items,
			    const struct set *uids);
void imap_standing_end(struct imap_standing *st);

#endif
