/*
 * Mailbox names between the client and the server. Inside, names are client names as box knows them: modified UTF-7. To
 * and from a client that enabled UTF8=ACCEPT (RFC 9755) they are UTF-8. This is the only place that knows the difference.
 */
#ifndef IMAP_NAMES_H
#define IMAP_NAMES_H

#include "core.h"

/* A name as the client said it; to_make: it is about to be made. ERR_CANNOT with a sentence, ERR_MEMORY. */
enum err imap_name_heard(struct imap_cmd *c, struct span said, bool to_make, const char **name_r, struct errtext *t);

/* As the client is told: for comparing with what it says. In the arena, or name itself; NULL at the arena's limit. */
const char *imap_name_told(const struct imap_session *s, struct arena *arena, const char *name);

/* The same spelled into a response: as an astring, or (NAMESPACE) as a string. */
void imap_name_write(const struct imap_session *s, struct buf *out, const char *name);
void imap_name_write_string(const struct imap_session *s, struct buf *out, const char *name);

#endif
