/*
 * Two accounts with indexes of their own over one Maildir, as two servers or two processes would be, doing what comes to
 * mind. At every moment a UID means one message only and numbers move only when a view was told; at the end both,
 * and a third that begins from nothing, agree on everything.
 */
#include "tests/unit/box_house.h"

enum { STEPS = 250, VIEWS = 4, TEXT_MAX_UID = 4000 };

static struct house first, second;
static struct view *view[VIEWS];
static uint64_t seed;
static unsigned number;             /* of the next message */
static unsigned text_of_uid[TEXT_MAX_UID]; /* 0: not seen yet */
static struct set shown[VIEWS];     /* what each view's session has been told */

static unsigned roll(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static struct house *house_of(int v)
{
	return v % 2 ? &second : &first;
}

static void check_text(struct view *v, uint32_t uid)
{
	struct errtext t;
	struct message *m = NULL;
	unsigned found;

	if (message_open(v, uid, &m, &t))
		return;
	message_close(&m);
	assert_int_equal(sscanf(text_of(v, uid), "n: %u", &found), 1);
	assert_true(uid < TEXT_MAX_UID);
	if (text_of_uid[uid])
		assert_int_equal(text_of_uid[uid], found);
	text_of_uid[uid] = found;
}

static void add_one(struct house *h)
{
	char text[64];
	uint32_t uid;

	snprintf(text, sizeof(text), "n: %u\r\n\r\nbody\r\n", ++number);
	if (roll(2)) {
		house_deliver(h, "INBOX", text);
		return;
	}
	uid = house_append(h, "INBOX", text, (uint8_t)(roll(2) ? MAIL_FLAGGED : 0), roll(3) ? NULL : "$K");
	if (text_of_uid[uid])
		assert_int_equal(text_of_uid[uid], number);
	text_of_uid[uid] = number;
}

static void update(int i, bool expunge)
{
	struct view_changes c = view_news(house_of(i), view[i], expunge);
	const struct set *now = view_uids(view[i]);

	/* What the session would compute from what it is told is what the view has. */
	for (size_t k = 0; k < c.expunged_n; k++) {
		uint32_t uid = set_at(&shown[i], c.expunged[k] - 1);

		assert_true(uid && set_has(&c.vanished, uid));
		set_remove_range(&shown[i], uid, uid);
	}
	assert_true(expunge || c.expunged_n == 0);
	for (uint32_t seq = (uint32_t)set_count(&shown[i]) + 1; seq <= set_count(now); seq++) {
		assert_true(set_at(now, seq - 1) > set_max(&shown[i]));
		set_add(&shown[i], set_at(now, seq - 1));
	}
	assert_int_equal(set_count(&shown[i]), set_count(now));
	for (uint32_t seq = 1; seq <= set_count(now); seq++)
		assert_int_equal(set_at(now, seq - 1), set_at(&shown[i], seq - 1));
	assert_true(set_max(&c.flags) == 0 || set_has(now, set_max(&c.flags)));
	view_changes_free(&c);
}

static void reopen(int i)
{
	view_close(&view[i]);
	view[i] = house_view(house_of(i), "INBOX", roll(4) == 0);
	set_copy(&shown[i], view_uids(view[i]));
}

static uint32_t some_uid(int i)
{
	uint32_t exists = view_state(view[i])->exists;

	return exists ? view_uid(view[i], 1 + roll(exists)) : 0;
}

static void change(int i, uint32_t uid)
{
	static const uint8_t flags[] = { MAIL_SEEN, MAIL_DELETED, MAIL_ANSWERED, MAIL_FLAGGED };
	static const enum view_store_mode modes[] = { VIEW_FLAGS_ADD, VIEW_FLAGS_ADD, VIEW_FLAGS_REMOVE, VIEW_FLAGS_SET };

	(void)try_store(view[i], uid, modes[roll(4)], flags[roll(4)], roll(4) ? NULL : roll(2) ? "$K" : "$Other");
}

static void step(void)
{
	int i = (int)roll(VIEWS);
	uint32_t uid = some_uid(i);

	switch (roll(12)) {
	case 0:
	case 1:
		add_one(house_of(i));
		break;
	case 2:
		(void)try_refresh(view[i], true);
		break;
	case 3:
	case 4:
		update(i, roll(2));
		break;
	case 5:
	case 6:
	case 7:
		if (uid)
			change(i, uid);
		break;
	case 8:
		(void)try_expunge(view[i]);
		break;
	case 9:
		house_work(house_of(i));
		break;
	case 10:
		if (uid && !view_state(view[i])->readonly)
			(void)try_copy(view[i], uid, uid, "INBOX", roll(2), NULL);
		break;
	case 11:
		if (roll(3) == 0)
			reopen(i);
		break;
	}
	if (uid)
		check_text(view[i], uid);
}

/* All that is owed is written, and every view has looked until nothing is missing any more. */
static void come_to_rest(void)
{
	for (int k = 0; k < 4; k++) {
		house_work(&first);
		house_work(&second);
		house_settle(&first);
		for (int i = 0; i < VIEWS; i++) {
			view_look(view[i]);
			update(i, true);
		}
	}
}

static void agree(struct view *a, struct view *b)
{
	assert_int_equal(view_state(a)->uidvalidity, view_state(b)->uidvalidity);
	assert_int_equal(view_state(a)->exists, view_state(b)->exists);
	for (uint32_t seq = 1; seq <= view_state(a)->exists; seq++) {
		uint32_t uid = view_uid(a, seq);

		assert_int_equal(uid, view_uid(b, seq));
		assert_int_equal(flags_of(a, uid).system, flags_of(b, uid).system);
		assert_int_equal(has_keyword(a, uid, "$K"), has_keyword(b, uid, "$K"));
		assert_int_equal(has_keyword(a, uid, "$Other"), has_keyword(b, uid, "$Other"));
		check_text(a, uid);
		check_text(b, uid);
	}
}

static void one_run(uint64_t start)
{
	struct view *fresh;

	seed = start;
	number = 0;
	memset(text_of_uid, 0, sizeof(text_of_uid));
	house_begin(&first, &store_maildir);
	house_begin(&second, &store_maildir);
	house_close(&second);
	second.ns.store.root = first.mail;
	second.ns.store.hostname = "other";
	house_open(&second);
	for (int i = 0; i < VIEWS; i++) {
		view[i] = house_view(house_of(i), "INBOX", false);
		set_clear(&shown[i]);
	}
	for (int i = 0; i < STEPS; i++)
		step();
	come_to_rest();
	/* UIDs that came back are shown by the next SELECT only. */
	for (int i = 0; i < VIEWS; i++)
		reopen(i);
	agree(view[0], view[1]);
	agree(view[0], view[2]);
	for (int i = 0; i < VIEWS; i++)
		view_close(&view[i]);
	house_again(&second, true);
	view[0] = house_view(&first, "INBOX", true);
	fresh = house_view(&second, "INBOX", true);
	agree(view[0], fresh);
	view_close(&fresh);
	view_close(&view[0]);
	for (int i = 0; i < VIEWS; i++)
		set_free(&shown[i]);
	house_end(&second);
	house_end(&first);
}

static void test_runs(void **state)
{
	for (uint64_t s = 1; s <= 5; s++)
		one_run(s * 7919);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_runs) };

	/* A number of runs can be given, for longer searches by hand. */
	for (uint64_t s = 1; argc > 1 && s <= strtoull(argv[1], NULL, 10); s++) {
		printf("%llu\n", (unsigned long long)s);
		one_run(s);
	}
	return argc > 1 ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
