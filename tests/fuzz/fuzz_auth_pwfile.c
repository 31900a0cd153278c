/* Lines of a passwd-file, stored passwords, networks of allow_nets: text of an administrator, or of
 * one who got hold of the file. */
#include "base/must.h"
#include "src/auth/names.h"
#include "src/auth/pwfile.h"
#include "src/auth/scheme.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void within(struct span part, struct span whole)
{
	must(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span whole = span_of(data, n);
	struct pw_entry e;
	bool match;
	char *text;

	if (!pw_parse(whole, &e))
		return 0;
	must(e.user.n > 0);
	within(e.user, whole);
	within(e.password, whole);
	within(e.home, whole);
	within(e.extra, whole);
	/* Only the fast scheme by default: the fuzzer must not wait for hashes. */
	if (span_find(e.password, '$') == SIZE_MAX)
		scheme_verify(e.password, "PLAIN", e.uid, &match, NULL);
	text = span_dup(e.extra);
	nets_allow(text, "192.0.2.1");
	nets_allow(text, "2001:db8::1");
	free(text);
	return 0;
}
