/*
 * Little-endian throughout; offsets in bytes.
 *
 *	base    0 version (7)  2 u16 size of the fixed header  4 u32 size of all headers  8 u32 size of a record
 *	        12 u8 1: little-endian  20 u32 flags (1: corrupted)  24 u32 UIDVALIDITY  32 u32 records
 *	        60 u32 number of the log file, 68 u32 offset in it, up to which it is contained
 *	record  0 u32 UID  4 u8 flags (8: \Seen)
 *	log     0 version (1)  2 u16 size of the header  8 u32 number of the file; then entries
 *	entry   0 u32 size, 7 bits a byte, the first the highest, each with the top bit set, of size / 4; 4 u32 type
 *	types   2: records of 8 bytes that were added  4: u32 first UID, u32 last, u8 flags added, u8 taken away, u16
 *	        0x20: u16 offset, u16 size, bytes (padded to 4) of the base's header
 */
#include "dovecot_seen.h"
#include "file.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	FILE_MAX = 256 << 20,
	BASE_VERSION = 7, BASE_MIN = 72, BASE_RECORD_MIN = 8,
	LOG_VERSION = 1, LOG_MIN = 24,
	ENTRY_HEAD = 8, ENTRY_TYPE = 0x0fffffff, ENTRY_APPEND = 0x02, ENTRY_FLAGS = 0x04, ENTRY_HEADER = 0x20,
	APPEND_SIZE = 8, FLAGS_SIZE = 12,
	AT_VALIDITY = 24,
	FLAG_SEEN = 0x08,
};

static uint32_t get(struct span s, size_t at, size_t bytes)
{
	uint32_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v |= (uint32_t)(unsigned char)s.p[at + i] << 8 * i;
	return v;
}

/* --- base --- */

bool dovecot_seen_base(struct dovecot_seen *d, struct span file)
{
	uint32_t head, size, n;

	if (file.n < BASE_MIN || get(file, 0, 1) != BASE_VERSION || get(file, 12, 1) != 1 || get(file, 20, 4) & 1)
		return false;
	head = get(file, 4, 4);
	size = get(file, 8, 4);
	n = get(file, 32, 4);
	if (head < BASE_MIN || head > file.n || size < BASE_RECORD_MIN || n > (file.n - head) / size)
		return false;
	set_clear(&d->uids);
	for (size_t at = head; n; n--, at += size)
		if (get(file, at, 4) && get(file, at + 4, 1) & FLAG_SEEN)
			set_add(&d->uids, get(file, at, 4));
	d->uidvalidity = get(file, AT_VALIDITY, 4);
	d->log_seq = get(file, 60, 4);
	d->log_end = get(file, 68, 4);
	return true;
}

/* --- log --- */

static void take_appends(struct dovecot_seen *d, struct span body)
{
	for (; body.n >= APPEND_SIZE; body = span_from(body, APPEND_SIZE))
		if (get(body, 0, 4) && get(body, 4, 1) & FLAG_SEEN)
			set_add(&d->uids, get(body, 0, 4));
}

static void take_flags(struct dovecot_seen *d, struct span body)
{
	for (; body.n >= FLAGS_SIZE; body = span_from(body, FLAGS_SIZE)) {
		uint32_t first = get(body, 0, 4), last = get(body, 4, 4);

		if (!first || last < first)
			continue;
		if (get(body, 9, 1) & FLAG_SEEN)
			set_remove_range(&d->uids, first, last);
		if (get(body, 8, 1) & FLAG_SEEN)
			set_add_range(&d->uids, first, last);
	}
}

static void take_validity(struct dovecot_seen *d, uint32_t uidvalidity)
{
	if (d->uidvalidity && d->uidvalidity != uidvalidity)
		set_clear(&d->uids);
	d->uidvalidity = uidvalidity;
}

static void take_header(struct dovecot_seen *d, struct span body)
{
	while (body.n >= 4) {
		uint32_t at = get(body, 0, 2), size = get(body, 2, 2);

		body = span_from(body, 4);
		if (size > body.n)
			return;
		if (at <= AT_VALIDITY && at + size >= AT_VALIDITY + 4)
			take_validity(d, get(body, AT_VALIDITY - at, 4));
		body = span_from(body, (size + 3) & ~3u);
	}
}

