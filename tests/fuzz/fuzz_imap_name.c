/* Names: a decoded name encodes back to the same bytes; a valid one survives the way out and in. Patterns: only bounds. */
#include "base/must.h"
#include "base/mutf7.h"
#include "wire/imap_name.h"
#include "wire/imap_write.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct span in)
{
	struct buf a, b;

	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	if (mutf7_to_utf8(in, &a)) {
		must(mutf7_from_utf8(buf_span(&a), &b));
		must(span_eq(in, buf_span(&b)));
	}
	buf_clear(&a);
	buf_clear(&b);
	if (imap_name_valid(in)) {
		must(mutf7_from_utf8(in, &a));
		must(mutf7_to_utf8(buf_span(&a), &b));
		must(span_eq(in, buf_span(&b)));
	}
	buf_clear(&a);
	imap_write_mailbox(&a, in, false);
	must(!a.failed);
	buf_free(&a);
	buf_free(&b);
}

/* A slow but plain matcher to compare with: recursion over short input only. */
static bool plain(struct span p, struct span s, char sep)
{
	if (p.n == 0)
		return s.n == 0;
	if (p.p[0] == '*' || p.p[0] == '%') {
		if (plain(span_from(p, 1), s, sep))
			return true;
		return s.n > 0 && (p.p[0] == '*' || s.p[0] != sep) && plain(p, span_from(s, 1), sep);
	}
	return s.n > 0 && p.p[0] == s.p[0] && plain(span_from(p, 1), span_from(s, 1), sep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), pattern, name;
	size_t cut;

	round_trip(in);
	cut = span_find(in, '\n');
	if (cut == SIZE_MAX)
		return 0;
	pattern = span_cut(in, 0, cut);
	name = span_from(in, cut + 1);
	imap_name_match_below(pattern, name, '/');
	if (pattern.n > 12 || name.n > 16 || imap_name_is_inbox(span_cut(name, 0, 5)))
		imap_name_match(pattern, name, '/');
	else
		must(imap_name_match(pattern, name, '/') == plain(pattern, name, '/'));
	return 0;
}
