/* The maildir_* settings, and messages that are stored compressed. */
#include "store_room.h"

#include "codec/pack.h"

#include <sys/resource.h>

static struct store_maildir_how *how(struct room *r)
{
	return &maildir_of(r->store)->how;
}

/* What locate finds, unpacked when packed. */
static const char *content(struct room *r, const struct store_commit *c, enum pack_kind *kind_r)
{
	struct unpacker *u;
	struct store_object o;
	struct buf out;
	char *raw;
	struct span in;

	assert_int_equal(r->box->ops->locate(r->box, c->key, c->hint, &o, NULL, NULL, &r->text), ERR_OK);
	assert_true(o.maybe_packed);
	raw = arena_alloc(r->arena, o.length + 1);
	assert_int_equal(read(o.fd, raw, o.length), (ssize_t)o.length);
	close(o.fd);
	raw[o.length] = '\0';
	in = span_of(raw, o.length);
	*kind_r = pack_kind_of(in);
	if (!*kind_r)
		return raw;
	buf_init(&out, 1 << 20);
	assert_int_equal(unpacker_new(*kind_r, &u), ERR_OK);
	while (in.n || unpacker_more(u))
		assert_int_equal(unpacker_run(u, &in, 1 << 16, &out), ERR_OK);
	assert_true(unpacker_whole(u));
	unpacker_free(&u);
	raw = arena_printf(r->arena, "%s", buf_cstr(&out));
	buf_free(&out);
	return raw;
}

static char *long_text(struct room *r, size_t n)
{
	char *text = arena_alloc(r->arena, n + 1);

	for (size_t i = 0; i < n; i++)
		text[i] = (char)(i % 70 == 69 ? '\n' : 'a' + (int)(i * 7 % 26));
	text[n] = '\0';
	return text;
}

static void test_packed(void **state)
{
	struct room *r = *state;
	char *text = long_text(r, 200000);
	enum pack_kind kind;
	struct store_commit c;

	for (enum pack_kind k = PACK_GZ; k <= PACK_LZ4; k++) {
		how(r)->pack = k;
		if (!pack_level(k, 0))
			continue; /* not in this build */
		c = room_add(r, text, (struct mail_flags){ 0 });
		assert_true(span_ends(c.key, SPAN(",S=200000")) && c.size == 200000);
		assert_string_equal(content(r, &c, &kind), text);
		assert_int_equal(kind, k);
	}
	how(r)->pack = PACK_GZ;
	c = room_add(r, "", (struct mail_flags){ 0 });
	assert_true(span_ends(c.key, SPAN(",S=0")));
	assert_string_equal(content(r, &c, &kind), "");
	assert_int_equal(room_count(r, "tmp"), 0);
	room_number_all(r);
	for (size_t i = 0; i < room_scan(r).n; i++)
		assert_true(room_scan(r).msg[i].size == (room_scan(r).msg[i].uid == room_scan(r).n ? 0u : 200000u));
}

/* Dates and batches are as of plain messages; the descriptors of settled ones are closed. */
static void test_packed_batch(void **state)
{
	struct room *r = *state;
	struct store_stage st[3];
	struct store_commit c[3];
	enum pack_kind kind;
	struct store_object o;

	how(r)->pack = PACK_GZ;
	maildir_of(r->store)->sync = STORE_SYNC_OPTIMIZED;
	for (int i = 0; i < 3; i++) {
		c[i] = (struct store_commit){ .stage = &st[i], .internaldate = 1234567890 + i, .vsize = 7, .recent = true };
		assert_int_equal(r->box->ops->stage(r->box, 0, &st[i], &r->text), ERR_OK);
		assert_int_equal(write(st[i].fd, "hello\n", 6), 6);
	}
	assert_int_equal(r->box->ops->settle(r->box, c, 2, &r->text), ERR_OK);
	assert_true(st[0].fd == -1 && st[1].fd == -1);
	assert_int_equal(r->box->ops->commit_many(r->box, c, 3, r->arena, &r->text), ERR_OK);
	for (int i = 0; i < 3; i++) {
		assert_true(span_ends(c[i].key, SPAN(",S=6,W=7")));
		assert_string_equal(content(r, &c[i], &kind), "hello\n");
		assert_int_equal(kind, PACK_GZ);
		assert_int_equal(r->box->ops->locate(r->box, c[i].key, c[i].hint, &o, NULL, NULL, &r->text), ERR_OK);
		assert_int_equal(o.mtime, 1234567890 + i);
		close(o.fd);
	}
}

