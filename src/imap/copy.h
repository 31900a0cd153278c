/* COPY and MOVE are one piece of work; see cmd_copy.c. */
#ifndef IMAP_COPY_H
#define IMAP_COPY_H

#include "core.h"

/* The start function of either. */
enum step imap_copy_start(struct imap_cmd *c, bool move);

#endif
