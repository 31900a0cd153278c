/*
 * A compressed mbox (name.gz, .bz2, .zst, .lz4), as an archive is kept: read as a plain one and never written to. Its bytes are
 * unpacked into a nameless file whenever it changed, under its lock, a slice at a time; whoever reads it reads there.
 */
#include "mbox.h"
#include "file.h"

#include "base/clock.h"
#include "base/mem.h"
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

/* Under way; the bytes so far are in plain. */
struct mbox_unpacking {
	struct packed *packed;   /* own */
	struct mbox_stamp of;    /* the file */
	uint64_t most;
	struct buf out;          /* own */
};

static void unpacking_drop(struct mbox_box *b)
{
	if (!b->unpacking)
		return;
	packed_close(&b->unpacking->packed);
	buf_free(&b->unpacking->out);
	free(b->unpacking);
	b->unpacking = NULL;
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
	unpacking_drop(b);
	mbox_parsing_drop(b);
	if (b->plain >= 0)
		close(b->plain);
	b->plain = -1;
}

static enum err begin(struct mbox_box *b, const struct mbox_stamp *now)
{
	struct mbox_unpacking *u = b->unpacking = mem_alloc(sizeof(*u));

	u->of = *now;
	u->most = FILE_MOST;
	buf_init(&u->out, PIECE);
	b->plain_n = 0;
	b->plain = mbox_scratch(b);
	if (b->plain < 0) {
		b->plain = memfd_create("unpacked", MFD_CLOEXEC);
		u->most = MEMORY_MOST;
	}
	return b->plain < 0 ? err_from_errno(errno) : packed_open(b->packed, b->fd, 0, now->size, &u->packed);
}

/* Until end_us (clock_us). */
static enum err go_on(struct mbox_box *b, uint64_t end_us)
{
	struct mbox_unpacking *u = b->unpacking;
	enum err e = ERR_OK;

	while (!e && !packed_over(u->packed)) {
		if (clock_us() > end_us)
			return ERR_AGAIN;
		buf_clear(&u->out);
		e = packed_read(u->packed, PIECE, &u->out);
		if (!e && b->plain_n + u->out.n > u->most)
			e = ERR_LIMIT;
		if (!e)
			e = file_write_at(b->plain, u->out.p, u->out.n, &b->plain_n);
	}
	return e;
}

/* One that has changed just now is unpacked at once: nobody could tell whether it has changed again between two slices. */
enum err mbox_unpack(struct mbox_box *b, struct errtext *t)
{
	struct mbox_stamp now;
	enum err e;

	if (!b->packed || b->fd < 0)
		return ERR_OK;
	e = mbox_stamp(b, &now);
	if (!e && !b->unpacking && b->plain >= 0 && mbox_stamp_same(&b->plain_of, &now))
		return ERR_OK;
	if (!e && !(b->unpacking && mbox_stamp_same(&b->unpacking->of, &now))) {
		mbox_unpacked_drop(b);
		e = begin(b, &now);
	}
	if (!e)
		e = go_on(b, now.young ? UINT64_MAX : clock_us() + MBOX_SLICE_US);
	if (e == ERR_AGAIN)
		return e;
	b->plain_of = now;
	unpacking_drop(b);
	if (!e)
		return ERR_OK;
	mbox_unpacked_drop(b);
	return say(b, e, t);
}
