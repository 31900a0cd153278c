/* The text of the subscriptions file, without the file. Format: subscriptions.c. */
#ifndef STORE_SUBSCRIPTIONS_H
#define STORE_SUBSCRIPTIONS_H

#include "base/buf.h"

/* The version, 1 or 2; *text moves behind the header. */
int subs_begin(struct span *text);

/* The storage name that a line says, into out (cleared first); false when it says none. */
bool subs_name(struct span line, int version, char separator, struct buf *out);

/* The file with name subscribed or not; false when nothing changes (out is of no use then). */
bool subs_rewrite(struct span text, char separator, const char *name, bool on, struct buf *out);

#endif
