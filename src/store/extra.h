/*
 * roost-extra: what a mailbox folder must carry and no file of others can. Format above the encoder
 * (extra.c).
 *
 * One struct extra per open mailbox; nothing is read before extra_refresh. Setters collect changes;
 * extra_write makes them one appended write. Cost of a mailbox without the file: one failed open.
 */
#ifndef STORE_EXTRA_H
#define STORE_EXTRA_H

#include "base/err.h"
#include "base/span.h"

#include <sys/stat.h>

struct extra;
struct maildir_box;

struct extra *extra_new(void);
void extra_free(struct extra **x);

/*
 * Reads what others added since the last time. A missing file is an empty one. dir_fd -1: as
 * missing.
 */
enum err extra_refresh(struct extra *x, int dir_fd, struct errtext *t);

/* An mbox without a base: what it shall have (mbox_base.c). validity 0: nothing noted. */
struct extra_base {
	uint32_t validity, last;
	uint8_t guid[16];
};
const struct extra_base *extra_base(const struct extra *x);

uint64_t extra_floor(const struct extra *x); /* 0: none */
/* NULL: free. Valid until the next call that changes x. */
const char *extra_keyword(const struct extra *x, unsigned bit);
/* The message's keywords, bits 26 and up. */
uint64_t extra_keywords_of(const struct extra *x, struct span key);

void extra_set_floor(struct extra *x, uint64_t floor);
void extra_set_base(struct extra *x, const struct extra_base *b);
void extra_set_keyword(struct extra *x, unsigned bit, const char *name);
/* bits 0: forget the message. */
void extra_set_keywords_of(struct extra *x, struct span key, uint64_t bits);
bool extra_pending(const struct extra *x);

/*
 * Appends what was collected, or writes the file anew when most of it is dead. ERR_INUSE while
 * another process writes; what was collected stays collected then. After any other failure it is
 * dropped.
 */
enum err extra_write(struct extra *x, int dir_fd, mode_t mode, bool sync, struct errtext *t);

/* For fuzzing and tests: takes text as if it had been read from an empty file. */
void extra_take(struct extra *x, struct span text);

/* maildir.c: b->extra is there and fresh. */
enum err maildir_extra(struct maildir_box *b, struct errtext *t);

#endif
