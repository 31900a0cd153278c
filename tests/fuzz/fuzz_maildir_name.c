/*
 * File names as found in a directory: what is accepted is a name again after flags were set, and
 * says those flags.
 */
#include "src/store/maildir_name.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span base, rest, base2, rest2;
	char out[MAILDIR_NAME_MAX + 1];

	if (n < 5 || !maildir_name_split(span_of(data + 5, n - 5), &base, &rest))
		return 0;
	must(base.n + rest.n == n - 5 && base.n > 0);
	struct mail_flags f = { data[0] & MAIL_SYSTEM, 0 };
	memcpy(&f.keywords, data + 1, 4);
	f.keywords &= MAILDIR_LETTER_MASK;
	maildir_name_size(base, 'S');
	must(maildir_name_cmp(base, base) == 0);
	if (!maildir_name_build(out, base, rest, f))
		return 0;
	must(maildir_name_split(span_str(out), &base2, &rest2) && span_eq(base, base2));
	struct mail_flags g = maildir_name_flags(rest2);
	must(g.system == f.system && g.keywords == f.keywords);
	return 0;
}
