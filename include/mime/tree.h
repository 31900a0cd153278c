/*
 * The MIME structure of a message (RFC 2045, 2046) as byte ranges. One pass, no recursion.
 *
 * Part 0 is the message. Parts stand in the order in which they begin: a parent before its
 * children, children before the parent's next sibling. A multipart has its body parts as
 * children; a message/rfc822 has one child, the message inside. Each part's range lies
 * strictly inside its parent's body. The line end before a boundary belongs to the boundary.
 *
 * Limits: MIME_PARTS_MAX parts, MIME_DEPTH_MAX levels; what would exceed them is not
 * divided further (its bytes belong to the innermost part that was allowed).
 * Memory is proportional to the number of parts.
 *
 * Sizes: *_size count stored bytes, *_bare the LFs without CR among them, so that size + bare is
 * the size in CRLF form, which is what IMAP shows. lines count LFs.
 */
#ifndef MIME_TREE_H
#define MIME_TREE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/step.h"

enum {
	MIME_PARTS_MAX = 10000,
	MIME_DEPTH_MAX = 100,
};

#define MIME_NONE UINT32_MAX

enum mime_part_flag {
	MIME_PART_MULTIPART = 0x01, /* multipart/...; without a usable boundary no children */
	MIME_PART_DIGEST = 0x02,    /* multipart/digest: children default to message/rfc822 */
	MIME_PART_MESSAGE = 0x04,   /* message/rfc822: one child */
	MIME_PART_TEXT = 0x08,      /* text/..., or nothing said */
	MIME_PART_MIME = 0x10,      /* has MIME-Version or Content-Type */
	MIME_PART_NUL = 0x20,       /* part 0 only: the message holds NULs */
};

struct mime_part {
	uint64_t start;       /* of the header, from the start of the message */
	uint64_t header_size; /* the empty line included; the body begins at start + header_size */
	uint64_t header_bare;
	uint64_t body_size;
	uint64_t body_bare;
	uint32_t header_lines;
	uint32_t body_lines;
	uint32_t parent;   /* index or MIME_NONE */
	uint32_t next;     /* next sibling or MIME_NONE */
	uint32_t child;    /* first child or MIME_NONE */
	uint32_t children; /* how many */
	uint32_t flags;    /* enum mime_part_flag */
};

struct mime_tree {
	struct mime_part *part; /* own */
	size_t n;               /* >= 1 after parse or decode */
	size_t cap;
};

/*
 * message: all of it (mapped or read). t may hold an earlier tree, whose memory is reused; zeroed
 * at first. Cannot fail.
 */
void mime_tree_parse(struct span message, struct mime_tree *t);
/* The same; fields (zeroed, or used before) then holds what the message's own header says. */
struct mime_fields;
void mime_tree_parse_fields(struct span message, struct mime_tree *t, struct mime_fields *fields);
void mime_tree_free(struct mime_tree *t); /* leaves it zeroed */

/*
 * The same tree and fields (or NULL), pausable; both are of no use before STEP_DONE, after which there is nothing left to
 * call but free. All three are borrowed until then. A step looks at budget bytes more, and at the headers that end there.
 */
struct mime_parser;
struct mime_parser *mime_parser_new(struct span message, struct mime_tree *t, struct mime_fields *fields);
enum step mime_parser_step(struct mime_parser *p, size_t budget);
void mime_parser_free(struct mime_parser **p); /* NULL allowed; nulls */

/* Size of the whole message in CRLF form (RFC822.SIZE). */
uint64_t mime_tree_size(const struct mime_tree *t);

/*
 * The bytes of a part's header or body; clamped to message, so that a tree that does not fit the
 * message stays harmless.
 */
struct span mime_part_header(struct span message, const struct mime_part *p);
struct span mime_part_body(struct span message, const struct mime_part *p);

/*
 * The tree for the index cache ("parts"); layout in src/mime/parts.c. A single-part message takes
 * about ten bytes. decode checks everything that parse guarantees (nesting, limits) and answers
 * ERR_CORRUPT otherwise, t then being empty.
 */
void mime_tree_encode(const struct mime_tree *t, struct buf *out);
enum err mime_tree_decode(struct span in, struct mime_tree *t);

#endif
