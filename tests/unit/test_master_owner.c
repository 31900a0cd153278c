/* As whom a worker runs and what it may touch; and the administrator's masks. */
#include "fakemaster.h"
#include "test.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/must.h"

#include <stdlib.h>

static struct fake_master f; /* one test at a time */

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

static struct ticket ticket(uid_t uid, gid_t gid, const char *home, const char *mail)
{
	return (struct ticket){ .service = (char *)(uintptr_t)"imap",
				.user = (char *)(uintptr_t)"anna@x",
				.home = (char *)(uintptr_t)home,
				.mail = (char *)(uintptr_t)mail,
				.uid = uid,
				.gid = gid };
}

static void refused(uid_t uid, gid_t gid, const char *sentence)
{
	struct ticket t = ticket(uid, gid, "/srv/mail/x/anna", "");
	struct owner o = { 0 };
	struct errtext why = { "" };
	assert_int_equal(owner_find(&f.m, &t, &o, &why), ERR_PERM);
	assert_string_equal(why.text, sentence);
	assert_null(o.pool_root);
}

static void test_ids(void **state)
{
	refused(0, 1000, "uid 0 is below first_valid_uid=500");
	refused(499, 1000, "uid 499 is below first_valid_uid=500");
	refused(60001, 1000, "uid 60001 is above last_valid_uid=60000");
	refused(1000, 0, "gid 0 is below first_valid_gid=1");
	refused((uid_t)-1, 1000, "the userdb gives no uid and mail_uid is not set");
	f.m.root = false;
	refused(60000, 1000, "cannot become uid 60000: not running as root");
}

static void test_uid_0_whatever_is_set(void **state)
{
	fake_master_stop(&f);
	fake_master_start(&f, "first_valid_uid = 0\n");
	refused(0, 1000, "uid 0 never reads mail");
}

static void test_roots(void **state)
{
	struct ticket t = ticket(1000, 1000, "/srv/mail/x/anna", "");
	struct owner o;
	struct errtext why;
	assert_int_equal(owner_find(&f.m, &t, &o, &why), ERR_OK);
	assert_int_equal(o.uid, 1000);
	assert_int_equal(o.roots, 1);
	assert_string_equal(o.root[0], "/srv/mail/x/anna/Maildir");
	assert_string_equal(o.pool_root, "/srv/mail");
	owner_free(&o);
	t = ticket(1000, 1000, "/home/anna", "maildir:/var/x/%n:INDEX=/var/i/%n:CONTROL=/var/c/%n");
	assert_int_equal(owner_find(&f.m, &t, &o, &why), ERR_OK);
	assert_int_equal(o.roots, 3);
	assert_string_equal(o.root[0], "/var/x/anna");
	owner_free(&o);
	t = ticket(1000, 1000, "/srv/mail/x/anna", "maildir:/srv/mail/../../etc");
	assert_int_not_equal(owner_find(&f.m, &t, &o, &why), ERR_OK);
}

/* A user's name cannot lead out of the tree that the settings name. */
static void test_names_do_not_climb(void **state)
{
	static const char *const names[] = { "..", ".", "a/b", "../x", "x@..", "x@a/b", "/" };
	struct owner o;
	struct errtext why;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct ticket t = ticket(1000, 1000, "/home/anna", "maildir:/var/x/%d/%n");
		t.user = (char *)(uintptr_t)names[i];
		assert_int_not_equal(owner_find(&f.m, &t, &o, &why), ERR_OK);
	}
}

static const char *ctl(const char *command, const char *arg)
{
	static char text[1024];
	struct msg m;
	msg_init(&m, MSG_CTL_REQUEST, 1);
	msg_put_str(&m, command);
	msg_put_u32(&m, arg != NULL);
	if (arg != NULL)
		msg_put_str(&m, arg);
	struct msg_in in = fake_in(&m, -1);
	assert_int_equal(ctl_request(&f.m, &f.control.c, &in), ERR_OK);
	msg_free(&m);
	in = fake_take(&f.control, NULL);
	assert_int_equal(in.type, MSG_CTL_REPLY);
	assert_true(msg_get_bool(&in)); /* final */
	bool ok = msg_get_bool(&in);
	msg_get_cstr(&in, text, sizeof(text));
	return ok ? text : "";
}

static void test_masks(void **state)
{
	static const struct {
		const char *mask, *name;
		bool matches;
	} rows[] = {
		{ "*", "anna@x", true },	{ "", "anna@x", false },	  { "anna@x", "anna@x", true },
		{ "anna", "anna@x", false },	{ "?nna@x", "anna@x", true },	  { "*@x", "anna@x", true },
		{ "*@y", "anna@x", false },	{ "a*a*x", "anna@x", true },	  { "a**x", "anna@x", true },
		{ "anna@x?", "anna@x", false }, { "*a*a*a*", "anna@x", false },	  { "anna@x*", "anna@x", true },
		{ "******", "anna@x", true },	{ "a*nn*n*", "anna@x", false },
	};
	struct worker *w = mem_alloc(sizeof(*w));
	w->child = &f.worker[0].c;
	f.worker[0].c.worker = w;
	w->key = mem_str("anna@x");
	w->prev = w;
	f.m.workers = w;
	struct ticket t = ticket(1000, 1000, "", "");
	const struct msg_conn conn = { .rip = SPAN("192.0.2.1"), .session = SPAN("s") };
	session_add(&f.m, w, &t, &conn);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(*ctl("who", rows[i].mask) != '\0', rows[i].matches);
	assert_string_equal(ctl("kick", "*@x"), "1\n");
	assert_int_equal(fake_take(&f.worker[0], NULL).type, MSG_KICK);
	assert_string_equal(ctl("kick", "*@y"), "");
	assert_string_equal(ctl("kick", NULL), "");
	assert_string_equal(ctl("nonsense", NULL), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_uid_0_whatever_is_set, setup, teardown),
		cmocka_unit_test_setup_teardown(test_roots, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_do_not_climb, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masks, setup, teardown),
	};

	log_open("/dev/null", "", "", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
