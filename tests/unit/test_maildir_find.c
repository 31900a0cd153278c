#include "store_room.h"

static enum err locate(struct room *r, const char *key, const char *hint, const char **hint_r)
{
	struct store_object o;
	struct span h;
	enum err e = r->box->ops->locate(r->box, span_str(key), span_str(hint), &o, r->arena, &h,
					 &r->text);

	if (e)
		return e;
	*hint_r = arena_span(r->arena, h);
	close(o.fd);
	return ERR_OK;
}

static void expect_at(struct room *r, const char *key, const char *hint, const char *true_hint)
{
	const char *h;

	assert_int_equal(locate(r, key, hint, &h), ERR_OK);
	assert_string_equal(h, true_hint);
}

static void expect_gone(struct room *r, const char *key, const char *hint)
{
	const char *h;

	assert_int_equal(locate(r, key, hint, &h), ERR_EXPUNGED);
}

static void test_locate(void **state)
{
	struct room *r = *state;
	struct store_object o;

	room_write(r, "cur/1.a:2,FS", "hello");
	room_write(r, "new/2.a", "x");
	expect_at(r, "1.a", "c:2,FS", "c:2,FS");
	expect_at(r, "1.a", "c:2,", "c:2,FS");
	expect_at(r, "1.a", "n", "c:2,FS");
	expect_at(r, "1.a", "", "c:2,FS");
	expect_at(r, "2.a", "c:2,S", "n");
	expect_gone(r, "3.a", "c:2,");
	room_move(r, "cur/1.a:2,FS", "cur/1.a:2,T");
	expect_at(r, "1.a", "c:2,FS", "c:2,T");
	room_move(r, "new/2.a", "cur/2.a:2,S");
	expect_at(r, "2.a", "n", "c:2,S");
	assert_int_equal(
		r->box->ops->locate(r->box, SPAN("1.a"), SPAN("c:2,T"), &o, NULL, NULL, &r->text),
		ERR_OK);
	assert_true(o.offset == 0 && o.length == 5 && o.mtime > 1000000000 && o.ctime > 1000000000);
	close(o.fd);
	unlink(room_path(r, "cur/2.a:2,S"));
	expect_gone(r, "2.a", "c:2,S");
}

/* Keys and hints may come from a damaged index. */
static void test_hostile_hints(void **state)
{
	struct room *r = *state;
	char many[400];

	room_write(r, "cur/1.a:2,", "x");
	room_write(r, "outside", "x");
	expect_gone(r, "../outside", "c");
	expect_gone(r, "..", "c/outside");
	expect_gone(r, "", "c1.a:2,");
	expect_gone(r, "1", "c.a:2,");
	expect_at(r, "1.a", "x:2,", "c:2,");
	expect_at(r, "1.a", "c/../1.a:2,", "c:2,");
	memset(many, 'x', sizeof(many));
	many[399] = '\0';
	expect_gone(r, many, "c:2,");
	expect_at(r, "1.a", many, "c:2,");
	expect_gone(r, "1.a\n", "c");
	assert_int_equal(mkfifo(room_path(r, "cur/2.a:2,"), 0600), 0);
	expect_gone(r, "2.a", "c:2,");
	assert_int_equal(symlink("../outside", room_path(r, "cur/3.a:2,")), 0);
	expect_gone(r, "3.a", "c:2,");
}

static struct span set_flags(struct room *r, const char *key, const char *hint, uint8_t flags,
			     enum err want)
{
	struct span h = SPAN("");

	assert_int_equal(r->box->ops->set_flags(r->box, span_str(key), span_str(hint),
						(struct mail_flags){ flags, 0 }, r->arena, &h,
						&r->text),
			 want);
	return h;
}

static struct span claim(struct room *r, const char *key, enum err want)
{
	struct span h = SPAN("");

	assert_int_equal(r->box->ops->claim(r->box, span_str(key), SPAN("n"), r->arena, &h, &r->text), want);
	return h;
}

