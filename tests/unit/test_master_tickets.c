/* Tickets and handoffs: what a login process, conquered or not, can get from the master. */
#include "fakemaster.h"
#include "test.h"

#include "base/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fake_master f; /* one test at a time */

static const struct msg_user anna = {
	.user = { "anna@x", 6 }, .uid = 1000, .gid = 1000, .home = { "/srv/mail/x/anna", 16 }
};

static int setup(void **state)
{
	fake_master_start(&f, "");
	return 0;
}

static int teardown(void **state)
{
	fake_master_stop(&f);
	return 0;
}

static enum err give(const char *id, const struct fake_child *holder, const char *service, const struct msg_user *user)
{
	struct msg m;
	fake_put_ticket(&m, id, holder->c.number, service, user);
	struct msg_in in = fake_in(&m, -1);
	enum err e = ticket_add(&f.m, &in);
	msg_free(&m);
	return e;
}

/* fd_take as a channel does it: what the handler leaves is closed. */
static enum err redeem_fd(const char *id, struct fake_child *from, const char *claim, size_t input, int fd_take)
{
	struct msg m;
	fake_put_handoff(&m, id, claim, input);
	struct msg_in in = fake_in(&m, fd_take);
	enum err e = worker_handoff(&f.m, &from->c, &in);
	int left = msg_take_fd(&in);
	if (left >= 0)
		close(left);
	msg_free(&m);
	return e;
}

