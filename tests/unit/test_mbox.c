/* Files as other programs leave them: what is found in them, and what is believed. */
#include "mbox_room.h"

static void test_others_files(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;

	write_file(r, O_TRUNC,
		   "\n" FROM "Subject: 1\nStatus: RO\n\nbody\n>From quoted\nFrom prose\n\n" FROM2 "Subject: 2\n\nno blank line behind\n" FROM
			"Subject: 3\nContent-Length: 78\n\n" FROM2 "Subject: in the body, says the length\n\ntext\n"
			"\n" FROM "Subject: 4\nContent-Length: 5000\n\na lie\n\n" FROM "Subject: 5, no end of header\n" FROM
			"Subject: 6\n\n\n" FROM "Subject: 7\n\nlast\n");
	s = scan(r);
	assert_int_equal(s.n, 7);
	assert_string_equal(message(r, &s.msg[0]), "Subject: 1\n\nbody\n>From quoted\nFrom prose\n");
	assert_int_equal(s.msg[0].flags.system, MAIL_SEEN);
	assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\nno blank line behind");
	assert_string_equal(message(r, &s.msg[2]), "Subject: 3\n\n" FROM2 "Subject: in the body, says the length\n\ntext\n");
	assert_string_equal(message(r, &s.msg[3]), "Subject: 4\n\na lie\n");
	assert_string_equal(message(r, &s.msg[4]), "Subject: 5, no end of header\n");
	assert_string_equal(message(r, &s.msg[5]), "Subject: 6\n\n");
	assert_string_equal(message(r, &s.msg[6]), "Subject: 7\n\nlast");
	for (size_t i = 0; i < s.n; i++)
		assert_int_equal(s.msg[i].uid, i + 1);
}

static void test_crlf_file(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;

	write_file(r, O_TRUNC,
		   "From joe Fri Jan  5 12:12:12 1996\r\nSubject: 1\r\n\r\nbody\r\n\r\n"
		   "From joe Fri Jan  5 12:12:12 1996\r\nSubject: 2\r\n\r\nlast\r\n");
	s = scan(r);
	assert_int_equal(s.n, 2);
	assert_string_equal(message(r, &s.msg[0]), "Subject: 1\r\n\r\nbody\r\n");
	assert_int_equal(s.msg[0].vsize, strlen("Subject: 1\r\n\r\nbody\r\n"));
	assert_string_equal(message(r, &s.msg[1]), "Subject: 2\r\n\r\nlast");
}

static void test_not_an_mbox(void **state)
{
	struct mroom *r = *state;
	struct store_identity id;

	write_file(r, O_TRUNC, "some text\nFrom joe Fri Jan  5 12:12:12 1996\n");
	assert_int_equal(store_mbox.identity(r->box, &id, &r->text), ERR_CORRUPT);
	assert_non_null(strstr(r->text.text, "From_"));
	assert_string_equal(read_file(r), "some text\nFrom joe Fri Jan  5 12:12:12 1996\n");
}

static void test_uids_believed(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;
	struct store_identity id;

	write_file(r, O_TRUNC,
		   FROM "X-IMAPbase: 77 0000000009 work\nX-UID: 3\nX-Keywords: work\n\n1\n\n" FROM
			"X-UID: 7\nX-Status: F\nX-Keywords: work play\n\n2\n\n" FROM "X-UID: 12\n\nabove the last\n\n" FROM "X-UID: 8\n\nbehind it\n\n");
	s = scan(r);
	assert_int_equal(store_mbox.identity(r->box, &id, &r->text), ERR_OK);
	assert_true(id.uidvalidity == 77 && s.n == 4);
	assert_true(s.msg[0].uid == 3 && s.msg[1].uid == 7 && s.msg[2].uid == 0 && s.msg[3].uid == 0);
	assert_int_equal(s.msg[0].flags.keywords, 1);
	assert_int_equal(s.msg[1].flags.keywords, 0);

	struct span keys[2] = { s.msg[2].key, s.msg[3].key };
	uint32_t uids[2], next;
	assert_int_equal(store_mbox.number(r->box, keys, 2, true, uids, &next, r->arena, &r->text), ERR_OK);
	assert_true(uids[0] == 10 && uids[1] == 11 && next == 12);
	assert_non_null(strstr(read_file(r), "X-IMAPbase: 77 0000000011 work"));
	assert_null(strstr(read_file(r), "X-UID: 12"));
}

