/* The items of a STATUS, for the command and for LIST RETURN (STATUS ...). */
#ifndef IMAP_STATUS_H
#define IMAP_STATUS_H

#include "core.h"

enum { IMAP_STATUS_ITEMS_MAX = 32 };

struct imap_status_ask {
	const struct imap_status_item *item[IMAP_STATUS_ITEMS_MAX];
	size_t items;
	bool size;                   /* the sum of sizes is among them: it may need looking for */
};

/* Reads "(MESSAGES UNSEEN ...)". False: answered BAD. */
bool imap_status_items(struct imap_cmd *c, const struct imap_arg *list, struct imap_status_ask *ask_r);
/* Writes the whole line. */
void imap_status_write(struct imap_session *s, const struct imap_status_ask *ask, const struct acct_status *st);

#endif
