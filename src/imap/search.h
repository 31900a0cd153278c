/* One SEARCH, for its keys and result options. */
#ifndef IMAP_SEARCH_H
#define IMAP_SEARCH_H

#include "core.h"

struct mime_charsets;

/* What SORT made of the result. */
struct imap_sorted {
	const struct sort_by *by;        /* borrowed, as uid */
	size_t by_n;
	const uint32_t *uid;
	size_t n;
};

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
	bool modseq;                     /* set by the MODSEQ key (RFC 7162): the answer carries the highest one */
	uint64_t max_modseq;             /* then, once found: among the result */
	uint64_t spent_us;               /* processor time used so far */
	const char *done;                /* the tagged answer's text */
	bool save;                       /* RETURN (SAVE): the result becomes "$" (RFC 5182) */
	/*
	 * Of SORT and THREAD: called until STEP_DONE from when the result is there, before it is answered. May answer
	 * the command itself, with a failure.
	 */
	enum step (*refine)(struct imap_search *s);
	/* Answers instead of "* SEARCH ...", likewise; set by result options and by the variants of SEARCH. */
	enum step (*result)(struct imap_search *s);
	void (*keep)(struct imap_search *s); /* NULL, or called when all is answered well */
	const struct imap_sorted *sorted; /* arena: of SORT, once it is done */
	void *option;                    /* arena: of the result options */
	void *variant;                   /* arena: of SORT and THREAD */
};

/* A search begins; its memory is registered with the command. NULL: answered. */
struct imap_search *imap_search_new(struct imap_cmd *c);

/* Result options in front: "RETURN (...)". False: answered. */
bool imap_search_options(struct imap_search *s, const struct imap_arg **a);

/* The charset of the program's strings; optional: it need not have been said. False: answered. */
bool imap_search_charset(struct imap_search *s, const struct imap_arg **a, bool optional);

/* Parses the program, starts the run; from here on the command is this search's. */
enum step imap_search_run(struct imap_search *s, const struct imap_arg *a);

/* Appends ranges of numbers as a sequence set, in pieces, from s->range on. */
enum step imap_search_write_set(struct imap_search *s, const struct set *set);

/* Parses the search program (the keys) into s->query. False: answered. */
bool imap_search_parse(struct imap_search *s, const struct imap_arg *a);

/* A string argument as the query wants it: from the command's charset to UTF-8, in the arena. */
enum err imap_search_text(struct imap_search *s, const struct imap_arg **a, struct span *text_r);

#endif
