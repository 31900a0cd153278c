/* The grammar, the table, the checks, and `roost -n`: what is written is what is read, and errors
 * name place and word. */
#include "base/buf.h"
#include "base/mem.h"
#include "base/must.h"
#include "conf/conf.h"
#include "conf/dump.h"
#include "conf/export.h"
#include "conf/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

/* Enough for the checks of the whole. */
#define INBOX "namespace i {\n inbox = yes\n}\n"
#define PRELUDE                                                                                    \
	"ssl = no\nmail_location = maildir:~/Maildir\n"                                            \
	"passdb {\n driver = passwd-file\n args = /etc/roost/users\n}\n"                           \
	"userdb {\n driver = static\n args = uid=vmail gid=vmail home=/srv/%u\n}\n"

struct loaded {
	struct conf *c;
	struct buf errors, warnings;
	enum err e;
};

static struct loaded load_flags(const char *text, unsigned flags)
{
	struct loaded l = { 0 };

	buf_init(&l.errors, 100000);
	buf_init(&l.warnings, 100000);
	l.e = conf_load_text(span_str(text), "/t/roost.conf", flags, &l.c, &l.errors, &l.warnings);
	return l;
}

static struct loaded load(const char *text)
{
	return load_flags(text, CONF_LOAD_NO_FILES);
}

static void unload(struct loaded *l)
{
	conf_free(&l->c);
	buf_free(&l->errors);
	buf_free(&l->warnings);
}

static struct loaded load_ok(const char *text)
{
	struct loaded l = load(text);

	if (l.e)
		print_error("%s", buf_cstr(&l.errors));
	assert_int_equal(l.e, ERR_OK);
	return l;
}

static void expect_error(const char *text, const char *error)
{
	struct loaded l = load(text);

	assert_int_equal(l.e, ERR_SYNTAX);
	if (!strstr(buf_cstr(&l.errors), error))
		fail_msg("no \"%s\" in:\n%s", error, buf_cstr(&l.errors));
	unload(&l);
}

static void expect_warning(const char *text, const char *warning)
{
	struct loaded l = load_ok(text);

	if (!strstr(buf_cstr(&l.warnings), warning))
		fail_msg("no \"%s\" in:\n%s", warning, buf_cstr(&l.warnings));
	unload(&l);
}

static void test_types(void **state)
{
	struct loaded l = load_ok(PRELUDE "imap_max_line_length = 128 k\n"
					  "auth_failure_delay=500 msecs\n"
					  "mailbox_idle_check_interval = 2mins\n"
					  "worker_linger = 90\n"
					  "first_valid_uid = 1000\n"
					  "listen = 127.0.0.1, ::1\n"
					  "mail_fsync = never\n"
					  "auth_verbose = yes\n");

	assert_int_equal(conf_u64(l.c, CONF_IMAP_MAX_LINE_LENGTH), 131072);
	assert_int_equal(conf_u64(l.c, CONF_AUTH_FAILURE_DELAY), 500);
	assert_int_equal(conf_u64(l.c, CONF_MAILBOX_IDLE_CHECK_INTERVAL), 120000);
	assert_int_equal(conf_u64(l.c, CONF_WORKER_LINGER), 90000);
	assert_int_equal(conf_u64(l.c, CONF_FIRST_VALID_UID), 1000);
	assert_string_equal(conf_words(l.c, CONF_LISTEN)[1], "::1");
	assert_null(conf_words(l.c, CONF_LISTEN)[2]);
	assert_int_equal(conf_enum(l.c, CONF_MAIL_FSYNC), CONF_FSYNC_NEVER);
	assert_string_equal(conf_str(l.c, CONF_MAIL_FSYNC), "never");
	assert_true(conf_bool(l.c, CONF_AUTH_VERBOSE));
	assert_true(conf_has_word(l.c, CONF_PROTOCOLS, "IMAP"));
	assert_string_equal(conf_str(l.c, CONF_LOGIN_GREETING), "Roost ready.");
	assert_int_equal(conf_u64(l.c, CONF_DEFAULT_VSZ_LIMIT), 256 << 20);
	unload(&l);
}

