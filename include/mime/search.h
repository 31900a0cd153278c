/*
 * Does the text occur? Substring search as SEARCH wants it (RFC 3501 section 6.4.4): over decoded
 * text in UTF-8, folded by utf8_fold; linear in text and needle, whatever they are.
 */
#ifndef MIME_SEARCH_H
#define MIME_SEARCH_H

#include "base/step.h"
#include "mime/decode.h"
#include "mime/tree.h"

enum { MIME_NEEDLE_MAX = 64 << 10 };

/*
 * One needle, fed with folded text in chunks of any size; finds across chunks. An empty needle is
 * found at once.
 */
struct mime_matcher {
	char *needle;   /* own, folded */
	uint32_t *fail; /* own: length of the longest border of each prefix */
	uint32_t n;
	uint32_t have; /* how much of the needle the text seen so far ends with */
	bool found;
};

/*
 * needle: UTF-8, not yet folded. False (m is then empty) when the folded needle is longer than
 * MIME_NEEDLE_MAX.
 */
bool mime_matcher_init(struct mime_matcher *m, struct span needle);
void mime_matcher_free(struct mime_matcher *m);
void mime_matcher_reset(struct mime_matcher *m); /* forget the text, keep the needle */
void mime_matcher_break(struct mime_matcher *m); /* a border that no match may cross; found stays */
bool mime_matcher_add(struct mime_matcher *m, struct span folded); /* m->found */

/* HEADER name: true when a field of that name exists and its decoded value contains the needle. */
bool mime_search_header(struct mime_charsets *cs, struct span header, struct span name,
			struct mime_matcher *m);

/*
 * BODY and TEXT over one message, pausable. BODY looks into the bodies of text and message parts
 * and into the headers of messages inside; TEXT also into all other headers, those of body parts
 * included. Several needles at once.
 */
struct mime_search {
	struct mime_charsets *cs;     /* borrowed */
	struct span message;          /* borrowed */
	const struct mime_tree *tree; /* borrowed */
	struct mime_matcher *m;       /* borrowed: array */
	size_t nm;
	bool headers;  /* TEXT */
	uint32_t part; /* where we are */
	int phase;
	uint64_t pos;
	bool open; /* dec and conv are in use */
	struct mime_decoder dec;
	struct mime_to_utf8 conv;
	struct buf raw, text, folded; /* own: scratch */
};

void mime_search_init(struct mime_search *s, struct mime_charsets *cs, struct span message,
		      const struct mime_tree *tree, struct mime_matcher *m, size_t nm,
		      bool headers);

/*
 * Works through at most about budget stored bytes. STEP_DONE when all needles are found or the
 * message ends (see m[i].found); else STEP_SLICE.
 */
enum step mime_search_step(struct mime_search *s, size_t budget);
void mime_search_free(struct mime_search *s);

#endif
