/* Courier's keywords: any text as the list and as the file of one message. */
#include "src/store/maildir.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span all = span_of(data, n);

	must(maildir_courier_names(all, span_from(all, n / 2)) <= MAIL_KEYWORDS_MAX);
	return 0;
}
