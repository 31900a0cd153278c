/*
 * The router between a login, two workers and the master, which the test plays: who hears what, in
 * which order, and what happens when somebody dies or breaks the rules.
 */
#include "src/auth/route.h"
#include "auth_conf.h"
#include "base/log.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { EVENTS_MAX = 32 };

struct event {
	char who; /* 'm'aster, 'l'ogin, '1' or '2': the workers; upper case: that channel ended */
	enum msg_type type;
	uint32_t id;
	uint8_t code;
	char text[64];
	uint8_t ticket[TICKET_SIZE];
};

struct side {
	char who;
	struct chan *chan;
	struct bench *b;
};

struct bench {
	struct loop *loop;
	struct conf *c;
	struct chan *to_master;
	struct route *r;
	struct side master, login, worker[2];
	struct event e[EVENTS_MAX];
	size_t n, taken;
	struct loop_timer timer;
};

static struct event *note(struct side *s, char who, enum msg_type type, uint32_t id)
{
	struct event *e = &s->b->e[s->b->n++];

	must(s->b->n <= EVENTS_MAX);
	*e = (struct event){ .who = who, .type = type, .id = id };
	loop_stop(s->b->loop);
	return e;
}

static void put(struct event *e, struct span s)
{
	snprintf(e->text, sizeof(e->text), "%.*s", (int)s.n, s.p ? s.p : "");
}

static enum err on_ticket(void *ctx, struct chan *c, struct msg_in *m)
{
	struct event *e = note(ctx, 'm', m->type, 0);
	struct msg_conn conn;
	struct msg_user user;