/* The disk takes the plain bytes and not the packed ones: the message is refused, and nothing is left. */
static void test_no_room_to_pack(void **state)
{
	struct room *r = *state;
	struct rlimit before, small = { 20000, 0 };
	struct store_stage st;
	struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN, .recent = true };
	unsigned seed = 3;

	how(r)->pack = PACK_GZ;
	assert_int_equal(r->box->ops->stage(r->box, 0, &st, &r->text), ERR_OK);
	for (int i = 0; i < 50000; i++) {
		char noise = (char)rand_r(&seed);

		assert_int_equal(write(st.fd, &noise, 1), 1);
	}
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_not_equal(r->box->ops->commit_many(r->box, &c, 1, r->arena, &r->text), ERR_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(room_count(r, "tmp"), 0);
	assert_int_equal(room_scan(r).n, 0);
	c = room_add(r, "hello\n", (struct mail_flags){ 0 });
	assert_int_equal(room_scan(r).n, 1);
}

/* A link keeps the size that the name tells; without one, that of a plain file and none of a packed one. */
static void test_links(void **state)
{
	struct room *r = *state;
	struct store_box *to;
	struct store_stage st;
	struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN };

	room_write(r, "cur/1.plain:2,", "hello\n");
	room_write(r, "cur/2.gz:2,", "\x1f\x8b\x08 and so on");
	room_write(r, "cur/3.gz,S=5000:2,", "\x1f\x8b\x08 and so on");
	assert_int_equal(r->store->ops->create(r->store, "To", NULL, &r->text), ERR_OK);
	assert_int_equal(r->store->ops->box_open(r->store, "To", &to, &r->text), ERR_OK);
	assert_int_equal(to->ops->link(r->box, SPAN("1.plain"), SPAN("c:2,"), to, &st, &r->text), ERR_OK);
	assert_int_equal(to->ops->commit_many(to, &c, 1, r->arena, &r->text), ERR_OK);
	assert_true(span_ends(c.key, SPAN(",S=6")) && c.size == 6);
	assert_int_equal(to->ops->link(r->box, SPAN("2.gz"), SPAN("c:2,"), to, &st, &r->text), ERR_OK);
	assert_int_equal(to->ops->commit_many(to, &c, 1, r->arena, &r->text), ERR_OK);
	assert_true(span_search(c.key, SPAN("S=")) == SIZE_MAX && c.size == STORE_SIZE_UNKNOWN);
	assert_int_equal(to->ops->link(r->box, SPAN("3.gz,S=5000"), SPAN("c:2,"), to, &st, &r->text), ERR_OK);
	assert_int_equal(to->ops->commit_many(to, &c, 1, r->arena, &r->text), ERR_OK);
	assert_true(span_ends(c.key, SPAN(",S=5000")) && c.size == 5000);

	how(r)->no_links = true;
	assert_int_equal(to->ops->link(r->box, SPAN("1.plain"), SPAN("c:2,"), to, &st, &r->text), ERR_CANNOT);
	r->store->ops->box_close(to);
}

static void test_broken_sizes(void **state)
{
	struct room *r = *state;
	struct store_scan s;

	room_write(r, "cur/1.a,S=3,W=4:2,", "longer than that\n");
	s = room_scan(r);
	assert_true(s.msg[0].size == 3 && s.msg[0].vsize == 4);
	how(r)->no_sizes = true;
	s = room_scan(r);
	assert_true(s.msg[0].size == STORE_SIZE_UNKNOWN && s.msg[0].vsize == STORE_SIZE_UNKNOWN);
}

/* cur/ that changed a moment ago proves nothing, unless nobody else is there; new/ never does. */
static void test_very_dirty(void **state)
{
	struct room *r = *state;
	const struct store_ops *ops = r->box->ops;
	struct span token;
	bool changed;

	room_write(r, "cur/1.a:2,", "x");
	room_age(r);
	room_write(r, "cur/2.a:2,", "x");
	token = room_scan(r).token;
	assert_int_equal(ops->changed(r->box, token, &changed), ERR_OK);
	assert_true(changed);
	how(r)->very_dirty = true;
	assert_int_equal(ops->changed(r->box, token, &changed), ERR_OK);
	assert_false(changed);
	assert_int_equal(ops->glance(r->store, "INBOX", 0, token, &changed), ERR_OK);
	assert_false(changed);
	room_write(r, "new/3.a", "x");
	token = room_scan(r).token;
	assert_int_equal(ops->changed(r->box, token, &changed), ERR_OK);
	assert_true(changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_packed), ROOM_TEST(test_packed_batch), ROOM_TEST(test_no_room_to_pack),
		ROOM_TEST(test_links),  ROOM_TEST(test_broken_sizes), ROOM_TEST(test_very_dirty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
