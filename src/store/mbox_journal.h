/*
 * roost-journal: how an mbox is rewritten in place so that a crash at any point loses nothing. Format and order of
 * writes: mbox_journal.c.
 */
#ifndef STORE_MBOX_JOURNAL_H
#define STORE_MBOX_JOURNAL_H

#include "mbox.h"

/* The bytes that shall take the place of a range of the locked file, on their way to the journal. */
struct spill {
	int fd;               /* own; the journal */
	uint64_t n;           /* bytes in it so far */
	struct buf buf;       /* not written yet */
	void *sum;            /* own; XXH3_state_t * */
};

enum err spill_begin(struct mbox_box *b, struct spill *s, struct errtext *t);
enum err spill_bytes(struct mbox_box *b, struct spill *s, struct span bytes, struct errtext *t);
enum err spill_range(struct mbox_box *b, struct spill *s, uint64_t at, uint64_t n, struct errtext *t);
/*
 * The locked file's [from, to) becomes what was spilled; another length only where to is the end of the file. Durable when
 * it returns, unless mail_fsync=never.
 */
enum err spill_apply(struct mbox_box *b, struct spill *s, uint64_t from, uint64_t to, struct errtext *t);
void spill_end(struct spill *s);

/*
 * Says that from the end of the file on bytes of ours will come, the first of which are these: should we die meanwhile,
 * they are taken away again.
 */
enum err journal_append_begin(struct mbox_box *b, uint64_t at, struct span first);
enum err journal_append_end(struct mbox_box *b, struct errtext *t);

/* Did a crash leave something? One open when not. */
bool journal_pending(struct mbox_box *b);
/* Finishes or takes back what it left. The file is locked for writing. */
enum err journal_recover(struct mbox_box *b, struct errtext *t);

#endif
