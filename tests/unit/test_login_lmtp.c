/* LMTP's dialogue, with an auth, a master and delivery workers that play their parts. */
#include "fakelogin.h"
#include "test.h"

static struct fake f; /* one test at a time */

static int setup(void **state)
{
	fake_start(&f, "message_size_max = 300k\nlmtp_save_to_detail_mailbox = yes\nrecipient_delimiter = +\n");
	fake_connect(&f, &front_lmtp);
	return 0;
}

static int teardown(void **state)
{
	fake_stop(&f);
	return 0;
}

static void expect(const char *say, const char *answer)
{
	assert_string_equal(fake_say(&f, say), answer);
}

static void hello(void)
{
	fake_say(&f, "LHLO client.test\r\n");
}

static void test_hello(void **state)
{
	assert_string_equal(buf_cstr(&f.out), "220 mail.test Ready.\r\n");
	expect("MAIL FROM:<a@b>\r\n", "503 5.5.1 LHLO first\r\n");
	expect("EHLO x\r\n", "500 5.5.1 This is LMTP: say LHLO\r\n");
	expect("LHLO client.test\r\n",
	       "250-mail.test\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-SIZE 307200\r\n250 PIPELINING\r\n");
	expect("NOOP\r\nVRFY x\r\nRSET\r\nFOO\r\n",
	       "250 2.0.0 OK\r\n252 2.3.3 Try RCPT instead\r\n250 2.0.0 OK\r\n500 5.5.2 Unknown command\r\n");
	expect("STARTTLS\r\n", "502 5.5.1 TLS is not available\r\n");
	expect("NOOP\n", "500 5.5.2 Lines end with CRLF\r\n");
	expect("QUIT\r\n", "221 2.0.0 Bye\r\n");
	assert_true(f.client_eof);
}

static void test_delivery(void **state)
{
	hello();
	expect("MAIL FROM:<s@x> SIZE=10\r\nRCPT TO:<anna@d>\r\nDATA\r\n", "250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 OK\r\n");
	expect("Subject: x\r\n\r\n..dot\r\n.\r\n", "250 2.0.0 <anna@d> id Saved\r\n");
	assert_int_equal(f.mails, 1);
	assert_string_equal(buf_cstr(&f.mail[0].content), "Subject: x\n\n.dot\n");
	assert_string_equal(f.mail[0].sender, "s@x");
	assert_string_equal(f.mail[0].recipient, "anna@d");
	expect("MAIL FROM:<>\r\nRCPT TO:<anna@d>\r\nDATA\r\n", "250 2.1.0 OK\r\n250 2.1.5 OK\r\n354 OK\r\n");
	expect("x\r\n.\r\nQUIT\r\n", "250 2.0.0 <anna@d> id Saved\r\n221 2.0.0 Bye\r\n");
	assert_true(f.mail[1].committed);
}

static void test_recipients(void **state)
{
	hello();
	expect("MAIL FROM:<s@x>\r\nRCPT TO:<nobody@d>\r\nRCPT TO:<temp@d>\r\nRCPT TO:<u+lists@d>\r\nRCPT TO:<>\r\n",
	       "250 2.1.0 OK\r\n550 5.1.1 <nobody@d> User doesn't exist: nobody@d\r\n"
	       "451 4.3.0 <temp@d> Temporary internal error\r\n250 2.1.5 OK\r\n501 5.1.3 Bad recipient address syntax\r\n");
	assert_string_equal(buf_cstr(&f.handed), "lmtp|lists||");
	expect("DATA\r\n", "354 OK\r\n");
	expect(".\r\n", "250 2.0.0 <u+lists@d> id Saved\r\n");
	expect("DATA\r\n", "503 5.5.1 MAIL first\r\n");
	expect("MAIL FROM:<s@x>\r\nRCPT TO:<nobody@d>\r\nDATA\r\n",
	       "250 2.1.0 OK\r\n550 5.1.1 <nobody@d> User doesn't exist: nobody@d\r\n503 5.5.1 No valid recipients\r\n");
}

static void test_one_fails(void **state)
{
	f.commit_fails = true;
	hello();
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nRCPT TO:<full@d>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
	expect("x\r\n.\r\n", "250 2.0.0 <a@d> id Saved\r\n451 4.3.0 <full@d> disk??full\r\n250 2.0.0 <c@d> id Saved\r\n");
	f.commit_fails = false;
	f.stage_fails = true;
	expect("MAIL FROM:<s@x>\r\nRCPT TO:<full@d>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
	       "250 2.1.0 OK\r\n250 2.1.5 OK\r\n250 2.1.5 OK\r\n354 OK\r\n");
	expect("x\r\n.\r\n", "552 5.2.2 <full@d> Quota exceeded\r\n250 2.0.0 <c@d> id Saved\r\n");
}