static void test_lines(void **state)
{
	struct loaded l = load_ok(PRELUDE "  login_greeting  =  two words  # comment\n"
					  "hostname = \"  mx # 1 \\\"q\\\" \"\r\n"
					  "# whole line \\\n"
					  "imap_capability = +A \\ # more\n"
					  "   B \\\n"
					  "\n"
					  "instance_name = x$y\n"
					  "imap_id_send = 'a b'");

	assert_string_equal(conf_str(l.c, CONF_LOGIN_GREETING), "two words");
	assert_string_equal(conf_str(l.c, CONF_HOSTNAME), "  mx # 1 \"q\" ");
	assert_string_equal(conf_str(l.c, CONF_IMAP_CAPABILITY), "+A B");
	assert_string_equal(conf_str(l.c, CONF_INSTANCE_NAME), "x$y");
	assert_string_equal(conf_str(l.c, CONF_IMAP_ID_SEND), "a b");
	unload(&l);
}

static void test_refs(void **state)
{
	struct loaded l = load_ok(
		PRELUDE "login_greeting = Hi\n"
			"login_greeting = $login_greeting there\n"
			"protocols = $protocols imap\n"
			"hostname = \"$login_greeting\"\n"
			"default_client_limit = $default_process_limit\n"
			"protocol imap {\n mail_log_prefix = $login_greeting $mail_fsync\n}\n");

	assert_string_equal(conf_str(l.c, CONF_LOGIN_GREETING), "Hi there");
	assert_string_equal(conf_words(l.c, CONF_PROTOCOLS)[2], "imap");
	assert_string_equal(conf_str(l.c, CONF_HOSTNAME), "$login_greeting");
	assert_int_equal(conf_u64(l.c, CONF_DEFAULT_CLIENT_LIMIT), 100);
	assert_string_equal(conf_str(conf_protocol(l.c, "imap"), CONF_MAIL_LOG_PREFIX),
			    "Hi there optimized");
	unload(&l);
	expect_error(PRELUDE "hostname = $nothing\n",
		     "/t/roost.conf:11: \"$nothing\" refers to no setting");
}

static const char *greeting(const struct conf *c, const char *protocol, const char *lip, const char *rip)
{
	return conf_str(conf_for(c, &(struct conf_peer){ protocol, lip, rip }), CONF_LOGIN_GREETING);
}

static void test_address_views(void **state)
{
	struct loaded l = load_ok(PRELUDE "login_greeting = all\n"
					  "remote 10.1.0.0/16 {\n login_greeting = near\n}\n"
					  "remote \"10.0.0.0/8, 2001:db8::/32\" {\n login_greeting = far\n"
					  " protocol lmtp {\n login_greeting = far lmtp\n }\n}\n"
					  "protocol imap {\n login_greeting = imap\n"
					  " local 192.0.2.1 {\n login_greeting = local imap\n }\n}\n"
					  "remote [::1] {\n login_greeting = home\n}\n");
	const struct conf *c = l.c;

	assert_string_equal(greeting(c, "imap", "", ""), "imap");
	assert_string_equal(greeting(c, "lmtp", NULL, NULL), "all");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "10.1.255.255"), "near");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "10.2.0.0"), "far");
	assert_string_equal(greeting(c, "lmtp", "192.0.2.2", "10.2.0.0"), "far lmtp");
	assert_string_equal(greeting(c, "lmtp", "192.0.2.2", "10.1.0.0"), "near");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "11.0.0.0"), "imap");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "9.255.255.255"), "imap");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "::ffff:10.1.2.3"), "near");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "2001:db8:1::1"), "far");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "2001:db9::1"), "imap");
	assert_string_equal(greeting(c, "imap", "192.0.2.2", "::1"), "home");
	assert_string_equal(greeting(c, "imap", "192.0.2.1", "10.1.2.3"), "local imap");
	assert_string_equal(greeting(c, "lmtp", "192.0.2.1", "no address"), "all");
	assert_ptr_equal(conf_for(c, &(struct conf_peer){ "imap", "192.0.2.1", "10.1.2.3" }),
			 conf_for(c, &(struct conf_peer){ "imap", "192.0.2.1", "10.1.2.4" }));
	unload(&l);
}

