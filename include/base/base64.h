/*
 * Base64 (RFC 4648 section 4), strict: padding required, no other bytes. Used for SASL; mail bodies, which are not strict,
 * have mime/decode.h and only the digits from here.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

/* The six bits that c stands for; -1: no digit. Inline, for those who decode mail bodies. */
static inline int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (ascii_isdigit(c))
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

void base64_encode(struct span in, struct buf *out);
bool base64_decode(struct span in, struct buf *out); /* false: not valid base64, out unchanged */

#endif
