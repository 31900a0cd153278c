/* dovecot-uidvalidity: the last UIDVALIDITY given to any mailbox of a mail root. Format: uidvalidity.c. */
#ifndef STORE_UIDVALIDITY_H
#define STORE_UIDVALIDITY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct uidvalidity {
	int dir_fd;  /* borrowed; where the files lie */
	mode_t mode; /* of new files */
	bool sync;
};

/* One that no mailbox of this root had, greater than all and than above; durable when sync says so. */
enum err uidvalidity_claim(const struct uidvalidity *u, uint32_t above, uint32_t *v_r, struct errtext *t);

/* This value was given to one: those that are claimed from now on are greater. */
enum err uidvalidity_given(const struct uidvalidity *u, uint32_t v, struct errtext *t);

#endif
