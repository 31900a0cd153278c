/* Files in odd states, and what other programs do to them meanwhile. */
#include "mbox_room.h"

#include <sys/resource.h>

static void append(struct mroom *r, const char *text, enum err want)
{
	struct store_stage st;
	struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN };

	assert_int_equal(store_mbox.stage(r->box, 0, &st, &r->text), ERR_OK);
	assert_int_equal(write(st.fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(store_mbox.commit_many(r->box, &c, 1, r->arena, &r->text), want);
}

static void expunge(struct mroom *r, const struct store_msg *m)
{
	assert_int_equal(store_mbox.expunge(r->box, m->key, m->hint, &r->text), ERR_OK);
	assert_int_equal(store_mbox.expunge_done(r->box, &r->text), ERR_OK);
}

static struct store_identity identity(struct mroom *r)
{
	struct store_identity id;

	assert_int_equal(store_mbox.identity(r->box, &id, &r->text), ERR_OK);
	return id;
}

/* mutt takes the last mail, and with it all that the file could say: no UID is given again under the same UIDVALIDITY. */
static void test_emptied_by_others(void **state)
{
	struct mroom *r = *state;
	uint32_t validity = identity(r).uidvalidity;

	for (int round = 0; round < 4; round++) {
		bool reopened = round & 1;
		struct store_identity before, after;
		struct store_scan s;

		append(r, "Subject: 1\n\none\n", ERR_OK);
		append(r, "Subject: 2\n\ntwo\n", ERR_OK);
		s = scan(r);
		before = identity(r);
		assert_true(s.n == 2 && before.uidnext > s.msg[1].uid);
		assert_int_equal(round < 2 ? truncate(r->inbox, 0) : unlink(r->inbox), 0);
		if (reopened) {
			box_close(r);
			box_open(r);
		}
		assert_int_equal(scan(r).n, 0);
		after = identity(r);
		if (!reopened)
			assert_true(after.uidvalidity == before.uidvalidity && after.uidnext == before.uidnext);
		else
			assert_true(after.uidvalidity > before.uidvalidity);
		assert_memory_equal(after.guid, before.guid, 16);
		write_file(r, O_APPEND, FROM "Subject: 3\n\nthree\n\n");
		s = scan(r);
		assert_int_equal(s.n, 1);
		after = identity(r);
		assert_true(after.uidvalidity > before.uidvalidity ||
			    (after.uidvalidity == before.uidvalidity && s.msg[0].uid == before.uidnext));
		expunge(r, &s.msg[0]);
	}
	assert_true(identity(r).uidvalidity > validity);
}

/* Dovecot tells a change by the size and the second: one of ours is always in another second than what was there before. */
static void test_other_second(void **state)
{
	struct mroom *r = *state;
	struct stat before, after;
	struct store_scan s;
	struct span hint;

	write_file(r, O_TRUNC, FROM "Subject: 1\n\none\n\n" FROM "Subject: 2\n\ntwo\n\n");
	for (int i = 0; i < 40; i++) {
		struct timespec now[2];
		bool first = i % 4 == 0;

		clock_gettime(CLOCK_REALTIME, &now[0]);
		now[1] = now[0];
		if (first)
			assert_int_equal(utimensat(AT_FDCWD, r->inbox, now, 0), 0);
		s = scan(r);
		assert_int_equal(stat(r->inbox, &before), 0);
		set_flags(r, &s.msg[i & 1], i & 2 ? MAIL_SEEN : 0, &hint);
		assert_int_equal(stat(r->inbox, &after), 0);
		if (first && i) /* the very first changes nothing */
			assert_true(after.st_mtim.tv_sec > before.st_mtim.tv_sec);
		clock_gettime(CLOCK_REALTIME, &now[0]);
		assert_true(after.st_mtim.tv_sec >= before.st_mtim.tv_sec && after.st_mtim.tv_sec <= now[0].tv_sec + 1);
	}
	s = scan(r);
	assert_int_equal(utimensat(AT_FDCWD, r->inbox, NULL, 0), 0);
	assert_int_equal(stat(r->inbox, &before), 0);
	append(r, "Subject: 3\n\nthree\n", ERR_OK);
	assert_int_equal(stat(r->inbox, &after), 0);
	assert_true(after.st_mtim.tv_sec > before.st_mtim.tv_sec);
}

/* Dovecot removes a mailbox and leaves its index behind, in the directory where we keep what the file cannot carry. */
static void test_renamed_onto_leavings(void **state)
{
	struct mroom *r = *state;
	struct store_folder *f;
	size_t n, found = 0;
	char *path;

	assert_int_equal(store_mbox.create(r->store, "a", "\\Sent", &r->text), ERR_OK);
	path = arena_printf(r->arena, "%s/.imap/b", r->root);
	assert_int_equal(mkdir(path, 0700), 0);
	path = arena_printf(r->arena, "%s/dovecot.index.log", path);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(store_mbox.rename(r->store, "a", "b", &r->text), ERR_OK);
	assert_int_equal(store_mbox.list(r->store, r->arena, &f, &n, &r->text), ERR_OK);
	for (size_t i = 0; i < n; i++)
		found += strcmp(f[i].name, "b") == 0 && f[i].special_use && strcmp(f[i].special_use, "\\Sent") == 0;
	assert_int_equal(found, 1);
}

/* Who cannot look does not say that there is nothing. */
static void test_list_without_descriptors(void **state)
{
	struct mroom *r = *state;
	struct store_folder *f;
	struct rlimit was, none;
	size_t n;
	enum err e;

	assert_int_equal(store_mbox.create(r->store, "a", NULL, &r->text), ERR_OK);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = was;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	e = store_mbox.list(r->store, r->arena, &f, &n, &r->text);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_int_equal(e, ERR_TEMP);
	assert_int_equal(store_mbox.list(r->store, r->arena, &f, &n, &r->text), ERR_OK);
	assert_true(n > 0);
}

/* An administrator's link to another disk stays one, whatever is done through it. */
static void test_linked_inbox(void **state)
{
	struct mroom *r = *state;
	char *target = arena_printf(r->arena, "%s/elsewhere", r->dir);
	struct store_scan s;
	struct span hint;
	struct stat st;

	close(open(target, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(symlink(target, r->inbox), 0);
	append(r, "Subject: 1\n\none\n", ERR_OK);
	append(r, "Subject: 2\n\ntwo\n", ERR_OK);
	s = scan(r);
	assert_int_equal(s.n, 2);
	set_flags(r, &s.msg[1], MAIL_SEEN, &hint);
	expunge(r, &s.msg[0]);
	s = scan(r);
	assert_true(s.n == 1 && s.msg[0].uid == 2 && s.msg[0].flags.system == MAIL_SEEN);
	assert_true(lstat(r->inbox, &st) == 0 && S_ISLNK(st.st_mode));
	assert_true(stat(target, &st) == 0 && st.st_size > 0);
}

/* A link that leads nowhere, a directory, a device: said, and nothing is made. */
static void test_no_file_at_all(void **state)
{
	static const char *const targets[] = { "/nonexistent/x", "/dev/null", "/tmp" };
	struct mroom *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct store_stage st;
		struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN };

		assert_int_equal(symlink(targets[i], r->inbox), 0);
		assert_int_equal(store_mbox.stage(r->box, 0, &st, &r->text), ERR_OK);
		assert_int_equal(write(st.fd, "x: y\n\nz\n", 8), 8);
		assert_int_not_equal(store_mbox.commit_many(r->box, &c, 1, r->arena, &r->text), ERR_OK);
		assert_int_equal(unlink(r->inbox), 0);
	}
}

/* NUL and bytes of any kind are a message's own; no LF at the end. */
static void test_any_bytes(void **state)
{
	static const char text[] = FROM "Subject: a\0b\nX-Bin: \xff\xfe\r\n\n\0\0body\0\n\xc3(\r\n" FROM2 "Subject: 2\n\nno end";
	struct mroom *r = *state;
	struct store_scan s;
	struct store_object o;
	char got[64];
	int fd = open(r->inbox, O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	s = scan(r);
	assert_int_equal(s.n, 2);
	assert_int_equal(store_mbox.locate(r->box, s.msg[0].key, s.msg[0].hint, &o, NULL, NULL, &r->text), ERR_OK);
	assert_int_equal(pread(o.fd, got, sizeof(got), 0), 35);
	assert_memory_equal(got, "Subject: a\0b\nX-Bin: \xff\xfe\r\n\n\0\0body\0\n\xc3(", 35);
	close(o.fd);
	assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\nno end");
	append(r, "Subject: 3\n\nthree", ERR_OK);
	s = scan(r);
	assert_int_equal(s.n, 3);
	assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\nno end");
	assert_string_equal(message(r, &s.msg[2]), "Subject: 3\n\nthree");
}

/* A header that has no end that anybody would look for: after a mebibyte it is taken for a body, and no byte is lost. */
static void test_endless_header(void **state)
{
	enum { LONG = 5 << 20 };
	struct mroom *r = *state;
	char *text = mem_array(LONG + 200, 1), *got = mem_array(LONG + 200, 1);
	int n = snprintf(text, 200, FROM "Subject: ");
	struct store_object o;
	struct store_scan s;
	struct span hint;
	int fd = open(r->inbox, O_WRONLY | O_CREAT, 0600);

	memset(text + n, 'x', LONG);
	n += LONG + snprintf(text + n + LONG, 100, "\n\n" FROM2 "Subject: 2\n\ntwo\n\n");
	assert_int_equal(write(fd, text, (size_t)n), n);
	close(fd);
	for (int round = 0; round < 3; round++) {
		size_t letters = 0;

		s = scan(r);
		assert_true(s.n == 2 && s.msg[0].uid == 1 && s.msg[1].uid == 2);
		assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\ntwo\n");
		assert_int_equal(store_mbox.locate(r->box, s.msg[0].key, s.msg[0].hint, &o, NULL, NULL, &r->text), ERR_OK);
		assert_int_equal(o.length, s.msg[0].size);
		assert_int_equal(pread(o.fd, got, o.length, 0), o.length);
		for (size_t i = 0; i < o.length; i++)
			letters += got[i] == 'x';
		assert_int_equal(letters, LONG);
		close(o.fd);
		set_flags(r, &s.msg[0], round ? MAIL_FLAGGED : MAIL_SEEN, &hint);
	}
	free(text);
	free(got);
}

/* Lengths that lead into a line, to a line that only looks like a From_ line, beyond the end, or that are no numbers. */
static void test_lying_lengths(void **state)
{
	static const char *const lengths[] = { "0", "1", "6", "12", "13", "14", "100", "99999999999999999999", "18446744073709551615",
					       "-1", "x", "9223372036854775807", "" };
	struct mroom *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct store_scan s;
		char *text = arena_printf(r->arena, FROM "Subject: 1\nContent-Length: %s\n\none\nFrom me\nend\n\n" FROM2
							 "Subject: 2\nContent-Length: %s\n\ntwo\n\n", lengths[i], lengths[i]);

		box_close(r);
		write_file(r, O_TRUNC, text);
		box_open(r);
		s = scan(r);
		assert_int_equal(s.n, 2);
		assert_string_equal(message(r, &s.msg[0]), "Subject: 1\n\none\nFrom me\nend\n");
		assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\ntwo\n");
	}
}

/* mboxo and mboxrd mark lines with '>', which nobody can take back for certain: they are shown as they are. */
static void test_quoted_lines(void **state)
{
	struct mroom *r = *state;
	struct store_scan s;

	write_file(r, O_TRUNC, FROM "Subject: rd\n\n>From a Fri Jan  5 12:12:12 1996\n>>From b\n\n" FROM2 "Subject: 2\n\nFrom here to there\n"
			       "From 2 to 3 Mon\n\n");
	s = scan(r);
	assert_int_equal(s.n, 2);
	assert_string_equal(message(r, &s.msg[0]), "Subject: rd\n\n>From a Fri Jan  5 12:12:12 1996\n>>From b\n");
	assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\nFrom here to there\nFrom 2 to 3 Mon\n");
}

/* Ours keep lines that begin with From, whatever stands behind, and are found again without the map. */
static void test_appended_from_lines(void **state)
{
	static const char text[] = "Subject: q\n\n" FROM "Subject: not a mail\n\nFrom \n\n" FROM2;
	struct mroom *r = *state;
	struct store_scan s;

	append(r, text, ERR_OK);
	append(r, "Subject: 2\n\n", ERR_OK);
	append(r, "no header\n", ERR_OK);
	append(r, "\n" FROM, ERR_OK);
	box_close(r);
	box_open(r);
	s = scan(r);
	assert_int_equal(s.n, 4);
	assert_string_equal(message(r, &s.msg[0]), text);
	assert_string_equal(message(r, &s.msg[1]), "Subject: 2\n\n");
	assert_string_equal(message(r, &s.msg[3]), "\n" FROM);
}

/* c-client's own message in forms that it has had, and one that a user put among the others. */
static void test_pseudo_forms(void **state)
{
	static const char *const heads[] = {
		"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1000 0000000007\nStatus: RO\n",
		"X-IMAP: 1000 0000000007 work play\nStatus: RO\nSubject: x\n",
		"X-IMAP: 1000 7\n",
		"X-IMAP: 1000 0000000007                              \nStatus: RO\nX-Status: \nX-Keywords:\nX-UID: 3\n",
	};
	struct mroom *r = *state;

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct store_scan s;

		box_close(r);
		write_file(r, O_TRUNC, arena_printf(r->arena, FROM "%s\nThis text is part of the internal format.\n\n", heads[i]));
		box_open(r);
		s = scan(r);
		assert_int_equal(s.n, 0);
		assert_true(identity(r).uidvalidity == 1000 && identity(r).uidnext == 8);
		append(r, "Subject: 1\n\none\n", ERR_OK);
		s = scan(r);
		assert_true(s.n == 1 && s.msg[0].uid == 8);
		assert_true(identity(r).uidvalidity == 1000 && identity(r).uidnext == 9);
		expunge(r, &s.msg[0]);
		assert_true(scan(r).n == 0 && identity(r).uidnext == 9);
		assert_non_null(strstr(read_file(r), "X-IMAP: 1000 "));
	}
}

