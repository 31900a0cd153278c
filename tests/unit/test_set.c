/* Sets against a plain table of bits: every operation, at random, on small numbers. */
#include "base/set.h"
#include "base/must.h"

#include "tests/unit/test.h"

enum { SPACE = 64, ROUNDS = 20000 };

static void check_same(const struct set *s, const bool *bit)
{
	uint64_t rank = 0;
	uint32_t first = 0, last = 0;
	struct set_ranks ranks;

	set_ranks_init(&ranks, s);

	for (size_t i = 0; i < s->n; i++) {
		assert_true(s->r[i].first >= 1 && s->r[i].first <= s->r[i].last);
		assert_true(i == 0 || s->r[i].first > s->r[i - 1].last + 1); /* not even adjacent */
	}
	for (uint32_t v = 1; v < SPACE; v++) {
		assert_int_equal(set_has(s, v), bit[v]);
		assert_int_equal(set_rank(s, v), rank);
		if (!bit[v])
			continue;
		assert_int_equal(set_at(s, rank), v);
		assert_int_equal(set_ranks_of(&ranks, v), rank);
		first = first ? first : v;
		last = v;
		rank++;
	}
	for (uint32_t v = SPACE - 1, next = 0; v >= 1; v--) {
		next = bit[v] ? v : next;
		assert_int_equal(set_next(s, v), next);
	}
	assert_int_equal(set_count(s), rank);
	assert_int_equal(set_at(s, rank), 0);
	assert_int_equal(set_min(s), first);
	assert_int_equal(set_max(s), last);
	set_ranks_free(&ranks);
}

static uint32_t pick(unsigned *seed)
{
	return (uint32_t)rand_r(seed) % (SPACE - 1) + 1;
}

static void random_set(struct set *s, bool *bit, unsigned *seed)
{
	for (int n = rand_r(seed) % 8; n > 0; n--) {
		uint32_t a = pick(seed), b = a + pick(seed) % 6;

		b = b < SPACE ? b : SPACE - 1;
		set_add_range(s, a, b);
		for (uint32_t v = a; v <= b; v++)
			bit[v] = true;
	}
}

static void test_against_bits(void **state)
{
	struct set s = SET_EMPTY;
	bool bit[SPACE] = { false };
	unsigned seed = 1;

	for (int round = 0; round < ROUNDS; round++) {
		struct set other = SET_EMPTY;
		bool obit[SPACE] = { false };
		uint32_t a = pick(&seed), b = pick(&seed);
		int op = rand_r(&seed) % 7;

		random_set(&other, obit, &seed);
		switch (op) {
		case 0:
			set_add(&s, a);
			break;
		case 1:
			set_add_range(&s, a, b);
			break;
		case 2:
			set_remove_range(&s, a, b);
			break;
		case 3:
			set_add_set(&s, &other);
			break;
		case 4:
			set_remove_set(&s, &other);
			break;
		case 5:
			set_intersect(&s, &other);
			break;
		default:
			set_copy(&s, &other);
		}
		for (uint32_t v = 1; v < SPACE; v++) {
			bool in_range = v >= a && v <= b;
			bool result[] = { bit[v] || v == a, bit[v] || in_range, bit[v] && !in_range,
					  bit[v] || obit[v], bit[v] && !obit[v], bit[v] && obit[v], obit[v] };

			bit[v] = result[op];
		}
		check_same(&s, bit);
		set_free(&other);
	}
	set_free(&s);
}

static void test_edges(void **state)
{
	struct set s = SET_EMPTY, copy = SET_EMPTY;

	set_add(&s, 0); /* never a member */
	assert_int_equal(s.n, 0);
	set_add_range(&s, 0, UINT32_MAX);
	assert_int_equal(set_count(&s), UINT32_MAX);
	set_add(&s, UINT32_MAX);
	assert_int_equal(s.n, 1);
	set_remove_range(&s, UINT32_MAX, UINT32_MAX);
	assert_int_equal(set_max(&s), UINT32_MAX - 1);
	assert_int_equal(set_at(&s, UINT32_MAX - 2), UINT32_MAX - 1);
	set_add(&s, UINT32_MAX);
	set_copy(&copy, &s);
	set_remove_set(&s, &copy);
	assert_int_equal(s.n, 0);
	assert_int_equal(set_min(&s), 0);
	set_remove_range(&s, 1, 5);
	set_intersect(&s, &copy);
	assert_int_equal(s.n, 0);
	set_free(&s);
	set_free(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_bits),
		cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
