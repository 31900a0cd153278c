/* Identities of 16 bytes as text: 32 lower-case hex digits. */
#ifndef BASE_GUID_H
#define BASE_GUID_H

#include "base/span.h"

enum { GUID_TEXT = 32 };

void guid_text(const uint8_t guid[16], char out[GUID_TEXT + 1]);
bool guid_read(struct span text, uint8_t guid_r[16]); /* false: not exactly such digits; nothing written */

#endif
