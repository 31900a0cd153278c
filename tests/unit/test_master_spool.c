/* Which directory of inboxes roost-dotlock gets, and who gets a door to which lock. */
#include "fakemaster.h"
#include "test.h"

#include "base/mem.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fake_master f; /* one test at a time */

static int teardown(void **state)
{
	fake_master_stop(&f);
	return 0;
}

static void spool_is(const char *settings, const char *want)
{
	fake_master_start(&f, settings);
	char *dir = spool_dir(f.m.gen->conf);
	if (want == NULL)
		assert_null(dir);
	else
		assert_string_equal(dir, want);
	free(dir);
	fake_master_stop(&f);
}

static void test_dir(void **state)
{
	spool_is("mail_privileged_group = mail\nmail_location = mbox:~/mail:INBOX=/var/mail/%u\n", "/var/mail");
	spool_is("mail_privileged_group = mail\nmail_location = mbox:~/mail:INBOX=/srv/mail/%d/%n\n", "/srv/mail");
	spool_is("mail_privileged_group = mail\nmail_location = mbox:~/mail:INBOX=~/inbox\n", NULL);
	spool_is("mail_privileged_group = mail\nmail_location = mbox:~/mail\n", NULL);
	spool_is("mail_privileged_group = mail\nmail_location = maildir:~/m:INBOX=/var/mail/%u\n", NULL);
	spool_is("mail_location = mbox:~/mail:INBOX=/var/mail/%u\n", NULL);
	fake_master_start(&f, "");
}

/* A login of user in a worker; the next message of dotlock is then looked at. */
static void login(const char *id, const char *user, const char *mail)
{
	int pair[2];
	struct msg_user u = { span_str(user), 1000, 1000, SPAN("/home/x"), span_str(mail), SPAN("") };
	struct msg m;
	fake_put_ticket(&m, id, f.login[0].c.number, "imap", &u);
	struct msg_in in = fake_in(&m, -1);
	assert_int_equal(ticket_add(&f.m, &in), ERR_OK);
	msg_free(&m);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	fake_put_handoff(&m, id, "imap", 0);
	in = fake_in(&m, pair[0]);
	assert_int_equal(worker_handoff(&f.m, &f.login[0].c, &in), ERR_OK);
	msg_free(&m);
	close(pair[1]);
	assert_int_equal(fake_take(&f.login[0], NULL).type, MSG_HANDOFF_OK);
}

static void granted(const char *name)
{
	size_t fds;
	struct msg_in in = fake_take(&f.dotlock, &fds);
	assert_int_equal(in.type, MSG_LOCK_GRANT);
	assert_int_equal(fds, 1);
	(void)msg_get_u32(&in);
	assert_true(span_eq_str(msg_get_str(&in, 100), name));
	assert_true(msg_end(&in));
}

static void test_doors(void **state)
{
	fake_master_start(&f, "mail_privileged_group = mail\nmail_location = mbox:~/mail:INBOX=/nowhere/spool/%u\n");
	login("a", "anna", "");
	granted("anna");
	struct fake_child *w = &f.worker[0];
	assert_int_equal(fake_take(w, NULL).type, MSG_ASSIGN);
	struct msg_in in = fake_take(w, NULL);
	assert_int_equal(in.type, MSG_LOCK_DOOR);
	assert_true(span_eq_str(msg_get_str(&in, 100), "/nowhere/spool/anna"));
	assert_int_equal(fake_take(w, NULL).type, MSG_ATTACH);
	/* A second session has the door already. */
	login("b", "anna", "");
	assert_int_equal(fake_take(&f.dotlock, NULL).type, 0);
	assert_int_equal(fake_take(w, NULL).type, MSG_ATTACH);
	/* Another inbox than those of the directory is nobody's to lock but its owner's. */
	login("c", "bert", "mbox:~/mail:INBOX=/elsewhere/bert");
	assert_int_equal(fake_take(&f.dotlock, NULL).type, 0);
	/* Another process that locks: everybody gets a new door. */
	spool_renew(&f.m);
	granted("anna");
	assert_int_equal(fake_take(&f.dotlock, NULL).type, 0);
	assert_int_equal(fake_take(w, NULL).type, MSG_LOCK_DOOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_dir, teardown),
		cmocka_unit_test_teardown(test_doors, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
