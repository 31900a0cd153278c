/* URLs of CATENATE: bounds; what is taken names a message; what is shown can be shown again and is plain text. */
#include "base/must.h"
#include "base/utf8.h"
#include "wire/imap_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct arena *arena = arena_new(1 << 20);
	struct imap_url url;
	struct buf shown;

	if (!imap_url_parse(in, arena, &url)) {
		must(url.uid && utf8_valid(url.mailbox));
		must(!memchr(url.mailbox.p ? url.mailbox.p : "", '\0', url.mailbox.n));
		must(url.partial || (!url.origin && !url.length));
	}
	buf_init(&shown, 1 << 16);
	imap_url_show(in, &shown);
	must(!shown.failed && shown.n <= 3 * IMAP_URL_SHOWN);
	for (size_t i = 0; i < shown.n; i++)
		must(shown.p[i] > ' ' && shown.p[i] < 0x7f && shown.p[i] != ']' && shown.p[i] != '\\');
	buf_free(&shown);
	arena_free(&arena);
	return 0;
}
