/*
 * The line that begins a message in an mbox: "From " sender " " date LF. No files here.
 *
 * What Dovecot takes for one is one, for all UIDs behind it hang on that. The sender has no blanks unless in quotes at its
 * beginning. The date is asctime's ("Fri Jan  5 12:12:12 1996", the name of the day any three letters, with or without seconds,
 * a word before the year and anything behind it), or RFC 5322's with its comma ("Fri, 5 Jan 1996 12:12:12"). Day and time of day
 * need not exist ("Jan 42 77:12:12") unless a zone ("+0100") follows.
 */
#ifndef STORE_MBOX_FROM_H
#define STORE_MBOX_FROM_H

#include "base/buf.h"

enum { MBOX_FROM_MAX = 8191 }; /* longest line taken for one, without LF */

/*
 * line: without its LF. True: it begins a message, and *time_r (may be NULL) is its date, in local time where no zone in
 * numbers stands before or behind the year.
 */
bool mbox_from_parse(struct span line, int64_t *time_r);

/* The first LF with "From " behind it; SIZE_MAX: none. */
size_t mbox_from_search(struct span s);

/* Ends with LF. The sender of an unknown one is MAILER-DAEMON; blanks and quotes in it become dashes. */
void mbox_from_put(struct buf *out, struct span sender, int64_t when);

#endif
