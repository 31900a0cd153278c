#include "ipc/chan.h"

#include "tests/unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
	struct loop *l;
	struct chan *c;
	int peer; /* the raw other end; -1: it is a channel too */
	int got;
	char text[64];
	bool closed, free_inside, refuse;
	enum err why;
	struct loop_timer t;
};

static enum err on_cont(void *ctx, struct chan *c, struct msg_in *m)
{
	struct end *d = ctx;

	msg_get_cstr(m, d->text, sizeof(d->text));
	if (!msg_end(m) || d->refuse)
		return ERR_PROTO;
	d->got++;
	if (d->free_inside)
		chan_free(&d->c);
	return ERR_OK;
}

static enum err on_handoff(void *ctx, struct chan *c, struct msg_in *m)
{
	struct end *d = ctx;
	int fd = msg_take_fd(m);
	char byte = 0;

	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, '0' + d->got++); /* in order */
	close(fd);
	return ERR_OK;
}

static void on_closed(void *ctx, struct chan *c, enum err why)
{
	struct end *d = ctx;

	assert_false(d->closed);
	d->closed = true;
	d->why = why;
}

static const struct chan_row auth_rows[] = { { MSG_AUTH_CONT, on_cont } };
static const struct chan_row master_rows[] = { { MSG_HANDOFF, on_handoff } };

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void settle(struct end *d)
{
	loop_timer_set(d->l, &d->t, 10, on_stop, d->l);
	loop_run(d->l);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* We are auth, the raw peer plays login. */
static void begin(struct end *d)
{
	int fd[2];

	*d = (struct end){ .l = loop_new() };
	assert_int_equal(chan_pair(fd), ERR_OK);
	d->peer = fd[1];
	d->c = chan_new(d->l, fd[0], ROLE_AUTH, ROLE_LOGIN, auth_rows, 1, on_closed, d);
}

static void end(struct end *d)
{
	chan_free(&d->c);
	if (d->peer >= 0)
		close(d->peer);
	loop_free(&d->l);
}

static void send_raw(struct end *d, struct msg *m, int extra_fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { m->b.p, m->b.n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h = (struct cmsghdr *)room;

	if (extra_fd >= 0) {
		mh.msg_control = room;
		mh.msg_controllen = sizeof(room);
		*h = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(h), &extra_fd, sizeof(int));
	}
	assert_true(sendmsg(d->peer, &mh, 0) >= 0);
	msg_free(m);
}

static void make(struct msg *m, enum msg_type type, const char *text)
{
	msg_init(m, type, 9);
	if (text)
		msg_put_str(m, text);
}

static void test_good(void **state)
{
	struct end d;
	struct msg m;

	begin(&d);
	for (int i = 0; i < 40; i++) {
		make(&m, MSG_AUTH_CONT, "hello");
		send_raw(&d, &m, -1);
	}
	settle(&d);
	assert_int_equal(d.got, 40);
	assert_string_equal(d.text, "hello");
	close(d.peer);
	d.peer = -1;
	settle(&d);
	assert_true(d.closed && d.why == ERR_CLOSED && chan_dead(d.c));
	end(&d);
}

/* Each of these kills the channel, calls no handler, and leaves no descriptor open. */
static void test_hostile(void **state)
{
	static char big[20000];

	for (int kind = 0; kind < 7; kind++) {
		int before = count_fds();
		struct end d;
		struct msg m;

		begin(&d);
		memset(big, 'x', sizeof(big) - 1);
		make(&m, kind == 1 ? MSG_TICKET : kind == 2 ? MSG_AUTH_ABORT : MSG_AUTH_CONT,
		     kind == 3 ? big : "x");
		if (kind == 0)
			m.b.p[0] = 0x7f; /* no such type */
		else if (kind == 2)
			buf_truncate(&m.b, MSG_HEAD); /* known, allowed, but nobody handles it */
		else if (kind == 5)
			buf_truncate(&m.b, 3); /* not even a head */
		else if (kind == 6)
			msg_put_u8(&m, 1); /* bytes behind the end */
		send_raw(&d, &m, kind == 4 ? 0 : -1); /* 4: a descriptor that nobody asked for */
		make(&m, MSG_AUTH_CONT, "after");
		send_raw(&d, &m, -1);
		settle(&d);
		assert_int_equal(d.got, 0);
		assert_true(d.closed && d.why == ERR_PROTO);
		assert_true(strlen(chan_why(d.c)) > 10);
		end(&d);
		assert_int_equal(count_fds(), before);
	}
}

static void test_refused_and_freed(void **state)
{
	struct end d;
	struct msg m;

	begin(&d);
	d.refuse = true;
	make(&m, MSG_AUTH_CONT, "x");
	send_raw(&d, &m, -1);
	settle(&d);
	assert_true(d.closed && d.why == ERR_PROTO);
	end(&d);
	begin(&d);
	d.free_inside = true;
	for (int i = 0; i < 2; i++) {
		make(&m, MSG_AUTH_CONT, "x");
		send_raw(&d, &m, -1);
	}
	settle(&d);
	assert_int_equal(d.got, 1);
	assert_true(!d.closed && !d.c);
	end(&d);
}

/* What we must not send ends our own channel, not the peer. */
static void test_own_rules(void **state)
{
	struct end d;
	struct msg m;

	begin(&d);
	make(&m, MSG_AUTH_CONT, "x"); /* only login may send it */
	chan_send(d.c, &m);
	settle(&d);
	assert_true(d.closed && d.why == ERR_PROTO);
	end(&d);
}

static void hand_off(struct chan *c, char byte)
{
	static const char block[50000];
	struct msg m;
	int fd[2];

	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_equal(write(fd[1], &byte, 1), 1);
	close(fd[1]);
	msg_init(&m, MSG_HANDOFF, 1);
	msg_put_span(&m, span_of(block, sizeof(block)));
	chan_send_fds(c, &m, fd, 1);
}

/* Descriptors travel; a peer that does not read is waited for, in order, up to a limit. */
static void test_queue_and_fds(void **state)
{
	struct end master = { loop_new(), .peer = -1 }, login = { loop_new(), .peer = -1 };
	int before = count_fds(), fd[2];

	assert_int_equal(chan_pair(fd), ERR_OK);
	login.c = chan_new(login.l, fd[0], ROLE_LOGIN, ROLE_MASTER, NULL, 0, on_closed, &login);
	master.c = chan_new(master.l, fd[1], ROLE_MASTER, ROLE_LOGIN, master_rows, 1, on_closed, &master);
	for (int i = 0; i < 40; i++)
		hand_off(login.c, (char)('0' + i));
	for (int i = 0; i < 100 && master.got < 40; i++) {
		settle(&master);
		settle(&login);
	}
	assert_int_equal(master.got, 40);
	assert_int_equal(count_fds(), before + 2);
	for (int i = 0; i < 200 && !chan_dead(login.c); i++)
		hand_off(login.c, 'x');
	settle(&login);
	assert_true(login.closed && login.why == ERR_LIMIT);
	chan_free(&login.c);
	chan_free(&master.c);
	assert_int_equal(count_fds(), before); /* what was lost is closed */
	end(&login);
	end(&master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_refused_and_freed),
		cmocka_unit_test(test_own_rules),
		cmocka_unit_test(test_queue_and_fds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
