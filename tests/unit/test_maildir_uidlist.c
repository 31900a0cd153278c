#include "store_room.h"

#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>

#define GUID " G000102030405060708090a0b0c0d0e0f"

static void test_new_identity(void **state)
{
	struct room *r = *state;
	struct store_identity id = room_identity(r), again = room_identity(r);

	assert_true(id.renewed && id.note && id.uidvalidity > 0 && id.uidnext == 1);
	assert_true(!again.renewed && !again.note && again.uidvalidity == id.uidvalidity);
	assert_memory_equal(id.guid, again.guid, sizeof(id.guid));
	room_reopen(r);
	again = room_identity(r);
	assert_true(again.uidvalidity == id.uidvalidity);
	assert_memory_equal(id.guid, again.guid, sizeof(id.guid));
}

static void test_adopts(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-uidlist", "3 V12345 N10" GUID " Xkeep\n3 S5 :a\n17 Q1 P :b,S=1\n");
	room_write(r, "cur/a:2,S", "12345");
	room_write(r, "cur/b,S=1:2,", "1");
	struct store_identity id = room_identity(r);
	assert_true(id.uidvalidity == 12345 && id.uidnext == 18 && id.guid[15] == 15 && !id.note);
	struct store_scan s = room_scan(r);
	assert_int_equal(s.n, 2);
	assert_true(s.msg[0].uid == 3 && s.msg[0].size == 5 && s.msg[1].uid == 17 &&
		    s.msg[1].size == 1);
	assert_true(span_eq_str(s.msg[1].uidl, "b,S=1") && s.msg[0].uidl.n == 0);

	/* Appended, not rewritten. */
	room_write(r, "cur/c:2,", "x");
	assert_int_equal(room_number(r, SPAN("c")), 18);
	assert_string_equal(room_read(r, "dovecot-uidlist"),
			    "3 V12345 N10" GUID " Xkeep\n3 S5 :a\n17 Q1 P :b,S=1\n18 :c\n");
	assert_false(room_has(r, "dovecot-uidlist.lock"));
}

static void test_numbers_once(void **state)
{
	struct room *r = *state;
	uint32_t uids[4], next;
	struct span keys[4] = { SPAN("k1"), SPAN("k2"), SPAN("k1"), SPAN("k3") };

	room_identity(r);
	assert_int_equal(r->box->ops->number(r->box, keys, 4, true, uids, &next, r->arena, &r->text), ERR_OK);
	assert_true(uids[0] == 1 && uids[1] == 2 && uids[2] == 1 && uids[3] == 3 && next == 4);
	assert_int_equal(r->box->ops->number(r->box, keys, 4, false, uids, &next, r->arena, &r->text),
			 ERR_OK);
	assert_true(uids[0] == 1 && uids[3] == 3 && next == 4);
	room_reopen(r);
	assert_int_equal(r->box->ops->number(r->box, keys + 1, 1, false, uids, &next, r->arena, &r->text),
			 ERR_OK);
	assert_true(uids[0] == 2 && next == 4);
	assert_int_equal(r->box->ops->sync_numbers(r->box, &r->text), ERR_OK);
}