	msg_get_bytes(m, e->ticket, TICKET_SIZE);
	e->id = msg_get_u32(m);
	msg_get_conn(m, &conn);
	msg_get_user(m, &user);
	put(e, user.user);
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static enum err on_auth_ok(void *ctx, struct chan *c, struct msg_in *m)
{
	struct event *e = note(ctx, 'l', m->type, m->id);

	put(e, msg_get_str(m, 100));
	msg_get_bytes(m, e->ticket, TICKET_SIZE);
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static enum err on_auth_fail(void *ctx, struct chan *c, struct msg_in *m)
{
	struct event *e = note(ctx, 'l', m->type, m->id);

	e->code = msg_get_u8(m);
	if (m->type == MSG_AUTH_FAIL) {
		(void)msg_get_str(m, 100);
		put(e, msg_get_str(m, 100));
	}
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static enum err on_blob(void *ctx, struct chan *c, struct msg_in *m)
{
	struct side *s = ctx;

	put(note(s, s->who, m->type, m->id), msg_get_blob(m, 100));
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static enum err on_work(void *ctx, struct chan *c, struct msg_in *m)
{
	struct side *s = ctx;
	struct event *e = note(s, s->who, m->type, m->id);
	struct msg_conn conn;

	msg_get_conn(m, &conn);
	put(e, msg_get_str(m, 100));
	if (m->type == MSG_WORK_START) {
		(void)msg_get_bool(m);
		put(e, msg_get_blob(m, 100));
	}
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static enum err on_empty(void *ctx, struct chan *c, struct msg_in *m)
{
	struct side *s = ctx;

	note(s, s->who, m->type, m->id);
	return msg_end(m) ? ERR_OK : ERR_PROTO;
}

static const struct chan_row master_rows[] = { { MSG_TICKET, on_ticket } };
static const struct chan_row login_rows[] = {
	{ MSG_AUTH_OK, on_auth_ok },     { MSG_AUTH_FAIL, on_auth_fail },
	{ MSG_AUTH_CHALLENGE, on_blob }, { MSG_USER_OK, on_auth_ok },
	{ MSG_USER_FAIL, on_auth_fail },
};
static const struct chan_row worker_rows[] = {
	{ MSG_WORK_START, on_work },
	{ MSG_WORK_LOOKUP, on_work },
	{ MSG_WORK_CONT, on_blob },
	{ MSG_WORK_ABORT, on_empty },
};

static void on_closed(void *ctx, struct chan *c, enum err why)
{
	struct side *s = ctx;

	note(s, ascii_upper(s->who) == s->who ? 'W' : ascii_upper(s->who), 0, 0);
}

static void open_side(struct bench *b, struct side *s, char who, int fd, enum msg_role role,
		      const struct chan_row *rows, size_t n)
{
	s->who = who;
	s->b = b;
	s->chan = chan_new(b->loop, fd, role, ROLE_AUTH, rows, n, on_closed, s);
}

static void add_worker(struct bench *b, int i)
{
	int fd[2];

	assert_int_equal(chan_pair(fd), ERR_OK);
	assert_true(route_peer(b->r, 10 + (uint32_t)i, ROLE_AUTHWORKER, fd[0]));
	open_side(b, &b->worker[i], (char)('1' + i), fd[1], ROLE_AUTHWORKER, worker_rows,
		  ARRAY_LEN(worker_rows));
}

static void open_bench(struct bench *b, int workers)
{
	int fd[2];

	memset(b, 0, sizeof(*b));
	b->loop = loop_new();
	b->c = auth_conf("userdb {\n driver = passwd\n}\nauth_failure_delay = 60 msecs\n");
	assert_int_equal(chan_pair(fd), ERR_OK);
	b->to_master =
		chan_new(b->loop, fd[0], ROLE_AUTH, ROLE_MASTER, NULL, 0, on_closed, &b->master);
	open_side(b, &b->master, 'm', fd[1], ROLE_MASTER, master_rows, ARRAY_LEN(master_rows));
	b->r = route_new(b->loop, b->to_master, b->c);
	assert_int_equal(chan_pair(fd), ERR_OK);
	assert_true(route_peer(b->r, 5, ROLE_LOGIN, fd[0]));
	open_side(b, &b->login, 'l', fd[1], ROLE_LOGIN, login_rows, ARRAY_LEN(login_rows));
	for (int i = 0; i < workers; i++)
		add_worker(b, i);
}

static void close_bench(struct bench *b)
{
	route_free(&b->r);
	chan_free(&b->login.chan);
	chan_free(&b->worker[0].chan);
	chan_free(&b->worker[1].chan);
	chan_free(&b->to_master);
	chan_free(&b->master.chan);
	loop_timer_stop(b->loop, &b->timer);
	loop_free(&b->loop);
	conf_free(&b->c);
}

static void stop(void *ctx)
{
	struct bench *b = ctx;

	loop_stop(b->loop);
}

/* The next thing that anybody hears; who 0: nothing within ms. */
static struct event next(struct bench *b, uint64_t ms)
{
	if (b->taken == b->n) {
		loop_timer_set(b->loop, &b->timer, ms, stop, b);
		loop_run(b->loop);
	}
	return b->taken < b->n ? b->e[b->taken++] : (struct event){ 0 };
}

static struct event hear(struct bench *b, char who, enum msg_type type)
{
	struct event e = next(b, 2000);

	assert_int_equal(e.who, who);
	assert_int_equal(e.type, type);
	return e;
}

static const struct msg_conn conn = { .service = { "imap", 4 },
				      .session = { "s", 1 },
				      .rip = { "192.0.2.7", 9 } };

static void start(struct bench *b, uint32_t id, const char *initial)
{
	struct msg m;

	msg_init(&m, MSG_AUTH_START, id);
	msg_put_conn(&m, &conn);
	msg_put_str(&m, "PLAIN");
	msg_put_bool(&m, true);
	msg_put_str(&m, initial);
	chan_send(b->login.chan, &m);
}

static void lookup_for(struct bench *b, uint32_t id, const char *service, const char *user)
{
	struct msg_conn delivery = conn;
	struct msg m;

	delivery.service = span_str(service);
	msg_init(&m, MSG_USER_LOOKUP, id);
	msg_put_conn(&m, &delivery);
	msg_put_str(&m, user);
	chan_send(b->login.chan, &m);
}

static void lookup(struct bench *b, uint32_t id, const char *user)
{
	lookup_for(b, id, "lmtp", user);
}

static void work_ok(struct side *w, uint32_t id, const char *name)
{
	const struct msg_user user = {
		.user = span_str(name), .uid = 1000, .gid = 1000, .home = { "/h", 2 }
	};
	struct msg m;

	msg_init(&m, MSG_WORK_OK, id);
	msg_put_user(&m, &user);
	chan_send(w->chan, &m);
}

static void work_fail(struct side *w, uint32_t id, uint8_t code)
{
	struct msg m;

	msg_init(&m, MSG_WORK_FAIL, id);
	msg_put_u8(&m, code);
	msg_put_str(&m, "");
	msg_put_str(&m, "given");
	chan_send(w->chan, &m);
}

static void blob(struct chan *c, enum msg_type type, uint32_t id, const char *text)
{
	struct msg m;

	msg_init(&m, type, id);
	msg_put_str(&m, text);
	chan_send(c, &m);
}

static void test_success(void **state)
{
	struct event work, ticket, ok;
	struct bench b;

	open_bench(&b, 1);
	start(&b, 7, "secret");
	work = hear(&b, '1', MSG_WORK_START);
	assert_string_equal(work.text, "secret");
	work_ok(&b.worker[0], work.id, "me");
	ticket = hear(&b, 'm', MSG_TICKET); /* the master first */
	ok = hear(&b, 'l', MSG_AUTH_OK);
	assert_int_equal(ticket.id, 5); /* which login */
	assert_string_equal(ticket.text, "me");
	assert_int_equal(ok.id, 7);
	assert_string_equal(ok.text, "me");
	assert_memory_equal(ticket.ticket, ok.ticket, TICKET_SIZE);
	start(&b, 7, "again"); /* the number is free again; tickets differ */
	work = hear(&b, '1', MSG_WORK_START);
	work_ok(&b.worker[0], work.id, "me");
	assert_memory_not_equal(hear(&b, 'm', MSG_TICKET).ticket, ok.ticket, TICKET_SIZE);
	close_bench(&b);
}

static void test_exchange(void **state)
{
	struct event work;
	struct bench b;

	open_bench(&b, 2);
	start(&b, 1, "");
	work = hear(&b, '1', MSG_WORK_START);
	blob(b.worker[0].chan, MSG_WORK_CHALLENGE, work.id, "more?");
	assert_string_equal(hear(&b, 'l', MSG_AUTH_CHALLENGE).text, "more?");
	blob(b.login.chan, MSG_AUTH_CONT, 1, "more");
	assert_string_equal(hear(&b, '1', MSG_WORK_CONT).text, "more");
	chan_send_empty(b.login.chan, MSG_AUTH_ABORT, 1);
	assert_int_equal(hear(&b, '1', MSG_WORK_ABORT).id, work.id);
	work_ok(&b.worker[0], work.id, "late"); /* was on its way: no fault, no ticket */
	assert_int_equal(next(&b, 50).who, 0);
	close_bench(&b);
}

static void test_failure_is_held_back(void **state)
{
	struct event work, fail;
	struct bench b;

	open_bench(&b, 1);
	start(&b, 1, "x");
	work = hear(&b, '1', MSG_WORK_START);
	work_fail(&b.worker[0], work.id, AUTH_FAIL_BAD);
	assert_int_equal(next(&b, 20).who, 0);
	fail = hear(&b, 'l', MSG_AUTH_FAIL);
	assert_int_equal(fail.code, AUTH_FAIL_BAD);
	assert_string_equal(fail.text, "given");
	start(&b, 2, "x"); /* a temporary failure is told at once */
	work = hear(&b, '1', MSG_WORK_START);
	work_fail(&b.worker[0], work.id, AUTH_FAIL_TEMP);
	b.taken = b.n;
	fail = next(&b, 40);
	assert_int_equal(fail.code, AUTH_FAIL_TEMP);
	close_bench(&b);
}

static void test_lookup(void **state)
{
	struct event work;
	struct bench b;

	open_bench(&b, 1);
	lookup(&b, 3, "you@x");
	work = hear(&b, '1', MSG_WORK_LOOKUP);
	assert_string_equal(work.text, "you@x");
	work_fail(&b.worker[0], work.id, AUTH_FAIL_NOUSER);
	assert_int_equal(next(&b, 40).code, AUTH_FAIL_NOUSER);
	lookup(&b, 3, "you@x");
	work = hear(&b, '1', MSG_WORK_LOOKUP);
	work_ok(&b.worker[0], work.id, "you@x");
	hear(&b, 'm', MSG_TICKET);
	hear(&b, 'l', MSG_USER_OK);
	close_bench(&b);
}

static void test_balance(void **state)
{
	struct event first, second;
	struct bench b;

	open_bench(&b, 2);
	start(&b, 1, "a");
	first = hear(&b, '1', MSG_WORK_START);
	start(&b, 2, "b");
	second = hear(&b, '2', MSG_WORK_START);
	assert_int_not_equal(first.id, second.id);
	work_ok(&b.worker[1], first.id,
		"thief"); /* the other's request: that worker is thrown out */
	assert_int_equal(next(&b, 2000).code, AUTH_FAIL_TEMP); /* what it had fails */
	assert_int_equal(next(&b, 2000).who, 'W');
	work_ok(&b.worker[0], first.id, "me");
	assert_string_equal(hear(&b, 'm', MSG_TICKET).text, "me");
	close_bench(&b);
}

static void test_no_worker(void **state)
{
	struct bench b;

	open_bench(&b, 0);
	start(&b, 1, "early");
	assert_int_equal(next(&b, 30).who, 0);
	add_worker(&b, 0);
	assert_string_equal(hear(&b, '1', MSG_WORK_START).text, "early");
	chan_free(&b.worker[0].chan); /* it dies */
	assert_int_equal(hear(&b, 'l', MSG_AUTH_FAIL).code, AUTH_FAIL_TEMP);
	close_bench(&b);
}

static void test_login_breaks_rules(void **state)
{
	struct bench b;

	open_bench(&b, 1);
	start(&b, 1, "a");
	hear(&b, '1', MSG_WORK_START);
	blob(b.login.chan, MSG_AUTH_CONT, 99, "x"); /* nothing of that number: ended meanwhile */
	assert_int_equal(next(&b, 30).who, 0);
	blob(b.login.chan, MSG_AUTH_CONT, 1, "x"); /* there was no challenge */
	hear(&b, '1', MSG_WORK_ABORT);
	assert_int_equal(next(&b, 2000).who, 'L');
	close_bench(&b);

	open_bench(&b, 1);
	start(&b, 1, "a");
	hear(&b, '1', MSG_WORK_START);
	start(&b, 1, "b"); /* the number is in use */
	hear(&b, '1', MSG_WORK_ABORT);
	assert_int_equal(next(&b, 2000).who, 'L');
	close_bench(&b);
}

/* A lookup asks for no password: a login that calls it a session's gets no ticket, and is thrown out. */
static void test_lookup_never_buys_a_session(void **state)
{
	static const char *const services[] = { "imap", "adm", "" };
	struct bench b;

	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		open_bench(&b, 1);
		lookup_for(&b, 3, services[i], "victim@x");
		assert_int_equal(next(&b, 2000).who, 'L');
		close_bench(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_failure_is_held_back),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_lookup_never_buys_a_session),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_login_breaks_rules),
	};

	log_open("/dev/null", "", "", NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
