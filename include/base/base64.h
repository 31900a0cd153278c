/* Base64 (RFC 4648 section 4), strict: padding required, no other bytes. Used for SASL, not for mail bodies (codec of mime). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buf.h"

void base64_encode(struct span in, struct buf *out);
bool base64_decode(struct span in, struct buf *out); /* false: not valid base64, out unchanged */

#endif
