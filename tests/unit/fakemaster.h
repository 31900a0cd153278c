/*
 * A master without processes: children are structs whose far ends of the channels the test holds. Nothing is started:
 * the back-off of every row lies in the far future.
 */
#ifndef TESTS_UNIT_FAKEMASTER_H
#define TESTS_UNIT_FAKEMASTER_H

#include "../../src/master/master.h"

struct fake_child {
	struct child c;
	int far; /* own: the other end, read raw */
};

struct fake_master {
	struct master m;
	struct fake_child login[2], auth, control, dotlock, worker[3]; /* workers are spares at first */
	char path[64];                                        /* of the configuration */
};

void fake_master_start(struct fake_master *f, const char *settings); /* lines laid over what the tests want */
void fake_master_stop(struct fake_master *f);

/* The next message at a far end, or type 0. Valid until the next call. Its descriptors are closed, *fds_r counts them. */
struct msg_in fake_take(struct fake_child *c, size_t *fds_r);

/* What auth says to the master. */
void fake_put_ticket(struct msg *m, const char *id, uint32_t holder, const char *service, const struct msg_user *user);
/* What a login says; service is its own claim. */
void fake_put_handoff(struct msg *m, const char *id, const char *service, size_t input);
/* m as if it had come, to fn's kind of handler. Takes m. */
struct msg_in fake_in(const struct msg *m, int fd);

#endif