static void append(struct room *r, const char *path, const char *text)
{
	int fd = open(room_path(r, path), O_WRONLY | O_APPEND);

	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* Others append and rewrite between our calls, about keys that we know and keys that we do not. */
static void test_others_write(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-uidlist", "3 V5 N1" GUID "\n1 :one\n");
	struct store_commit a = room_add(r, "a", (struct mail_flags){ 0 });
	struct store_commit b = room_add(r, "b", (struct mail_flags){ 0 });
	append(r, "dovecot-uidlist", arena_printf(r->arena, "7 :%.*s\n", (int)a.key.n, a.key.p));
	assert_int_equal(room_identity(r).uidnext, 8);
	assert_int_equal(room_number(r, a.key), 7);
	assert_int_equal(room_number(r, b.key), 8);

	struct store_commit c = room_add(r, "c", (struct mail_flags){ 0 });
	char *text = arena_printf(r->arena, "3 V5 N30" GUID "\n8 :%.*s\n20 :%.*s\n", (int)b.key.n,
				  b.key.p, (int)c.key.n, c.key.p);
	room_write(r, "list", text);
	room_move(r, "list", "dovecot-uidlist");
	assert_int_equal(room_number(r, c.key), 20);
	assert_int_equal(room_number(r, b.key), 8);
	assert_int_equal(room_number(r, SPAN("new")), 30);
	struct store_scan s = room_scan(r);
	assert_true(s.n == 3 && s.msg[0].uid == 8 && s.msg[1].uid == 20 && s.msg[2].uid == 0);
	append(r, "dovecot-uidlist", arena_printf(r->arena, "31 :%.*s\n", (int)a.key.n, a.key.p));
	assert_int_equal(room_number(r, a.key), 31);
}

static void test_version1(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-uidlist", "1 777 10\n4 a:2,S\n9 b\n");
	struct store_identity id = room_identity(r);
	assert_true(id.uidvalidity == 777 && id.uidnext == 10 && id.note && !id.renewed);
	assert_int_equal(room_number(r, SPAN("b")), 9);
	assert_int_equal(room_number(r, SPAN("c")), 10);
	const char *text = room_read(r, "dovecot-uidlist");
	assert_int_equal(strncmp(text, "3 V777 N10 G", 12), 0);
	assert_non_null(strstr(text, "\n4 :a\n9 :b\n10 :c\n"));
}

static void test_damaged_lines(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-uidlist",
		   "3 V5 N1" GUID "\n1 :one\nrubbish\n3 :three\n2 :late\n4 :four\n");
	struct store_identity id = room_identity(r);
	assert_true(id.uidvalidity == 5 && id.uidnext == 5 && !id.renewed);
	room_write(r, "cur/late:2,", "x");
	room_write(r, "cur/three:2,", "x");
	assert_int_equal(room_scan(r).msg[0].uid, 3);
	assert_int_equal(room_number(r, SPAN("late")), 5);
	assert_string_equal(room_read(r, "dovecot-uidlist"),
			    "3 V5 N6" GUID "\n1 :one\n3 :three\n4 :four\n5 :late\n");
}

/* What a torn or damaged end may have said is never given again. */
static void test_damaged_end(void **state)
{
	struct room *r = *state;

	room_write(r, "dovecot-uidlist", "3 V5 N1" GUID "\n1 :one\n2 :tw");
	assert_int_equal(room_identity(r).uidnext, 2);
	uint32_t uid = room_number(r, SPAN("new"));
	assert_true(uid > 2 && uid < 10);
	room_write(r, "dovecot-uidlist",
		   "3 V5 N1" GUID
		   "\n1 :one\nxxxxxxxxxxxxxxxxxxxxxxx\nyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n");
	uid = room_number(r, SPAN("new"));
	assert_true(uid > 9 && uid < 20);
}

