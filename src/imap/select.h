/* One SELECT or EXAMINE, for its modifiers. */
#ifndef IMAP_SELECT_H
#define IMAP_SELECT_H

#include "core.h"

struct imap_select {
	const char *name;         /* arena: client name */
	bool readonly;
	struct view *view;        /* own until the session takes it */
	/* Set by a modifier: called when all base responses are written, before the tagged one. */
	enum step (*after)(struct imap_cmd *c, struct imap_select *sel);
	void *modifier;           /* arena: its own */
	bool announced;
};

#endif