static void test_pseudo_message(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;

	write_file(r, O_TRUNC, FROM "Subject: DON'T DELETE\nX-IMAP: 55 0000000003\nStatus: RO\n\ndata\n\n" FROM "X-UID: 3\n\nmail\n\n");
	s = scan(r);
	assert_true(s.n == 1 && s.msg[0].uid == 3);
	assert_int_equal(store_mbox.expunge(r->box, s.msg[0].key, s.msg[0].hint, &r->text), ERR_OK);
	assert_int_equal(store_mbox.expunge_done(r->box, &r->text), ERR_OK);
	s = scan(r);
	assert_int_equal(s.n, 0);
	assert_string_equal(read_file(r), FROM "Subject: DON'T DELETE\nX-IMAP: 55 0000000003\nStatus: RO\n\ndata\n\n");
}

/* Another program appends: only that is parsed, and reported with what is still recent. */
static void test_grown(void **state)
{
	struct mroom *r = *state;
	struct store_scan s, more;
	struct span key;
	uint32_t uid, next;

	write_file(r, O_TRUNC, FROM "Subject: 1\nStatus: O\n\none\n\n" FROM "Subject: 2\n\ntwo\n\n");
	usleep(30000); /* older than the clock's tick */
	s = scan(r);
	usleep(30000);
	s = scan(r);
	write_file(r, O_APPEND, FROM2 "Subject: 3\n\nthree\n\n");
	assert_int_equal(store_mbox.scan_new(r->box, s.token, r->arena, &more, &r->text), ERR_OK);
	assert_int_equal(more.n, 2);
	assert_int_equal(more.msg[0].uid, 2);
	assert_int_equal(more.msg[1].uid, 0);
	key = more.msg[1].key;
	assert_int_equal(store_mbox.number(r->box, &key, 1, true, &uid, &next, r->arena, &r->text), ERR_OK);
	assert_true(uid == 3 && span_eq_str(key, "3"));
	assert_string_equal(message(r, &scan(r).msg[2]), "Subject: 3\n\nthree\n");
}

/* Another program rewrites what is there, and then the file grows. */
static void rewrite_and_grow(struct mroom *r, const char *from, const char *to)
{
	char *text = arena_str(r->arena, read_file(r)), *at = strstr(text, from);

	assert_true(at && strlen(from) == strlen(to));
	memcpy(at, to, strlen(to));
	write_file(r, O_TRUNC, text);
	write_file(r, O_APPEND, FROM2 "Subject: last\n\nlast\n\n");
}

static struct store_scan look_at_new(struct mroom *r, struct span token)
{
	struct store_identity id;
	struct store_scan s;
	bool changed;

	assert_true(store_mbox.changed(r->box, token, &changed) == ERR_OK && changed);
	assert_int_equal(store_mbox.identity(r->box, &id, &r->text), ERR_OK);
	assert_int_equal(store_mbox.scan_new(r->box, token, r->arena, &s, &r->text), ERR_OK);
	return s;
}

static void read_slowly(struct mroom *r, struct store_scan *s)
{
	*s = scan(r);
	usleep(30000); /* older than the clock's tick */
	*s = scan(r);
	assert_false(s->unsure);
}

#define THREE \
	FROM "Subject: 1\nX-IMAPbase: 77 0000000003 work\nX-UID: 1\nStatus: O \n\none\n\n" FROM \
	     "Subject: 2\nX-UID: 2\nStatus: O \nX-Keywords:     \n\ntwo\n\n" FROM "Subject: 3\nX-UID: 3\nStatus: O \n\nthree\n\n"

/* Flags that another program changed before somebody appended: a look at what is new does not see them, a scan does. */
static void test_grown_and_flagged(void **state)
{
	struct mroom *r = *state;
	struct store_scan s, more;
	bool changed;

	write_file(r, O_TRUNC, THREE);
	read_slowly(r, &s);
	rewrite_and_grow(r, "X-UID: 2\nStatus: O \nX-Keywords:     ", "X-UID: 2\nStatus: RO\nX-Keywords: work");
	more = look_at_new(r, s.token);
	assert_true(more.n == 1 && more.msg[0].uid == 0 && more.unsure);
	assert_true(store_mbox.changed(r->box, more.token, &changed) == ERR_OK && !changed);
	s = scan(r);
	assert_true(s.n == 4 && !s.unsure && s.msg[1].flags.system == MAIL_SEEN && s.msg[1].flags.keywords == 1);
	assert_true(store_mbox.changed(r->box, more.token, &changed) == ERR_OK && changed);
}