static void test_user_settings(void **state)
{
	struct loaded l = load_ok(PRELUDE "imap_capability = +A\n");
	struct conf *user = NULL;
	struct errtext t;

	assert_int_equal(conf_user_set(l.c, &user, SPAN("uid"), SPAN("5"), &t), ERR_NOTFOUND);
	assert_int_equal(conf_user_set(l.c, &user, SPAN("mail_fsync"), SPAN("never"), &t), ERR_NOTFOUND);
	assert_null(user);
	assert_int_not_equal(conf_user_set(l.c, &user, SPAN("message_size_max"), SPAN("much"), &t), ERR_OK);
	assert_int_equal(conf_user_set(l.c, &user, SPAN("imap_capability"), SPAN("+B"), &t), ERR_OK);
	assert_string_equal(conf_str(user, CONF_IMAP_CAPABILITY), "+B");
	assert_string_equal(conf_str(l.c, CONF_IMAP_CAPABILITY), "+A");
	conf_free(&user);
	unload(&l);
}

static void test_protocol_views(void **state)
{
	struct loaded l = load_ok(PRELUDE "protocol imap {\n mail_max_userip_connections = 20\n}\n"
					  "protocol !imap {\n mail_fsync = always\n}\n"
					  "mail_fsync = never\n"
					  "protocol lda {\n hostname = x\n}\n");
	const struct conf *imap = conf_protocol(l.c, "imap"), *lmtp = conf_protocol(l.c, "lmtp");

	assert_int_equal(conf_u64(l.c, CONF_MAIL_MAX_USERIP_CONNECTIONS), 10);
	assert_int_equal(conf_u64(imap, CONF_MAIL_MAX_USERIP_CONNECTIONS), 20);
	assert_int_equal(conf_enum(imap, CONF_MAIL_FSYNC), CONF_FSYNC_NEVER);
	assert_int_equal(conf_enum(lmtp, CONF_MAIL_FSYNC), CONF_FSYNC_ALWAYS);
	assert_ptr_equal(conf_protocol(l.c, "pop3"), lmtp); /* made once */
	assert_non_null(strstr(buf_cstr(&l.warnings),
			       "section \"protocol lda\": accepted but has no effect"));
	unload(&l);
}

static void test_namespaces(void **state)
{
	size_t n;
	struct loaded l = load_ok(
		PRELUDE "namespace inbox {\n inbox = yes\n"
			" mailbox Drafts {\n special_use = \\Drafts\n auto = subscribe\n }\n"
			" mailbox \"Sent Messages\" {\n special_use = \\Sent\n }\n}\n"
			"namespace inbox {\n separator = /\n"
			" mailbox Drafts {\n autoexpunge = 30d\n }\n}\n"
			"namespace old {\n prefix = old/\n list = children\n disabled = yes\n}\n");
	const struct conf_namespace *ns = conf_namespaces(l.c, &n);

	assert_int_equal(n, 1);
	assert_true(ns->inbox && ns->subscriptions && !ns->hidden);
	assert_string_equal(ns->separator, "/");
	assert_int_equal(ns->mailboxes_n, 2);
	assert_string_equal(ns->mailboxes[0].name, "Drafts");
	assert_int_equal(ns->mailboxes[0].autocreate, CONF_AUTO_SUBSCRIBE);
	assert_int_equal(ns->mailboxes[0].autoexpunge, 30ull * 86400 * 1000);
	assert_string_equal(ns->mailboxes[1].name, "Sent Messages");
	assert_string_equal(ns->mailboxes[1].special_use[0], "\\Sent");
	unload(&l);

	l = load_ok(PRELUDE);
	ns = conf_namespaces(l.c, &n);
	assert_int_equal(n, 1);
	assert_true(ns->inbox);
	assert_int_equal(ns->list, CONF_NS_LIST_YES);
	unload(&l);
	expect_error(PRELUDE "namespace a {\n prefix = a/\n}\n",
		     "one namespace must have inbox = yes");
	l = load_ok(PRELUDE "namespace b {\n prefix = b/\n order = 2\n}\n" INBOX "namespace cc {\n prefix = cc/\n}\n");
	ns = conf_namespaces(l.c, &n);
	assert_int_equal(n, 3);
	assert_string_equal(ns[0].name, "i");
	assert_string_equal(ns[1].name, "cc");
	assert_string_equal(ns[2].name, "b");
	unload(&l);
}

