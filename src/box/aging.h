/* What is too old goes by itself: see aging.c. */
#ifndef BOX_AGING_H
#define BOX_AGING_H

#include "room.h"

/* The name of a mailbox {} section that stands for many: '*' any bytes, '?' one. */
bool aging_is_pattern(const char *name);

/* Begun by acct_autoexpunge; a->aging is there when there is anything to look at. */
enum step aging_step(struct acct *a);  /* a slice; STEP_WAITING: again in a while; the last one ends it */
void aging_end(struct acct *a);        /* also when it is not done */

#endif
