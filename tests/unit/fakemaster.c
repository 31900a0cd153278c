#include "fakemaster.h"

#include "base/mem.h"
#include "base/must.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

/* The master's own acts: nothing here needs them. */
bool master_reload(struct master *m)
{
	return true;
}

void master_stop(struct master *m)
{
	m->stopping = true;
}

static const char settings_always[] = "ssl = no\nprotocols = imap lmtp\nmail_location = maildir:~/Maildir\n"
				      "first_valid_uid = 500\nlast_valid_uid = 60000\nfirst_valid_gid = 1\n"
				      "passdb {\ndriver = passwd-file\nargs = /nowhere\n}\n"
				      "userdb {\ndriver = static\nargs = uid=1000 gid=1000 home=/srv/mail/%d/%n\n}\n";

static enum err on_any(void *ctx, struct chan *c, struct msg_in *in)
{
	return ERR_OK;
}

static void on_closed(void *ctx, struct chan *c, enum err why)
{
}

static void add_child(struct fake_master *f, struct fake_child *k, unsigned row)
{
	static const struct chan_row rows[] = { { MSG_READY, on_any } };
	int fd[2];
	must(chan_pair(fd) == ERR_OK);
	k->far = fd[1];
	k->c = (struct child){ .number = ++f->m.next_child,
			       .row = row,
			       .pid = (pid_t)(1000000 + f->m.next_child),
			       .gen = generation_ref(f->m.gen),
			       .m = &f->m,
			       .ready = true };
	k->c.chan = chan_new(f->m.loop, fd[0], ROLE_MASTER, proc_rows[row].role, rows, ARRAY_LEN(rows), on_closed, &k->c);
	struct child *c = &k->c;
	DL_APPEND(f->m.children, c);
}

void fake_master_start(struct fake_master *f, const char *settings)
{
	*f = (struct fake_master){ .path = "/tmp/test_master.XXXXXX" };
	int fd = mkstemp(f->path);
	must(fd >= 0);
	must(dprintf(fd, "%s%s", settings_always, settings) > 0);
	close(fd);
	f->m.loop = loop_new();
	f->m.root = true;
	f->m.libexec = "/nowhere";
	f->m.gen = generation_load(f->path, 1);
	must(f->m.gen != NULL);
	for (unsigned row = 0; row < PROC_ROWS; row++)
		f->m.backoff[row].not_before = UINT64_MAX / 2;
	add_child(f, &f->login[0], PROC_LOGIN);
	add_child(f, &f->login[1], PROC_LOGIN);
	add_child(f, &f->auth, PROC_AUTH);
	add_child(f, &f->control, PROC_CONTROL);
	add_child(f, &f->dotlock, PROC_DOTLOCK);
	for (size_t i = 0; i < ARRAY_LEN(f->worker); i++)
		add_child(f, &f->worker[i], PROC_WORKER);
}

void fake_master_stop(struct fake_master *f)
{
	struct master *m = &f->m;
	struct child *c, *next;
	struct ticket *t, *next_t;
	while (m->early != NULL) {
		uint8_t id[TICKET_SIZE];
		memcpy(id, m->early->id, sizeof(id));
		worker_ticket_came(m, id);
	}
	HASH_ITER (hh, m->tickets, t, next_t) {
		HASH_DELETE(hh, m->tickets, t);
		ticket_free(&t);
	}
	DL_FOREACH_SAFE (m->children, c, next) {
		if (c->worker != NULL)
			worker_gone(m, c->worker);
		DL_DELETE(m->children, c);
		chan_free(&c->chan);
		generation_unref(&c->gen);
		close(((struct fake_child *)c)->far);
	}
	loop_timer_stop(m->loop, &m->fill_timer);
	generation_unref(&m->gen);
	loop_free(&m->loop);
	unlink(f->path);
}

struct msg_in fake_take(struct fake_child *k, size_t *fds_r)
{
	static char packet[MSG_MAX];
	char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = { packet, sizeof(packet) };
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct msg_in in = { 0 };
	ssize_t n = recvmsg(k->far, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	size_t fds = 0;
	for (struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&mh) : NULL; h != NULL; h = CMSG_NXTHDR(&mh, h)) {
		for (; fds < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); fds++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + fds * sizeof(int), sizeof(fd));
			close(fd);
		}
	}
	if (fds_r != NULL)
		*fds_r = fds;
	if (n > 0)
		must(msg_parse(span_of(packet, (size_t)n), &in));
	return in;
}

static void put_id(struct msg *m, const char *id)
{
	char bytes[TICKET_SIZE] = { 0 };
	snprintf(bytes, sizeof(bytes), "%s", id);
	msg_put_span(m, span_of(bytes, sizeof(bytes)));
}

static void put_conn(struct msg *m, const char *service)
{
	msg_put_conn(m, &(struct msg_conn){ .service = span_str(service),
					    .session = SPAN("s"),
					    .rip = SPAN("192.0.2.1"),
					    .lip = SPAN("192.0.2.2") });
}

void fake_put_ticket(struct msg *m, const char *id, uint32_t holder, const char *service, const struct msg_user *user)
{
	msg_init(m, MSG_TICKET, 0);
	put_id(m, id);
	msg_put_u32(m, holder);
	put_conn(m, service);
	msg_put_user(m, user);
}

void fake_put_handoff(struct msg *m, const char *id, const char *service, size_t input)
{
	char *bytes = mem_alloc(input + 1);
	msg_init(m, MSG_HANDOFF, 7);
	put_id(m, id);
	put_conn(m, service);
	msg_put_str(m, "tag");
	msg_put_span(m, span_of(bytes, input));
	free(bytes);
}

struct msg_in fake_in(const struct msg *m, int fd)
{
	struct msg_in in;
	must(msg_parse(buf_span(&m->b), &in));
	if (fd >= 0) {
		in.fd[0] = fd;
		in.nfd = 1;
	}
	return in;
}