static void test_too_many_namespaces(void **state)
{
	static const struct {
		int n;
		const char *more, *says;
	} cases[] = {
		{ 255, "", "more than 255 namespaces" },
		{ 33, "%%u/\n type = shared\n location = maildir:/v/%%u", "more than 32 namespaces with %%u, %%n or %%d" },
	};
	struct loaded l;
	struct buf text;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&text, 1 << 20);
		buf_add_str(&text, PRELUDE INBOX);
		for (int k = 1; k < cases[i].n; k++)
			buf_printf(&text, "namespace n%d {\n prefix = n%d/%s\n}\n", k, k, cases[i].more);
		l = load_ok(buf_cstr(&text));
		unload(&l);
		buf_printf(&text, "namespace z {\n prefix = z/%s\n}\n", cases[i].more);
		expect_error(buf_cstr(&text), cases[i].says);
		buf_free(&text);
	}
}

static void test_bad_namespaces(void **state)
{
	static const struct {
		const char *text, *say;
	} rows[] = {
		{ "namespace b {\n inbox = yes\n prefix = b/\n}\n", "inbox = yes already" },
		{ "namespace b {\n separator = /\n prefix = b.\n}\n", "does not end with the separator" },
		{ "namespace b {\n prefix = b\n}\n", "does not end with a separator" },
		{ "namespace b {\n separator = //\n prefix = b//\n}\n", "one character" },
		{ "namespace b {\n}\n", "the same prefix" },
		{ "namespace b {\n prefix = b/\n alias_for = c/\n}\n", "no namespace has the prefix \"c/\"" },
		{ "namespace b {\n prefix = b/\n type = public\n}\n", "needs a location" },
		{ "namespace b {\n prefix = b/%%u/\n type = public\n location = maildir:/m/%%u\n}\n", "for type = shared" },
		{ "namespace b {\n prefix = b/\n type = shared\n location = maildir:/m/%%u\n}\n", "must be in the prefix" },
		{ "namespace b {\n prefix = b/%u/%%u/\n type = shared\n location = maildir:/m/%%u\n}\n", "prefix: unknown variable" },
		{ "namespace b {\n prefix = b/%%h/%%u/\n type = shared\n location = maildir:/m/%%u\n}\n", "no part of a mailbox" },
		{ "namespace b {\n prefix = b/%%u/\n type = shared\n location = maildir:%%h/m\n}\n", "mail_home" },
		{ "namespace b {\n prefix = b/\n location = maildir:~/b:LAYOUT=index\n}\n", "LAYOUT=index" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char text[1024];

		snprintf(text, sizeof(text), "%s%s%s", PRELUDE, INBOX, rows[i].text);
		expect_error(text, rows[i].say);
	}
	expect_error(PRELUDE INBOX "namespace b {\n prefix = b.\n separator = .\n}\n"
				   "namespace c {\n prefix = c/\n separator = /\n}\n",
		     "must have one separator");
}

static const struct conf_listener *listener(const struct conf *c, const char *name)
{
	size_t n;
	const struct conf_listener *l = conf_listeners(c, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(l[i].name, name) == 0)
			return &l[i];
	return NULL;
}

static void test_listeners(void **state)
{
	struct loaded l = load_ok(
		PRELUDE
		"ssl_cert = </a\nssl_key = </b\n"
		"ssl = yes\nbase_dir = /run/r\n"
		"protocols = imap lmtp\nlisten = 127.0.0.1\n"
		"service imap-login {\n inet_listener imap {\n port = 10143\n }\n"
		" inet_listener other {\n port = 7\n address = 10.0.0.1 ::1\n }\n}\n"
		"service lmtp {\n unix_listener /var/spool/x {\n mode = 0660\n user = postfix\n }\n"
		" inet_listener lmtp {\n port = 10024\n }\n}\n");
	const struct conf_listener *x;

	x = listener(l.c, "imap");
	assert_int_equal(x->port, 10143);
	assert_string_equal(x->protocol, "imap");
	assert_string_equal(x->address[0], "127.0.0.1");
	assert_false(x->ssl);
	x = listener(l.c, "imaps");
	assert_true(x->ssl);
	assert_int_equal(x->port, 993);
	assert_string_equal(listener(l.c, "other")->address[1], "::1");
	x = listener(l.c, "/var/spool/x");
	assert_int_equal(x->kind, CONF_UNIX);
	assert_int_equal(x->mode, 0660);
	assert_string_equal(x->user, "postfix");
	assert_int_equal(listener(l.c, "/run/r/lmtp")->mode, 0666);
	assert_int_equal(listener(l.c, "lmtp")->port, 10024);
	assert_int_equal(conf_service(l.c, "imap")->process_limit, 1024);
	unload(&l);

	l = load_ok(PRELUDE "protocols = imap\nservice imap-login {\n inet_listener imap {\n port "
			    "= 0\n }\n}\n");
	assert_null(listener(l.c, "imap"));
	assert_null(listener(l.c, "imaps")); /* ssl = no */
	assert_null(conf_service(l.c, "nothing"));
	unload(&l);
}

static void test_errors(void **state)
{
	struct loaded l = load("ssl = no\nlogin_greting = x\nfirst_valid_uid = many\n"
			       "ssl = perhaps\nnamespce {\n x = 1\n y {\n }\n}\n}\njunk\n"
			       "userdb {\n driver = sql\n port = 1\n}\n");
	const char *text = buf_cstr(&l.errors);
	static const char *const expected[] = {
		"/t/roost.conf:2: unknown setting \"login_greting\"; the nearest known name is "
		"\"login_greeting\"",
		"/t/roost.conf:3: first_valid_uid: number expected, not \"many\"",
		"/t/roost.conf:4: ssl: one of \"no yes required\" expected, not \"perhaps\"",
		"/t/roost.conf:5: unknown section \"namespce\"; the nearest known name is "
		"\"namespace\"",
		"/t/roost.conf:10: \"}\" without an open section",
		"/t/roost.conf:11: neither",
		"/t/roost.conf:14: unknown setting \"port\" in section userdb",
		"/t/roost.conf:13: userdb: driver \"sql\" is not served",
		"mail_location: it is empty",
		"no passdb",
	};

	assert_int_equal(l.e, ERR_SYNTAX);
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		if (!strstr(text, expected[i]))
			fail_msg("no \"%s\" in:\n%s", expected[i], text);
	assert_null(strstr(text, "\"x\""));
	unload(&l);
}

static void test_more_errors(void **state)
{
	expect_error("dovecot_config_version = 2.4.0\n", "Dovecot 2.4");
	expect_error("ssl_server_cert_file = /x\n", "in Dovecot 2.4 of ssl_cert");
	expect_error(PRELUDE "ssl_cert = /x\n", "write ssl_cert = </path");
	expect_error(PRELUDE "namespace {\n mail_fsync = never\n}\n",
		     "setting \"mail_fsync\" cannot stand in a namespace section");
	expect_error(PRELUDE "inet_listener x {\n}\n",
		     "section \"inet_listener\" cannot stand here");
	expect_error(PRELUDE "service lmtp {\n",
		     "/t/roost.conf:11: section \"service\" is never closed");
	expect_error(PRELUDE "protocol imp {\n}\n", "nearest known name is \"imap\"");
	expect_error(PRELUDE "protocols = imap smtp\n", "unknown protocol \"smtp\"");
	expect_error(PRELUDE "auth_mechanisms = plian\n", "nearest known name is \"plain\"");
	expect_error(PRELUDE "imap_max_line_length = 64 q\n", "unknown unit");
	expect_error(PRELUDE "auth_failure_delay = 2 fortnights\n", "unknown unit");
	expect_error(PRELUDE "login_processes = 0\n", "login_processes must be 1 to 256");
	expect_error(PRELUDE "last_valid_uid = 10\n",
		     "last_valid_uid=10 is below first_valid_uid=500");
	expect_error(PRELUDE "mail_location = sdbox:~/x\n", "driver \"sdbox\" is not served");
	expect_error(PRELUDE "mail_location = maildir:~/x:INBX=/y\n", "unknown key \"INBX\"");
	expect_error(PRELUDE "auth_username_format = %Zu\n", "%Z");
	expect_error(PRELUDE "ssl = yes\n", "ssl = yes needs a certificate");
	expect_error(PRELUDE "passdb {\n driver = passwd-file\n args = /m\n master = yes\n}\n",
		     "master: not served here");
	expect_error(PRELUDE "!include other.conf\n", "cannot be included here");
	expect_error(PRELUDE "!inclde other.conf\n", "!include");
	expect_error(PRELUDE "service lmtp {\n inet_listener l {\n port = 70000\n }\n}\n",
		     "above 65535");
	expect_error(PRELUDE "listen = here\n"
			     "service lmtp {\n inet_listener l {\n port = 70\n }\n}\n",
		     "\"here\" is no address");
}

static void test_no_effect(void **state)
{
	struct loaded l = load_ok(PRELUDE "mail_plugins = \nmail_privileged_group =\n");

	assert_int_equal(l.warnings.n, 0); /* what says the default is not ignored */
	unload(&l);
	expect_warning(PRELUDE "mail_plugins = quota\n",
		       "/t/roost.conf:11: mail_plugins: accepted but has no effect here");
	expect_warning(PRELUDE "mail_plugins = zlib quota\n",
		       "/t/roost.conf:11: mail_plugins: accepted but has no effect here");
	expect_warning(PRELUDE "plugin {\n quota = maildir:User\n}\n",
		       "plugin/quota: accepted but");
	l = load_ok(PRELUDE "mail_plugins = $mail_plugins zlib\nplugin {\n zlib_save = gz\n zlib_save_level = 9\n}\n"
			    "maildir_very_dirty_syncs = yes\nmaildir_empty_new = yes\nmaildir_stat_dirs = yes\n");
	assert_int_equal(l.warnings.n, 0);
	unload(&l);
	expect_warning(PRELUDE "local 10.0.0.1 {\n local_name a.b {\n hostname = x\n }\n}\n",
		       "section \"local_name a.b\": accepted but");
	expect_warning(PRELUDE "local mail.example.org {\n login_greeting = x\n}\n",
		       "section \"local mail.example.org\": accepted but");
	expect_warning(PRELUDE "remote 10.0.0.0/8 {\n protocol imap {\n mail_fsync = never\n }\n}\n",
		       "mail_fsync: has no effect in a local or remote section");
	expect_warning(PRELUDE "service auth {\n unix_listener /x/auth {\n mode = 0666\n }\n}\n",
		       "section \"unix_listener /x/auth\": accepted but");
	expect_warning(PRELUDE "protocols = imap pop3\n", "pop3: accepted but");
	expect_warning(PRELUDE "mail_location = maildir:~/m:BROKENCHAR=_\n", "BROKENCHAR has no effect here");
	expect_warning(PRELUDE "protocol imap {\n log_path = /x\n}\n",
		       "no effect in a protocol section");
	expect_warning(PRELUDE "hostname = a#b\n", "\"#\" begins a comment");
}

/* ---- dump ---- */

static void dump_text(const struct conf *c, bool all, struct buf *out)
{
	buf_init(out, 1000000);
	conf_dump(c, all, out);
	assert_false(out->failed);
}

static void assert_same(const struct conf *a, const struct conf *b)
{
	static const enum conf_role roles[] = { CONF_LOGIN, CONF_AUTH, CONF_WORKER, CONF_CONTROL, CONF_DOTLOCK };

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		struct buf x, y;

		buf_init(&x, CONF_EXPORT_MAX);
		buf_init(&y, CONF_EXPORT_MAX);
		assert_int_equal(conf_export(a, roles[i], &x), ERR_OK);
		assert_int_equal(conf_export(b, roles[i], &y), ERR_OK);
		assert_true(span_eq(buf_span(&x), buf_span(&y)));
		buf_free(&x);
		buf_free(&y);
	}
}

