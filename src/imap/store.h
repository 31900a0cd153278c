/* One STORE, for its modifiers. */
#ifndef IMAP_STORE_H
#define IMAP_STORE_H

#include "core.h"

struct imap_store {
	struct set uids;          /* own: cleaned up by the arena */
	struct view_store job;
	/* Set by a modifier: gives the tagged answer (MODIFIED) instead of the usual one. */
	enum step (*after)(struct imap_cmd *c, struct imap_store *st);
};

#endif
