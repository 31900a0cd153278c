/*
 * The line that begins a message in an mbox: "From " sender " " date LF. No files here.
 *
 * The date is asctime's ("Fri Jan  5 12:12:12 1996") with or without seconds, with a zone before or
 * behind the year ("EST", "+0100", "MET DST"), or RFC 5322's with its commas left in ("Fri, 5 Jan
 * 1996 ..."); " remote from host" may follow. The sender may hold blanks or be missing.
 */
#ifndef STORE_MBOX_FROM_H
#define STORE_MBOX_FROM_H

#include "base/buf.h"

enum { MBOX_FROM_MAX = 1000 }; /* longest line taken for one, without LF */

/*
 * line: without its LF. True: it begins a message, and *time_r (may be NULL) is its date, in local
 * time where it names no numeric zone.
 */
bool mbox_from_parse(struct span line, int64_t *time_r);

/* The first LF with "From " behind it; SIZE_MAX: none. */
size_t mbox_from_search(struct span s);

/* Ends with LF. The sender of an unknown one is MAILER-DAEMON; blanks in it become dashes. */
void mbox_from_put(struct buf *out, struct span sender, int64_t when);

#endif
