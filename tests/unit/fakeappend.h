/*
 * The doors of box that a delivery uses, over one message in RAM that a test can make fail. For the tests and the fuzz
 * target of lmtp alone.
 */
#ifndef TESTS_UNIT_FAKEAPPEND_H
#define TESTS_UNIT_FAKEAPPEND_H

#include "base/buf.h"
#include "box/acct.h"

struct acct {
	/* how it behaves */
	enum err begin, start, write, fd, end, finish; /* errors of the steps */
	unsigned waits;                                /* STEP_WAITING so often */
	bool no_folders;                               /* only INBOX is there */
	/* what happened */
	unsigned begun, freed, created, saved;
	char mailbox[64]; /* where the last message went */
	struct buf bytes; /* of the message that was saved last */
};

#endif
