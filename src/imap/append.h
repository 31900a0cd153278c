/*
 * Messages on their way from the client into a mailbox, for the commands that take them (APPEND, REPLACE) and for the
 * data items of extensions (CATENATE).
 *
 * Arguments are used as they become complete, so that bytes keep their order whatever they come from: up to a literal
 * before it is taken, the rest when the command ends.
 */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "binary.h"
#include "core.h"
#include "header8.h"

/* What a data item says of the literal that may come next in its list. */
enum imap_append_want {
	IMAP_APPEND_NONE,     /* it is an error */
	IMAP_APPEND_BYTES,    /* it is bytes of the message */
	IMAP_APPEND_ARGUMENT, /* it is an argument as any other */
};

struct imap_append {
	const struct imap_arg *mailbox; /* the argument; messages follow */
	bool single;                    /* one message, no more */
	const char *name;               /* arena: client name; once a message was begun */
	struct append *p;               /* own: cleaned up by the arena; likewise */
	const struct imap_arg *last;    /* the argument used last, none in lists */
	uint64_t messages;              /* complete */

	/* The message under way. */
	bool open;                      /* the stage is open */
	uint64_t size;                  /* octets that came, or are about to */
	const struct imap_append_item *item; /* its bytes come by this; NULL: by a literal */
	const struct imap_arg *list, *part;  /* the item's list; the child used last, or NULL */
	enum imap_append_want want;
	void *data;                     /* arena: the item's own, of the whole command */

	/* The literal under way. */
	bool taking;
	uint64_t left;
	bool literal8;                  /* it may not be storable: */
	struct imap_binary binary;

	bool plain;                     /* the header must be without 8-bit octets: */
	struct imap_header8 header;

	enum err err;                   /* of writing: told when the bytes that are on their way have been dropped */
	struct errtext text;
};

/*
 * The command's state, made at the first call: size octets that begin with a struct imap_append. mailbox: the
 * argument that names it. NULL: answered.
 */
void *imap_append_state(struct imap_cmd *c, const struct imap_arg *mailbox, size_t size);

/* For the command's row: a literal is coming; the state must be there. */
enum step imap_append_literal(struct imap_cmd *c);
/* The command is complete: uses the rest of its arguments. STEP_DONE: all messages are staged, or c is answered. */
enum step imap_append_rest(struct imap_cmd *c, struct imap_append *ap);
/* Makes them durable and visible. STEP_DONE: *code_r is APPENDUID (arena; NULL: no numbers yet), or c is answered. */
enum step imap_append_commit(struct imap_cmd *c, struct imap_append *ap, const char **code_r);

/*
 * For data items. n more octets are coming: begins the message when they are its first ones, refuses what would become
 * too large. Then they come, in pieces; ap->err tells whether they could be written.
 */
enum step imap_append_more(struct imap_cmd *c, struct imap_append *ap, uint64_t n);
void imap_append_bytes(struct imap_append *ap, struct span bytes);

#endif
