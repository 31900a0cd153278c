/*
 * A compressed mbox (name.gz, .bz2, .zst, .lz4), as an archive is kept: read as a plain one and never written to. Its bytes are
 * unpacked into a nameless file whenever it changed, under its lock; whoever reads it reads there.
 */
#include "mbox.h"
#include "file.h"

#include "codec/pack.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIECE = 256 << 10 };
#define FILE_MOST (UINT64_C(8) << 30)     /* bytes unpacked, in a file */
#define MEMORY_MOST (UINT64_C(64) << 20) /* where there is no place for one */

enum pack_kind mbox_packed_kind(int dir_fd, const char *base)
{
	static const struct span ends[] = { SPAN_INIT(".gz"), SPAN_INIT(".bz2"), SPAN_INIT(".zst"), SPAN_INIT(".lz4") };
	char head[PACK_MAGIC];
	size_t i = 0;
	ssize_t n;
	int fd;

	while (i < sizeof(ends) / sizeof(ends[0]) && !span_ends(span_str(base), ends[i]))
		i++;
	if (i == sizeof(ends) / sizeof(ends[0]))
		return PACK_NONE;
	fd = openat(dir_fd, base, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return PACK_NONE;
	n = pread(fd, head, sizeof(head), 0);
	close(fd);
	return n > 0 ? pack_kind_of(span_of(head, (size_t)n)) : PACK_NONE;
}

static enum err unpack(struct unpacker *u, int from, int to, uint64_t most, uint64_t *n_r)
{
	struct buf in, out;
	uint64_t at = 0, written = 0;
	struct span rest = span_of("", 0);
	enum err e = ERR_OK;
	ssize_t got = 1;

	buf_init(&in, PIECE);
	buf_init(&out, PIECE);
	if (!buf_reserve(&in, PIECE))
		e = ERR_MEMORY;
	while (!e && (got || rest.n || unpacker_more(u))) {
		if (!rest.n && !unpacker_more(u)) {
			got = pread(from, in.p, PIECE, (off_t)at);
			if (got < 0) {
				e = err_from_errno(errno);
				break;
			}
			at += (uint64_t)got;
			rest = span_of(in.p, (size_t)got);
		}
		buf_clear(&out);
		if (rest.n || unpacker_more(u))
			e = unpacker_run(u, &rest, PIECE, &out);
		if (!e && written + out.n > most)
			e = ERR_LIMIT;
		if (!e)
			e = file_write_at(to, out.p, out.n, &written);
	}
	if (!e && !unpacker_whole(u))
		e = ERR_CORRUPT;
	*n_r = written;
	buf_free(&in);
	buf_free(&out);
	return e;
}

static enum err say(const struct mbox_box *b, enum err e, struct errtext *t)
{
	switch (e) {
	case ERR_CORRUPT:
		return err_say(t, ERR_IO, "%s: the compressed file is damaged", b->path);
	case ERR_CANNOT:
		return err_say(t, e, "%s is compressed in a way that this build does not know", b->path);
	case ERR_LIMIT:
		return err_say(t, e, "%s: too large to be unpacked", b->path);
	default:
		return err_say(t, e, "%s cannot be unpacked: %s", b->path, err_name(e));
	}
}

void mbox_unpacked_drop(struct mbox_box *b)
{
	if (b->plain >= 0)
		close(b->plain);
	b->plain = -1;
}

enum err mbox_unpack(struct mbox_box *b, struct errtext *t)
{
	uint64_t most = FILE_MOST;
	struct unpacker *u = NULL;
	struct mbox_stamp now;
	enum err e;

	if (!b->packed || b->fd < 0)
		return ERR_OK;
	e = mbox_stamp(b, &now);
	if (e || (b->plain >= 0 && mbox_stamp_same(&b->plain_of, &now)))
		return e ? say(b, e, t) : ERR_OK;
	mbox_unpacked_drop(b);
	b->plain = mbox_scratch(b);
	if (b->plain < 0) {
		b->plain = memfd_create("unpacked", MFD_CLOEXEC);
		most = MEMORY_MOST;
	}
	e = b->plain < 0 ? err_from_errno(errno) : unpacker_new(b->packed, &u);
	if (!e)
		e = unpack(u, b->fd, b->plain, most, &b->plain_n);
	unpacker_free(&u);
	if (!e) {
		b->plain_of = now;
		return ERR_OK;
	}
	mbox_unpacked_drop(b);
	return say(b, e, t);
}
