/* What NOTIFY asked for (RFC 5465 sections 5 and 6): read by notify_spec.c. */
#ifndef IMAP_NOTIFY_SPEC_H
#define IMAP_NOTIFY_SPEC_H

#include "core.h"

enum notify_event {
	NOTIFY_NEW = 0x01,
	NOTIFY_EXPUNGE = 0x02,
	NOTIFY_FLAGS = 0x04,
	NOTIFY_MESSAGE = 0x07,      /* all of those */
	NOTIFY_NAME = 0x08,
	NOTIFY_SUBSCRIPTION = 0x10,
	NOTIFY_FOLDER = 0x18,       /* both of those */
};

enum notify_filter {
	NOTIFY_SELECTED,
	NOTIFY_DELAYED,
	NOTIFY_PERSONAL,            /* inboxes too: a delivery may name any mailbox (section 6.3) */
	NOTIFY_SUBSCRIBED,
	NOTIFY_SUBTREE,
	NOTIFY_MAILBOXES,
};

struct notify_group {
	enum notify_filter filter;
	unsigned events;            /* enum notify_event */
	const char **name;          /* arena: of SUBTREE and MAILBOXES */
	size_t names;
};

struct notify_spec {
	struct arena *arena;        /* borrowed: all that lives as long as the request */
	struct notify_group *group; /* arena: without the selected mailbox's */
	size_t groups;
	bool status;                /* NOTIFY SET STATUS */
	bool delayed;
	unsigned selected;          /* enum notify_event */
	const struct imap_arg *fetch; /* arena: what MessageNew FETCHes of the selected mailbox; NULL: nothing */
};

/* The arguments behind SET; False: answered. */
bool notify_read(struct imap_cmd *c, const struct imap_arg *a, struct notify_spec *n);
/* The events that are asked for of a mailbox that is not selected. */
unsigned notify_match(const struct notify_spec *n, const struct folder *f);
/* All events of all groups. */
unsigned notify_any(const struct notify_spec *n);

#endif