static void test_worker_dies(void **state)
{
	hello();
	f.mute = true;
	expect("MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n", "250 2.1.0 OK\r\n250 2.1.5 OK\r\n");
	chan_free(&f.mail[0].chan);
	fake_run(&f);
	assert_non_null(strstr(buf_cstr(&f.out), "354 OK\r\n"));
	expect("x\r\n.\r\n", "451 4.3.0 <a@d> Temporary internal error\r\n");
	f.mute = false;
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\n");
	chan_free(&f.mail[1].chan);
	expect("DATA\r\n", "354 OK\r\n");
	expect(".\r\n", "451 4.3.0 <a@d> Temporary internal error\r\n");
}

/* 200 KB of lines, in pieces as the socket takes them; and a message above the limit, which is read to its end. */
static void test_large(void **state)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "%07d\r\n", i);
	hello();
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nRCPT TO:<b@d>\r\nDATA\r\n");
	buf_add_str(&b, ".\r\n");
	assert_string_equal(fake_send(&f, buf_span(&b)), "250 2.0.0 <a@d> id Saved\r\n250 2.0.0 <b@d> id Saved\r\n");
	buf_clear(&b);
	for (int i = 0; i < 20000; i++)
		buf_printf(&b, "%07d\n", i);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(f.mail[i].content.n, b.n);
		assert_memory_equal(f.mail[i].content.p, b.p, b.n);
	}
	buf_clear(&b);
	for (int i = 0; i < 40000; i++)
		buf_printf(&b, "%07d\r\n", i);
	buf_add_str(&b, ".\r\n");
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n");
	assert_string_equal(fake_send(&f, buf_span(&b)), "552 5.3.4 <a@d> Message is larger than this server accepts\r\n");
	assert_false(f.mail[2].committed);
	expect("MAIL FROM:<s@x> SIZE=307201\r\n", "552 5.3.4 Message is larger than this server accepts\r\n");
	buf_free(&b);
}

static void test_bare_line_ends(void **state)
{
	hello();
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n");
	expect("a\n.\nMAIL FROM:<e@x>\n\r.\r\r\n.\r\n", "250 2.0.0 <a@d> id Saved\r\n");
	assert_string_equal(buf_cstr(&f.mail[0].content), "a\n.\nMAIL FROM:<e@x>\n\r.\r\r\n");
}

static void test_lost_in_data(void **state)
{
	hello();
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n");
	fake_say(&f, "half a message\r\n");
	fake_hang_up(&f);
	assert_false(f.mail[0].committed);
	assert_null(f.mail[0].chan); /* the worker has heard of it */
	assert_null(f.login.by_number);
}

static void test_byte_by_byte(void **state)
{
	struct span text = SPAN("LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n.a\r\n..\r\n.\r\nQUIT\r\n");

	for (size_t i = 0; i < text.n; i++)
		fake_send(&f, span_cut(text, i, 1));
	assert_true(f.client_eof);
	assert_string_equal(buf_cstr(&f.mail[0].content), "a\n.\n");
}

static void test_quit_while_idle_and_busy(void **state)
{
	hello();
	fake_say(&f, "MAIL FROM:<s@x>\r\nRCPT TO:<a@d>\r\nDATA\r\n");
	login_quit(&f.login);
	expect("x\r\n.\r\n", "250 2.0.0 <a@d> id Saved\r\n421 4.3.2 Server is shutting down\r\n");
	assert_true(f.client_eof);
}

static void test_bad_commands(void **state)
{
	for (int i = 0; i < 19; i++)
		expect("X\r\n", "500 5.5.2 Unknown command\r\n");
	expect("X\r\n", "500 5.5.2 Unknown command\r\n421 4.7.0 Too many bad commands\r\n");
	assert_true(f.client_eof);
}

/*
 * An answer that comes after we gave up belongs to nobody: not to the next recipient, who would get
 * the first one's mailbox. And auth is told, so that the connection may ask again.
 */
static void test_late_answer(void **state)
{
	struct client *c = f.login.by_age;
	uint32_t first;

	hello();
	f.slow = true;
	expect("MAIL FROM:<s@x>\r\nRCPT TO:<anna@d>\r\n", "250 2.1.0 OK\r\n");
	first = f.late_id;
	c->front->timeout(c);
	fake_run(&f);
	assert_string_equal(buf_cstr(&f.out), "250 2.1.0 OK\r\n451 4.3.0 <anna@d> Temporary internal error\r\n");
	assert_int_equal(f.aborted, 1);
	expect("RCPT TO:<bob@d>\r\n", "");
	assert_int_not_equal(f.late_id, first);
	fake_answer_late(&f, first, "anna@d");
	assert_string_equal(buf_cstr(&f.out), "");
	assert_int_equal(f.handed.n, 0);
	fake_answer_late(&f, f.late_id, "bob@d");
	assert_string_equal(buf_cstr(&f.out), "250 2.1.5 OK\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hello, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delivery, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_worker_dies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bare_line_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_in_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quit_while_idle_and_busy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_late_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_commands, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
