/*
 * The header of a message in an mbox: which of its lines are the folder's own, what they say, and
 * how they are written. No files here.
 *
 * Hidden from everybody above the store: X-IMAPbase and X-IMAP (first message: UIDVALIDITY, last
 * UID, keyword names), X-UID, Status (R seen, O not recent), X-Status (A F T D), X-Keywords,
 * Content-Length. We write them as one block at the end of the header:
 *
 *	X-IMAPbase: 1275660208 0000025022 $Forwarded work     first message only
 *	X-UID: 17
 *	Status: RO                                            always two columns at least
 *	X-Status: F                                           always four columns at least
 *	Content-Length: 1234                                  where the body needs it
 *	X-Keywords: work                                      and blanks up to the block's size
 *
 * so that a change of flags or keywords is one small write in place: no line moves.
 */
#ifndef STORE_MBOX_HEAD_H
#define STORE_MBOX_HEAD_H

#include "base/buf.h"
#include "base/mailflags.h"

enum {
	MBOX_HEAD_MAX = 1 << 20, /* bytes; a longer header has no end */
	MBOX_HEAD_LONG = MBOX_HEAD_MAX - (64 << 10), /* so much of one is a header: a block still has room behind it */
	MBOX_NAME_MAX = 200,     /* bytes of a keyword's name */
	MBOX_PAD = 48,           /* blanks left for keywords to come */
	MBOX_BASE_PAD = 160,     /* in the first message, whose block also lists their names */
	MBOX_LETTERS_MAX = 8,    /* unknown status letters that are kept */
	/* A greater last UID was never reached by counting: a sender wants the UIDs to run out. */
	MBOX_LAST_BELIEVED = INT32_MAX,
};

/* What the hidden lines say. Spans lie in the header given. */
struct mbox_head {
	uint32_t uid; /* 0: no X-UID that makes sense */
	bool uid_early; /* it stands before the base, or there is none */
	bool based;   /* X-IMAPbase or X-IMAP: */
	bool pseudo;  /* X-IMAP: the folder's own first message, not a mail */
	uint32_t validity, last;
	struct span names;       /* of the base: keywords, blanks and folds between */
	uint8_t flags;           /* enum mail_flag; MAIL_RECENT without an O */
	char status[MBOX_LETTERS_MAX], xstatus[MBOX_LETTERS_MAX]; /* unknown letters, NUL-ended */
	struct span keywords;    /* names, as above */
	uint64_t content_length; /* UINT64_MAX: none */
	size_t size;             /* of the header, with the empty line */
	size_t end;              /* where that begins; size: there is none */
	size_t block;            /* where the run of hidden lines before end begins */
	bool scattered;          /* hidden lines before the block */
	size_t visible;          /* bytes that are not hidden, the empty line among them */
	size_t bare;             /* LFs without CR among those */
};

/*
 * text begins behind the From_ line. False: it ends before the header does (no empty line), which is
 * what the caller must know at a buffer's end; *h is right for a header that ends there.
 */
bool mbox_head_parse(struct span text, struct mbox_head *h);

/* A header that is too long is cut, and what follows is body: *text is what is left of it, *h of that. */
void mbox_head_limit(struct span *text, struct mbox_head *h);

/* Appends what is not hidden. with_end: and the empty line, made where there is none. */
void mbox_head_visible(struct span text, const struct mbox_head *h, bool with_end, struct buf *out);

/* The next name of a list (names, keywords); false at its end. */
bool mbox_name_next(struct span *rest, struct span *name_r);

/* What a block shall say. */
struct mbox_block {
	uint32_t uid;
	struct mail_flags flags;
	const char *const *names;      /* MAIL_KEYWORDS_MAX, NULL: free */
	uint64_t content_length;       /* UINT64_MAX: no line */
	bool based, pseudo;
	uint32_t validity, last;
	const char *status, *xstatus;  /* unknown letters; NULL: none */
};

/*
 * Appends the block, with blanks up to size bytes; size 0: with the usual padding. False: it needs
 * more than size, or out is full; out is as before.
 */
bool mbox_block_put(struct buf *out, const struct mbox_block *b, size_t size);

/*
 * Both blocks have the same lines at the same places: a write of one over the other, torn anywhere, is
 * still a block.
 */
bool mbox_block_same_lines(struct span a, struct span b);

#endif
