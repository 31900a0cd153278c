/* What those hear who listen to the folders, and to mailboxes that are not open: changes of ours and of other programs. */
#include "tests/unit/box_house.h"

#include "box/heed.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static struct house h;
static struct folder_heed *folders;
static char heard[1000];

static const char mail[] = "From: a@b\nSubject: one\n\nbody\n";

/* --- a watcher of one directory, and a store whose lists are counted -------------------------- */

static struct eye {
	int fd;
	uint64_t n;
	bool (*cares)(const char *name, bool dir);
	void (*changed)(void *arg);
	void *arg;
} eye;
static unsigned hints;        /* how often it was said that something may have changed */
static struct store_ops counting;
static unsigned lists;

static enum err count_list(struct store *s, struct arena *a, struct store_folder **f_r, size_t *n_r, struct errtext *t)
{
	lists++;
	return store_maildir.list(s, a, f_r, n_r, t);
}

static enum err open_counting(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	enum err e = store_maildir.open(config, s_r, t);

	if (!e)
		(*s_r)->ops = &counting;
	return e;
}

static void *eye_add(void *ctx, const char *dir, bool (*cares)(const char *name, bool dir), void (*changed)(void *arg), void *arg)
{
	if (eye.fd > 0)
		return NULL;
	eye = (struct eye){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .cares = cares, .changed = changed, .arg = arg };
	assert_true(inotify_add_watch(eye.fd, dir, IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE) >= 0);
	return &eye;
}

static void eye_remove(void *ctx, void *handle)
{
	close(eye.fd);
	eye.fd = 0;
}

static uint64_t eye_count(void *ctx, void *handle)
{
	_Alignas(struct inotify_event) char buf[8192];
	ssize_t n;

	while ((n = read(eye.fd, buf, sizeof(buf))) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const struct inotify_event *)(buf + at);

			eye.n += !eye.cares || eye.cares(ev->name, ev->mask & IN_ISDIR);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	return eye.n;
}

/* As the loop would. */
static void eye_turn(void)
{
	uint64_t before = eye.n;

	if (eye_count(NULL, NULL) != before)
		eye.changed(eye.arg);
}

static void on_news(void *ctx, const struct folder_news *n)
{
	static const char kinds[] = "+-=sx";
	size_t at = strlen(heard);

	hints += !n;
	if (n)
		snprintf(heard + at, sizeof(heard) - at, "%c%s%s%s ", kinds[n->kind], n->name, n->old ? "<" : "",
			 n->old ? n->old : "");
}

static void on_mailbox(void *ctx, bool found)
{
	++*(unsigned *)ctx;
}

/* What was heard since the last time. */
static const char *news(void)
{
	static char said[sizeof(heard)];

	memcpy(said, heard, sizeof(said));
	heard[0] = '\0';
	return said;
}

static int begin(void **state)
{
	struct errtext t;

	house_begin(&h, &store_maildir);
	heard[0] = '\0';
	assert_int_equal(acct_create(h.a, "A", NULL, &t), ERR_OK);
	assert_int_equal(acct_create(h.a, "A/B", NULL, &t), ERR_OK);
	assert_int_equal(acct_folders_heed(h.a, on_news, NULL, &folders, &t), ERR_OK);
	return 0;
}

static int end(void **state)
{
	acct_folders_unheed(&folders);
	house_end(&h);
	return 0;
}

static void rename_dir(const char *from, const char *to)
{
	char a[300], b[300];

	snprintf(a, sizeof(a), "%s/%s", h.mail, from);
	snprintf(b, sizeof(b), "%s/%s", h.mail, to);
	assert_int_equal(rename(a, b), 0);
}

