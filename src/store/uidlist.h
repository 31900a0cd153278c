/*
 * The text of dovecot-uidlist: one line at a time, no files here (maildir_uidlist.c).
 *
 * version 3
 *	header = "3" *( SP key value ) LF             V uidvalidity, N next UID, G GUID; others kept
 *	record = uid *( SP key value ) SP ":" name LF  S size, W CRLF size, P POP3 UIDL; others kept
 * version 1 (Courier's)
 *	header = "1" SP uidvalidity SP next LF
 *	record = uid SP name LF
 *
 * A key is one letter A-Z; a value has no blank. The name is the base name; a ":2,FLAGS" after it
 * is tolerated when read. UIDs ascend. N may lag behind the records, because records are appended
 * without touching the header.
 */
#ifndef STORE_UIDLIST_H
#define STORE_UIDLIST_H

#include "base/buf.h"

enum { UIDLIST_LINE_MAX = 4096, UIDLIST_UID_MAX = UINT32_MAX - 2 };

struct uidlist_header {
	uint32_t uidvalidity;
	uint32_t next;
	uint8_t version; /* 1 or 3 */
	bool has_guid;
	uint8_t guid[16];
	/*
	 * all keys of version 3 as they stood, the unknown among them kept; borrowed from the line
	 */
	struct span more;
};

struct uidlist_record {
	uint32_t uid;
	struct span keys; /* "S12 W13" or empty; borrowed from the line */
	struct span base; /* borrowed from the line */
};

/* line without LF. False: damaged; nothing written. */
bool uidlist_parse_header(struct span line, struct uidlist_header *h_r);
bool uidlist_parse_record(struct span line, int version, struct uidlist_record *r_r);

/* The value of a key among a record's keys; false when it has none. */
bool uidlist_record_key(const struct uidlist_record *r, char key, struct span *value_r);

/* Always version 3. */
void uidlist_put_header(struct buf *out, const struct uidlist_header *h);
void uidlist_put_record(struct buf *out, const struct uidlist_record *r);

#endif
