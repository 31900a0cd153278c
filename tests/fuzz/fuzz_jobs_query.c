/* doveadm's search keys: no words, in no place, do harm; what is never true in no place in particular is never true. */
#include "src/jobs/query.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WORDS = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t guid[16] = { 0x12, 0x34 };
	struct jobs_place places[] = { { .now = 1700000000 },
				       { .name = SPAN("INBOX"), .separator = '.', .guid = guid, .now = 1 } };
	struct span word[WORDS], rest = span_of(data, size);
	struct arena *a = arena_new(64 << 20);
	struct jobs_query q[2];
	size_t n = 0;
	enum err e[2];

	while (n < WORDS && span_split(&rest, '\n', &word[n]))
		n++;
	for (int i = 0; i < 2; i++)
		e[i] = jobs_query_parse(word, n, &places[i], a, &q[i], NULL);
	must(e[0] == e[1]);
	if (!e[0])
		must(q[0].bound == q[1].bound && q[0].query && q[1].query);
	arena_free(&a);
	return 0;
}