/* Nor do UIDs begin again where those that may have been given reach to the last. */
static void test_damaged_at_the_last(void **state)
{
	struct span key = SPAN("new");
	struct room *r = *state;
	uint32_t uid = 0, next;

	room_write(r, "dovecot-uidlist", "3 V5 N4294967290" GUID "\n1 :one\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
	assert_int_equal(r->box->ops->number(r->box, &key, 1, true, &uid, &next, r->arena, &r->text), ERR_LIMIT);
}

static void test_damaged_header(void **state)
{
	struct room *r = *state;
	uint32_t old = room_identity(r).uidvalidity;

	room_write(r, "dovecot-uidlist", "nonsense\n1 :one\n");
	struct store_identity id = room_identity(r);
	assert_true(id.renewed && id.note && id.uidvalidity > old && id.uidnext == 1);
	assert_string_equal(room_read(r, "dovecot-uidlist.broken"), "nonsense\n1 :one\n");
	room_write(r, "dovecot-uidlist", "");
	old = id.uidvalidity;
	assert_int_equal(room_number(r, SPAN("one")), 1);
	id = room_identity(r);
	assert_true(id.uidvalidity > old && id.uidnext == 2);
}

static void test_locked(void **state)
{
	struct room *r = *state;
	struct store_identity id;
	uint32_t uid, next;
	struct span key = SPAN("k");

	room_write(r, "dovecot-uidlist.lock", "1:other.host");
	assert_int_equal(r->box->ops->identity(r->box, &id, &r->text), ERR_INUSE);
	assert_int_equal(r->box->ops->number(r->box, &key, 1, true, &uid, &next, r->arena, &r->text),
			 ERR_INUSE);
	unlink(room_path(r, "dovecot-uidlist.lock"));
	room_identity(r);
	room_write(r, "dovecot-uidlist.lock", "1:other.host");
	room_identity(r);
}

static void limit_files(rlim_t size)
{
	struct rlimit limit = { size, RLIM_INFINITY };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A write that fails half way leaves what was there. */
static void test_write_fails(void **state)
{
	struct room *r = *state;
	struct span keys[50];
	uint32_t uids[50], next;

	for (int i = 0; i < 50; i++)
		keys[i] = span_str(arena_printf(r->arena, "key-number-%d", i));
	room_identity(r);
	room_number(r, keys[0]);
	const char *before = room_read(r, "dovecot-uidlist");
	limit_files(strlen(before) + 100);
	assert_int_not_equal(r->box->ops->number(r->box, keys, 50, true, uids, &next, r->arena, &r->text),
			     ERR_OK);
	assert_string_equal(room_read(r, "dovecot-uidlist"), before);
	append(r, "dovecot-uidlist", "torn"); /* the next write is a rewrite */
	before = room_read(r, "dovecot-uidlist");
	assert_int_not_equal(r->box->ops->number(r->box, keys, 50, true, uids, &next, r->arena, &r->text),
			     ERR_OK);
	assert_string_equal(room_read(r, "dovecot-uidlist"), before);
	assert_false(room_has(r, "dovecot-uidlist.tmp"));
	assert_false(room_has(r, "dovecot-uidlist.lock"));
	limit_files(RLIM_INFINITY);
	assert_int_equal(r->box->ops->number(r->box, keys, 50, true, uids, &next, r->arena, &r->text),
			 ERR_OK);
	assert_true(uids[0] == 1 && uids[49] == next - 1);
}

static struct store_scan room_of(struct room *r, int n)
{
	struct store_scan s;
	char name[64];

	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "cur/%d.M1:2,", 1000 + i);
		room_write(r, name, "x");
	}
	room_number_all(r);
	s = room_scan(r);
	assert_int_equal(s.n, n);
	return s;
}

static void remove_some(struct room *r, const struct store_scan *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(r->box->ops->expunge(r->box, s->msg[i].key, s->msg[i].hint, &r->text), ERR_OK);
}

static void test_compacts(void **state)
{
	struct room *r = *state;
	struct store_scan s = room_of(r, 200);

	remove_some(r, &s, 150);
	assert_int_equal(r->box->ops->expunge_done(r->box, &r->text), ERR_OK);
	const char *text = room_read(r, "dovecot-uidlist");
	assert_null(strstr(text, "\n150 "));
	assert_non_null(strstr(text, "\n151 :1150.M1\n"));
	assert_int_equal(room_number(r, SPAN("next")), 201);
	assert_int_equal(room_identity(r).uidnext, 202);
	s = room_scan(r);
	assert_true(s.n == 50 && s.msg[0].uid == 151 && s.msg[49].uid == 200);
}

/* A name that another program gives a file while cur/ is listed so many times more: the listing misses both. */
static struct {
	const char *old, *new;
	unsigned listing;
} renaming;

static void rename_in_one_tick(int fd, const char *old, const char *new)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(renameat(fd, old, fd, new), 0);
	assert_int_equal(futimens(fd, (struct timespec[2]){ st.st_atim, st.st_mtim }), 0);
}

struct dirent *readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);
	struct dirent *de;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	de = real(d);
	if (!de || !renaming.listing || strcmp(de->d_name, renaming.old) != 0 || --renaming.listing)
		return de;
	rename_in_one_tick(dirfd(d), renaming.old, renaming.new);
	return real(d);
}

