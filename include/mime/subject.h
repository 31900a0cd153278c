/* The base subject (RFC 5256 section 2.1): a subject without what replying and forwarding add to it. */
#ifndef MIME_SUBJECT_H
#define MIME_SUBJECT_H

#include "base/buf.h"

/*
 * Appends the base subject of a subject that is unfolded and decoded already (mime_words_decode): not folded
 * for comparison. True: the subject is that of a reply or forward. Linear.
 */
bool mime_subject_base(struct span subject, struct buf *out);

#endif
