#include "io/listen.h"

#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct desk {
	struct loop *l;
	struct acceptor *a;
	int fd[8], n, stop_at;
	bool free_inside;
	struct loop_timer t;
};

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void on_accept(void *ctx, int fd)
{
	struct desk *d = ctx;

	d->fd[d->n++] = fd;
	if (d->free_inside)
		acceptor_free(&d->a);
	if (d->n == d->stop_at)
		loop_stop(d->l);
}

static int dial(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void hang_up(struct desk *d, const int *own, int n)
{
	for (int i = 0; i < d->n; i++)
		close(d->fd[i]);
	for (int i = 0; i < n; i++)
		close(own[i]);
	d->n = 0;
}

static void test_tcp(void **state)
{
	struct desk d = { loop_new(), .stop_at = 2 };
	struct net_end end;
	struct errtext why;
	int fd[4], own[2];
	size_t n = 0;

	assert_int_equal(listen_tcp("*", 0, fd, 4, &n, &why), ERR_OK);
	assert_int_equal(n, 1);
	assert_true(net_local(fd[0], &end));
	assert_string_equal(end.ip, "0.0.0.0");
	d.a = acceptor_new(d.l, fd[0], on_accept, &d);
	own[0] = dial(end.port);
	own[1] = dial(end.port);
	loop_run(d.l);
	assert_true(fcntl(d.fd[0], F_GETFL) & O_NONBLOCK && fcntl(d.fd[0], F_GETFD) & FD_CLOEXEC);
	assert_true(net_peer(d.fd[0], &end));
	assert_string_equal(end.ip, "127.0.0.1");
	hang_up(&d, own, 2);
	d.free_inside = true;
	d.stop_at = 1;
	assert_true(net_local(fd[0], &end));
	own[0] = dial(end.port);
	own[1] = dial(end.port);
	loop_run(d.l);
	assert_int_equal(d.n, 1);
	assert_null(d.a);
	assert_int_equal(listen_tcp("127.0.0.1", end.port, fd + 1, 3, &n, &why), ERR_INUSE);
	assert_non_null(strstr(why.text, "127.0.0.1"));
	assert_int_equal(listen_tcp("no.such.host.invalid", 1, fd + 1, 3, &n, &why), ERR_NOTFOUND);
	hang_up(&d, own, 2);
	close(fd[0]);
	loop_free(&d.l);
}

/* Without descriptors it rests instead of spinning, and goes on by itself. */
static void test_out_of_descriptors(void **state)
{
	struct desk d = { loop_new(), .stop_at = 1 };
	struct rlimit lim, low;
	struct net_end end;
	size_t n;
	int fd, own;

	assert_int_equal(listen_tcp("127.0.0.1", 0, &fd, 1, &n, NULL), ERR_OK);
	assert_true(net_local(fd, &end));
	d.a = acceptor_new(d.l, fd, on_accept, &d);
	own = dial(end.port);
	getrlimit(RLIMIT_NOFILE, &lim);
	low = lim;
	low.rlim_cur = (rlim_t)own + 1;
	setrlimit(RLIMIT_NOFILE, &low);
	loop_timer_set(d.l, &d.t, 20, on_stop, d.l);
	loop_run(d.l);
	assert_int_equal(d.n, 0);
	setrlimit(RLIMIT_NOFILE, &lim);
	loop_timer_set(d.l, &d.t, 5000, on_stop, d.l);
	loop_run(d.l);
	assert_int_equal(d.n, 1);
	acceptor_free(&d.a);
	loop_timer_stop(d.l, &d.t);
	hang_up(&d, &own, 1);
	close(fd);
	loop_free(&d.l);
}

/* Who comes while it is paused waits. */
static void test_pause(void **state)
{
	struct desk d = { .l = loop_new(), .stop_at = 1 };
	struct errtext why;
	struct net_end end;
	int fd, own;
	size_t n = 0;

	assert_int_equal(listen_tcp("127.0.0.1", 0, &fd, 1, &n, &why), ERR_OK);
	assert_true(net_local(fd, &end));
	d.a = acceptor_new(d.l, fd, on_accept, &d);
	acceptor_pause(d.a, true);
	own = dial(end.port);
	loop_timer_set(d.l, &d.t, 20, on_stop, d.l);
	loop_run(d.l);
	assert_int_equal(d.n, 0);
	acceptor_pause(d.a, false);
	loop_timer_set(d.l, &d.t, 5000, on_stop, d.l);
	loop_run(d.l);
	assert_int_equal(d.n, 1);
	acceptor_free(&d.a);
	loop_timer_stop(d.l, &d.t);
	hang_up(&d, &own, 1);
	close(fd);
	loop_free(&d.l);
}

static void test_origin(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} pair[] = {
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true },
		{ "2001:db8:0:1::1", "2001:db8:0:2::1", false },
		{ "", "", true },
	};

	for (size_t i = 0; i < sizeof(pair) / sizeof(pair[0]); i++) {
		struct net_end a = { .port = 1 }, b = { .port = 2 };
		unsigned char oa[16], ob[16];

		snprintf(a.ip, sizeof(a.ip), "%s", pair[i].a);
		snprintf(b.ip, sizeof(b.ip), "%s", pair[i].b);
		net_origin(&a, oa);
		net_origin(&b, ob);
		assert_int_equal(memcmp(oa, ob, sizeof(oa)) == 0, pair[i].same);
	}
}

static void test_unix(void **state)
{
	char dir[] = "/tmp/test_listen.XXXXXX", path[64], plain[64], big[200];
	struct errtext why;
	struct stat st;
	uid_t uid;
	gid_t gid;
	pid_t pid;
	int fd, other;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	snprintf(plain, sizeof(plain), "%s/plain", dir);
	assert_int_equal(listen_unix(path, 0660, (uid_t)-1, getegid(), &fd, &why), ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(listen_set_access(path, 0600, (uid_t)-1, getegid(), &why), ERR_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(big, sizeof(big), "%s/link", dir);
	assert_int_equal(symlink(path, big), 0); /* not even to a socket */
	assert_int_equal(listen_set_access(big, 0666, (uid_t)-1, (gid_t)-1, &why), ERR_EXISTS);
	assert_int_equal(unlink(big), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(listen_unix(path, 0600, (uid_t)-1, (gid_t)-1, &other, &why), ERR_INUSE);
	close(fd); /* nobody answers any more */
	assert_int_equal(listen_unix(path, 0600, (uid_t)-1, (gid_t)-1, &fd, &why), ERR_OK);
	other = open(plain, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(other);
	assert_int_equal(listen_unix(plain, 0600, (uid_t)-1, (gid_t)-1, &other, &why), ERR_EXISTS);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(listen_unix(big, 0600, (uid_t)-1, (gid_t)-1, &other, &why), ERR_CANNOT);
	assert_true(net_peer_cred(fd, &pid, &uid, &gid));
	assert_int_equal(uid, geteuid());
	close(fd);
	unlink(path);
	unlink(plain);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
