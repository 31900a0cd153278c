#include "base/base64.h"

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct span in, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)in.p;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t have = in.n - i < 3 ? in.n - i : 3;
		uint32_t v = (uint32_t)p[i] << 16;
		char quad[4];

		v |= have > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= have > 2 ? p[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			quad[k] = k > have ? '=' : base64_alphabet[v >> (18 - 6 * k) & 63];
		buf_add(out, quad, 4);
	}
}

/* One group of four; true with 1 to 3 bytes in triple. Unused bits must be zero. */
static bool base64_quad(const char *q, bool last, unsigned char *triple, size_t *n_r)
{
	size_t digits = 4;
	uint32_t v = 0;

	if (last && q[3] == '=')
		digits = q[2] == '=' ? 2 : 3;
	for (size_t k = 0; k < 4; k++) {
		int d = k < digits ? base64_value(q[k]) : 0;

		if (d < 0)
			return false;
		v = v << 6 | (unsigned)d;
	}
	if ((digits == 2 && v & 0xffff) || (digits == 3 && v & 0xff))
		return false;
	triple[0] = (unsigned char)(v >> 16);
	triple[1] = (unsigned char)(v >> 8);
	triple[2] = (unsigned char)v;
	*n_r = digits - 1;
	return true;
}

bool base64_decode(struct span in, struct buf *out)
{
	size_t before = out->n;

	if (in.n % 4 != 0)
		return false;
	for (size_t i = 0; i < in.n; i += 4) {
		unsigned char triple[3];
		size_t n;

		if (!base64_quad(in.p + i, i + 4 == in.n, triple, &n)) {
			buf_truncate(out, before);
			return false;
		}
		buf_add(out, triple, n);
	}
	if (out->failed)
		buf_truncate(out, before);
	return !out->failed;
}
