/*
 * Undoing what mail does to text: transfer encodings (RFC 2045), charsets, encoded words (RFC
 * 2047). All streaming and linear; broken input is decoded as far as it goes, never refused.
 *
 * iconv opens its converters (gconv modules) when a charset is first used: a confined process
 * must have them granted.
 */
#ifndef MIME_DECODE_H
#define MIME_DECODE_H

#include "base/buf.h"

enum mime_cte { MIME_CTE_IDENTITY, MIME_CTE_QP, MIME_CTE_BASE64 };

/*
 * "base64", "quoted-printable" in any case, comments allowed; 7bit, 8bit, binary and what nobody
 * knows are identity.
 */
enum mime_cte mime_cte_of(struct span value);

/* How the body behind a part's header is encoded; false: in a way that nobody knows. Not for multiparts and messages inside:
 * they have no encoding of their own, whatever they say (RFC 2045 section 6.4). */
bool mime_cte_of_part(struct span header, enum mime_cte *cte_r);

struct mime_decoder {
	enum mime_cte cte;
	uint32_t bits; /* base64: bits held back */
	unsigned nbits;
	struct buf tail; /* own; quoted-printable: what is decided only by the bytes to come ("=",
			    "=4", blanks, CR) */
};

void mime_decoder_init(struct mime_decoder *d, enum mime_cte cte);
void mime_decoder_add(struct mime_decoder *d, struct span in, struct buf *out);

/* Gives up what was held back, and frees. */
void mime_decoder_end(struct mime_decoder *d, struct buf *out);

/* A few open converters, most recently used first. One per session or search; not thread safe. */
struct mime_charsets;

struct mime_charsets *mime_charsets_new(void);
void mime_charsets_free(struct mime_charsets **cs);                   /* NULL allowed */
bool mime_charsets_known(struct mime_charsets *cs, struct span name); /* for SEARCH CHARSET */

/*
 * One text in one charset to UTF-8, in chunks. What does not convert becomes U+FFFD. US-ASCII and
 * unknown charsets are read as UTF-8, for that is what they mostly are. One at a time for each
 * struct mime_charsets.
 */
struct mime_to_utf8 {
	struct mime_charsets *cs; /* borrowed */
	char charset[64];         /* upper case; "" UTF-8 */
	char held[16];            /* the start of a character that the chunk cut */
	size_t nheld;
};

void mime_to_utf8_init(struct mime_to_utf8 *u, struct mime_charsets *cs, struct span charset);
void mime_to_utf8_add(struct mime_to_utf8 *u, struct span in, struct buf *out);
bool mime_to_utf8_same(const struct mime_to_utf8 *u, struct span in); /* would in come out as it is? */
void mime_to_utf8_end(struct mime_to_utf8 *u, struct buf *out);

/*
 * A field value unfolded, encoded words decoded, as valid UTF-8 (raw 8-bit bytes that are no UTF-8
 * become U+FFFD).
 */
void mime_words_decode(struct mime_charsets *cs, struct span value, struct buf *out);

#endif
