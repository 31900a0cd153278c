/* Up to the empty line; whether lines end with CR LF or with LF. */
#include "header8.h"

void imap_header8_watch(struct imap_header8 *h, struct span bytes)
{
	for (size_t i = 0; i < bytes.n && !h->body && !h->found; i++) {
		char c = bytes.p[i];

		h->found = (uint8_t)c >= 0x80;
		h->body = c == '\n' && !h->text;
		h->text = c != '\n' && (h->text || c != '\r');
	}
}
