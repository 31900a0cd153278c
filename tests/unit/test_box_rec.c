/* What every transaction on a mailbox does besides. */
#include "tests/unit/box_house.h"

#include "src/box/room.h"

static struct house h;

struct work {
	unsigned changes;
	uint64_t since;
	bool complete;
};

static enum err change_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	const struct work *w = arg;
	struct set one = SET_EMPTY;
	uint64_t modseq;
	enum err e = ERR_OK;

	set_add(&one, 1);
	for (unsigned i = 0; !e && i < w->changes; i++)
		e = idx_change(x, &r->b, &one, NULL, &modseq);
	set_free(&one);
	return e ? e : idx_box_put(x, &r->b);
}

static enum err look_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct work *w = arg;
	struct set changed = SET_EMPTY, vanished = SET_EMPTY;
	enum err e = idx_changes(x, &r->b, w->since, &changed, &vanished, &w->complete);

	set_free(&changed);
	set_free(&vanished);
	return e;
}

static void change(struct view *v, unsigned changes)
{
	struct work w = { .changes = changes };

	assert_int_equal(mailbox_update(v->mb, REC_FACTS, change_run, &w, NULL), ERR_OK);
}

static bool reaches_back(struct view *v, uint64_t since)
{
	struct work w = { .since = since };

	assert_int_equal(mailbox_read(v->mb, look_run, &w, NULL), ERR_OK);
	return w.complete;
}

/* Without any look at the folder, which flags alone need not bring. */
static void test_log_is_cut(void **state)
{
	struct view *v;
	uint64_t begun;

	house_append(&h, "INBOX", "x: y\n\n1", 0, NULL);
	v = house_view(&h, "INBOX", false);
	begun = view_state(v)->highestmodseq;
	change(v, CHANGES_KEPT - 100);
	assert_true(reaches_back(v, begun));
	change(v, CHANGES_MORE);
	assert_true(reaches_back(v, begun));
	change(v, 200);
	assert_false(reaches_back(v, begun));
	assert_true(reaches_back(v, begun + CHANGES_MORE + 100));
	assert_false(reaches_back(v, begun + CHANGES_MORE + 99));
	view_flag(v, 1, VIEW_FLAGS_ADD, MAIL_SEEN, NULL);
	view_quiet(&h, v);
	assert_int_equal(flags_of(v, 1).system, MAIL_SEEN);
	view_close(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OVER_BOTH(test_log_is_cut, h),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
