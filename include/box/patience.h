/*
 * What another program has locked is waited for, but not for ever: a client is told NO [INUSE], an administrator's command
 * fails. Where bytes that are in the folder already wait, or more than one mailbox does, it is less (src/box/).
 */
#ifndef BOX_PATIENCE_H
#define BOX_PATIENCE_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>

enum { BOX_PATIENCE_MS = 30000 };

/* Is it a lock that was in the way, and is there still time? since: the clock_ms when it was begun. */
static inline bool box_patient(enum err e, uint64_t since)
{
	return e == ERR_INUSE && clock_ms() - since < BOX_PATIENCE_MS;
}

#endif
