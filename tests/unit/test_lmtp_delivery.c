/* A delivery in the worker: what a login process may say, what it hears, and that an error of ours sends no mail back. */
#include "fakeappend.h"
#include "test.h"

#include "base/log.h"
#include "base/must.h"
#include "ipc/chan.h"
#include "lmtp/delivery.h"

#include <fcntl.h>
#include <unistd.h>

static struct desk {
	struct loop *loop;
	struct acct acct;
	struct chan *login; /* own */
	int fd;             /* own: the last STAGED */
	enum msg_type heard;
	uint16_t code;
	char enhanced[16];
	bool ended, closed;
	struct loop_timer timer;
} d;

static enum err on_staged(void *ctx, struct chan *c, struct msg_in *m)
{
	msg_get_u64(m);
	assert_true(msg_end(m));
	if (d.fd >= 0)
		close(d.fd);
	d.fd = msg_take_fd(m);
	d.heard = MSG_DLV_STAGED;
	loop_stop(d.loop);
	return ERR_OK;
}

static enum err on_result(void *ctx, struct chan *c, struct msg_in *m)
{
	d.code = msg_get_u16(m);
	msg_get_cstr(m, d.enhanced, sizeof(d.enhanced));
	msg_get_str(m, 256);
	assert_true(msg_end(m));
	d.heard = MSG_DLV_RESULT;
	loop_stop(d.loop);
	return ERR_OK;
}

static const struct chan_row rows[] = { { MSG_DLV_STAGED, on_staged }, { MSG_DLV_RESULT, on_result } };

static void on_closed(void *ctx, struct chan *c, enum err why)
{
	d.closed = true;
	loop_stop(d.loop);
}

static void on_end(void *ctx)
{
	d.ended = true;
}

static void on_line(void *ctx, bool saved, const char *text)
{
}

static void open_delivery(const char *mailbox, bool autocreate)
{
	int fd[2];
	d = (struct desk){ .loop = loop_new(), .fd = -1 };
	buf_init(&d.acct.bytes, 1 << 20);
	must(chan_pair(fd) == ERR_OK);
	d.login = chan_new(d.loop, fd[0], ROLE_LOGIN, ROLE_WORKER, rows, ARRAY_LEN(rows), on_closed, &d);
	delivery_new(&(struct delivery_config){ .loop = d.loop,
						.acct = &d.acct,
						.fd_take = fd[1],
						.user = "anna",
						.session_id = "s1",
						.hostname = "mail.test",
						.mailbox = mailbox,
						.autocreate = autocreate,
						.add_received = true,
						.log_format = "%$",
						.size_max = 1000,
						.on_end = on_end,
						.on_result = on_line });
}

static int setup(void **state)
{
	open_delivery(NULL, false);
	return 0;
}

static void stop(void *ctx)
{
	loop_stop(d.loop);
}

static enum msg_type run(uint64_t ms)
{
	d.heard = 0;
	loop_timer_set(d.loop, &d.timer, ms, stop, NULL);
	if (!d.closed)
		loop_run(d.loop);
	return d.heard;
}

static int teardown(void **state)
{
	chan_free(&d.login);
	run(20);
	if (!d.ended)
		run(200);
	assert_true(d.ended);
	assert_int_equal(d.acct.begun, d.acct.freed);
	if (d.fd >= 0)
		close(d.fd);
	loop_timer_stop(d.loop, &d.timer);
	loop_free(&d.loop);
	buf_free(&d.acct.bytes);
	return 0;
}

static enum msg_type stage(const char *sender)
{
	struct msg m;
	msg_init(&m, MSG_DLV_STAGE, 0);
	msg_put_str(&m, sender);
	msg_put_str(&m, "anna@x");
	msg_put_str(&m, "client.test");
	msg_put_str(&m, "192.0.2.1");
	msg_put_bool(&m, false);
	msg_put_str(&m, "LMTP");
	msg_put_u64(&m, 0);
	msg_put_bool(&m, false);
	chan_send(d.login, &m);
	return run(1000);
}

static enum msg_type commit(uint64_t size)
{
	struct msg m;
	msg_init(&m, MSG_DLV_COMMIT, 0);
	msg_put_u64(&m, size);
	chan_send(d.login, &m);
	return run(1000);
}

static void expect(enum msg_type heard, uint16_t code, const char *enhanced)
{
	assert_int_equal(heard, MSG_DLV_RESULT);
	assert_int_equal(d.code, code);
	assert_string_equal(d.enhanced, enhanced);
}

