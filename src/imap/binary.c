/*
 * Which literal8 can be stored. Messages are kept as lines of text, without NULs; binary content that would come out of
 * that changed is refused (RFC 3516 section 4.4).
 */
#include "binary.h"

static void line_ends(struct imap_binary *b)
{
	struct span line = span_of(b->line, b->n), name = SPAN("Content-Transfer-Encoding:");

	b->bare |= b->last != '\r';
	b->labelled |= span_istarts(line, name) &&
		       span_istarts(span_trim(span_from(line, name.n)), SPAN("binary"));
	b->n = 0;
}

void imap_binary_watch(struct imap_binary *b, struct span bytes)
{
	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		b->nul |= c == '\0';
		if (c == '\n')
			line_ends(b);
		else if (b->n < sizeof(b->line))
			b->line[b->n++] = c;
		b->last = c;
	}
}

bool imap_binary_lossy(const struct imap_binary *b)
{
	return b->nul || (b->bare && b->labelled);
}
