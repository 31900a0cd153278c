/* One LIST, LSUB or XLIST, for its options. */
#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "core.h"

enum imap_list_kind { LIST_PLAIN, LIST_LSUB, LIST_XLIST };

struct imap_list {
	struct imap_cmd *c;
	enum imap_list_kind kind;
	bool extended;               /* options, several patterns or RETURN were given (RFC 5258) */
	const struct span *pattern;  /* arena: reference and pattern joined */
	size_t patterns;

	/* Options set these. A folder is listed when it matches and has all flags of need, or a special use if that is needed. */
	unsigned need;               /* enum folder_flag */
	bool need_special;
	bool recursive;              /* so are parents of such folders; CHILDINFO tells (RFC 5258 section 3.5) */
	uint64_t listed_ms;          /* loop_now of the list */
	/*
	 * An option's own answer to each folder that meets the criteria: look finds out before its line is written (it may turn
	 * out that the folder is FOLDER_NOSELECT), show writes behind the line.
	 */
	enum step (*look)(struct imap_list *l, struct folder *f);
	void (*show)(struct imap_list *l, const struct folder *f);
	void *option;                /* arena: theirs */

	struct folder *folder;       /* arena */
	size_t folders, at;
	const char *const *told;     /* arena: their names as the client is told them */
	uint8_t *below;              /* arena: enum imap_list_below of each folder, when recursive */
};

/* What lies below a folder. */
enum imap_list_below {
	LIST_BELOW = 0x1,        /* something meets the criteria */
	LIST_BELOW_HIDDEN = 0x2, /* and is not listed itself, as no pattern matches it */
};

bool imap_list_matches(const struct imap_list *l, const struct folder *f); /* some pattern */
bool imap_list_meets(const struct imap_list *l, const struct folder *f);   /* the criteria; without the patterns */

/* ext_list_extended.c: fills below. False: the arena's limit. */
bool imap_list_mark_below(struct imap_list *l);

/* A line that nobody asked for (RFC 5465 section 5.4), with all attributes; old: its former name, or NULL. */
void imap_list_write(struct imap_session *s, const struct folder *f, const char *old);

/* The same with other attributes. */
void imap_list_write_as(struct imap_session *s, const struct folder *f, const char *attributes);

#endif
