/* What a row of fetch consists of (fields.c), and who writes it (fetch.c). */
#ifndef JOBS_FETCH_H
#define JOBS_FETCH_H

#include "room.h"

#include "box/uidl.h"
#include "mime/section.h"

enum { FIELDS_MAX = 128 };

enum field_kind {
	FIELD_FACT,   /* what the index knows, written down at once */
	FIELD_NOTE,   /* what the folder notes for POP3; likewise */
	FIELD_LINKS,  /* how many names the file has */
	FIELD_LINES,  /* a section, with the line ends that files have */
	FIELD_WIRE,   /* a section as IMAP has it */
	FIELD_BINARY, /* the same, of a part without its transfer encoding */
	FIELD_HEADER, /* all fields of the header of one name */
	FIELD_PLAIN,  /* text as a person reads it */
};

struct field;

struct field_row {
	const char *name; /* ending in '.': the rest of the word is its own */
	enum field_kind kind;
	unsigned want;
	unsigned flags;   /* enum column_flag */
	/* of facts and notes */
	void (*write)(struct jobs *j, const struct field *f, const struct message_facts *m, struct buf *out);
	enum mime_section_kind section;
};

struct field {
	const struct field_row *row;
	const char *title;           /* arena: as it was asked for */
	struct span name;            /* of a header field; arena */
	bool decode;                 /* its encoded words */
	struct mime_section section;
	size_t at, n;                /* in the facts of the message under way */
};

struct fetch {
	struct field field[FIELDS_MAX];
	size_t fields;
	unsigned want;
	bool notes;                      /* some field is a FIELD_NOTE */
	const struct view_uidls *uidls;  /* borrowed from the mailbox under way */
};

static inline bool field_is_fact(const struct field *f)
{
	return f->row->write != NULL;
}

/* "uid flags hdr.subject" */
enum err fields_read(struct jobs *j, struct span words, struct fetch *ft, struct errtext *t);
void fields_columns(struct jobs *j, const struct fetch *ft);

#endif
