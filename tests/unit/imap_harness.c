#include "test.h"
#include "imap_harness.h"

#include "base/must.h"
#include "io/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_limit(void *ctx)
{
	struct harness *h = ctx;

	h->timed_out = true;
	loop_stop(h->loop);
}

static bool satisfied(struct harness_client *c)
{
	return c->until ? c->got.n && strstr(buf_cstr(&c->got), c->until) : c->eof && !c->s;
}

static void on_client(void *ctx, unsigned events)
{
	struct harness_client *c = ctx;
	char piece[65536];
	ssize_t n = read(c->fd, piece, sizeof(piece));

	if (n > 0)
		buf_add(&c->got, piece, (size_t)n);
	if (n <= 0 && !c->eof) {
		c->eof = true;
		loop_remove(&c->io);
	}
	if (satisfied(c))
		loop_stop(c->h->loop);
}

static void on_end(void *ctx, enum imap_end why, const char *text)
{
	struct harness_client *c = ctx;

	c->why = why;
	snprintf(c->text, sizeof(c->text), "%s", text);
	c->s = NULL;
	if (satisfied(c))
		loop_stop(c->h->loop);
}

void harness_init(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	h->loop = loop_new();
	h->acct = fake_acct_new();
	imap_settings_default(&h->settings);
	for (unsigned i = 0; i < HARNESS_SESSIONS; i++) {
		h->client[i].h = h;
		h->client[i].fd = -1;
		buf_init(&h->client[i].got, 256 << 20);
	}
}

void harness_open(struct harness *h, unsigned i)
{
	static const struct stream_handler none = { 0 };
	struct harness_client *c = &h->client[i];
	struct imap_config cfg = { .acct = h->acct, .loop = h->loop, .settings = h->settings, .user = "u",
				   .on_end = on_end, .ctx = c };
	int fd[2];

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	cfg.stream = stream_new(h->loop, fd[0], NULL, &none, NULL);
	must(!imap_session_new(&cfg, &c->s));
	c->fd = fd[1];
	c->eof = false;
	c->io = loop_add(h->loop, c->fd, LOOP_READ, on_client, c);
	harness_expect(h, i, "Logged in\r\n");
}

void harness_run(struct harness *h, unsigned ms)
{
	for (unsigned i = 0; i < HARNESS_SESSIONS; i++)
		h->client[i].until = "\x01never";
	loop_timer_set(h->loop, &h->limit, ms, on_limit, h);
	loop_run(h->loop);
	loop_timer_stop(h->loop, &h->limit);
}

const char *harness_expect(struct harness *h, unsigned i, const char *until)
{
	static char text[8 << 20]; /* of the last call only */
	struct harness_client *c = &h->client[i];

	h->timed_out = false;
	c->until = until;
	if (!satisfied(c)) {
		loop_timer_set(h->loop, &h->limit, 3000, on_limit, h);
		loop_run(h->loop);
		loop_timer_stop(h->loop, &h->limit);
	}
	c->until = "\x01never";
	snprintf(text, sizeof(text), "%s", buf_cstr(&c->got));
	if (h->timed_out)
		print_message("timed out; received so far:\n%s\n", text);
	assert_false(h->timed_out);
	buf_clear(&c->got);
	return text;
}

void harness_send_bytes(struct harness *h, unsigned i, struct span bytes)
{
	struct harness_client *c = &h->client[i];

	while (bytes.n) {
		ssize_t n = write(c->fd, bytes.p, bytes.n);

		if (n > 0)
			bytes = span_from(bytes, (size_t)n);
		else
			harness_run(h, 1);
	}
}

void harness_send(struct harness *h, unsigned i, const char *text)
{
	harness_send_bytes(h, i, span_str(text));
}

const char *harness_say(struct harness *h, unsigned i, const char *text)
{
	harness_send(h, i, "x ");
	harness_send(h, i, text);
	harness_send(h, i, "\r\n");
	for (;;) {
		struct harness_client *c = &h->client[i];
		const char *all = c->got.n ? buf_cstr(&c->got) : "";
		const char *tagged = !strncmp(all, "x ", 2) ? all : strstr(all, "\nx ");

		if (tagged && strchr(tagged + 1, '\r'))
			return harness_expect(h, i, "x ");
		must(!c->eof);
		harness_run(h, 1);
	}
}

void harness_free(struct harness *h)
{
	for (unsigned i = 0; i < HARNESS_SESSIONS; i++) {
		struct harness_client *c = &h->client[i];

		if (c->fd < 0)
			continue;
		loop_remove(&c->io);
		close(c->fd);
		while (c->s)
			harness_run(h, 1);
		buf_free(&c->got);
	}
	fake_acct_free(&h->acct);
	loop_free(&h->loop);
}
