#include "base/guid.h"

/* One lower-case hex digit; -1: none. */
static int digit(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool guid_read(struct span text, uint8_t guid_r[16])
{
	if (text.n != GUID_TEXT)
		return false;
	for (size_t i = 0; i < GUID_TEXT; i++)
		if (digit(text.p[i]) < 0)
			return false;
	for (size_t i = 0; i < 16; i++)
		guid_r[i] = (uint8_t)(digit(text.p[2 * i]) << 4 | digit(text.p[2 * i + 1]));
	return true;
}

void guid_text(const uint8_t guid[16], char out[GUID_TEXT + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 16; i++) {
		out[2 * i] = digits[guid[i] >> 4];
		out[2 * i + 1] = digits[guid[i] & 15];
	}
	out[GUID_TEXT] = '\0';
}
