/*
 * The words of messages between processes: numbers in little-endian order, strings with
 * their length. A message is one packet:
 *
 *   u16 type | u16 zero | u32 id | body
 *   bool, u8: 1 byte; u16, u32, u64: 2, 4, 8; string, blob: u32 length, bytes
 *
 * Writing: msg_init, msg_put_*, chan_send (which frees). Reading: msg_get_* in the order
 * of writing, then msg_end. A getter that meets short or wrong data returns zero or the
 * empty span and every later one does too; so only msg_end needs to be looked at,
 * before anything read is acted on.
 */
#ifndef IPC_MSG_H
#define IPC_MSG_H

#include "base/buf.h"
#include "ipc/msgs.h"

enum { MSG_MAX = 65536, MSG_HEAD = 8, MSG_FDS_MAX = 4 };

struct msg {
	struct buf b;
};

void msg_init(struct msg *m, enum msg_type type, uint32_t id);
void msg_free(struct msg *m); /* only for a message that is not sent */
void msg_put_u8(struct msg *m, uint8_t v);
void msg_put_u16(struct msg *m, uint16_t v);
void msg_put_u32(struct msg *m, uint32_t v);
void msg_put_u64(struct msg *m, uint64_t v);
void msg_put_bool(struct msg *m, bool v);
void msg_put_span(struct msg *m, struct span s);    /* string or blob */
void msg_put_str(struct msg *m, const char *s);     /* NULL is written as "" */

/* A received message. Spans point into it and die with the handler's return. */
struct msg_in {
	enum msg_type type;
	uint32_t id;
	struct span rest;      /* of the body, not yet read */
	bool bad;
	int fd[MSG_FDS_MAX];   /* own until msg_take_fd; -1: none. Those left are closed after the handler */
	size_t nfd;
};

/* The packet as it came; false: no valid head. */
bool msg_parse(struct span packet, struct msg_in *m_r);
uint8_t msg_get_u8(struct msg_in *m);
uint16_t msg_get_u16(struct msg_in *m);
uint32_t msg_get_u32(struct msg_in *m);
uint64_t msg_get_u64(struct msg_in *m);
bool msg_get_bool(struct msg_in *m);                     /* a byte other than 0 and 1 is bad */
struct span msg_get_str(struct msg_in *m, size_t max);   /* a NUL inside or more than max bytes is bad */
struct span msg_get_blob(struct msg_in *m, size_t max);
/* The string copied to out (NUL-terminated); longer than n - 1 is bad and leaves "". */
void msg_get_cstr(struct msg_in *m, char *out, size_t n);
/* Exactly n bytes written as a blob, e.g. a ticket. */
void msg_get_bytes(struct msg_in *m, void *out, size_t n);
/* True when everything was well and the body was read to its last byte. */
bool msg_end(const struct msg_in *m);
int msg_take_fd(struct msg_in *m); /* the next descriptor, now the caller's; -1 when there is none */

#endif