/* Who renames a message while the list is written anew takes nothing from it, not even within one tick of the clock. */
static void test_compacts_beside_others(void **state)
{
	struct room *r = *state;
	struct store_scan s = room_of(r, 200);
	struct timespec soon[2] = { { time(NULL) + 5, 1 }, { time(NULL) + 5, 1 } };

	remove_some(r, &s, 150);
	assert_int_equal(utimensat(AT_FDCWD, room_path(r, "cur"), soon, 0), 0); /* young for a while */
	renaming.old = "1159.M1:2,";
	renaming.new = "1159.M1:2,F";
	renaming.listing = 3;
	assert_int_equal(r->box->ops->expunge_done(r->box, &r->text), ERR_OK);
	assert_int_equal(renaming.listing, 0);
	assert_null(strstr(room_read(r, "dovecot-uidlist"), "\n150 "));
	assert_non_null(strstr(room_read(r, "dovecot-uidlist"), "\n160 :1159.M1\n"));
}

static void test_uids_run_out(void **state)
{
	struct room *r = *state;
	struct span keys[2] = { SPAN("a"), SPAN("b") };
	uint32_t uids[2], next;

	room_write(r, "dovecot-uidlist", "3 V5 N4294967292" GUID "\n");
	assert_int_equal(r->box->ops->number(r->box, keys, 2, true, uids, &next, r->arena, &r->text), ERR_OK);
	keys[0] = SPAN("c");
	assert_int_equal(r->box->ops->number(r->box, keys, 1, true, uids, &next, r->arena, &r->text),
			 ERR_LIMIT);
}

struct shown {
	uint32_t first, last;
	size_t n;
};

static void show(void *arg, const struct uidlist_record *r)
{
	struct shown *s = arg;

	if (!s->n++)
		s->first = r->uid;
	s->last = r->uid;
}

static struct shown tail(struct room *r, uint32_t uid)
{
	struct shown s = { 0 };

	assert_int_equal(maildir_uidlist_tail(maildir_box_of(r->box), uid, show, &s), ERR_OK);
	return s;
}

/* From a UID on, in a list of a megabyte: of every third UID, in lines of all lengths. */
static void test_tail(void **state)
{
	struct room *r = *state;
	enum { RECORDS = 20000 };
	struct shown s;
	struct buf text;

	buf_init(&text, 16 << 20);
	buf_add_str(&text, "3 V9 N60001" GUID "\n");
	room_write(r, "dovecot-uidlist", "3 V9 N60001" GUID "\n");
	assert_int_equal(tail(r, 1).n, 0);
	for (int i = 1; i <= RECORDS; i++)
		buf_printf(&text, "%d S%d :%0*d\n", 3 * i, i, i % 97 + 5, i);
	buf_add_char(&text, '\0');
	assert_false(text.failed);
	room_write(r, "dovecot-uidlist", text.p);
	for (uint32_t uid = 1; uid <= 3 * RECORDS; uid += 217) {
		s = tail(r, uid);
		assert_int_equal(s.first, (uid + 2) / 3 * 3);
		assert_int_equal(s.last, 3 * RECORDS);
		assert_int_equal(s.n, RECORDS + 1 - (uid + 2) / 3);
	}
	assert_int_equal(tail(r, 1).n, RECORDS);
	assert_int_equal(tail(r, 3 * RECORDS).n, 1);
	assert_int_equal(tail(r, 3 * RECORDS + 1).n, 0);
	memset(text.p + text.n / 2 - 5000, 'x', 10000); /* where it is looked at first */
	room_write(r, "dovecot-uidlist", text.p);
	assert_int_equal(maildir_uidlist_tail(maildir_box_of(r->box), 9, show, &s), ERR_CANNOT);
	room_write(r, "dovecot-uidlist", "");
	assert_int_equal(maildir_uidlist_tail(maildir_box_of(r->box), 9, show, &s), ERR_CANNOT);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM_TEST(test_new_identity), ROOM_TEST(test_adopts),
		ROOM_TEST(test_numbers_once), ROOM_TEST(test_others_write),
		ROOM_TEST(test_version1),     ROOM_TEST(test_damaged_lines),
		ROOM_TEST(test_damaged_end), ROOM_TEST(test_damaged_at_the_last), ROOM_TEST(test_damaged_header),
		ROOM_TEST(test_locked),       ROOM_TEST(test_write_fails),
		ROOM_TEST(test_compacts),     ROOM_TEST(test_compacts_beside_others), ROOM_TEST(test_uids_run_out),
		ROOM_TEST(test_tail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
