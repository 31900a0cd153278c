/*
 * A whole session after login, as a byte stream: the first byte says into how large pieces the rest is cut. The
 * same bytes in one piece must give the same answers. The mailboxes are in memory (tests/unit/fakebox.c).
 */
#include "base/must.h"
#include "imap/session.h"
#include "io/loop.h"
#include "io/stream.h"

#include "../unit/fakebox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>


struct run {
	struct loop *loop;
	struct loop_io *io;
	int fd;
	struct span left;
	size_t piece;
	struct buf got;
	bool ended;
};

static void on_end(void *ctx, enum imap_end why, const char *text)
{
	struct run *r = ctx;

	r->ended = true;
	loop_stop(r->loop);
}

static void send_piece(struct run *r)
{
	size_t n = r->left.n < r->piece ? r->left.n : r->piece;
	ssize_t sent = n ? write(r->fd, r->left.p, n) : 0;

	if (sent > 0)
		r->left = span_from(r->left, (size_t)sent);
	if (r->left.n && sent >= 0)
		return;
	shutdown(r->fd, SHUT_WR);
	loop_set(r->io, LOOP_READ);
}

static void on_client(void *ctx, unsigned events)
{
	struct run *r = ctx;
	char piece[65536];
	ssize_t n = events & LOOP_READ ? read(r->fd, piece, sizeof(piece)) : 1;

	if (events & LOOP_READ && n > 0)
		buf_add(&r->got, piece, (size_t)n);
	if (n == 0 || (events & LOOP_READ && n < 0))
		loop_remove(&r->io);
	else if (events & LOOP_WRITE)
		send_piece(r);
}

static const char mime[] = "From: a@example.org\r\nTo: b@example.org\r\nSubject: =?utf-8?q?x?=\r\n"
			   "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
			   "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntwo\r\n--b--\r\n";

static void talk(struct span in, size_t piece, struct buf *got_r)
{
	static const struct stream_handler none = { 0 };
	struct run r = { .loop = loop_new(), .left = in, .piece = piece };
	struct acct *acct = fake_acct_new();
	struct imap_config cfg = { .acct = acct, .loop = r.loop, .on_end = on_end, .ctx = &r };
	struct imap_session *s;
	int fd[2];

	fake_add(acct, "INBOX", mime, 0);
	fake_add(acct, "INBOX", "Subject: two\r\n\r\nBody.\r\n", 0x0c);
	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	r.fd = fd[1];
	buf_init(&r.got, 64 << 20);
	imap_settings_default(&cfg.settings);
	cfg.stream = stream_new(r.loop, fd[0], NULL, &none, NULL);
	must(!imap_session_new(&cfg, &s));
	r.io = loop_add(r.loop, r.fd, LOOP_READ | LOOP_WRITE, on_client, &r);
	while (!r.ended)
		loop_run(r.loop);
	for (ssize_t n = 1; r.io && n > 0;) {
		char rest[65536];

		n = read(r.fd, rest, sizeof(rest));
		if (n > 0)
			buf_add(&r.got, rest, (size_t)n);
	}
	loop_remove(&r.io);
	close(r.fd);
	fake_acct_free(&acct);
	loop_free(&r.loop);
	*got_r = r.got;
}

/* Then the cuts matter: where output is flushed, and what is lost when a client goes on with what is not compressed. */
static bool compressed(struct span in)
{
	for (; in.n >= 8; in = span_from(in, 1))
		if (span_ieq(span_cut(in, 0, 8), SPAN("COMPRESS")))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf all, whole, cut;

	if (n < 2)
		return 0;
	buf_init(&all, 1 << 20);
	buf_add_str(&all, data[0] & 1 ? "a SELECT INBOX\r\n" : "");
	buf_add(&all, data + 1, n - 1);
	talk(buf_span(&all), SIZE_MAX, &whole);
	talk(buf_span(&all), (data[0] >> 1) % 32 + 1, &cut);
	must(compressed(buf_span(&all)) || span_eq(buf_span(&whole), buf_span(&cut)));
	buf_free(&all);
	buf_free(&whole);
	buf_free(&cut);
	return 0;
}