/* Who has not seen it himself does not take another's word for what that one did not look at. */
static void test_grown_and_left(void **state)
{
	struct mroom *r = *state;
	struct store_scan s, more;
	bool changed;

	write_file(r, O_TRUNC, THREE);
	read_slowly(r, &s);
	rewrite_and_grow(r, "Status: O ", "Status: RO");
	more = look_at_new(r, s.token);
	box_close(r);
	box_open(r);
	assert_true(store_mbox.changed(r->box, more.token, &changed) == ERR_OK && changed);
	assert_int_equal(scan(r).msg[0].flags.system, MAIL_SEEN);
}

/* Nor is it lost when we write. */
static void test_grown_and_written(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;
	struct span hint;

	write_file(r, O_TRUNC, THREE);
	read_slowly(r, &s);
	rewrite_and_grow(r, "X-UID: 2\nStatus: O ", "X-UID: 2\nStatus: RO");
	(void)look_at_new(r, s.token);
	set_flags(r, &s.msg[2], MAIL_FLAGGED, &hint);
	s = scan(r);
	assert_true(s.n == 4 && s.msg[1].flags.system == MAIL_SEEN && s.msg[2].flags.system == MAIL_FLAGGED);
}

/* As Dovecot moves blanks from one header to another: the last message stays where it was, others do not. */
static void test_grown_and_moved(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;
	struct span hint;

	for (int written = 0; written < 2; written++) {
		write_file(r, O_TRUNC, FROM "X-IMAPbase: 77 0000000004\nX-UID: 1\n\none\n\n" FROM "X-UID: 2\nX-Keywords:     \n\ntwo\n\n"
				       FROM "X-UID: 3\nX-Keywords:     \n\nthree\n\n" FROM "X-UID: 4\n\nfour\n\n");
		read_slowly(r, &s);
		rewrite_and_grow(r, "X-Keywords:     \n\ntwo\n\n" FROM "X-UID: 3\nX-Keywords:     \n\n",
				 "X-Keywords: \n\ntwo\n\n" FROM "X-UID: 3\nX-Keywords:         \n\n");
		(void)look_at_new(r, s.token);
		if (written) {
			struct mail_flags flagged = { MAIL_FLAGGED, 0 };

			assert_int_equal(store_mbox.set_flags(r->box, s.msg[2].key, s.msg[2].hint, flagged, r->arena, &hint, &r->text), ERR_OK);
			assert_int_equal(store_mbox.flags_done(r->box, &r->text), ERR_INUSE); /* not where it was */
			assert_int_equal(store_mbox.flags_done(r->box, &r->text), ERR_OK);
		} else {
			assert_string_equal(message(r, &s.msg[2]), "\nthree\n");
		}
		s = scan(r);
		assert_int_equal(s.n, 5);
		assert_string_equal(message(r, &s.msg[1]), "\ntwo\n");
		assert_string_equal(message(r, &s.msg[2]), "\nthree\n");
		assert_int_equal(s.msg[2].flags.system & MAIL_FLAGGED, written ? MAIL_FLAGGED : 0);
	}
}

/* Taken out of the arrivals: O in Status, unless another program said something of the message first. */
static void test_recent_ends(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;
	struct span hint;

	write_file(r, O_TRUNC, FROM "Subject: 1\n\none\n\n" FROM "Subject: 2\n\ntwo\n\n");
	s = scan(r);
	assert_true(s.msg[0].hint.p[0] == 'n' && (s.msg[0].flags.system & MAIL_RECENT));
	claim(r, &s.msg[0], &hint);
	assert_true(span_eq_str(hint, "0"));
	assert_non_null(strstr(read_file(r), "\nX-UID: 1\nStatus: O \n"));
	assert_non_null(strstr(read_file(r), "\nX-UID: 2\nStatus:   \n"));
	char *text = arena_str(r->arena, read_file(r));
	memcpy(strstr(text, "\nX-UID: 2\nStatus:   \n") + 18, "RO", 2);
	write_file(r, O_TRUNC, text);
	claim(r, &s.msg[1], &hint);
	assert_non_null(strstr(read_file(r), "\nX-UID: 2\nStatus: RO\n"));
	s = scan(r);
	assert_int_equal(s.msg[0].flags.system, 0);
	assert_int_equal(s.msg[1].flags.system, MAIL_SEEN);
}