/* 0: it is not all there. */
static size_t entry_size(struct span rest)
{
	uint32_t size = 0;

	if (rest.n < ENTRY_HEAD)
		return 0;
	for (size_t i = 0; i < 4; i++) {
		if (!(rest.p[i] & 0x80))
			return 0;
		size = size << 7 | (rest.p[i] & 0x7f);
	}
	size <<= 2;
	return size >= ENTRY_HEAD && size <= rest.n ? size : 0;
}

static uint32_t log_seq(struct span file)
{
	return file.n >= LOG_MIN && get(file, 0, 1) == LOG_VERSION && get(file, 2, 2) >= LOG_MIN ? get(file, 8, 4) : 0;
}

bool dovecot_seen_log(struct dovecot_seen *d, struct span file)
{
	uint32_t seq = log_seq(file);
	size_t size;

	if (!seq)
		return false;
	if (seq < d->log_seq)
		return true;
	if (seq > d->log_seq) {
		d->log_seq = seq;
		d->log_end = get(file, 2, 2);
	}
	while (d->log_end < file.n && (size = entry_size(span_from(file, d->log_end)))) {
		struct span body = span_cut(file, d->log_end + ENTRY_HEAD, size - ENTRY_HEAD);

		switch (get(file, d->log_end + 4, 4) & ENTRY_TYPE) {
		case ENTRY_APPEND:
			take_appends(d, body);
			break;
		case ENTRY_FLAGS:
			take_flags(d, body);
			break;
		case ENTRY_HEADER:
			take_header(d, body);
			break;
		}
		d->log_end += size;
	}
	return true;
}

/* --- both --- */

/* Nothing where there is none. */
static enum err load(int dir_fd, const char *index, const char *suffix, struct buf *out)
{
	char name[64];
	struct stat st;
	int fd;
	enum err e;

	snprintf(name, sizeof(name), "%s%s", index, suffix);
	e = file_open_read(dir_fd, name, &fd, &st);
	if (e)
		return e == ERR_NOTFOUND ? ERR_OK : e;
	e = file_load(fd, 0, out);
	close(fd);
	return e;
}

/* From the base on, which may be missing: then the log began it. */
static enum err begin_again(struct dovecot_seen *d, int dir_fd, const char *index, struct span older, struct span log)
{
	struct dovecot_seen now = { .uids = SET_EMPTY };
	struct buf base;
	enum err e;

	buf_init(&base, FILE_MAX);
	e = load(dir_fd, index, "", &base);
	if (!e) {
		(void)dovecot_seen_base(&now, buf_span(&base));
		(void)dovecot_seen_log(&now, older);
		(void)dovecot_seen_log(&now, log);
		if (now.uidvalidity == d->uidvalidity || !d->uidvalidity)
			set_add_set(&d->uids, &now.uids);
		d->uidvalidity = now.uidvalidity;
		d->log_seq = now.log_seq;
		d->log_end = now.log_end;
	}
	buf_free(&base);
	set_free(&now.uids);
	return e;
}

static bool goes_on(const struct dovecot_seen *d, struct span file)
{
	return d->log_seq && log_seq(file) == d->log_seq && d->log_end <= file.n;
}

enum err dovecot_seen_follow(struct dovecot_seen *d, int dir_fd, const char *index)
{
	struct buf older, log;
	enum err e;

	buf_init(&older, FILE_MAX);
	buf_init(&log, FILE_MAX);
	e = load(dir_fd, index, ".log.2", &older);
	if (!e)
		e = load(dir_fd, index, ".log", &log);
	if (!e && !log_seq(buf_span(&log)))
		e = ERR_NOTFOUND;
	if (!e && !goes_on(d, buf_span(&older)) && !goes_on(d, buf_span(&log))) {
		e = begin_again(d, dir_fd, index, buf_span(&older), buf_span(&log));
	} else if (!e) {
		(void)dovecot_seen_log(d, buf_span(&older));
		(void)dovecot_seen_log(d, buf_span(&log));
	}
	buf_free(&older);
	buf_free(&log);
	return e;
}
