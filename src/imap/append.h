/* One APPEND, for its modifiers and extensions. */
#ifndef IMAP_APPEND_H
#define IMAP_APPEND_H

#include "binary.h"
#include "core.h"

struct imap_append {
	const char *name;              /* arena: client name */
	struct append *p;              /* own: cleaned up by the arena */
	const struct imap_arg *last;   /* the literal that was taken last; NULL: none */
	bool taking;                   /* its bytes are coming */
	uint64_t left;
	bool literal8;                 /* the present one is, and may not be storable: */
	struct imap_binary binary;
	uint64_t messages;
	enum err err;                  /* of writing: told when the command is complete */
	struct errtext text;
};

#endif
