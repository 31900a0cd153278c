/* dovecot-keywords of anybody: names that fit a line again, each letter at most once. */
#include "src/store/maildir.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span name[MAILDIR_LETTERS] = { { NULL, 0 } };

	maildir_keywords_parse(span_of(data, n), name);
	for (int i = 0; i < MAILDIR_LETTERS; i++) {
		must(name[i].n == 0 || (name[i].p >= (const char *)data &&
					name[i].p + name[i].n <= (const char *)data + n));
		must(name[i].n == 0 ||
		     (!memchr(name[i].p, '\n', name[i].n) && !memchr(name[i].p, '\0', name[i].n)));
	}
	return 0;
}
