/*
 * One life of a mailbox by the contract of store.h, over every store; and with every single call
 * failing once.
 */
#include "store_room.h"

#define FIRST "Subject: 1\n\nfirst\n"
#define SECOND "Subject: 2\n\nsecond\n"

struct life {
	struct store *s;
	struct store_box *b;
	struct arena *a;
	struct errtext t;
	struct store_faulty *plan; /* NULL: calls do not fail */
};

/*
 * Runs a call; over a faulty store once more when it was made to fail, and then it must succeed:
 * failures leave no trace.
 */
#define CALL(life, call)                                                                   \
	do {                                                                               \
		unsigned before = (life)->plan ? (life)->plan->fail_at : 0;                \
		enum err e = (call);                                                       \
		if (before == 1) {                                                         \
			assert_int_equal(e, ERR_TEMP);                                     \
			e = (call);                                                        \
		}                                                                          \
		assert_int_equal(e, ERR_OK);                                               \
	} while (0)

static enum err add(struct life *l, const char *text, struct mail_flags flags,
		    struct store_commit *c)
{
	struct store_stage st;
	enum err e = l->b->ops->stage(l->b, 0, &st, &l->t);

	if (e)
		return e;
	assert_int_equal(write(st.fd, text, strlen(text)), (ssize_t)strlen(text));
	*c = (struct store_commit){
		.stage = &st,
		.flags = flags,
		.vsize = STORE_SIZE_UNKNOWN,
		.recent = true,
		.internaldate = 86400,
	};
	return l->b->ops->commit_many(l->b, c, 1, l->a, &l->t);
}

static void add_surely(struct life *l, const char *text, struct mail_flags flags,
		       struct store_commit *c)
{
	enum err e = add(l, text, flags, c);

	if (e) {
		assert_int_equal(e, ERR_TEMP);
		assert_non_null(l->plan);
		e = add(l, text, flags, c);
	}
	assert_int_equal(e, ERR_OK);
}

static enum err copy_stage(struct life *l, const struct store_commit *from, struct store_box *to, struct store_stage *st)
{
	char text[256];
	struct store_object o;
	enum err e = l->b->ops->locate(l->b, from->key, from->hint, &o, NULL, NULL, &l->t);

	if (e)
		return e;
	assert_int_equal(pread(o.fd, text, o.length, (off_t)o.offset), o.length);
	close(o.fd);
	e = to->ops->stage(to, o.length, st, &l->t);
	if (!e)
		assert_int_equal(write(st->fd, text, o.length), o.length);
	return e;
}

static void copy_surely(struct life *l, const struct store_commit *from, struct store_box *to,
			struct store_commit *c)
{
	struct store_stage st;

	for (int i = 0; i < 2; i++) {
		*c = (struct store_commit){
			.stage = &st,
			.vsize = STORE_SIZE_UNKNOWN,
			.flags = { MAIL_SEEN, 0 },
			.internaldate = 86400,
		};
		enum err e = to->ops->link ? to->ops->link(l->b, from->key, from->hint, to, &st, &l->t) : ERR_CANNOT;
		if (e == ERR_CANNOT)
			e = copy_stage(l, from, to, &st);
		e = e ? e : to->ops->commit_many(to, c, 1, l->a, &l->t);
		if (e == ERR_OK)
			return;
		assert_int_equal(e, ERR_TEMP);
	}
	fail();
}

static size_t selectable(const struct store_folder *f, size_t n)
{
	size_t count = 0;

	while (n-- > 0)
		count += f[n].selectable;
	return count;
}

static void folders(struct life *l)
{
	const struct store_ops *ops = l->s->ops;
	char separator = l->plan ? l->plan->inner->separator : ops->separator;
	const char *child = arena_printf(l->a, "A%cB", separator);
	struct store_folder *f;
	const char **subs;
	size_t n;

	CALL(l, ops->create(l->s, "INBOX", NULL, &l->t));
	CALL(l, ops->create(l->s, child, NULL, &l->t));
	assert_int_not_equal(ops->create(l->s, child, NULL, &l->t), ERR_OK);
	CALL(l, ops->list(l->s, l->a, &f, &n, &l->t));
	assert_true(n == 3 && selectable(f, n) == 2);
	CALL(l, ops->rename(l->s, child, "C", &l->t));
	CALL(l, ops->subscribe(l->s, "C", true, &l->t));
	CALL(l, ops->subscriptions(l->s, l->a, &subs, &n, &l->t));
	assert_true(n == 1 && strcmp(subs[0], "C") == 0);
	CALL(l, ops->subscribe(l->s, "C", false, &l->t));
	CALL(l, ops->list(l->s, l->a, &f, &n, &l->t));
	assert_int_equal(selectable(f, n), 2);
}