/* A message that is gone, or not where it was, while a reader was on the way to it. */
static void test_changed_under_reader(void **state)
{
	struct mroom *r = *state;
	struct store_object o;
	struct store_scan s;

	write_file(r, O_TRUNC, FROM "Subject: 1\n\none\n\n" FROM "Subject: 2\n\ntwo\n\n" FROM "Subject: 3\n\nthree\n\n");
	s = scan(r);
	char *text = arena_str(r->arena, read_file(r)), *second = strstr(text + 1, FROM), *third = strstr(second + 1, FROM);
	assert_int_equal(truncate(r->inbox, 0), 0);
	write_file(r, O_APPEND, arena_printf(r->arena, "%.*s%s", (int)(second - text), text, third));
	assert_string_equal(message(r, &s.msg[2]), "Subject: 3\n\nthree\n");
	assert_int_equal(store_mbox.locate(r->box, s.msg[1].key, s.msg[1].hint, &o, NULL, NULL, &r->text), ERR_EXPUNGED);
	assert_int_equal(truncate(r->inbox, second - text - 3), 0);
	assert_int_equal(store_mbox.locate(r->box, s.msg[2].key, s.msg[2].hint, &o, NULL, NULL, &r->text), ERR_EXPUNGED);
	write_file(r, O_TRUNC, "garbage");
	assert_int_not_equal(store_mbox.locate(r->box, s.msg[0].key, s.msg[0].hint, &o, NULL, NULL, &r->text), ERR_OK);
}

