/*
 * Modified UTF-7. The decoder refuses every second spelling of a name, so that equal names are
 * equal bytes everywhere behind it.
 */
#include "base/mutf7.h"
#include "base/base64.h"
#include "base/utf8.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static bool printable(uint32_t cp)
{
	return cp >= 0x20 && cp <= 0x7e;
}

static int digit_value(char c)
{
	return c == ',' ? 63 : c == '/' ? -1 : base64_value(c);
}

/* One UTF-16 unit; *high holds a first surrogate that waits for its second. */
static bool put_unit(struct buf *out, uint32_t unit, uint32_t *high)
{
	bool low = unit >= 0xdc00 && unit <= 0xdfff;

	if (low != (*high != 0))
		return false;
	if (low) {
		utf8_put(out, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
	} else if (unit >= 0xd800 && unit <= 0xdbff) {
		*high = unit;
	} else if (printable(unit)) {
		return false;
	} else {
		utf8_put(out, unit);
	}
	return true;
}

/* The text between '&' and '-', not empty. */
static bool decode_shifted(struct span s, struct buf *out)
{
	uint32_t acc = 0, bits = 0, high = 0;

	for (size_t i = 0; i < s.n; i++) {
		int v = digit_value(s.p[i]);

		if (v < 0)
			return false;
		acc = (acc << 6 | (uint32_t)v) & 0x3fffff;
		bits += 6;
		if (bits < 16)
			continue;
		bits -= 16;
		if (!put_unit(out, acc >> bits & 0xffff, &high))
			return false;
	}
	return s.n >= 3 && high == 0 && bits < 6 && (acc & ((1U << bits) - 1)) == 0;
}

static bool decode(struct span s, struct buf *out)
{
	bool shifted = false; /* base64 ended just before */

	while (s.n > 0) {
		char c = s.p[0];
		size_t end;

		if (!printable((uint8_t)c))
			return false;
		if (c != '&') {
			buf_add_char(out, c);
			s = span_from(s, 1);
			shifted = false;
			continue;
		}
		end = span_find(s, '-');
		if (end == SIZE_MAX)
			return false;
		if (end == 1)
			buf_add_char(out, '&');
		else if (shifted || !decode_shifted(span_cut(s, 1, end - 1), out))
			return false;
		shifted = end > 1;
		s = span_from(s, end + 1);
	}
	return !out->failed;
}

bool mutf7_to_utf8(struct span mutf7, struct buf *out)
{
	size_t before = out->n;

	if (decode(mutf7, out))
		return true;
	buf_truncate(out, before);
	return false;
}

struct encoder {
	struct buf *out;
	uint32_t acc, bits;
	bool shifted;
};

static void encode_unit(struct encoder *e, uint32_t unit)
{
	if (!e->shifted)
		buf_add_char(e->out, '&');
	e->shifted = true;
	e->acc = (e->acc & 0x3f) << 16 | unit;
	e->bits += 16;
	while (e->bits >= 6) {
		e->bits -= 6;
		buf_add_char(e->out, digits[e->acc >> e->bits & 0x3f]);
	}
}

static void encode_end(struct encoder *e)
{
	if (!e->shifted)
		return;
	if (e->bits > 0)
		buf_add_char(e->out, digits[e->acc << (6 - e->bits) & 0x3f]);
	buf_add_char(e->out, '-');
	*e = (struct encoder){ .out = e->out };
}

static void encode_cp(struct encoder *e, uint32_t cp)
{
	if (printable(cp)) {
		encode_end(e);
		buf_add_char(e->out, (char)cp);
		if (cp == '&')
			buf_add_char(e->out, '-');
	} else if (cp >= 0x10000) {
		encode_unit(e, 0xd800 + ((cp - 0x10000) >> 10));
		encode_unit(e, 0xdc00 + ((cp - 0x10000) & 0x3ff));
	} else {
		encode_unit(e, cp);
	}
}

bool mutf7_from_utf8(struct span utf8, struct buf *out)
{
	struct encoder e = { .out = out };
	uint32_t cp;

	if (!utf8_valid(utf8))
		return false;
	while (utf8.n > 0) {
		size_t n = utf8_next(utf8, &cp);

		encode_cp(&e, cp);
		utf8 = span_from(utf8, n);
	}
	encode_end(&e);
	return true;
}
