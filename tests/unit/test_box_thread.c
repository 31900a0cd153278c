/* What SORT and THREAD stand on: merge sort, texts as numbers, the forest; and mailboxes made to be slow. */
#include "tests/unit/box_house.h"

#include "base/clock.h"
#include "base/mem.h"
#include "box/sort.h"
#include "box/thread.h"
#include "src/box/forest.h"
#include "src/box/intern.h"
#include "src/box/msort.h"
#include "src/box/room.h"

static int by_key(const void *ctx, uint32_t x, uint32_t y)
{
	const uint32_t *key = ctx;

	return (key[x] > key[y]) - (key[x] < key[y]);
}

static void test_msort(void **state)
{
	static uint32_t key[1000];

	for (size_t n = 0; n < 1000; n += 1 + n / 3) {
		struct msort m;
		unsigned steps = 0;

		for (size_t i = 0; i < n; i++)
			key[i] = (uint32_t)(i * 7919 % 101);
		msort_init(&m, n);
		while (!msort_step(&m, by_key, key, 10))
			assert_true(++steps < 10 * n + 10);
		for (size_t i = 1; i < n; i++) {
			assert_true(key[m.a[i - 1]] <= key[m.a[i]]);
			assert_true(key[m.a[i - 1]] < key[m.a[i]] || m.a[i - 1] < m.a[i]);
		}
		msort_free(&m);
	}
}

static void test_intern(void **state)
{
	struct intern t;
	char text[32];

	intern_init(&t, 1 << 20);
	assert_int_equal(intern_get(&t, SPAN("")), 0);
	for (int round = 0; round < 2; round++)
		for (uint32_t i = 1; i < 5000; i++) {
			snprintf(text, sizeof(text), "text number %u", i);
			assert_int_equal(intern_get(&t, span_str(text)), i);
		}
	assert_int_equal(intern_get(&t, SPAN("")), 0);
	intern_free(&t);
	intern_init(&t, 4);
	assert_int_equal(intern_get(&t, SPAN("abc")), 0);
	assert_int_equal(intern_get(&t, SPAN("def")), UINT32_MAX);
	intern_free(&t);
}

/* Against walking up. */
static void test_forest(void **state)
{
	enum { NODES = 60 };
	uint32_t parent[NODES + 1] = { 0 }, random = 1;
	struct forest f;

	forest_init(&f);
	for (uint32_t i = 1; i <= NODES; i++)
		assert_int_equal(forest_add(&f), i);
	for (int step = 0; step < 20000; step++) {
		uint32_t a, b, up;

		random = random * 1103515245 + 12345;
		a = (random >> 8) % NODES + 1;
		b = (random >> 16) % NODES + 1;
		if (parent[a]) {
			forest_cut(&f, a);
			parent[a] = 0;
		}
		for (up = b; up && up != a; up = parent[up])
			;
		assert_int_equal(forest_link(&f, a, b), up == 0);
		if (!up)
			parent[a] = b;
		assert_int_equal(f.node[a].parent, parent[a]);
	}
	forest_free(&f);
}

/* One long thread, told from its end: walking up would cost the square of its length. */
static void test_long_forest(void **state)
{
	enum { LONG = 200000 };
	uint64_t start = clock_us();
	struct forest f;

	forest_init(&f);
	for (uint32_t i = 1; i <= LONG; i++)
		forest_add(&f);
	for (uint32_t i = 2; i <= LONG; i++)
		assert_true(forest_link(&f, i, i - 1));
	assert_false(forest_link(&f, 1, LONG));
	for (uint32_t i = LONG; i > LONG / 2; i--) {
		forest_cut(&f, i);
		assert_true(forest_link(&f, i, i - 1));
	}
	assert_true(clock_us() - start < 10000000);
	forest_free(&f);
}

static const char *threads_of(struct view *v, const struct set *uids, enum thread_algorithm how)
{
	static char text[4000];
	const struct thread_item *item;
	struct thread_run *r;
	struct errtext t;
	enum err e;
	size_t n;

	text[0] = '\0';
	assert_int_equal(thread_start(v, uids, how, &r, &t), ERR_OK);
	while (thread_step(r, &e, &t) != STEP_DONE)
		;
	assert_int_equal(e, ERR_OK);
	item = thread_result(r, &n);
	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u<%d%s ", item[i].uid,
			 item[i].parent == UINT32_MAX ? -1 : (int)item[i].parent, item[i].split ? "s" : "");
	thread_end(&r);
	return text;
}

static const char *threads(struct view *v, enum thread_algorithm how)
{
	return threads_of(v, view_uids(v), how);
}

static uint32_t draw(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % below;
}

