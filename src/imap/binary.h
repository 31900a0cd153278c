/* What a literal8 of APPEND holds (RFC 3516), for cmd_append.c. */
#ifndef IMAP_BINARY_H
#define IMAP_BINARY_H

#include "base/span.h"

enum { IMAP_BINARY_LINE = 64 };

/* Watches the bytes as they come, cut anywhere. Zeroed at the start of a message. */
struct imap_binary {
	bool nul;       /* a NUL came */
	bool bare;      /* an LF without CR came: it would be stored, and read again, as CRLF */
	bool labelled;  /* some part says that it is binary: its bytes must stay as they are */
	char last;
	size_t n;
	char line[IMAP_BINARY_LINE]; /* the beginning of the present line */
};

void imap_binary_watch(struct imap_binary *b, struct span bytes);

/* Storing it as lines of text would lose something. */
bool imap_binary_lossy(const struct imap_binary *b);

#endif
