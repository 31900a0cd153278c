/* Dovecot's index and its log, of anybody: they say what was seen, and what is left out is never behind their end. */
#include "src/store/dovecot_seen.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The first byte says where the base ends and the log begins. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct dovecot_seen d = { .uids = SET_EMPTY };
	struct span all = span_of(data, n), log;

	if (!n)
		return 0;
	log = span_from(all, 1 + (size_t)data[0] * 4);
	(void)dovecot_seen_base(&d, span_from(all, 1));
	d.log_seq = 0;
	if (dovecot_seen_log(&d, log))
		must(d.log_seq && (d.log_end <= log.n || d.log_end <= UINT16_MAX));
	set_free(&d.uids);
	return 0;
}
