/* One or several sessions over a fake box, spoken to through socket pairs. Included behind test.h. */
#ifndef TESTS_IMAP_HARNESS_H
#define TESTS_IMAP_HARNESS_H

#include "fakebox.h"
#include "imap/session.h"
#include "io/loop.h"

enum { HARNESS_SESSIONS = 4 };

struct harness {
	struct loop *loop;
	struct acct *acct;
	struct imap_settings settings;
	struct harness_client {
		struct harness *h;
		int fd;
		struct loop_io *io;
		struct imap_session *s; /* NULL once it has ended */
		struct buf got;
		enum imap_end why;
		char text[128];
		bool eof;
		const char *until;
	} client[HARNESS_SESSIONS];
	struct loop_timer limit;
	bool timed_out;
};

void harness_init(struct harness *h);
void harness_open(struct harness *h, unsigned i); /* a session greeted with PREAUTH; the greeting is dropped */
void harness_free(struct harness *h);

void harness_send(struct harness *h, unsigned i, const char *text);
void harness_send_bytes(struct harness *h, unsigned i, struct span bytes);
/* Runs the loop until the client has received until (NULL: end of connection), at most 3 s. Returns all received since the last call. */
const char *harness_expect(struct harness *h, unsigned i, const char *until);
void harness_run(struct harness *h, unsigned ms); /* lets time pass */

/* Sends "x text" and returns everything up to the tagged line, that one included. */
const char *harness_say(struct harness *h, unsigned i, const char *text);

#endif