static void same_scan(struct mroom *r)
{
	struct mroom fresh = *r;
	struct store_scan a, b;

	box_open(&fresh);
	a = scan(r);
	b = scan(&fresh);
	assert_int_equal(a.n, b.n);
	for (size_t i = 0; i < a.n; i++) {
		const struct store_msg *x = &a.msg[i], *y = &b.msg[i];

		assert_true(span_eq(x->key, y->key) && span_eq(x->hint, y->hint) && x->uid == y->uid);
		assert_true(x->flags.system == y->flags.system && x->flags.keywords == y->flags.keywords);
		assert_true(x->size == y->size && x->vsize == y->vsize && memcmp(x->guid, y->guid, 16) == 0);
	}
	box_close(&fresh);
}

static void change(struct mroom *r, const struct store_msg *m, unsigned what)
{
	struct span hint;

	if (what % 4 == 0)
		assert_int_equal(store_mbox.expunge(r->box, m->key, m->hint, &r->text), ERR_OK);
	else
		assert_int_equal(store_mbox.set_flags(r->box, m->key, m->hint,
						      (struct mail_flags){ what >> 2 & MAIL_SYSTEM, what >> 8 & 7 }, r->arena,
						      &hint, &r->text),
				 ERR_OK);
}

/* After each rewrite what is in memory is what a fresh look at the file finds. */
static void test_map_follows(void **state)
{
	static const char *const kinds[] = { FROM "Subject: plain\n\nbody\n\n", FROM "Subject: tight\n\nbody\n",
					     FROM "Subject: forged\nX-UID: 3\nStatus: R\nX-Keywords: a\n\nbody\n\n",
					     FROM "Subject: crlf\r\n\r\nbody\r\n\r\n", FROM "Subject: no end\n",
					     FROM2 "Subject: empty\n\n", FROM2 "\n\n" };
	struct mroom *r = *state;
	unsigned bit;

	srand(1);
	for (int round = 0; round < 150; round++) {
		struct store_scan s;

		for (int k = rand() % 4; k > 0 || access(r->inbox, F_OK) < 0; k--)
			write_file(r, O_APPEND, kinds[rand() % ARRAY_LEN(kinds)]);
		s = scan(r);
		struct span *keys = arena_array(r->arena, s.n + 1, sizeof(*keys));
		uint32_t *uids = arena_array(r->arena, s.n + 1, sizeof(*uids)), next;
		for (size_t i = 0; i < s.n; i++)
			keys[i] = s.msg[i].key;
		assert_int_equal(store_mbox.number(r->box, keys, s.n, true, uids, &next, r->arena, &r->text), ERR_OK);
		same_scan(r);
		s = scan(r);
		if (round % 20 == 5)
			assert_int_equal(store_mbox.keyword_add(r->box, arena_printf(r->arena, "%s%d", round % 40 == 5 ? "k" :
				"a-keyword-so-long-that-no-padding-in-the-world-has-room-for-what-it-takes-and-then-some-more", round),
				&bit, &r->text), ERR_OK);
		for (size_t i = 0; i < s.n; i++)
			if (rand() % 3 == 0)
				change(r, &s.msg[i], (unsigned)rand());
		assert_int_equal(store_mbox.flags_done(r->box, &r->text), ERR_OK);
		same_scan(r);
	}
}

/* The file is another one, or shorter, without a word to us. */
static void test_replaced_and_cut(void **state)
{
	static const char third[] = FROM "Subject: 3\n\nthree\n";
	struct mroom *r = *state;
	char *aside = arena_printf(r->arena, "%s.new", r->inbox);
	struct store_scan s;

	write_file(r, O_TRUNC, FROM "Subject: 1\n\none\n\n" FROM "Subject: 2\n\ntwo\n\n");
	s = scan(r);
	char *text = arena_str(r->arena, read_file(r)), *second = strstr(text + 1, FROM);
	int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	assert_int_equal(write(fd, third, strlen(third)), (ssize_t)strlen(third));
	close(fd);
	assert_int_equal(rename(aside, r->inbox), 0);
	s = scan(r);
	assert_true(s.n == 3 && s.msg[1].uid == 2);
	assert_string_equal(message(r, &s.msg[2]), "Subject: 3\n\nthree");
	assert_int_equal(truncate(r->inbox, second - text), 0);
	s = scan(r);
	assert_true(s.n == 1 && s.msg[0].uid == 1);
	assert_string_equal(message(r, &s.msg[0]), "Subject: 1\n\none\n");
	assert_int_equal(unlink(r->inbox), 0);
	assert_int_equal(scan(r).n, 0);
}