static void test_delivery(void **state)
{
	char c;
	assert_int_equal(stage("s@y"), MSG_DLV_STAGED);
	assert_int_equal(fcntl(d.fd, F_GETFL) & O_ACCMODE, O_WRONLY);
	assert_true(fcntl(d.fd, F_GETFL) & O_APPEND);
	assert_true(pread(d.fd, &c, 1, 0) < 0);
	assert_int_equal(pwrite(d.fd, "Subject: x\n\n", 12, 0), 12); /* whatever it says: at the end */
	expect(commit(12), 250, "2.0.0");
	struct span got = buf_span(&d.acct.bytes);
	assert_true(span_starts(got, SPAN("Return-Path: <s@y>\nDelivered-To: anna\nReceived: from client.test")));
	assert_true(span_ends(got, SPAN("\nSubject: x\n\n")));
	assert_int_equal(stage("again@y"), MSG_DLV_STAGED); /* the next transaction */
	chan_send_empty(d.login, MSG_DLV_ABORT, 0);
	assert_int_equal(stage("third@y"), MSG_DLV_STAGED);
	d.acct.waits = 3;
	expect(commit(0), 250, "2.0.0");
	assert_int_equal(d.acct.saved, 2);
}

static void test_errors_of_ours(void **state)
{
	static const struct {
		enum err err;
		uint16_t code;
		const char *enhanced;
	} want[] = {
		{ ERR_NOSPACE, 452, "4.3.1" }, { ERR_OVERQUOTA, 552, "5.2.2" }, { ERR_INUSE, 451, "4.2.0" },
		{ ERR_PERM, 451, "4.2.0" },    { ERR_NOTFOUND, 451, "4.3.0" },  { ERR_CANNOT, 451, "4.3.0" },
		{ ERR_IO, 451, "4.3.0" },
	};
	enum err *step[] = { &d.acct.begin, &d.acct.start, &d.acct.write, &d.acct.fd, &d.acct.end, &d.acct.finish };
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		for (size_t j = 0; j < ARRAY_LEN(step); j++) {
			*step[j] = want[i].err;
			enum msg_type heard = stage("s@y");
			if (j >= 4) {
				assert_int_equal(heard, MSG_DLV_STAGED);
				heard = commit(0);
			}
			expect(heard, want[i].code, want[i].enhanced);
			*step[j] = ERR_OK;
		}
	}
	assert_int_equal(d.acct.saved, 0);
	assert_int_equal(stage("s@y"), MSG_DLV_STAGED);
	expect(commit(1001), 552, "5.3.4");
	assert_int_equal(stage("s@y"), MSG_DLV_STAGED);
	expect(commit(900), 452, "4.3.1"); /* it says that it wrote what is not there */
	assert_int_equal(stage("s@y"), MSG_DLV_STAGED);
	expect(commit(0), 250, "2.0.0");
}

static void test_detail(void **state)
{
	teardown(NULL);
	open_delivery("Lists", false);
	d.acct.no_folders = true;
	assert_int_equal(stage("s@y"), MSG_DLV_STAGED);
	expect(commit(0), 250, "2.0.0");
	assert_string_equal(d.acct.mailbox, "INBOX");
	teardown(NULL);
	open_delivery("Lists", true);
	d.acct.no_folders = true;
	assert_int_equal(stage("s@y"), MSG_DLV_STAGED);
	expect(commit(0), 250, "2.0.0");
	assert_string_equal(d.acct.mailbox, "Lists");
	assert_int_equal(d.acct.created, 1);
}

/* Nothing of a sender or a client's name breaks out of its header. */
static void test_names_in_headers(void **state)
{
	assert_int_equal(stage("s@y>\r\nBcc: <evil"), MSG_DLV_STAGED);
	expect(commit(0), 250, "2.0.0");
	assert_int_equal(span_search(buf_span(&d.acct.bytes), SPAN("\nBcc")), SIZE_MAX);
}

static void ends(void)
{
	run(1000);
	assert_true(d.closed && d.ended);
}

static void test_commit_without_stage(void **state)
{
	commit(0);
	ends();
}

static void test_stage_twice(void **state)
{
	stage("s@y");
	stage("s@y");
	ends();
	assert_int_equal(d.acct.saved, 0);
}

static void test_commit_twice(void **state)
{
	struct msg m;
	stage("s@y");
	d.acct.waits = 1000;
	commit(0);
	msg_init(&m, MSG_DLV_COMMIT, 0);
	msg_put_u64(&m, 0);
	chan_send(d.login, &m);
	ends();
	assert_int_equal(d.acct.saved, 0);
}

static void test_short(void **state)
{
	chan_send_empty(d.login, MSG_DLV_STAGE, 0);
	ends();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_delivery, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_of_ours, setup, teardown),
		cmocka_unit_test_setup_teardown(test_detail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_in_headers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_without_stage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stage_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commit_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short, setup, teardown),
	};

	log_open("/dev/null", "", "", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