/* Another program numbers what we are about to number: that is to be looked at again, and soon. What is ours needs no lock. */
static void test_numbered_by_others(void **state)
{
	struct mroom *r = *state, other = *r;
	struct store_stage st;
	struct store_commit c = { .stage = &st, .vsize = STORE_SIZE_UNKNOWN };
	struct store_scan s;
	struct span key;
	uint32_t uid = 0, next;
	int lock;

	append(r, "Subject: 1\n\none\n", ERR_OK);
	write_file(r, O_APPEND, FROM "Subject: 2\n\ntwo\n\n");
	assert_int_equal(store_mbox.scan(r->box, r->arena, &s, &r->text), ERR_OK);
	assert_true(s.n == 2 && s.msg[1].uid == 0);
	box_open(&other);
	append(&other, "Subject: 3\n\nthree\n", ERR_OK);
	box_close(&other);
	key = s.msg[1].key;
	assert_int_equal(store_mbox.number(r->box, &key, 1, true, &uid, &next, r->arena, &r->text), ERR_EXPUNGED);
	assert_int_equal(store_mbox.stage(r->box, 0, &st, &r->text), ERR_OK);
	assert_int_equal(write(st.fd, "x: 4\n\n4\n", 8), 8);
	assert_int_equal(store_mbox.commit_many(r->box, &c, 1, r->arena, &r->text), ERR_OK);
	lock = open(arena_printf(r->arena, "%s.lock", r->inbox), O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_int_equal(store_mbox.number(r->box, &c.key, 1, true, &uid, &next, r->arena, &r->text), ERR_OK);
	assert_true(uid == 4 && next == 5);
	close(lock);
}

/* --- files that we may not write to --------------------------------------------------------------- */

#define DATED(n, day) FROM "Date: " day " Jan 1996 12:12:12 +0000\nSubject: " n "\n\nbody " n "\n\n"

static void reopen(struct mroom *r, bool all)
{
	struct store_config c = { .root = r->root, .inbox = r->inbox, .hostname = "h", .mbox = { .dirty_syncs = true, .md5_all = all } };

	box_close(r);
	assert_int_equal(store_mbox.open(&c, &r->store, &r->text), ERR_OK);
	assert_int_equal(store_mbox.box_open(r->store, "a.gz", &r->box, &r->text), ERR_OK);
}

/* The mailbox a.gz, whatever it was before. */
static void write_packed(struct mroom *r, const char *text)
{
	char *path = arena_printf(r->arena, "%s/a.gz", r->root);
	struct packer *p;
	struct buf out;
	int fd;

	buf_init(&out, 64 << 20);
	assert_int_equal(packer_new(PACK_GZ, 0, &p), ERR_OK);
	assert_int_equal(packer_run(p, span_str(text), true, &out), ERR_OK);
	packer_free(&p);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, out.p, out.n), out.n);
	close(fd);
	buf_free(&out);
}

