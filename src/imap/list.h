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
	/* May be set by an option: writes what follows the line of a folder (STATUS). */
	enum step (*after)(struct imap_list *l, const struct folder *f);

	struct folder *folder;       /* arena */
	size_t folders, at;
	bool written;                /* the line of folder[at] is out, its after is not done */
};

#endif
