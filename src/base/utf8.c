#include "base/utf8.h"

#include <utf8proc.h>

enum { UTF8_REPLACEMENT = 0xfffd };

static bool utf8_is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t utf8_next(struct span s, uint32_t *cp_r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = s.n ? (unsigned char)s.p[0] : 0x80;
	size_t n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	uint32_t cp = n == 1 ? lead : lead & (0x7fU >> n);

	if ((n > 1 && (lead < 0xc2 || lead > 0xf4)) || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (!utf8_is_tail(s.p[i]))
			return 0;
		cp = cp << 6 | ((unsigned char)s.p[i] & 0x3f);
	}
	if (cp < least[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	if (cp_r)
		*cp_r = cp;
	return n;
}

/* Eight at a time: this is most of what mail consists of. */
size_t utf8_ascii_run(struct span s)
{
	size_t n = 0;
	uint64_t eight;

	for (; s.n - n >= sizeof(eight); n += sizeof(eight)) {
		memcpy(&eight, s.p + n, sizeof(eight));
		if (eight & UINT64_C(0x8080808080808080))
			break;
	}
	while (n < s.n && !((unsigned char)s.p[n] & 0x80))
		n++;
	return n;
}

bool utf8_valid(struct span s)
{
	while (s.n) {
		size_t n = utf8_ascii_run(s);

		if (n == 0)
			n = utf8_next(s, NULL);
		if (n == 0)
			return false;
		s = span_from(s, n);
	}
	return true;
}

void utf8_put(struct buf *out, uint32_t cp)
{
	utf8proc_uint8_t bytes[4];
	utf8proc_ssize_t n;

	if (cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		cp = UTF8_REPLACEMENT;
	n = utf8proc_encode_char((utf8proc_int32_t)cp, bytes);
	buf_add(out, bytes, (size_t)n);
}

/* In blocks between places that do not overlap, which compilers turn into vector instructions. */
static void utf8_upper(char *restrict to, const char *restrict from, size_t n)
{
	enum { BLOCK = 32 };
	size_t i = 0;

	for (; n - i >= BLOCK; i += BLOCK)
		for (size_t k = 0; k < BLOCK; k++)
			to[i + k] = ascii_upper(from[i + k]);
	for (; i < n; i++)
		to[i] = ascii_upper(from[i]);
}

static void utf8_fold_ascii(struct span s, struct buf *out)
{
	if (!buf_reserve(out, s.n))
		return;
	utf8_upper(out->p + out->n, s.p, s.n);
	out->n += s.n;
}

static void utf8_fold_char(uint32_t cp, struct buf *out)
{
	utf8proc_int32_t parts[32]; /* the longest decomposition in Unicode has 18 */
	int boundary = 0;
	utf8proc_ssize_t n;

	n = utf8proc_decompose_char(utf8proc_totitle((utf8proc_int32_t)cp), parts, 32,
				    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
	if (n < 0 || n > 32) {
		utf8_put(out, cp);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		utf8_put(out, (uint32_t)parts[i]);
}

void utf8_fold(struct span s, struct buf *out)
{
	while (s.n) {
		size_t n = utf8_ascii_run(s);
		uint32_t cp = UTF8_REPLACEMENT;

		if (n) {
			utf8_fold_ascii(span_cut(s, 0, n), out);
		} else {
			n = utf8_next(s, &cp);
			utf8_fold_char(cp, out);
			n = n ? n : 1;
		}
		s = span_from(s, n);
	}
}

bool utf8_nfc(struct span s, struct buf *out)
{
	utf8proc_uint8_t *form = NULL;
	utf8proc_ssize_t n;

	if (!utf8_valid(s))
		return false;
	n = utf8proc_map((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &form, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n >= 0)
		buf_add(out, form, (size_t)n);
	free(form);
	return n >= 0;
}