static void assert_dump_reads_back(const char *text)
{
	struct loaded first = load_ok(text);

	for (int all = 0; all < 2; all++) {
		struct buf once, twice;
		struct loaded second;

		dump_text(first.c, all, &once);
		second = load_ok(buf_cstr(&once));
		dump_text(second.c, all, &twice);
		assert_string_equal(buf_cstr(&once), buf_cstr(&twice));
		assert_same(first.c, second.c);
		unload(&second);
		buf_free(&once);
		buf_free(&twice);
	}
	unload(&first);
}

static void test_dump(void **state)
{
	struct loaded l =
		load_ok(PRELUDE "auth_failure_delay = 2000 msecs\nmail_plugins = x\n"
				"ssl_cert = </etc/c.pem\nhostname = \" a # 'b\\\"\"\n"
				"service imap-login {\n inet_listener imap {\n port = 0\n }\n"
				" inet_listener imaps {\n port = 993\n }\n}\n");
	struct buf out;

	dump_text(l.c, false, &out);
	assert_string_equal(buf_cstr(&out), "hostname = \" a # 'b\\\"\"\n"
					    "mail_location = maildir:~/Maildir\n"
					    "# accepted, no effect here:\n"
					    "mail_plugins = x\n"
					    "ssl = no\n"
					    "ssl_cert = </etc/c.pem\n"
					    "service imap-login {\n"
					    "  inet_listener imap {\n"
					    "    port = 0\n"
					    "  }\n"
					    "  inet_listener imaps {\n"
					    "    port = 993\n"
					    "  }\n"
					    "}\n"
					    "passdb {\n"
					    "  args = /etc/roost/users\n"
					    "  driver = passwd-file\n"
					    "}\n"
					    "userdb {\n"
					    "  args = uid=vmail gid=vmail home=/srv/%u\n"
					    "  driver = static\n"
					    "}\n");
	buf_free(&out);
	unload(&l);
}

