/*
 * The one place where IMAP responses are spelled (RFC 3501 section 9). Atom, quoted
 * or literal is decided by the content, so nothing a message, a folder or a client
 * brought can break out of its place. Appends to a struct buf; check b->failed once.
 */
#ifndef WIRE_IMAP_WRITE_H
#define WIRE_IMAP_WRITE_H

#include "base/buf.h"
#include "base/mailflags.h"
#include "base/set.h"

enum { IMAP_QUOTED_MAX = 1000 }; /* longer strings become literals */

void imap_write_string(struct buf *b, struct span s);  /* quoted or literal; a NUL, which neither may hold, becomes 0x80 */
void imap_write_astring(struct buf *b, struct span s); /* atom where possible (never NIL) */
void imap_write_nstring(struct buf *b, const struct span *s); /* NULL: NIL */
void imap_write_literal_head(struct buf *b, uint64_t n);  /* {n}CRLF; the caller sends n bytes */
void imap_write_literal8_head(struct buf *b, uint64_t n); /* ~{n}CRLF */

/* A mailbox name (UTF-8 inside) as modified UTF-7, or as UTF-8 when the client enabled that (RFC 6855). */
void imap_write_mailbox(struct buf *b, struct span name, bool utf8);

/* "(\Answered $Forwarded)": the flags set in f, MAIL_RECENT included; keyword bits without a name are left out. */
void imap_write_flags(struct buf *b, const struct mail_flags *f, const struct span *keywords, size_t n);

/* "1:3,5"; writes nothing for the empty set (no valid sequence-set: the caller looks first). */
void imap_write_set(struct buf *b, const struct set *s);

/* Human text of a response: CR, LF, NUL and 8-bit bytes become '?'; never empty (a blank set becomes "."). */
void imap_write_text(struct buf *b, struct span s);

/*
 * "tag cond [code] text" CRLF; tag empty: "*". cond: "OK", "NO", "BAD", "BYE", "PREAUTH".
 * code: without brackets, already spelled by the caller, NULL or "" for none.
 */
void imap_write_status(struct buf *b, struct span tag, const char *cond, const char *code, const char *text);

#endif
