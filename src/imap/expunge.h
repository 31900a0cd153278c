/* EXPUNGE, CLOSE and UID EXPUNGE are one piece of work; see cmd_expunge.c. */
#ifndef IMAP_EXPUNGE_H
#define IMAP_EXPUNGE_H

#include "core.h"

/* A start function's tail: removes what carries \Deleted among uids (in the arena; NULL: all), then says text. */
enum step imap_expunge_start(struct imap_cmd *c, const struct set *uids, bool unselect, const char *text);

#endif