static void uids_are(struct mroom *r, const char *want)
{
	struct store_scan s = scan(r);
	struct buf got;

	buf_init(&got, 1000);
	for (size_t i = 0; i < s.n; i++)
		buf_printf(&got, "%.1s%u ", strstr(message(r, &s.msg[i]), "Subject: ") + 9, s.msg[i].uid);
	buf_add_char(&got, '\0');
	assert_string_equal(got.p, want);
	buf_free(&got);
}

/*
 * A compressed archive cannot be written to. Without a UID in the file a message is told again by its header: nobody's UID
 * becomes another's.
 */
static void test_uids_beside(void **state)
{
	static const struct {
		const char *text, *uids;
		bool all, forget;
	} steps[] = {
		{ DATED("a", "1") DATED("b", "2") DATED("c", "3"), "a1 b2 c3 ", false, false },
		{ DATED("b", "2") DATED("c", "3") DATED("d", "4"), "b2 c3 d4 ", false, false },
		{ DATED("b", "2") DATED("x", "5") DATED("d", "4"), "b2 x5 d6 ", false, false },
		{ DATED("y", "2") DATED("x", "5") DATED("d", "4"), "y2 x5 d6 ", false, false },
		{ DATED("y", "2") DATED("x", "5") DATED("d", "4"), "y7 x8 d9 ", true, false },
		{ DATED("z", "2") DATED("x", "5") DATED("d", "4"), "z10 x11 d12 ", true, false },
		{ DATED("x", "5") DATED("d", "4"), "x1 d2 ", true, true },
	};
	struct mroom *r = *state;
	struct store_identity before = { 0 }, id;

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		write_packed(r, steps[i].text);
		if (steps[i].forget) /* and a damaged list is none */
			assert_int_equal(truncate(arena_printf(r->arena, "%s/.imap/a.gz/roost-uids", r->root), 60), 0);
		reopen(r, steps[i].all);
		uids_are(r, steps[i].uids);
		id = identity(r);
		assert_true(!i || (steps[i].forget ? id.uidvalidity > before.uidvalidity : id.uidvalidity == before.uidvalidity));
		reopen(r, steps[i].all);
		uids_are(r, steps[i].uids);
		assert_true(identity(r).uidnext == id.uidnext && identity(r).uidvalidity == id.uidvalidity);
		before = id;
	}
}