static enum err redeem(const char *id, struct fake_child *from, const char *claim)
{
	return redeem_fd(id, from, claim, 0, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static void expect_answer(struct fake_child *from, enum msg_type type)
{
	assert_int_equal(fake_take(from, NULL).type, type);
}

/* The next ATTACH of a worker: whose, and as what. */
static void expect_attach(struct fake_child *w, const char *service, const char *user)
{
	size_t fds;
	struct msg_conn conn;
	struct msg_user u;
	struct msg_in in = fake_take(w, &fds);
	if (in.type == MSG_ASSIGN)
		in = fake_take(w, &fds);
	assert_int_equal(in.type, MSG_ATTACH);
	assert_int_equal(fds, 1);
	msg_get_conn(&in, &conn);
	msg_get_user(&in, &u);
	assert_true(span_eq_str(conn.service, service));
	assert_true(span_eq_str(u.user, user));
}

static void test_once(void **state)
{
	assert_int_equal(give("t", &f.login[0], "imap", &anna), ERR_OK);
	assert_int_equal(redeem("t", &f.login[0], "imap"), ERR_OK);
	expect_answer(&f.login[0], MSG_HANDOFF_OK);
	expect_attach(&f.worker[0], "imap", "anna@x");
	assert_int_equal(redeem("t", &f.login[0], "imap"), ERR_OK); /* again: waits, in vain */
	assert_int_equal(fake_take(&f.login[0], NULL).type, 0);
	f.m.early->came = 0;
	usleep(1000);
	worker_ticket_came(&f.m, f.m.early->id);
	expect_answer(&f.login[0], MSG_HANDOFF_FAIL);
	assert_int_equal(fake_take(&f.worker[0], NULL).type, 0);
	assert_int_equal(give("t2", &f.login[0], "imap", &anna), ERR_OK);
	assert_int_equal(give("t2", &f.login[0], "imap", &anna), ERR_PROTO);
}

static void test_only_the_holder(void **state)
{
	give("t", &f.login[0], "imap", &anna);
	redeem("t", &f.login[1], "imap");
	expect_answer(&f.login[1], MSG_HANDOFF_FAIL);
	redeem("t", &f.login[0], "imap"); /* the theft has cost him nothing */
	expect_answer(&f.login[0], MSG_HANDOFF_OK);
}

static void test_service_is_the_tickets(void **state)
{
	give("t", &f.login[0], "lmtp", &anna);
	redeem("t", &f.login[0], "imap");
	expect_attach(&f.worker[0], "lmtp", "anna@x");
}

static void test_old(void **state)
{
	give("t", &f.login[0], "imap", &anna);
	f.m.tickets->made = loop_now(f.m.loop) - TICKET_LIFE_MS - 1;
	redeem("t", &f.login[0], "imap");
	expect_answer(&f.login[0], MSG_HANDOFF_FAIL);
	give("t", &f.login[0], "imap", &anna);
	f.m.tickets->made = loop_now(f.m.loop) - TICKET_LIFE_MS - 1;
	tickets_expire(&f.m);
	assert_null(f.m.tickets);
}

/* The login was faster than auth: it waits for its ticket. */
static void test_early(void **state)
{
	redeem("t", &f.login[0], "imap");
	assert_int_equal(fake_take(&f.login[0], NULL).type, 0);
	give("t", &f.login[0], "imap", &anna);
	expect_answer(&f.login[0], MSG_HANDOFF_OK);
	expect_attach(&f.worker[0], "imap", "anna@x");
	redeem("stolen", &f.login[1], "imap"); /* waiting for another's ticket brings nothing either */
	give("stolen", &f.login[0], "imap", &anna);
	expect_answer(&f.login[1], MSG_HANDOFF_FAIL);
}

/* One child cannot make the master hold descriptors without end; the other may still be early. */
static void test_early_is_limited(void **state)
{
	char id[16];
	for (int i = 0; i < EARLY_MAX + 10; i++) {
		snprintf(id, sizeof(id), "x%d", i);
		redeem(id, &f.login[0], "imap");
	}
	for (int i = 0; i < 10; i++)
		expect_answer(&f.login[0], MSG_HANDOFF_FAIL);
	assert_int_equal(fake_take(&f.login[0], NULL).type, 0);
	redeem("t", &f.login[1], "imap");
	give("t", &f.login[1], "imap", &anna);
	expect_answer(&f.login[1], MSG_HANDOFF_OK);
}

static void test_breaking_rules(void **state)
{
	give("t", &f.login[0], "imap", &anna);
	assert_int_equal(redeem_fd("t", &f.login[0], "imap", 0, open("/dev/null", O_RDWR | O_CLOEXEC)), ERR_PROTO);
	assert_int_equal(redeem_fd("t", &f.login[0], "imap", 0, open("/etc/passwd", O_RDONLY | O_CLOEXEC)), ERR_PROTO);
	assert_int_equal(redeem_fd("t", &f.login[0], "imap", 0, -1), ERR_PROTO);
	assert_int_equal(redeem_fd("t", &f.login[0], "imap", 40000, socket(AF_UNIX, SOCK_STREAM, 0)), ERR_PROTO);
	assert_non_null(f.m.tickets);
}

/* The longest that all rules allow still goes through: a worker is never killed for what a login sent. */
static void test_longest(void **state)
{
	static char name[1024], path[4096], extra[16384];
	memset(name, 'n', sizeof(name));
	memset(path, 'p', sizeof(path));
	memset(extra, 'e', sizeof(extra));
	path[0] = '/';
	extra[sizeof(extra) - 1] = '\0';
	const struct msg_user user = { .user = { name, sizeof(name) },
				       .uid = 1000,
				       .gid = 1000,
				       .home = { path, 3000 },
				       .mail = { "", 0 },
				       .extra = { extra, sizeof(extra) } };
	assert_int_equal(give("t", &f.login[0], "imap", &user), ERR_OK);
	assert_int_equal(redeem_fd("t", &f.login[0], "imap", 32768, socket(AF_UNIX, SOCK_STREAM, 0)), ERR_OK);
	expect_answer(&f.login[0], MSG_HANDOFF_OK);
	assert_false(chan_dead(f.worker[0].c.chan));
}

static void test_limit(void **state)
{
	char id[16];
	for (int i = 0; i < 11; i++) {
		snprintf(id, sizeof(id), "t%d", i);
		give(id, &f.login[0], "imap", &anna);
		redeem(id, &f.login[0], "imap");
		expect_answer(&f.login[0], i < 10 ? MSG_HANDOFF_OK : MSG_HANDOFF_FAIL);
	}
	give("mail", &f.login[0], "lmtp", &anna); /* counts for nobody */
	redeem("mail", &f.login[0], "lmtp");
	expect_answer(&f.login[0], MSG_HANDOFF_OK);
	assert_null(f.worker[1].c.worker); /* all of one user in one worker */
}

static void test_stopping(void **state)
{
	give("t", &f.login[0], "imap", &anna);
	f.m.stopping = true;
	redeem("t", &f.login[0], "imap");
	expect_answer(&f.login[0], MSG_HANDOFF_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_holder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_service_is_the_tickets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_early_is_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(test_breaking_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopping, setup, teardown),
	};

	log_open("/dev/null", "", "", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
