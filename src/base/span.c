#include "base/span.h"
#include "base/mem.h"

bool span_ieq_bytes(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool span_starts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_eq(span_cut(s, 0, prefix.n), prefix);
}

bool span_istarts(struct span s, struct span prefix)
{
	return s.n >= prefix.n && span_ieq(span_cut(s, 0, prefix.n), prefix);
}

bool span_ends(struct span s, struct span suffix)
{
	return s.n >= suffix.n && span_eq(span_from(s, s.n - suffix.n), suffix);
}

static int span_cmp_length(struct span a, struct span b)
{
	return (a.n > b.n) - (a.n < b.n);
}

int span_cmp(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n ? memcmp(a.p, b.p, n) : 0;

	return c ? c : span_cmp_length(a, b);
}

size_t span_find(struct span s, char c)
{
	const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;

	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

size_t span_search(struct span s, struct span needle)
{
	const char *hit;

	if (needle.n == 0)
		return 0;
	if (s.n < needle.n)
		return SIZE_MAX;
	hit = memmem(s.p, s.n, needle.p, needle.n);
	return hit ? (size_t)(hit - s.p) : SIZE_MAX;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Has the top bit set in some byte when one of the eight is not plain: in the lowest of those at least. */
static uint64_t not_plain(uint64_t eight)
{
	uint64_t quote = eight ^ EACH('"'), backslash = eight ^ EACH('\\');

	return eight | (eight + EACH(1)) | ((eight - EACH(' ')) & ~eight) | ((quote - EACH(1)) & ~quote) |
	       ((backslash - EACH(1)) & ~backslash);
}

bool span_is_plain(struct span s)
{
	uint64_t bad = 0, eight;

	if (s.n < sizeof(eight)) {
		eight = EACH(' ');
		for (size_t i = 0; i < s.n; i++)
			eight = eight << 8 | (unsigned char)s.p[i];
		return !(not_plain(eight) & EACH(0x80));
	}
	for (size_t i = 0; i + sizeof(eight) <= s.n; i += sizeof(eight)) {
		memcpy(&eight, s.p + i, sizeof(eight));
		bad |= not_plain(eight);
	}
	memcpy(&eight, s.p + s.n - sizeof(eight), sizeof(eight));
	return !((bad | not_plain(eight)) & EACH(0x80));
}

static bool span_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span s)
{
	while (s.n && span_is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.n && span_is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool span_split(struct span *rest, char sep, struct span *word_r)
{
	size_t at;

	if (rest->n == 0)
		return false;
	at = span_find(*rest, sep);
	if (at == SIZE_MAX) {
		*word_r = *rest;
		*rest = span_from(*rest, rest->n);
		return true;
	}
	*word_r = span_cut(*rest, 0, at);
	*rest = span_from(*rest, at + 1);
	return true;
}

bool span_u64(struct span s, uint64_t *v_r)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isdigit(s.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*v_r = v;
	return true;
}

bool span_u32(struct span s, uint32_t *v_r)
{
	uint64_t v;

	if (!span_u64(s, &v) || v > UINT32_MAX)
		return false;
	*v_r = (uint32_t)v;
	return true;
}

static int span_hex_digit(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool span_hex64(struct span s, uint64_t *v_r)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 16)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = span_hex_digit(s.p[i]);

		if (d < 0)
			return false;
		v = v << 4 | (unsigned)d;
	}
	*v_r = v;
	return true;
}

char *span_dup(struct span s)
{
	char *copy = mem_alloc(s.n + 1);

	if (s.n)
		memcpy(copy, s.p, s.n);
	return copy;
}
