/*
 * Where in the speech of an IMAP server its client is: for who has a last word to say when the server dies in the
 * middle of it. Responses are told apart and no more: a line ends with LF, one that ends with "{n}" goes on behind so many
 * octets (RFC 3501 section 4.3). A NUL outside of these is no IMAP but something compressed; nothing is known from there on.
 */
#ifndef WIRE_IMAP_SPEECH_H
#define WIRE_IMAP_SPEECH_H

#include "base/span.h"

/* What to say then, where imap_speech_between. */
#define IMAP_LAST_WORDS                                                                                     \
	"* BYE [UNAVAILABLE] Internal error occurred. Refer to server log for more information.\r\n"

/* The answer to COMPRESS: what follows is no speech (imap_speech_over). */
#define IMAP_COMPRESS_OK "Begin compression."

/* Zeroed: at the beginning of a response. */
struct imap_speech {
	uint64_t number; /* octets: of the literal that is announced, or still to come; of what every BYE begins with */
	int at;          /* private */
};

/*
 * Takes what was said; answers how many octets it is to the end of the last response that ends in it (0: none does). May be
 * called by the handler of any signal.
 */
size_t imap_speech_add(struct imap_speech *f, struct span said);

/* Nothing is known from here on. */
void imap_speech_over(struct imap_speech *f);

/* Responses have ended, none has begun, and none was BYE. */
bool imap_speech_between(const struct imap_speech *f);

#endif