static void test_dump_reads_back(void **state)
{
	assert_dump_reads_back(PRELUDE);
	assert_dump_reads_back(
		PRELUDE
		"hostname = \"$x\"\nlogin_greeting = \"<x\"\nimap_id_send = \" \\\\\"\n"
		"namespace a {\n inbox = yes\n mailbox \"b \\\"c\" {\n auto = create\n }\n}\n"
		"protocol imap {\n mail_fsync = optimized\n}\nmail_fsync = always\n"
		"plugin {\n a = \"it's # x\"\n b = <y\n}\n"
		"remote 10.0.0.0/8 {\n protocol imap {\n mail_debug = yes\n }\n hostname = q\n}\n"
		"service lmtp {\n unix_listener lmtp {\n mode = 0600\n }\n vsz_limit = 1G\n}\n");
}

/* ---- files ---- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct loaded load_path(const char *dir, const char *name)
{
	struct loaded l = { 0 };
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	buf_init(&l.errors, 100000);
	buf_init(&l.warnings, 100000);
	l.e = conf_load(path, 0, &l.c, &l.errors, &l.warnings);
	return l;
}

static void test_includes(void **state)
{
	char dir[] = "/tmp/test_conf.XXXXXX", cmd[64];
	struct loaded l;

	assert_non_null(mkdtemp(dir));
	snprintf(cmd, sizeof(cmd), "%s/d", dir);
	assert_int_equal(mkdir(cmd, 0700), 0);
	write_file(dir, "main.conf",
		   PRELUDE "!include d/*.conf\n!include_try none/*.conf\n"
			   "!include_try nothing.conf\nhostname = $hostname z\n");
	write_file(dir, "d/10.conf", "hostname = a\nssl_key = <key\n");
	write_file(dir, "d/20.conf", "hostname = $hostname b\nplugin {\n!include ../p.inc\n}\n");
	write_file(dir, "d/key", "secret\nlines\n");
	write_file(dir, "p.inc", "quota = x\n");
	l = load_path(dir, "main.conf");
	if (l.e)
		fail_msg("%s", buf_cstr(&l.errors));
	assert_string_equal(conf_str(l.c, CONF_HOSTNAME), "a b z");
	assert_true(span_eq(conf_file(l.c, CONF_SSL_KEY), SPAN("secret\nlines\n")));
	assert_non_null(strstr(buf_cstr(&l.warnings), "p.inc:1: plugin/quota"));
	unload(&l);

	write_file(dir, "main.conf",
		   PRELUDE "!include missing.conf\n!include d/30.conf\nssl_cert = <no\n");
	write_file(dir, "d/30.conf", "service lmtp {\n!include ../main.conf\n");
	l = load_path(dir, "main.conf");
	assert_int_equal(l.e, ERR_SYNTAX);
	assert_non_null(strstr(buf_cstr(&l.errors), "main.conf:11: no file "));
	assert_non_null(strstr(buf_cstr(&l.errors), "includes itself"));
	assert_non_null(
		strstr(buf_cstr(&l.errors), "d/30.conf:1: section \"service\" is never closed"));
	assert_non_null(strstr(buf_cstr(&l.errors), "main.conf:13: cannot open"));
	unload(&l);

	l = load_path(dir, "absent.conf");
	assert_int_equal(l.e, ERR_SYNTAX);
	unload(&l);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

/* The file that the first users will write. */
static void test_example(void **state)
{
	struct loaded l = { 0 };

	buf_init(&l.errors, 100000);
	buf_init(&l.warnings, 100000);
	l.e = conf_load(TEST_SRCDIR "/../etc/roost.conf", CONF_LOAD_NO_CONTENT, &l.c, &l.errors,
			&l.warnings);
	if (l.e || l.warnings.n > 0)
		fail_msg("%s%s", buf_cstr(&l.errors), buf_cstr(&l.warnings));
	unload(&l);
}

