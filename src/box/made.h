/*
 * What the bytes of a message tell, in the form in which the index caches it: ENVELOPE, BODYSTRUCTURE,
 * part offsets, chosen header fields, and (asked for) a preview. Pure: no store, no index.
 */
#ifndef BOX_MADE_H
#define BOX_MADE_H

#include "index/index.h"
#include "mime/date.h"
#include "mime/decode.h"
#include "mime/fields.h"
#include "mime/tree.h"

enum { MADE_CACHED_MAX = 1 << 20 /* larger results are made each time */ };

/*
 * The date of a Date field in one number, for the message record: seconds of UTC times 4096 plus the zone's minutes plus
 * 2048. 0 is "not looked at", SENT_NONE "no date there".
 */
enum { SENT_NONE = 1 };
int64_t sent_pack(struct mime_date d);
bool sent_date(int64_t sent, struct mime_date *d_r); /* false: there is none */

struct made {
	int64_t sent;            /* the last Date field's, as ENVELOPE has it */
	uint64_t vsize;          /* in CRLF form */
	struct buf text;         /* own: the fields one after another */
	size_t off[IDX_FIELDS], n[IDX_FIELDS];
	bool have[IDX_FIELDS];
	struct mime_tree tree;   /* own */
	struct mime_fields fields; /* own: of the message's header; as long as its bytes are there */
	struct mime_parser *parser; /* own: of made_some, under way */
};

void made_init(struct made *m);
void made_free(struct made *m);
/* Cannot fail: what would be too large is replaced by the emptiest true answer. */
void made_from(struct made *m, struct mime_charsets *cs, struct span message, bool preview);
/* As made_from, but of a message above 1 MiB until end_us (clock_us). ERR_AGAIN: call again, with the same, or made_stop. */
enum err made_some(struct made *m, struct mime_charsets *cs, struct span message, bool preview, uint64_t end_us);
void made_stop(struct made *m);
/* Parses until then. ERR_AGAIN: there is more. */
enum err made_parse(struct mime_parser *p, uint64_t end_us);
/* Spans into m->text. */
void made_cache(const struct made *m, struct idx_cache *c_r);

/*
 * IDX_HEADERS: one line a field, "name: value" and LF, name in lower case, value unfolded and decoded to UTF-8 without
 * control characters, in the order of the header. Only the fields of the list in made.c.
 */
bool made_header_kept(struct span name);
/* Appends them, for a message of which they are not cached; false (and nothing) when they are more than max bytes. */
bool made_headers_add(struct mime_charsets *cs, struct span message, size_t max, struct buf *out);
/* The next line of this field (its name in any case), in either kind of lines. */
bool made_headers_find(struct span *rest, struct span name, struct span *value_r);
bool made_headers_next(struct span *rest, struct span *name_r, struct span *value_r);

/*
 * IDX_ASKED: a line of names, in lower case, a blank between them, then lines as in IDX_HEADERS for those fields.
 * A name that was asked for and is not in a message is in the first line all the same.
 */
enum { ASKED_NAMES = 8, ASKED_NAME_MAX = 64 };
bool made_asked_name(struct span name);                     /* may it be kept there? */
bool made_asked_has(struct span asked, struct span name);
/* The lines of message for names (as in the first line); false (and nothing) when they are too many. */
bool made_asked_add(struct mime_charsets *cs, struct span message, struct span names, struct buf *out);

/* The first 200 characters of the text that a reader would see, white space collapsed (RFC 8970). */
void preview_add(struct mime_charsets *cs, struct span message, const struct mime_tree *tree, struct buf *out);

#endif
