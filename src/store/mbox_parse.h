/*
 * Where one message of an mbox begins and ends, and what its header says of it. The file is looked at through a window, which
 * grows only for a long header.
 */
#ifndef STORE_MBOX_PARSE_H
#define STORE_MBOX_PARSE_H

#include "mbox.h"

struct mbox_window {
	int fd;       /* borrowed; -1: an empty file */
	uint64_t off; /* of p[0] */
	size_t n, cap;
	size_t piece; /* so much is read at once */
	bool eof;     /* the file ends with p[n) */
	char *p;      /* own */
};

struct mbox_parser {
	struct mbox_window w;
	struct mbox_map *map; /* borrowed: its base says which UIDs and keywords are believed */
	uint64_t size;        /* of the file */
	uint32_t uid;         /* of the last message believed */
	struct buf visible;
	void *sum;            /* own; XXH3_state_t * */
};

void mbox_parser_init(struct mbox_parser *p, int fd, struct mbox_map *map, uint64_t size);
/* From now on only headers are looked at: bodies between them need not be read. */
void mbox_parser_heads(struct mbox_parser *p);
void mbox_parser_free(struct mbox_parser *p);

/* Behind the empty lines that the file may begin with. */
enum err mbox_parse_lead(struct mbox_parser *p, uint64_t *at_r);
/* The message at at; the map takes the base of the file's first. ERR_CORRUPT: there is no From_ line. */
enum err mbox_parse(struct mbox_parser *p, uint64_t at, bool first, struct mbox_msg *m_r);
/* The same without body_n, gap_n and guid, of which the header says nothing; vsize is the header's. Nor is a base taken. */
enum err mbox_parse_head(struct mbox_parser *p, uint64_t at, bool first, struct mbox_msg *m_r);
/*
 * The map takes the last UID and the names of the base as they are now: who appends may have written new ones. False: it is
 * another base, or elsewhere.
 */
bool mbox_parse_base(struct mbox_parser *p);

#endif
