/*
 * The flags of a message as every floor passes them: system flags in one byte,
 * keywords as a bit map over the mailbox's own list of names (bit n = name n).
 */
#ifndef BASE_MAILFLAGS_H
#define BASE_MAILFLAGS_H

#include "base/span.h"

#include <stdint.h>

enum mail_flag {
	MAIL_ANSWERED = 0x01,
	MAIL_FLAGGED = 0x02,
	MAIL_DELETED = 0x04,
	MAIL_SEEN = 0x08,
	MAIL_DRAFT = 0x10,
	MAIL_RECENT = 0x20, /* only in a view or a scan; never stored as a message's flag */
	MAIL_SYSTEM = 0x1f, /* the five that are stored */
};

enum { MAIL_KEYWORDS_MAX = 64 };

/* Can IMAP say it (RFC 3501 flag-keyword: an atom)? Names come from files, too, and from mail that forges an mbox's lines. */
static inline bool mail_keyword_valid(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] <= ' ' || name.p[i] >= 127 || strchr("(){%*\"\\]", name.p[i]))
			return false;
	return name.n > 0;
}

struct mail_flags {
	uint8_t system;    /* enum mail_flag */
	uint64_t keywords; /* bit n: keyword n of the mailbox */
};

#endif