/* A mailbox that may only be read: numbers by place, and nothing is written. */
static void test_read_only(void **state)
{
	static const char text[] = FROM "Subject: 1\n\none\n\n" FROM "Subject: 2\n\ntwo\n\n";
	struct mroom *r = *state;
	struct store_config c = { .root = r->root, .inbox = r->inbox, .hostname = "h", .readonly = true };
	struct mroom ro = *r;
	struct store_scan s;
	struct span hint;

	write_file(r, O_TRUNC, text);
	assert_int_equal(store_mbox.open(&c, &ro.store, &ro.text), ERR_OK);
	assert_int_equal(store_mbox.box_open(ro.store, "INBOX", &ro.box, &ro.text), ERR_OK);
	for (int i = 0; i < 2; i++) {
		s = scan(&ro);
		assert_true(s.n == 2 && s.msg[0].uid == 1 && s.msg[1].uid == 2);
		assert_string_equal(message(&ro, &s.msg[1]), "Subject: 2\n\ntwo\n");
	}
	assert_int_equal(store_mbox.expunge(ro.box, s.msg[0].key, s.msg[0].hint, &ro.text), ERR_READONLY);
	assert_int_equal(store_mbox.set_flags(ro.box, s.msg[0].key, s.msg[0].hint, (struct mail_flags){ MAIL_SEEN, 0 },
					      ro.arena, &hint, &ro.text),
			 ERR_READONLY);
	box_close(&ro);
	assert_string_equal(read_file(r), text);
}

/* Longer than what a lock's name had room for once. */
static void test_long_name(void **state)
{
	struct mroom *r = *state;
	char *name = arena_alloc(r->arena, 256);
	struct store_identity id;
	struct store_box *box;
	unsigned bit;

	memset(name, 'x', 240);
	name[240] = '\0';
	assert_int_equal(store_mbox.create(r->store, name, NULL, &r->text), ERR_OK);
	assert_int_equal(store_mbox.box_open(r->store, name, &box, &r->text), ERR_OK);
	assert_int_equal(store_mbox.identity(box, &id, &r->text), ERR_OK);
	assert_int_equal(store_mbox.keyword_add(box, "work", &bit, &r->text), ERR_OK);
	store_mbox.box_close(box);
}

static void test_locked_by_others(void **state)
{
	struct mroom *r = *state;
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct store_scan s;
	int fd, lock, locked[2];
	pid_t pid;
	char c;

	write_file(r, O_TRUNC, FROM "Subject: 1\n\none\n\n");
	s = scan(r);
	fd = open(r->inbox, O_RDWR);
	assert_int_equal(pipe(locked), 0);
	pid = fork();
	if (pid == 0) {
		/* A classic lock of another process. */
		if (fcntl(fd, F_SETLK, &l) == 0 && write(locked[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(locked[1]);
	assert_int_equal(read(locked[0], &c, 1), 1);
	close(locked[0]);
	assert_int_equal(store_mbox.scan(r->box, r->arena, &s, &r->text), ERR_INUSE);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd);
	assert_int_equal(store_mbox.scan(r->box, r->arena, &s, &r->text), ERR_OK);

	char *name = arena_printf(r->arena, "%s.lock", r->inbox);
	lock = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(lock >= 0);
	assert_int_equal(store_mbox.expunge(r->box, s.msg[0].key, s.msg[0].hint, &r->text), ERR_OK);
	assert_int_equal(store_mbox.expunge_done(r->box, &r->text), ERR_INUSE);
	close(lock);
	unlink(name);
	assert_int_equal(store_mbox.expunge_done(r->box, &r->text), ERR_OK);
	assert_int_equal(scan(r).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MROOM_TEST(test_others_files),
		MROOM_TEST(test_crlf_file),
		MROOM_TEST(test_not_an_mbox),
		MROOM_TEST(test_uids_believed),
		MROOM_TEST(test_pseudo_message),
		MROOM_TEST(test_grown),
		MROOM_TEST(test_grown_and_flagged),
		MROOM_TEST(test_grown_and_left),
		MROOM_TEST(test_grown_and_written),
		MROOM_TEST(test_grown_and_moved),
		MROOM_TEST(test_recent_ends),
		MROOM_TEST(test_map_follows),
		MROOM_TEST(test_replaced_and_cut),
		MROOM_TEST(test_read_only),
		MROOM_TEST(test_long_name),
		MROOM_TEST(test_locked_by_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