static void make_dir(const char *name)
{
	static const char *const parts[] = { "", "/cur", "/new", "/tmp" };
	char path[300];

	for (int i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s%s", h.mail, name, parts[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static void look(void)
{
	assert_int_equal(acct_folders_look(h.a, true, NULL), ERR_OK);
}

static void test_ours(void **state)
{
	struct acct_rename job = { .from = "A", .to = "C" };
	struct errtext t;

	assert_int_equal(acct_create(h.a, "D", NULL, &t), ERR_OK);
	assert_string_equal(news(), "+D ");
	assert_int_equal(acct_rename(h.a, &job), STEP_DONE);
	assert_int_equal(job.err, ERR_OK);
	assert_string_equal(news(), "=C<A ");
	assert_int_equal(acct_subscribe(h.a, "C/B", true, &t), ERR_OK);
	assert_string_equal(news(), "sC/B ");
	assert_int_equal(acct_delete(h.a, "C/B", &t), ERR_OK);
	assert_string_equal(news(), "-C/B ");
	assert_int_equal(acct_subscribe(h.a, "C/B", false, &t), ERR_OK);
	assert_string_equal(news(), "xC/B ");
	look();
	assert_string_equal(news(), "");
}

static void test_theirs(void **state)
{
	rename_dir(".A", ".C");
	rename_dir(".A.B", ".C.B");
	look();
	assert_string_equal(news(), "=C<A ");
	make_dir(".N");
	look();
	assert_string_equal(news(), "+N ");
	/* One goes and another comes between two looks: that is no renaming. */
	rename_dir(".N", "away");
	make_dir(".M");
	look();
	assert_string_equal(news(), "-N +M ");
	/* The one below alone. */
	rename_dir(".C.B", ".C.X");
	look();
	assert_string_equal(news(), "=C/X<C/B ");
	/* Two change places: no name comes or goes. */
	rename_dir(".C", "aside");
	rename_dir(".M", ".C");
	rename_dir("aside", ".M");
	look();
	assert_string_equal(news(), "");
}

static void test_messages(void **state)
{
	struct acct_status st = { .name = "A/B" };
	unsigned n = 0, others = 0;
	struct heed *b = acct_heed(h.a, "A/B", on_mailbox, &n), *a = acct_heed(h.a, "A", on_mailbox, &others);
	struct view *v;

	assert_non_null(b);
	assert_false(heed_watched(b)); /* this account has no watcher */
	house_deliver(&h, "A/B", mail);
	assert_true(n > 0);
	/* It was numbered at once, because somebody heeds it. */
	while (acct_status(h.a, &st) == STEP_SLICE) /* on a slow machine */
		;
	assert_int_equal(st.err, ERR_OK);
	assert_int_equal(st.uidnext, 2);
	n = 0;
	v = house_view(&h, "A/B", false);
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_DELETED, NULL);
	assert_true(n > 0);
	n = 0;
	assert_int_equal(try_expunge(v), ERR_OK);
	assert_true(n > 0);
	view_close(&v);
	n = 0;
	acct_unheed(&b);
	house_deliver(&h, "A/B", mail);
	assert_int_equal(n, 0);
	assert_int_equal(others, 0);
	assert_null(acct_heed(h.a, "a//b", on_mailbox, &n));
	acct_unheed(&a);
}

/* --- watched --------------------------------------------------------------------------------- */

static int begin_watched(void **state)
{
	struct errtext t;

	counting = store_maildir;
	counting.open = open_counting;
	counting.list = count_list;
	house_begin(&h, &counting);
	h.config.watcher = (struct acct_watcher){ eye_add, eye_remove, eye_count, NULL };
	house_again(&h, false);
	heard[0] = '\0';
	assert_int_equal(acct_create(h.a, "A", NULL, &t), ERR_OK);
	assert_int_equal(acct_folders_heed(h.a, on_news, NULL, &folders, &t), ERR_OK);
	assert_true(folder_heed_watched(folders));
	hints = lists = 0;
	return 0;
}

/* What we do is told, needs no list, and is no reason to look. */
static void test_ours_watched(void **state)
{
	struct errtext t;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(acct_subscribe(h.a, "Z", true, &t), ERR_OK);
		assert_string_equal(news(), i ? "" : "sZ ");
	}
	assert_int_equal(acct_subscribe(h.a, "A", true, &t), ERR_OK);
	assert_int_equal(acct_subscribe(h.a, "Z", false, &t), ERR_OK);
	assert_string_equal(news(), "sA xZ ");
	assert_int_equal(lists, 0);
	assert_int_equal(acct_create(h.a, "N/", NULL, &t), ERR_OK);
	assert_int_equal(acct_delete(h.a, "N", &t), ERR_OK);
	assert_string_equal(news(), "+N -N ");
	assert_int_equal(lists, 2);
	eye.changed(eye.arg);
	assert_int_equal(hints, 0);
	look();
	assert_string_equal(news(), "");
}

/* Before, between and after ours: told, or at least said that there may be something. */
static void test_theirs_between(void **state)
{
	struct errtext t;

	make_dir(".B");
	assert_int_equal(acct_subscribe(h.a, "A", true, &t), ERR_OK);
	assert_string_equal(news(), "sA +B ");
	eye.changed(eye.arg);
	assert_int_equal(hints, 1);
	look();
	assert_int_equal(acct_create(h.a, "C", NULL, &t), ERR_OK);
	make_dir(".D");
	eye_turn();
	assert_int_equal(hints, 2);
	assert_int_equal(acct_subscribe(h.a, "A", false, &t), ERR_OK);
	assert_string_equal(news(), "+C xA +D ");
	eye_turn();
	look();
	assert_int_equal(acct_subscribe(h.a, "B", true, &t), ERR_OK);
	lists = 0;
	assert_int_equal(acct_subscribe(h.a, "B", false, &t), ERR_OK);
	assert_int_equal(lists, 0);
	assert_string_equal(news(), "sB xB ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ours, begin, end),
		cmocka_unit_test_setup_teardown(test_theirs, begin, end),
		cmocka_unit_test_setup_teardown(test_messages, begin, end),
		cmocka_unit_test_setup_teardown(test_ours_watched, begin_watched, end),
		cmocka_unit_test_setup_teardown(test_theirs_between, begin_watched, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
