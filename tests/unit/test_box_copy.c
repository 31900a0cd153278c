/* A COPY of many goes into the folder piece by piece: all of it or nothing, and nobody sees a part. */
#include "tests/unit/box_house.h"

#include <unistd.h>

enum { MESSAGES = 300, SLICE_MS = 5 };

static struct house h;
static struct store_ops slow; /* the Maildir, where each piece uses up a slice */
static unsigned pieces;
static enum err last;         /* what the next commit says, after it is done */
static char cur_dir[200];

static enum err place(struct store_box *b, struct store_commit *c, size_t n, struct arena *a, struct errtext *t)
{
	pieces++;
	usleep(SLICE_MS * 1000);
	return store_maildir.place_many(b, c, n, a, t);
}

/* As if the sync of the directory had failed. */
static enum err commit(struct store_box *b, struct store_commit *c, size_t n, struct arena *a, struct errtext *t)
{
	enum err e = store_maildir.commit_many(b, c, n, a, t), say = last;

	last = ERR_OK;
	if (e || !say)
		return e;
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(b->ops->expunge(b, c[i].key, c[i].hint, t), ERR_OK);
		c[i].err = say;
	}
	return say;
}

static enum err open_slow(const struct store_config *config, struct store **s_r, struct errtext *t)
{
	enum err e = store_maildir.open(config, s_r, t);

	if (!e)
		(*s_r)->ops = &slow;
	return e;
}

static int begin(void **state)
{
	struct errtext t;
	char path[300];

	slow = store_maildir;
	slow.open = open_slow;
	slow.place_many = place;
	slow.commit_many = commit;
	pieces = 0;
	last = ERR_OK;
	house_begin(&h, &slow);
	view_close(&(struct view *){ house_view(&h, "INBOX", true) });
	for (int i = 1; i <= MESSAGES; i++) {
		snprintf(path, sizeof(path), "%s/cur/1000000%03d.M1P1.host:2,", h.mail, i);
		put_file(path, "Subject: one\n\nbody\n");
	}
	house_settle(&h);
	assert_int_equal(acct_create(h.a, "Other", NULL, &t), ERR_OK);
	snprintf(cur_dir, sizeof(cur_dir), "%s/.Other/cur", h.mail);
	return 0;
}

static int end(void **state)
{
	house_end(&h);
	return 0;
}

/* Up to where some of it is in the folder. */
static void half(struct view *v, struct view_copy *job)
{
	for (int i = 0; i < 10000 && !pieces; i++)
		assert_int_equal(view_copy(v, job), STEP_SLICE);
	assert_int_equal(view_copy(v, job), STEP_SLICE);
	assert_in_range(count_files(cur_dir), 1, MESSAGES - 1);
}

static enum err rest(struct view *v, struct view_copy *job)
{
	while (view_copy(v, job) != STEP_DONE)
		usleep(1000);
	return job->err;
}

static unsigned seen(struct view *v)
{
	assert_int_equal(try_refresh(v, false), ERR_OK);
	view_quiet(&h, v);
	return view_state(v)->exists;
}

struct talk {
	struct view *from, *to;
	struct set uids;
	struct view_copy job;
};

static struct talk talk_begin(void)
{
	struct talk k = { house_view(&h, "INBOX", false), house_view(&h, "Other", false), SET_EMPTY,
			  { .dest = "Other" } };

	set_add_range(&k.uids, 1, MESSAGES);
	return k;
}

static void talk_end(struct talk *k)
{
	view_copy_free(&k->job);
	set_free(&k->uids);
	view_close(&k->from);
	view_close(&k->to);
}

static void test_all(void **state)
{
	struct talk k = talk_begin();
	char path[300];

	k.job.uids = &k.uids;
	half(k.from, &k.job);
	snprintf(path, sizeof(path), "%s/2000000000.M1P1.host:2,", cur_dir);
	put_file(path, "Subject: theirs\n\nbody\n");
	assert_int_equal(seen(k.to), 0);
	assert_int_equal(rest(k.from, &k.job), ERR_OK);
	assert_int_equal(set_count(&k.job.dest_uids), MESSAGES);
	assert_int_equal(seen(k.to), MESSAGES + 1); /* and what came meanwhile is not forgotten */
	talk_end(&k);
}

static void test_given_up(void **state)
{
	struct talk k = talk_begin();

	k.job.uids = &k.uids;
	half(k.from, &k.job);
	view_copy_free(&k.job);
	assert_int_equal(count_files(cur_dir), 0);
	house_append(&h, "Other", "Subject: two\r\n\r\nbody\r\n", 0, NULL);
	assert_int_equal(seen(k.to), 1);
	talk_end(&k);
}

static void test_last_fails(void **state)
{
	struct talk k = talk_begin();

	k.job.uids = &k.uids;
	half(k.from, &k.job);
	last = ERR_IO;
	assert_int_equal(rest(k.from, &k.job), ERR_IO);
	assert_int_equal(count_files(cur_dir), 0);
	assert_int_equal(seen(k.to), 0);
	talk_end(&k);
}

/* The kernel tells of a failed sync once: it told the delivery. */
static void test_told_another(void **state)
{
	struct talk k = talk_begin();

	k.job.uids = &k.uids;
	half(k.from, &k.job);
	last = ERR_IO;
	assert_int_equal(try_deliver(&h, "Other", "Subject: two\r\n\r\nbody\r\n"), ERR_IO);
	assert_int_equal(rest(k.from, &k.job), ERR_IO);
	assert_int_equal(count_files(cur_dir), 0);
	talk_end(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all, begin, end),
		cmocka_unit_test_setup_teardown(test_given_up, begin, end),
		cmocka_unit_test_setup_teardown(test_last_fails, begin, end),
		cmocka_unit_test_setup_teardown(test_told_another, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