static void append_random(struct house *h, uint32_t *seed)
{
	char text[400];
	int n = snprintf(text, sizeof(text), "Subject: %s%u\n", draw(seed, 2) ? "Re: " : "", draw(seed, 4));

	if (draw(seed, 8))
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Message-ID: <%u@x>\n", draw(seed, 30));
	for (uint32_t refs = draw(seed, 4), i = 0; i < refs; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s<%u@x>\n", i ? " " : "References: ", draw(seed, 30));
	snprintf(text + n, sizeof(text) - (size_t)n, "Date: %u Jan 2020 00:00:00 +0000\n\n", 1 + draw(seed, 28));
	house_append(h, "INBOX", text, 0, NULL);
}

/* Runs over other messages each time: what earlier ones learnt, and in which order, changes nothing. */
static void test_learnt(void **state)
{
	enum { MESSAGES = 40, RUNS = 60 };
	static char *alone[RUNS];
	struct house h;
	struct view *v;
	uint32_t seed = 1;

	house_begin(&h, &store_maildir);
	v = house_view(&h, "INBOX", false);
	for (int i = 0; i < MESSAGES; i++)
		append_random(&h, &seed);
	view_quiet(&h, v);
	for (int pass = 0; pass < 2; pass++) {
		seed = 2;
		for (int i = 0; i < RUNS; i++) {
			enum thread_algorithm how = draw(&seed, 3);
			struct set uids = SET_EMPTY;

			for (uint32_t uid = 1; uid <= MESSAGES; uid++)
				if (draw(&seed, RUNS) <= (uint32_t)i)
					set_add(&uids, uid);
			if (pass == 0) {
				threads_forget(h.a);
				alone[i] = mem_str(threads_of(v, &uids, how));
			} else {
				assert_string_equal(threads_of(v, &uids, how), alone[i]);
				free(alone[i]);
			}
			set_free(&uids);
		}
		threads_forget(h.a);
	}
	view_close(&v);
	house_end(&h);
}

static void test_threads(void **state)
{
	struct house h;
	struct view *v;
	struct buf big;

	house_begin(&h, &store_maildir);
	v = house_view(&h, "INBOX", false);
	assert_string_equal(threads(v, THREAD_REFERENCES), "");
	house_append(&h, "INBOX", "Message-ID: <1@x>\nDate: 1 Jan 2020 00:00:00 +0000\nSubject: a\n\n", 0, NULL);
	house_append(&h, "INBOX", "Message-ID: <2@x>\nReferences: <1@x>\nDate: 2 Jan 2020 00:00:00 +0000\nSubject: a\n\n", 0,
		     NULL);
	/* A loop, and one that refers to itself. */
	house_append(&h, "INBOX", "Message-ID: <3@x>\nReferences: <4@x>\nDate: 3 Jan 2020 00:00:00 +0000\nSubject: b\n\n", 0,
		     NULL);
	house_append(&h, "INBOX", "Message-ID: <4@x>\nReferences: <3@x>\nDate: 4 Jan 2020 00:00:00 +0000\nSubject: b\n\n", 0,
		     NULL);
	house_append(&h, "INBOX", "Message-ID: <5@x>\nReferences: <5@x>\nDate: 5 Jan 2020 00:00:00 +0000\n\n", 0, NULL);
	/* Fields that are too long for the cache are read from the message. */
	buf_init(&big, 1 << 20);
	buf_add_str(&big, "Message-ID: <6@x>\nIn-Reply-To: <5@x>\nDate: 6 Jan 2020 00:00:00 +0000\nTo: ");
	while (big.n < 100000)
		buf_add_str(&big, "someone@example.org,\n ");
	buf_add_str(&big, "z@x\n\n");
	house_append(&h, "INBOX", buf_cstr(&big), 0, NULL);
	buf_free(&big);
	view_quiet(&h, v);
	assert_string_equal(threads(v, THREAD_REFERENCES), "1<-1s 2<0 4<-1s 3<2 5<-1s 6<4 ");
	assert_string_equal(threads(v, THREAD_REFS), "1<-1s 2<0 4<-1s 3<2 5<-1s 6<4 ");
	/* Asked for again: kept. With another message, after a rest, by another algorithm: made anew. */
	assert_string_equal(threads(v, THREAD_REFS), "1<-1s 2<0 4<-1s 3<2 5<-1s 6<4 ");
	house_append(&h, "INBOX", "Message-ID: <7@x>\nReferences: <1@x>\nDate: 7 Jan 2020 00:00:00 +0000\n\n", 0, NULL);
	view_quiet(&h, v);
	assert_string_equal(threads(v, THREAD_REFS), "4<-1s 3<0 5<-1s 6<2 1<-1s 2<4s 7<4s ");
	acct_rest(h.a);
	assert_string_equal(threads(v, THREAD_REFS), "4<-1s 3<0 5<-1s 6<2 1<-1s 2<4s 7<4s ");
	assert_string_equal(threads(v, THREAD_ORDEREDSUBJECT), "1<-1s 2<0 3<-1s 4<2 5<-1s 6<4s 7<4s ");
	view_close(&v);
	house_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msort),
		cmocka_unit_test(test_intern),
		cmocka_unit_test(test_forest),
		cmocka_unit_test(test_long_forest),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_learnt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
