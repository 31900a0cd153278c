/*
 * Names of message files in a Maildir.
 *
 *	1276533073.M242911P3632Q1R0123456789abcdef.host,S=2411,W=2481:2,FSab,more
 *	|----------------------- base ------------------------------||-- rest --|
 *
 * base names the message for ever (the store key). It holds seconds and microseconds, and after the
 * unique part the sizes: S as stored, W with every LF as CRLF; in a copy of ours also ",E=" and the 32 hex digits of
 * its original's identity. rest is the changing part: ":2,",
 * the flags in ASCII order (D F R S T and keyword letters a-z; other letters are somebody's and are
 * kept), and whatever follows a further comma, kept. In new/ the rest is mostly missing.
 */
#ifndef STORE_MAILDIR_NAME_H
#define STORE_MAILDIR_NAME_H

#include "base/mailflags.h"
#include "base/span.h"

enum { MAILDIR_NAME_MAX = 255, MAILDIR_LETTERS = 26 };

/* Bits of the keywords that file names can carry. */
#define MAILDIR_LETTER_MASK ((UINT64_C(1) << MAILDIR_LETTERS) - 1)

/* Splits; false for what is no message name: empty, too long, hidden, with '/', LF or NUL. */
bool maildir_name_split(struct span file, struct span *base_r, struct span *rest_r);

/* Flags that rest tells; keywords are bits 0..25. */
struct mail_flags maildir_name_flags(struct span rest);

/* The identity that base carries under letter 'E', empty when none: a copy's name holds that of its original. */
struct span maildir_name_guid(struct span base);

/* The size that base carries under letter 'S' or 'W'; UINT64_MAX when none. */
uint64_t maildir_name_size(struct span base, char letter);

/*
 * Writes base and the rest that old becomes with these flags; false when longer than a file name
 * may be.
 */
bool maildir_name_build(char out[MAILDIR_NAME_MAX + 1], struct span base, struct span old,
			struct mail_flags flags);

/* The order in which unlisted messages get UIDs: seconds, microseconds, then bytes. */
int maildir_name_cmp(struct span a, struct span b);

/*
 * What may not stand in the host part: '/' and ':' (as in the Maildir page), ',' and blanks become
 * \ooo.
 */
void maildir_name_host(char *out, size_t size, const char *host);

/* A base name that nobody else has; without sizes. */
void maildir_name_unique(char *out, size_t size, uint32_t counter, uint64_t random, const char *host);
/*
 * The second in which the file of a message that we wrote was begun: base is a name of ours, and has the sizes that it gets when
 * its bytes are on disk. 0: of somebody else.
 */
int64_t maildir_name_written(struct span base);
/* For one process and mail root: where pids mean little (containers on one file system), it still tells them apart. */
uint64_t maildir_name_random(void);

#endif
