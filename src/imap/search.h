/* One SEARCH, for its keys and result options. */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "core.h"

struct mime_charsets;

struct imap_search {
	struct imap_cmd *c;
	struct span charset;             /* arena: "" for US-ASCII and UTF-8 */
	struct mime_charsets *charsets;  /* own: made when a charset is named */
	struct query *query;             /* arena, and its sets are freed with it */
	struct query_run *run;           /* own */
	struct set uids;                 /* own: the result */
	struct set numbers;              /* own: as answered */
	size_t range;                    /* writing: which range of numbers, */
	uint32_t next;                   /* and which of its members is next; 0: its first */
	bool found;                      /* the run is done */
	uint64_t spent_us;               /* time used by the run */
	/* Set by a result option (RFC 4731): answers instead of "* SEARCH ..."; called until STEP_DONE. */
	enum step (*result)(struct imap_search *s);
	void *option;                    /* arena: the option's own */
};

/* Parses the search program (the keys) into s->query. False: answered. */
bool imap_search_parse(struct imap_search *s, const struct imap_arg *a);

/* A string argument as the query wants it: from the command's charset to UTF-8, folded, in the arena. */
enum err imap_search_text(struct imap_search *s, const struct imap_arg **a, struct span *text_r);

#endif