/* One that was numbered before it was compressed, and changes while it is open; then it is damaged. */
static void test_packed(void **state)
{
	static const char base[] = FROM "X-IMAPbase: 77 0000000009 work\nSubject: a\nX-UID: 4\nStatus: RO\nX-Keywords: work\n\nbody a\n\n";
	struct mroom *r = *state;
	struct store_object o;
	struct store_stage st;
	struct store_scan s;
	struct span hint;
	char *path = arena_printf(r->arena, "%s/a.gz", r->root);

	write_packed(r, base);
	reopen(r, false);
	assert_true(r->box->readonly);
	uids_are(r, "a4 ");
	s = scan(r);
	assert_true(s.msg[0].flags.system == MAIL_SEEN && s.msg[0].flags.keywords == 1);
	assert_true(identity(r).uidvalidity == 77 && identity(r).uidnext == 10);
	assert_int_equal(store_mbox.stage(r->box, 0, &st, &r->text), ERR_READONLY);
	assert_int_equal(store_mbox.set_flags(r->box, s.msg[0].key, s.msg[0].hint, (struct mail_flags){ MAIL_SEEN, 0 },
					      r->arena, &hint, &r->text),
			 ERR_READONLY);
	assert_int_equal(store_mbox.expunge(r->box, s.msg[0].key, s.msg[0].hint, &r->text), ERR_READONLY);
	write_packed(r, arena_printf(r->arena, "%s" DATED("b", "2"), base));
	uids_are(r, "a4 b10 ");
	assert_true(identity(r).uidvalidity == 77 && identity(r).uidnext == 11);
	/* Numbered by somebody else since, and further than we did. */
	write_packed(r, FROM "X-IMAPbase: 77 0000000030\nSubject: a\nX-UID: 4\n\nbody a\n\n");
	uids_are(r, "a4 ");
	assert_int_equal(identity(r).uidnext, 31);
	assert_int_equal(truncate(path, 60), 0);
	assert_int_equal(store_mbox.scan(r->box, r->arena, &s, &r->text), ERR_IO);
	assert_int_equal(store_mbox.locate(r->box, s.msg[0].key, s.msg[0].hint, &o, NULL, NULL, &r->text), ERR_IO);
	write_packed(r, base);
	uids_are(r, "a4 ");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(store_mbox.locate(r->box, s.msg[0].key, s.msg[0].hint, &o, NULL, NULL, &r->text), ERR_EXPUNGED);
	/* By its name alone a file is not a compressed one. */
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, base, sizeof(base) - 1), sizeof(base) - 1);
	close(fd);
	reopen(r, false);
	assert_false(r->box->readonly);
	uids_are(r, "a4 ");
}

