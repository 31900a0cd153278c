/* What a role gets: its rows and no others, the same after a round trip; damaged bytes are refused.
 */
#include "base/buf.h"
#include "conf/export.h"
#include "conf/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <unistd.h>

static struct conf *loaded(void)
{
	static const char text[] =
		"ssl = yes\nmail_location = maildir:~/Maildir\nlisten = 127.0.0.1 ::1\n"
		"passdb {\n driver = passwd-file\n args = scheme=PLAIN /etc/roost/users\n deny = "
		"yes\n}\n"
		"passdb {\n driver = passwd-file\n args = /etc/roost/more\n}\n"
		"userdb {\n driver = static\n args = uid=1 gid=1 home=/srv/%u\n}\n"
		"namespace inbox {\n inbox = yes\n mailbox Junk {\n special_use = \\Junk\n auto = "
		"create\n }\n}\n"
		"remote 192.0.2.0/24 {\n login_greeting = near\n}\n"
		"protocol lmtp {\n mail_fsync = always\n hostname = mx\n}\nplugin {\n a = b\n}\n";
	struct buf errors, warnings, whole;
	struct conf *c = NULL;
	char path[] = "/tmp/test_conf_export.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, "TOPSECRET", 9) == 9);
	close(fd);
	buf_init(&whole, 10000);
	buf_init(&errors, 10000);
	buf_init(&warnings, 10000);
	buf_printf(&whole, "%sssl_key = <%s\nssl_cert = <%s\n", text, path, path);
	if (conf_load_text(buf_span(&whole), "/t", 0, &c, &errors, &warnings))
		fail_msg("%s", buf_cstr(&errors));
	unlink(path);
	buf_free(&whole);
	buf_free(&errors);
	buf_free(&warnings);
	return c;
}

static struct conf *through(const struct conf *c, enum conf_role role, struct buf *bytes)
{
	struct conf *copy = NULL;

	buf_init(bytes, CONF_EXPORT_MAX);
	assert_int_equal(conf_export(c, role, bytes), ERR_OK);
	assert_int_equal(conf_import(buf_span(bytes), role, &copy), ERR_OK);
	return copy;
}

static void test_login(void **state)
{
	struct conf *c = loaded(), *copy;
	struct buf bytes;

	copy = through(c, CONF_LOGIN, &bytes);
	assert_true(span_eq(conf_file(copy, CONF_SSL_KEY), SPAN("TOPSECRET")));
	assert_int_equal(conf_enum(copy, CONF_SSL), CONF_SSL_YES);
	assert_true(conf_has_word(copy, CONF_AUTH_MECHANISMS, "plain"));
	assert_string_equal(conf_str(conf_protocol(copy, "lmtp"), CONF_HOSTNAME), "mx");
	assert_string_equal(conf_str(conf_for(copy, &(struct conf_peer){ "imap", "", "192.0.2.7" }), CONF_LOGIN_GREETING),
			    "near");
	assert_true(span_search(buf_span(&bytes), SPAN("/etc/roost")) == SIZE_MAX);
	buf_free(&bytes);
	conf_free(&copy);
	conf_free(&c);
}

static void test_auth(void **state)
{
	struct conf *c = loaded(), *copy;
	struct buf bytes;
	const struct conf_passdb *passdb;
	size_t n;

	copy = through(c, CONF_AUTH, &bytes);
	passdb = conf_passdbs(copy, &n);
	assert_int_equal(n, 2);
	assert_string_equal(passdb[0].args, "scheme=PLAIN /etc/roost/users");
	assert_true(passdb[0].deny && !passdb[1].deny);
	assert_int_equal(passdb[1].result_success, CONF_RETURN_OK);
	assert_string_equal(conf_userdbs(copy, &n)->driver, "static");
	assert_true(span_search(buf_span(&bytes), SPAN("TOPSECRET")) == SIZE_MAX);
	buf_free(&bytes);
	conf_free(&copy);
	conf_free(&c);
}

static void test_worker(void **state)
{
	struct conf *c = loaded(), *copy;
	struct buf bytes;
	const struct conf_namespace *ns;
	size_t n;

	copy = through(c, CONF_WORKER, &bytes);
	ns = conf_namespaces(copy, &n);
	assert_int_equal(n, 1);
	assert_string_equal(ns->mailboxes[0].special_use[0], "\\Junk");
	assert_int_equal(ns->mailboxes[0].autocreate, CONF_AUTO_CREATE);
	assert_int_equal(conf_enum(conf_protocol(copy, "lmtp"), CONF_MAIL_FSYNC),
			 CONF_FSYNC_ALWAYS);
	assert_int_equal(conf_enum(copy, CONF_MAIL_FSYNC), CONF_FSYNC_OPTIMIZED);
	assert_string_equal(conf_plugin(copy, &n)->value, "b");
	assert_true(span_search(buf_span(&bytes), SPAN("TOPSECRET")) == SIZE_MAX);
	assert_true(span_search(buf_span(&bytes), SPAN("/etc/roost")) == SIZE_MAX);
	buf_free(&bytes);
	conf_free(&copy);
	conf_free(&c);
}

/* Cut anywhere, or with a byte too many, or for another role: refused. */
static void test_damaged(void **state)
{
	struct conf *c = loaded(), *copy;
	struct buf bytes;

	copy = through(c, CONF_WORKER, &bytes);
	conf_free(&copy);
	for (size_t n = 0; n < bytes.n; n += 7)
		assert_int_equal(conf_import(span_cut(buf_span(&bytes), 0, n), CONF_WORKER, &copy),
				 ERR_PROTO);
	assert_int_equal(conf_import(buf_span(&bytes), CONF_LOGIN, &copy), ERR_PROTO);
	buf_add_char(&bytes, 0);
	assert_int_equal(conf_import(buf_span(&bytes), CONF_WORKER, &copy), ERR_PROTO);
	buf_free(&bytes);
	conf_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_worker),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
