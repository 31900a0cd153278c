/* UIDs of messages in an mbox that we may not write to, kept beside it: mbox_beside.c. */
#ifndef STORE_MBOX_BESIDE_H
#define STORE_MBOX_BESIDE_H

#include "mbox.h"

void beside_free(struct beside *s);
/*
 * The map is that of the locked file. Of a file that may not be written to every message has a UID afterwards, and b->beside
 * the UIDVALIDITY and the next UID where the file has no base.
 */
enum err mbox_number_beside(struct mbox_box *b, struct errtext *t);

#endif