/* The text of the manual, without the escapes of roff. */
static void read_manual(struct buf *man)
{
	FILE *f = fopen(TEST_SRCDIR "/../doc/man/roost.conf.5", "r");

	assert_non_null(f);
	buf_init(man, 1 << 20);
	for (int c = fgetc(f); c != EOF; c = fgetc(f)) {
		if (c == '\\')
			c = fgetc(f);
		if (c != '&')
			buf_add_char(man, (char)c);
	}
	fclose(f);
}

/* Every setting that has a sentence is in the manual, with its default, and with a word if nothing reads it. */
static void test_manual(void **state)
{
	enum { PEER, NOEFFECT };
#define ROW(id, name, name24, type, def, roles, flags, ...) { name, def, flags == NOEFFECT },
	static const struct {
		const char *name, *def;
		bool unread;
	} rows[] = { CONF_SETTINGS(ROW) };
	struct buf man;

	read_manual(&man);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char want[512], *entry, *end;

		snprintf(want, sizeof(want), ".It Ic %s No", rows[i].name);
		entry = strstr(buf_cstr(&man), want);
		if (!entry)
			fail_msg("roost.conf.5 does not describe %s", rows[i].name);
		end = entry ? strstr(entry, "\n.It ") : NULL;
		entry = end ? strndup(entry, (size_t)(end - entry)) : mem_str(entry);
		snprintf(want, sizeof(want), "\nDefault: %s", rows[i].def);
		/* Directories and what ends with a blank are described in words. */
		if (rows[i].def[0] && rows[i].def[0] != '/' && rows[i].def[strlen(rows[i].def) - 1] != ' ' && !strstr(entry, want))
			fail_msg("roost.conf.5 does not say \"Default: %s\" of %s", rows[i].def, rows[i].name);
		if (rows[i].unread != !!strstr(entry, "\nAccepted, no effect yet."))
			fail_msg("roost.conf.5: has %s an effect or not?", rows[i].name);
		free(entry);
	}
	buf_free(&man);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_refs),
		cmocka_unit_test(test_protocol_views),
		cmocka_unit_test(test_address_views),
		cmocka_unit_test(test_user_settings),
		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_bad_namespaces),
		cmocka_unit_test(test_too_many_namespaces),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_more_errors),
		cmocka_unit_test(test_no_effect),
		cmocka_unit_test(test_dump),
		cmocka_unit_test(test_dump_reads_back),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
