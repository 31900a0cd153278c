/*
 * The word list of CAPABILITY as text: words parted by one blank, none twice, compared without regard to ASCII
 * case; and what the setting imap_capability makes of it. Both sides of a login use these, so that
 * they cannot differ.
 */
#ifndef WIRE_IMAP_WORDS_H
#define WIRE_IMAP_WORDS_H

#include "base/buf.h"
#include "base/span.h"

/* Does setting name the whole list, rather than what is added to ours and taken from it? */
bool imap_words_replaced(struct span setting);

/*
 * Appends ours as setting has it. "": unchanged. Beginning with '+' or '-': WORD and +WORD are added, -WORD is
 * taken away, in the order of the setting. Else: the words of the setting instead of ours.
 * LITERAL- takes LITERAL+ away: they must not be named together (RFC 7888 section 5).
 */
void imap_words_apply(struct span ours, struct span setting, struct buf *out);

/* Is word one of list? */
bool imap_words_has(struct span list, struct span word);

#endif
