/* roost-use: its text, and where it goes with the mailbox. */
#include "store_room.h"

#include "src/store/special_use.h"

#include <signal.h>
#include <sys/resource.h>

static void test_text(void **state)
{
	struct buf b;
	struct span uses = SPAN("?");

	buf_init(&b, 4096);
	assert_true(special_use_encode(SPAN("\\Drafts \\Sent"), &b));
	assert_true(special_use_decode(buf_span(&b), &uses));
	assert_true(span_eq_str(uses, "\\Drafts \\Sent"));
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 1;
		assert_false(special_use_decode(buf_span(&b), &uses));
		b.p[i] ^= 1;
		assert_false(special_use_decode(span_cut(buf_span(&b), 0, i), &uses));
	}
	buf_clear(&b);
	assert_false(special_use_encode(SPAN(""), &b));
	assert_false(special_use_encode(SPAN("Drafts"), &b));
	assert_false(special_use_encode(SPAN("\\Drafts "), &b));
	assert_false(special_use_encode(SPAN("\\Dra\nfts"), &b));
	assert_false(special_use_encode(SPAN("\\"), &b));
	buf_free(&b);
}

static void create(struct room *r, const char *name, const char *use, enum err want)
{
	assert_int_equal(r->store->ops->create(r->store, name, use, &r->text), want);
}

/* The use that list tells of name; "" when none, NULL when there is no such folder. */
static const char *use_of(struct room *r, const char *name)
{
	struct store_folder *f;
	size_t n;

	assert_int_equal(r->store->ops->list(r->store, r->arena, &f, &n, &r->text), ERR_OK);
	for (size_t i = 0; i < n; i++)
		if (strcmp(f[i].name, name) == 0)
			return f[i].special_use ? f[i].special_use : "";
	return NULL;
}

static void test_life(void **state)
{
	struct room *r = *state;

	create(r, "A.B", "\\Sent", ERR_OK);
	create(r, "C", NULL, ERR_OK);
	assert_string_equal(use_of(r, "A.B"), "\\Sent");
	assert_string_equal(use_of(r, "A"), "");
	assert_string_equal(use_of(r, "C"), "");
	assert_string_equal(use_of(r, "INBOX"), "");
	assert_int_equal(r->store->ops->rename(r->store, "A", "D", &r->text), ERR_OK);
	assert_null(use_of(r, "A.B"));
	assert_string_equal(use_of(r, "D.B"), "\\Sent");
	assert_int_equal(r->store->ops->remove(r->store, "D.B", &r->text), ERR_OK);
	create(r, "D.B", NULL, ERR_OK);
	assert_string_equal(use_of(r, "D.B"), "");
}

static void test_damage(void **state)
{
	struct room *r = *state;

	create(r, "A", "\\Trash \\Junk", ERR_OK);
	assert_string_equal(use_of(r, "A"), "\\Trash \\Junk");
	room_write(r, ".A/roost-use", "1 \\Trash 00000000\n");
	assert_string_equal(use_of(r, "A"), "");
	assert_int_equal(unlink(room_path(r, ".A/roost-use")), 0);
	assert_int_equal(mkfifo(room_path(r, ".A/roost-use"), 0600), 0);
	assert_string_equal(use_of(r, "A"), "");
	assert_int_equal(unlink(room_path(r, ".A/roost-use")), 0);
	assert_int_equal(symlink("/etc/passwd", room_path(r, ".A/roost-use")), 0);
	assert_string_equal(use_of(r, "A"), "");
}

/* What cannot be kept makes no mailbox; nor does INBOX, which always is one, take a use. */
static void test_refused(void **state)
{
	struct room *r = *state;

	create(r, "A", "Sent", ERR_CANNOT);
	assert_null(use_of(r, "A"));
	assert_int_equal(room_count(r, "."), 3);
	create(r, "INBOX", "\\Sent", ERR_CANNOT);
}

/* A level that has no cur/ yet becomes the mailbox; what a crash left there does not hinder. */
static void test_level(void **state)
{
	struct room *r = *state;

	assert_int_equal(mkdir(room_path(r, ".L"), 0700), 0);
	room_write(r, ".L/roost-use.tmp", "x");
	create(r, "L", "\\Archive", ERR_OK);
	assert_string_equal(use_of(r, "L"), "\\Archive");
	assert_false(room_has(r, ".L/roost-use.tmp"));
}

/* A disk that takes no byte: no mailbox, and nothing left of the attempt. */
static void test_full(void **state)
{
	struct room *r = *state;
	struct rlimit was, none;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	assert_int_not_equal(r->store->ops->create(r->store, "A", "\\Sent", &r->text), ERR_OK);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_null(use_of(r, "A"));
	assert_int_equal(room_count(r, "."), 3);
	create(r, "A", "\\Sent", ERR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		ROOM_TEST(test_life),
		ROOM_TEST(test_damage),
		ROOM_TEST(test_refused),
		ROOM_TEST(test_level),
		ROOM_TEST(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
