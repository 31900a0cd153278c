/*
 * What children send to the master: TICKET from auth, HANDOFF from a login, CTL_REQUEST from control, one after the
 * other in one input: u8 kind, u16 length, body.
 */
#include "../unit/fakemaster.h"

#include "base/log.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void one(struct fake_master *f, unsigned kind, struct span body)
{
	int fd = kind % 3 == 1 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
	struct msg_in in = { .id = kind, .rest = body, .fd = { fd, -1, -1, -1 }, .nfd = fd >= 0 };
	in.type = kind % 3 == 0 ? MSG_TICKET : kind % 3 == 1 ? MSG_HANDOFF : MSG_CTL_REQUEST;
	if (in.type == MSG_TICKET)
		ticket_add(&f->m, &in);
	else if (in.type == MSG_HANDOFF)
		worker_handoff(&f->m, &f->login[kind / 3 % 2].c, &in);
	else
		ctl_request(&f->m, &f->control.c, &in);
	int left = msg_take_fd(&in);
	if (left >= 0)
		close(left);
}

static void drain(struct fake_child *c)
{
	while (fake_take(c, NULL).type != 0)
		;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fake_master f;
	struct span rest = span_of(data, n);
	log_open("/dev/null", "", "", NULL);
	fake_master_start(&f, "");
	while (rest.n >= 3) {
		unsigned kind = (uint8_t)rest.p[0];
		size_t size = (uint8_t)rest.p[1] | (size_t)(uint8_t)rest.p[2] << 8;
		rest = span_from(rest, 3);
		one(&f, kind, span_cut(rest, 0, size));
		rest = span_from(rest, size < rest.n ? size : rest.n);
		drain(&f.login[0]);
		drain(&f.login[1]);
		drain(&f.control);
		for (size_t i = 0; i < 3; i++)
			drain(&f.worker[i]);
	}
	fake_master_stop(&f);
	return 0;
}
