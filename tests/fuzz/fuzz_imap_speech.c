/* What an IMAP client hears: any cut finds the same ends of responses, and they are ends of lines. */
#include "base/must.h"
#include "wire/imap_speech.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t follow(struct imap_speech *f, struct span said, size_t chunk)
{
	size_t end = 0, at = 0;

	while (at < said.n) {
		struct span part = span_cut(said, at, chunk);
		size_t n = imap_speech_add(f, part);

		end = n ? at + n : end;
		at += part.n;
	}
	return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span said = span_of(data, size);
	struct imap_speech whole = { 0 };
	size_t end = imap_speech_add(&whole, said);

	must(end == 0 || said.p[end - 1] == '\n');
	must(!imap_speech_between(&whole) || end == size);
	for (size_t chunk = 1; chunk < 4; chunk++) {
		struct imap_speech f = { 0 };

		must(follow(&f, said, chunk) == end);
		must(imap_speech_between(&f) == imap_speech_between(&whole));
	}
	return 0;
}
