/*
 * What a login process sends to a delivery in the worker: packets, each as u16 length and bytes (the head of the
 * message too), through a real channel. The mailbox is in RAM.
 */
#include "../unit/fakeappend.h"

#include "base/log.h"
#include "base/must.h"
#include "ipc/chan.h"
#include "lmtp/delivery.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void on_end(void *ctx)
{
	loop_stop(ctx);
}

static void on_line(void *ctx, bool saved, const char *text)
{
}

static void send_all(int fd, struct span rest)
{
	while (rest.n >= 2) {
		size_t size = (uint8_t)rest.p[0] | (size_t)(uint8_t)rest.p[1] << 8;
		rest = span_from(rest, 2);
		struct span packet = span_cut(rest, 0, size);
		rest = span_from(rest, packet.n);
		if (packet.n > 0)
			send(fd, packet.p, packet.n, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	shutdown(fd, SHUT_WR);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct loop *loop = loop_new();
	struct acct acct = { 0 };
	int fd[2];
	log_open("/dev/null", "", "", NULL);
	must(chan_pair(fd) == ERR_OK);
	buf_init(&acct.bytes, 1 << 20);
	delivery_new(&(struct delivery_config){ .loop = loop,
						.acct = &acct,
						.fd_take = fd[1],
						.user = "anna",
						.session_id = "s",
						.hostname = "h",
						.add_received = true,
						.log_format = "msgid=%m: %$",
						.on_end = on_end,
						.on_result = on_line,
						.ctx = loop });
	send_all(fd[0], span_of(data, n));
	loop_run(loop);
	must(acct.begun == acct.freed);
	close(fd[0]);
	buf_free(&acct.bytes);
	loop_free(&loop);
	return 0;
}