static void test_flags(void **state)
{
	struct room *r = *state;

	room_write(r, "new/1.a", "x");
	assert_true(span_eq_str(claim(r, "1.a", ERR_OK), "c:2,"));
	claim(r, "1.a", ERR_NOTFOUND);
	assert_true(room_has(r, "cur/1.a:2,"));
	room_write(r, "new/3.a:2,FPe", "x"); /* whatever the caller took its flags for */
	assert_true(span_eq_str(claim(r, "3.a", ERR_OK), "c:2,FPe"));
	claim(r, "2.a", ERR_EXPUNGED);
	assert_true(span_eq_str(set_flags(r, "1.a", "n", MAIL_SEEN, ERR_OK), "c:2,S"));
	assert_true(span_eq_str(set_flags(r, "1.a", "c:2,S", MAIL_SEEN, ERR_OK), "c:2,S"));
	/* The true name counts, not what the hint says of foreign letters. */
	room_move(r, "cur/1.a:2,S", "cur/1.a:2,PS,more");
	assert_true(span_eq_str(set_flags(r, "1.a", "c:2,S", MAIL_FLAGGED, ERR_OK), "c:2,FP,more"));
	assert_true(room_has(r, "cur/1.a:2,FP,more"));
	set_flags(r, "2.a", "n", MAIL_SEEN, ERR_EXPUNGED);
	assert_int_equal(r->box->ops->flags_done(r->box, &r->text), ERR_OK);

	/* The same flags, set where the hint says they are but the file is gone. */
	unlink(room_path(r, "cur/1.a:2,FP,more"));
	set_flags(r, "1.a", "c:2,S", MAIL_SEEN, ERR_EXPUNGED);
}

/* A second file of that name with those very flags: never overwritten. */
static void test_flags_twin(void **state)
{
	struct room *r = *state;

	room_write(r, "cur/1.a:2,", "one");
	room_write(r, "cur/1.a:2,S", "two");
	set_flags(r, "1.a", "c:2,", MAIL_SEEN, ERR_INUSE);
	assert_string_equal(room_read(r, "cur/1.a:2,S"), "two");
	assert_int_equal(room_scan(r).n, 2);
}

static void test_expunge(void **state)
{
	struct room *r = *state;
	const struct store_ops *ops = r->box->ops;

	room_write(r, "cur/1.a:2,S", "x");
	room_write(r, "new/2.a", "x");
	assert_int_equal(ops->expunge(r->box, SPAN("1.a"), SPAN("c:2,"), &r->text), ERR_OK);
	assert_int_equal(ops->expunge(r->box, SPAN("1.a"), SPAN("c:2,"), &r->text), ERR_OK);
	assert_int_equal(ops->expunge(r->box, SPAN("2.a"), SPAN("n"), &r->text), ERR_OK);
	assert_int_equal(ops->expunge_done(r->box, &r->text), ERR_OK);
	assert_int_equal(room_count(r, "cur") + room_count(r, "new"), 0);
}

/* A listing proves an absence only while the folder stays as it was. */
static void test_names_kept(void **state)
{
	struct room *r = *state;

	room_write(r, "cur/1.a:2,S", "x");
	room_age(r);
	expect_gone(r, "2.a", "c:2,");
	assert_non_null(maildir_box_of(r->box)->names);
	expect_gone(r, "3.a", "c:2,");
	room_write(r, "new/3.a", "x");
	expect_at(r, "3.a", "c:2,", "n");
	room_move(r, "new/3.a", "cur/3.a:2,");
	expect_at(r, "3.a", "c:2,S", "c:2,");
	bool c;
	assert_int_equal(r->box->ops->changed(r->box, SPAN(""), &c), ERR_OK);
	assert_null(maildir_box_of(r->box)->names);
}

/* While another process renames without pause, nothing is ever said to be gone. */
static void test_renamer(void **state)
{
	struct room *r = *state;
	char name[160], other[160];
	const char *h;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "cur/%d.a:2,", i);
		room_write(r, name, "x");
	}
	pid_t child = fork();
	for (unsigned i = 0; child == 0; i++) {
		snprintf(name, sizeof(name), "%s/cur/%u.a:2,%s", r->root, i % 300,
			 i / 300 % 2 ? "S" : "");
		snprintf(other, sizeof(other), "%s/cur/%u.a:2,%s", r->root, i % 300,
			 i / 300 % 2 ? "" : "S");
		if (rename(name, other) < 0)
			_exit(1);
	}
	for (int i = 0; i < 600; i++) {
		snprintf(name, sizeof(name), "%d.a", i % 300);
		enum err e = locate(r, name, i % 2 ? "c:2," : "n", &h);
		assert_true(e == ERR_OK || e == ERR_INUSE);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "%d.a", i);
		assert_int_equal(locate(r, name, "n", &h), ERR_OK);
	}
	assert_int_equal(room_scan(r).n, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_locate),  ROOM_TEST(test_hostile_hints),
		ROOM_TEST(test_flags),   ROOM_TEST(test_flags_twin),
		ROOM_TEST(test_expunge), ROOM_TEST(test_names_kept),
		ROOM_TEST(test_renamer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
