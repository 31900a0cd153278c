/*
 * roost-use: which special uses (RFC 6154) the user gave a mailbox when he made it. A file in the mailbox's own
 * directory: so it goes where the mailbox goes, whoever renames it, and ends with it.
 *
 *	file     = body SP checksum LF
 *	body     = "1" 1*( SP use )       use: a backslash and letters
 *	checksum = XXH32 of body with seed 0, 8 lower-case hex digits
 *
 * A file that is anything else says nothing.
 */
#ifndef STORE_SPECIAL_USE_H
#define STORE_SPECIAL_USE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/stat.h>

enum { SPECIAL_USE_MAX = 200 }; /* of the file */

/* uses: as in RFC 6154, parted by one blank. False: they cannot stand in such a file. */
bool special_use_encode(struct span uses, struct buf *out);
bool special_use_decode(struct span file, struct span *uses_r); /* points into file */

enum err special_use_write(int dir_fd, const char *uses, mode_t mode, bool sync, struct errtext *t);
/* Appends the uses of the folder dirname in root; nothing when it has none. */
void special_use_read(int root, const char *dirname, struct buf *out);

#endif
