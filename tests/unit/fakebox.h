/*
 * The doors of box over mailboxes in memory, for tests of the imap floor alone: deterministic, without disk. What it
 * does is what the contracts in include/box say, in the plainest way; only the behaviour that sessions see is kept.
 */
#ifndef TESTS_FAKEBOX_H
#define TESTS_FAKEBOX_H

#include "box/acct.h"
#include "box/query.h"
#include "box/view.h"

struct acct *fake_acct_new(void); /* has an empty INBOX, Drafts (\Drafts, subscribed) and the level "a" over "a/b" */
void fake_acct_free(struct acct **a);

/* Adds a message behind everybody's back; views are not notified. Returns its UID. */
uint32_t fake_add(struct acct *a, const char *mailbox, const char *bytes, uint8_t flags);
void fake_expunge(struct acct *a, const char *mailbox, uint32_t uid);
void fake_flags(struct acct *a, const char *mailbox, uint32_t uid, uint8_t flags);
void fake_notify(struct acct *a, const char *mailbox); /* calls the notify functions of its views */

/* From now on new messages are seen only after a refresh that was not locked out. */
void fake_hide_until_refresh(struct acct *a);
/* The next n calls of steps that may wait say STEP_WAITING. */
void fake_lock(struct acct *a, unsigned n);
/* The next n calls of a search's step say STEP_SLICE. */
void fake_slow(struct acct *a, unsigned n);
/* Of the calls that finish an append or expunge, the one after so many others fails. */
void fake_fail(struct acct *a, unsigned after, enum err e);
/* From now on the bytes of this message are gone although its facts are there. */
void fake_lose_bytes(struct acct *a, const char *mailbox, uint32_t uid);

#endif
