/*
 * The lock files of inboxes in directories where we may not write (/var/mail): roost-dotlock makes and removes them. The
 * master has given us a socket for each such inbox; what we ask over it is answered at once, and waited for.
 */
#include "worker.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum { PATIENCE_MS = 1000, ANSWER_MAX = 2048 };

struct door {
	char *inbox;   /* own; path */
	int fd;        /* own */
	uint32_t turn; /* number of the last try */
	struct door *next;
};

static struct door *find(struct worker *w, const char *inbox)
{
	struct door *d;

	LL_FOREACH (w->doors, d)
		if (strcmp(d->inbox, inbox) == 0)
			return d;
	return NULL;
}

static void door_free(struct worker *w, struct door *d)
{
	LL_DELETE(w->doors, d);
	close(d->fd);
	free(d->inbox);
	free(d);
}

/* A new one for the same inbox: whoever was behind the old one is on its way out. No lock is held between two messages. */
enum err door_came(void *ctx, struct chan *c, struct msg_in *m)
{
	struct helper *h = ctx;
	struct worker *w = h->ctx;
	struct door *d = mem_alloc(sizeof(*d)), *old;

	d->inbox = span_dup(msg_get_str(m, 4096));
	d->fd = msg_take_fd(m);
	old = find(w, d->inbox);
	if (old)
		door_free(w, old);
	LL_PREPEND(w->doors, d);
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

void doors_close(struct worker *w)
{
	while (w->doors)
		door_free(w, w->doors);
}

static bool say(struct door *d, enum msg_type type)
{
	struct msg m;
	ssize_t put;

	msg_init(&m, type, d->turn);
	put = send(d->fd, m.b.p, m.b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
	msg_free(&m);
	return put > 0;
}

/* The answer to this turn; late ones to earlier turns are passed over. ERR_INUSE: none came, or nobody is there now. */
static enum err hear(struct door *d, struct errtext *t)
{
	uint64_t end = clock_ms() + PATIENCE_MS;
	char packet[ANSWER_MAX];

	for (uint64_t now = clock_ms(); now < end; now = clock_ms()) {
		struct pollfd p = { .fd = d->fd, .events = POLLIN };
		struct msg_in m;

		if (poll(&p, 1, (int)(end - now)) < 0 && errno != EINTR)
			break;
		ssize_t got = recv(d->fd, packet, sizeof(packet), MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
			break;
		if (got < 0 || !msg_parse(span_of(packet, (size_t)got), &m) || m.type != MSG_LOCK_ANSWER || m.id != d->turn)
			continue;
		enum err e = (enum err)msg_get_u8(&m);
		struct span text = msg_get_str(&m, sizeof(t->text) - 1);
		if (!msg_end(&m))
			break;
		return e ? err_say(t, e, "%.*s", (int)text.n, text.p) : ERR_OK;
	}
	(void)say(d, MSG_LOCK_DROP);
	return err_say(t, ERR_INUSE, "the lock of %s cannot be had now", d->inbox);
}

static enum err take(void *ctx, const char *path, struct errtext *t)
{
	struct door *d = find(ctx, path);

	if (!d)
		return ERR_PERM;
	d->turn++;
	(void)say(d, MSG_LOCK_TAKE);
	return hear(d, t);
}

static void drop(void *ctx, const char *path)
{
	struct door *d = find(ctx, path);

	if (d)
		(void)say(d, MSG_LOCK_DROP);
}

struct store_locker doors_locker(struct worker *w)
{
	return (struct store_locker){ .take = take, .drop = drop, .ctx = w };
}