static void messages(struct life *l)
{
	const struct store_ops *ops = l->s->ops;
	struct store_commit one, two, copy;
	struct store_identity id;
	struct store_scan s;
	struct store_object o;
	struct store_box *to;
	struct span hint = SPAN("");
	const char *names[MAIL_KEYWORDS_MAX];
	struct span keys[2];
	uint32_t uids[2], next;
	unsigned bit;
	bool changed;

	CALL(l, ops->box_open(l->s, "INBOX", &l->b, &l->t));
	CALL(l, ops->identity(l->b, &id, &l->t));
	assert_true(id.uidvalidity > 0 && id.uidnext == 1);
	CALL(l, ops->keyword_add(l->b, "Key", &bit, &l->t));
	assert_int_equal(bit, 0);
	CALL(l, ops->keywords(l->b, l->a, names, &l->t));
	assert_string_equal(names[0], "Key");
	add_surely(l, FIRST, (struct mail_flags){ 0 }, &one);
	add_surely(l, SECOND, (struct mail_flags){ MAIL_FLAGGED, 1 }, &two);
	keys[0] = one.key;
	keys[1] = two.key;
	CALL(l, ops->number(l->b, keys, 2, false, uids, &next, l->a, &l->t));
	assert_true(uids[0] == 1 && uids[1] == 2 && next == 3);
	CALL(l, ops->sync_numbers(l->b, &l->t));
	CALL(l, ops->scan(l->b, l->a, &s, &l->t));
	assert_true(s.n == 2 && s.msg[0].uid == 1 && s.msg[1].uid == 2 && s.msg[1].size == strlen(SECOND));
	assert_int_equal(s.msg[0].flags.system, MAIL_RECENT);
	assert_int_equal(s.msg[1].flags.system & MAIL_SYSTEM, MAIL_FLAGGED);
	assert_int_equal(s.msg[1].flags.keywords, 1);
	CALL(l, ops->changed(l->b, s.token, &changed));
	CALL(l, ops->locate(l->b, two.key, two.hint, &o, l->a, &hint, &l->t));
	assert_true(o.length == strlen(SECOND) && o.mtime == 86400);
	close(o.fd);
	CALL(l, ops->claim(l->b, one.key, one.hint, l->a, &one.hint, &l->t));
	CALL(l, ops->set_flags(l->b, one.key, one.hint, (struct mail_flags){ MAIL_SEEN, 1 }, l->a,
			       &hint, &l->t));
	CALL(l, ops->flags_done(l->b, &l->t));
	CALL(l, ops->set_modseq_floor(l->b, 99, &l->t));

	CALL(l, ops->box_open(l->s, "C", &to, &l->t));
	copy_surely(l, &one, to, &copy);
	CALL(l, ops->locate(to, copy.key, copy.hint, &o, NULL, NULL, &l->t));
	assert_true(o.length == strlen(FIRST) && o.mtime == 86400);
	close(o.fd);
	ops->box_close(to);

	CALL(l, ops->expunge(l->b, one.key, one.hint, &l->t));
	CALL(l, ops->expunge(l->b, one.key, one.hint, &l->t));
	CALL(l, ops->expunge_done(l->b, &l->t));
	assert_int_not_equal(ops->locate(l->b, one.key, hint, &o, NULL, NULL, &l->t), ERR_OK);
	CALL(l, ops->identity(l->b, &id, &l->t));
	assert_true(id.uidnext == 3 && id.modseq_floor == 99);
	ops->box_close(l->b);
	CALL(l, ops->remove(l->s, "C", &l->t));
	assert_int_not_equal(ops->box_open(l->s, "C", &l->b, &l->t), ERR_OK);
}

/* Returns the number of calls made. */
static unsigned live(struct room *r, const struct store_ops *ops, struct store_faulty *plan)
{
	struct store_config c = { .root = arena_printf(r->arena, "%s/%u", r->dir,
						       plan ? plan->fail_at : 999),
				  .hostname = "h" };
	struct life l = { .a = r->arena, .plan = plan };

	if (plan) {
		c.hostname = (const char *)plan;
		ops = store_faulty_ops();
	}
	CALL(&l, ops->open(&c, &l.s, &l.t));
	folders(&l);
	messages(&l);
	l.s->ops->close(l.s);
	return plan ? plan->calls : 0;
}

static void test_memory(void **state)
{
	live(*state, &store_memory, NULL);
}

static void test_maildir(void **state)
{
	live(*state, &store_maildir, NULL);
}

static void each_call_fails(struct room *r, const struct store_ops *inner)
{
	struct store_faulty plan = { .inner = inner };
	unsigned calls = live(r, NULL, &plan);

	assert_true(calls > 30);
	for (unsigned i = 1; i <= calls; i++) {
		plan = (struct store_faulty){ .inner = inner, .fail_at = i, .with = ERR_TEMP };
		live(r, NULL, &plan);
	}
}

static void test_mbox(void **state)
{
	live(*state, &store_mbox, NULL);
}

static void test_faulty_memory(void **state)
{
	each_call_fails(*state, &store_memory);
}

static void test_faulty_maildir(void **state)
{
	each_call_fails(*state, &store_maildir);
}

static void test_faulty_mbox(void **state)
{
	each_call_fails(*state, &store_mbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_memory),
		ROOM_TEST(test_maildir),
		ROOM_TEST(test_mbox),
		ROOM_TEST(test_faulty_memory),
		ROOM_TEST(test_faulty_maildir),
		ROOM_TEST(test_faulty_mbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