/* One of many messages, so large that it takes more than a slice, of long ago. */
static void write_large_packed(struct mroom *r, const char *subject, size_t messages)
{
	static const struct timespec then[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	struct buf text;

	buf_init(&text, 64 << 20);
	for (size_t i = 0; i < messages; i++) {
		buf_printf(&text, FROM "Subject: %s %zu\nX-UID: %zu\n\n", subject, i, i + 1);
		for (int k = 0; k < 3000; k++)
			buf_printf(&text, "%08zu %08d of this\n", i, k);
		buf_add_char(&text, '\n');
	}
	write_packed(r, buf_cstr(&text));
	assert_int_equal(utimensat(AT_FDCWD, arena_printf(r->arena, "%s/a.gz", r->root), then, 0), 0);
	buf_free(&text);
}

/* How often it says ERR_AGAIN, at most most times. */
static size_t prepare(struct mroom *r, size_t most)
{
	size_t n = 0;

	while (n < most && store_mbox.prepare(r->box, &r->text) == ERR_AGAIN)
		n++;
	return n;
}

/* Large ones are unpacked, and their messages found, in slices; whoever does not want to wait, or damages it, is served. */
static void test_packed_slices(void **state)
{
	static const struct { size_t slices; bool scanned; } stops[] = { { 0, true }, { 1, true }, { 3, false }, { 1000000, true } };
	struct mroom *r = *state;
	struct store_object o;
	struct store_scan s;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
		write_large_packed(r, i % 2 ? "other" : "first", 200 + i);
		reopen(r, false);
		n = prepare(r, stops[i].slices);
		assert_true(n > 0 || !stops[i].slices);
		if (!stops[i].scanned) /* it becomes another one midway */
			write_large_packed(r, "third", 300);
		if (!stops[i].scanned)
			prepare(r, SIZE_MAX);
		s = scan(r);
		assert_int_equal(s.n, stops[i].scanned ? 200 + i : 300);
		assert_int_equal(prepare(r, 1), 0);
		assert_non_null(strstr(message(r, &s.msg[i]), stops[i].scanned ? (i % 2 ? "other" : "first") : "third"));
	}
	/* A message, when nothing is unpacked. */
	reopen(r, false);
	for (n = 0; store_mbox.locate(r->box, s.msg[9].key, s.msg[9].hint, &o, NULL, NULL, &r->text) == ERR_AGAIN; n++)
		;
	assert_true(n > 0 && o.fd >= 0 && o.length == s.msg[9].size);
	close(o.fd);
	/* Cut short midway; then gone. */
	reopen(r, false);
	assert_int_equal(prepare(r, 1), 1);
	assert_int_equal(truncate(arena_printf(r->arena, "%s/a.gz", r->root), 40000), 0);
	prepare(r, SIZE_MAX);
	assert_int_equal(store_mbox.scan(r->box, r->arena, &s, &r->text), ERR_IO);
	write_large_packed(r, "last", 200);
	assert_int_equal(prepare(r, 1), 1);
	assert_int_equal(unlink(arena_printf(r->arena, "%s/a.gz", r->root)), 0);
	assert_int_equal(prepare(r, 1), 0);
	assert_int_equal(scan(r).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MROOM_TEST(test_emptied_by_others),
		MROOM_TEST(test_other_second),
		MROOM_TEST(test_renamed_onto_leavings),
		MROOM_TEST(test_list_without_descriptors),
		MROOM_TEST(test_linked_inbox),
		MROOM_TEST(test_no_file_at_all),
		MROOM_TEST(test_any_bytes),
		MROOM_TEST(test_endless_header),
		MROOM_TEST(test_lying_lengths),
		MROOM_TEST(test_quoted_lines),
		MROOM_TEST(test_appended_from_lines),
		MROOM_TEST(test_pseudo_forms),
		MROOM_TEST(test_changed_under_reader),
		MROOM_TEST(test_numbered_by_others),
		MROOM_TEST(test_uids_beside),
		MROOM_TEST(test_packed),
		MROOM_TEST(test_packed_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
