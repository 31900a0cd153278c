/*
 * Field values of anybody: addresses, dates, sections of an IMAP client. Whatever we print as a
 * date is read back the same.
 */
#include "mime/address.h"
#include "mime/date.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_addresses(struct span value)
{
	struct mime_addrs w;
	struct mime_addr a;
	struct buf out;
	size_t reports = 0;
	int depth = 0;

	mime_addrs_init(&w, value);
	while (mime_addrs_next(&w, &a)) {
		reports++;
		depth += (a.kind == MIME_ADDR_GROUP) - (a.kind == MIME_ADDR_GROUP_END);
		must(depth == 0 || depth == 1);
		must(a.kind != MIME_ADDR_MAILBOX || (a.mailbox.p && a.domain.p));
		must(a.mailbox.n + a.domain.n + a.name.n + a.route.n <= 2 * value.n + 60);
	}
	must(depth == 0 && reports <= 2 * value.n + 1);
	mime_addrs_free(&w);
	buf_init(&out, value.n + 100);
	mime_addr_first_mailbox(value, &out);
	buf_free(&out);
}

static void check_dates(struct span value)
{
	struct mime_date d, again;
	struct buf out;

	buf_init(&out, 100);
	if (mime_date_parse(value, &d)) {
		mime_date_add_imap(d, &out);
		must(mime_date_parse_imap(buf_span(&out), &again) && again.utc == d.utc &&
		     again.zone == d.zone);
	}
	buf_clear(&out);
	if (mime_date_parse_imap(value, &d)) {
		mime_date_add_imap(d, &out);
		must(out.n == 26);
		must(mime_date_parse_imap(buf_span(&out), &again) && again.utc == d.utc &&
		     again.zone == d.zone);
	}
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check_addresses(span_of(data, n));
	check_dates(span_of(data, n));
	return 0;
}
