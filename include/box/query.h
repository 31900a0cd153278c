/*
 * Searching a view. A query is a tree of struct query built by the caller in its arena (imap parses SEARCH into it);
 * it is run as a step, cheapest keys first: what the uid map answers, then message records, then cached headers, then bytes.
 *
 * Strings in a query are UTF-8 as it was asked for; they are found where utf8_fold makes both alike. It is applied once: folding
 * what is folded gives something else. Header and body matching is on decoded text (encoded words, transfer encodings,
 * charsets), linear time, no regular expressions.
 */
#ifndef BOX_QUERY_H
#define BOX_QUERY_H

#include "base/arena.h"
#include "box/view.h"

enum query_kind {
	Q_ALL,
	Q_AND, Q_OR, Q_NOT,          /* children: first; linked by next */
	Q_UIDS,                      /* set of UIDs (sequence sets are translated by the caller) */
	Q_FLAG,                      /* flag: one enum mail_flag bit, MAIL_RECENT included; NOT by Q_NOT */
	Q_KEYWORD,                   /* text: keyword name */
	Q_BEFORE, Q_ON, Q_SINCE,     /* INTERNALDATE's day (in the server's zone) against day */
	Q_SENTBEFORE, Q_SENTON, Q_SENTSINCE, /* Date: header's day, its own zone disregarded */
	Q_SAVEDBEFORE, Q_SAVEDON, Q_SAVEDSINCE,
	Q_OLDER, Q_YOUNGER,          /* number: seconds */
	Q_LARGER, Q_SMALLER,         /* number: octets (RFC822.SIZE) */
	Q_MODSEQ,                    /* number: modseq >= */
	Q_EMAILID, Q_THREADID,       /* id */
	Q_HEADER,                    /* name: field name; text: empty = the field exists */
	Q_BODY, Q_TEXT,              /* text */
	Q_ADDRESS_FROM, Q_ADDRESS_TO, Q_ADDRESS_CC, Q_ADDRESS_BCC, Q_SUBJECT, /* text */
};

struct query {
	enum query_kind kind;
	struct query *first, *next; /* arena */
	struct set uids;            /* own of the arena: freed by query_free */
	uint8_t flag;
	struct span name, text;
	int32_t day;                /* days since 1970-01-01 */
	bool exact;                 /* BEFORE and kin compare seconds since 1970 with when, not days */
	int64_t when;
	uint64_t number;
	uint8_t id[16];
};

struct query_run;
/* among: only these messages are looked at (copied); NULL: all of the view. */
enum err query_start(struct view *v, const struct query *q, const struct set *among, struct query_run **r_r,
		     struct errtext *t);
/* Slices of a few milliseconds. STEP_DONE: err_r written; on ERR_OK uids_r (initialised by the caller) holds the result. */
enum step query_step(struct query_run *r, struct set *uids_r, enum err *err_r, struct errtext *t);
void query_progress(const struct query_run *r, uint64_t *done_r, uint64_t *goal_r); /* messages looked at, of how many */
uint64_t query_max_modseq(const struct query_run *r); /* highest modseq among the result, when Q_MODSEQ was used */
void query_end(struct query_run **r);
void query_free(struct query *q); /* the sets of a whole tree */
/* A copy of a whole tree, texts and all, to be freed with the arena alone; NULL at its limit. */
struct query *query_copy(const struct query *q, struct arena *a);

#endif
