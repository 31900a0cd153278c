/* One CREATE, for its parameters. */
#ifndef IMAP_CREATE_H
#define IMAP_CREATE_H

#include "core.h"

struct imap_create {
	const char *name;          /* arena: client name */
	const char *special_use;   /* set by USE: words parted by one blank, arena; NULL: none */
	struct acct_status status; /* of the mailbox made */
	bool made;
};

#endif
