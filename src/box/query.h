/*
 * A search at work. The tree is laid out in post order, so that no recursion is needed: a node's children come
 * before it. query.c plans and leads; match.c answers single keys for single messages.
 */
#ifndef BOX_QUERY_ROOM_H
#define BOX_QUERY_ROOM_H

#include "box/query.h"
#include "mime/search.h"
#include "room.h"

enum {
	QUERY_NODES_MAX = 20000,
	QUERY_FLAGS = 6, /* bits of enum mail_flag */
};

/* What it takes to answer a key. */
enum query_level { LEVEL_MAP, LEVEL_RECORD, LEVEL_HEADERS, LEVEL_BYTES };

enum truth { NO, YES, MAYBE };

struct qnode {
	const struct query *q;   /* borrowed */
	uint32_t kids;
	bool joins;              /* not the first of its parent's kids, */
	enum query_kind with;    /* and what the parent makes of them */
	enum query_level level;  /* of a key; LEVEL_MAP for the connectives */
	bool asks;               /* query_asks */
	enum truth truth;        /* for the message under way */
	bool needle;             /* m is in use */
	struct mime_matcher m;   /* own */
	const struct set *uids;  /* borrowed (the run, the query): LEVEL_MAP keys: where it is true, and perhaps elsewhere */
};

struct query_run {
	struct view *v;
	struct qnode *node;      /* own */
	size_t n;
	enum truth *stack;       /* own: n */
	struct set all;          /* what is looked at */
	struct set flagged[QUERY_FLAGS]; /* own: by bit; what has that flag, if a key asks for it */
	unsigned flags_known;    /* which of these are there */
	struct set result, todo;
	struct view_walk *w;
	uint64_t looked_at, to_look_at; /* messages of todo */
	int64_t now;
	bool modseq;             /* Q_MODSEQ is used */
	unsigned want_headers;   /* of WANT_HEADERS and WANT_ASKED, what the keys need */
	struct buf names;        /* own: what is to be kept for the fields that the keys ask for; empty: nothing is */
	struct buf asked;        /* own: what is kept already; then scratch */
	bool lazy;               /* the walk brings records; headers are asked for when those do not decide */
	uint64_t max_modseq;
	/* The message whose bytes are searched, if any. */
	struct message *msg;
	uint32_t msg_uid;
	uint64_t msg_modseq;
	uint8_t msg_emailid[16];
	struct span bytes;          /* p NULL: not there yet */
	size_t header_keys;         /* nodes that have been held against its header */
	struct mime_matcher *batch; /* own: copies of the matchers of one pass */
	size_t *batch_of;           /* own: whose */
	size_t batch_n;
	bool headers;               /* the pass under way is that of TEXT keys */
	bool beginning;             /* that pass, for which its structure is being found */
	bool searching;
	struct mime_search search;
	struct buf fold;            /* own: scratch */
};

bool query_asks(const struct query *q); /* a HEADER key whose field is not among those that are always cached */
bool query_is_key(enum query_kind k);
enum query_level match_level(const struct query *q);
/* Answers what the facts can answer at this level; else leaves MAYBE. */
void match_facts(struct query_run *r, struct qnode *n, const struct message_facts *f, enum query_level level);
/* Answers a header or date key from the header of the message. False: there was nothing to do. */
bool match_header(struct query_run *r, struct qnode *n, struct span message);

/* walk.c: is it not yet end_us (clock_us)? Asks the clock after every file, but not after every message from the index. */
bool walk_time_left(struct view_walk *w, uint64_t end_us);
void walk_touch(struct view_walk *w); /* the caller did what takes as long as opening a file */
/* walk.c: to be written with what the walk itself finds out. */
void walk_note_asked(struct view_walk *w, uint32_t uid, struct span asked);
/* walk.c: want less than the walk was begun with; and the message reported last again, with more. */
void walk_want(struct view_walk *w, unsigned want);
enum err walk_again(struct view_walk *w, unsigned want, struct message_facts *f_r, struct errtext *t);

#endif
