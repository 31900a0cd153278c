/*
 * doveadm-search-query(7): words to a query of box. Words as a shell gives them; keys in any case; AND is understood, OR
 * stands between keys, and the two may be mixed only by parentheses (each a word of its own).
 *
 * MAILBOX and MAILBOX-GUID say which mailboxes are meant: the program is parsed once for each mailbox, where such
 * a key is simply true or false. No recursion: a stack in the arena.
 */
#ifndef JOBS_QUERY_H
#define JOBS_QUERY_H

#include "box/query.h"

struct jobs_place {
	struct span name;     /* of the mailbox, UTF-8; empty: none in particular, both keys may be true */
	char separator;
	const uint8_t *guid;  /* NULL: not known yet */
	struct view *view;    /* NULL: the query will not be run */
	int64_t now;          /* seconds since 1970: what intervals count from */
};

struct jobs_query {
	struct query *query;  /* arena; query_free it */
	bool never;           /* in this place nothing can match */
	bool bound;           /* every branch says which mailbox, */
	bool narrow;          /* every branch says which messages, if only by ALL */
};

enum { JOBS_QUERY_DEPTH = 64 };

/* ERR_SYNTAX with a sentence; ERR_LIMIT: nested too deeply. */
enum err jobs_query_parse(const struct span *word, size_t n, const struct jobs_place *place, struct arena *a,
			  struct jobs_query *q_r, struct errtext *t);

/* The mailboxes that the words name without a wildcard, one after the other: *at is 0 at first. False: no more. */
bool jobs_query_names(const struct span *word, size_t n, size_t *at, struct span *name_r);

/* "30d", "1weeks", "1176418800", "2007-04-13", "13-Apr-2007". exact_r: *when_r is a second, not the first of a day in UTC. */
bool jobs_date(struct span text, int64_t now, int64_t *when_r, bool *exact_r);
bool jobs_size(struct span text, uint64_t *size_r); /* "100", "10k", "1M" ... */

#endif
