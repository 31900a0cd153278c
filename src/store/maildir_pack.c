/*
 * Messages that are stored compressed. A message is staged plain, because its bytes come from anywhere (a delivery
 * writes them from another process), and packed when it is complete: into a second file in tmp/ that takes the
 * name of the first. What is told of the message (S= in its name) is the size of the plain bytes, as with Dovecot.
 */
#include "file.h"
#include "maildir.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	PACK_PIECE = 64 << 10,
	PACK_OUT = 2 << 20, /* what one piece may set free: bzip2 keeps 900 kB to itself */
};

bool maildir_packed(int fd)
{
	char head[PACK_MAGIC];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	return n > 0 && pack_kind_of(span_of(head, (size_t)n)) != PACK_NONE;
}

/* The next piece of the plain bytes, packed, at the end of the other file. */
static enum err pack_piece(struct packer *p, int from, uint64_t *at, int to, bool *last_r)
{
	char piece[PACK_PIECE];
	ssize_t n = pread(from, piece, sizeof(piece), (off_t)*at);
	struct buf out;
	enum err e;

	if (n < 0)
		return err_from_errno(errno);
	*last_r = n == 0;
	*at += (uint64_t)n;
	buf_init(&out, PACK_OUT);
	e = packer_run(p, span_of(piece, (size_t)n), *last_r, &out);
	if (!e)
		e = file_write(to, out.p, out.n);
	buf_free(&out);
	return e;
}

static enum err pack_file(const struct maildir *m, int from, int to)
{
	struct packer *p;
	uint64_t at = 0;
	bool last = false;
	enum err e = packer_new(m->how.pack, m->how.pack_level, &p);

	if (e)
		return e;
	while (!e && !last)
		e = pack_piece(p, from, &at, to, &last);
	packer_free(&p);
	return e;
}

enum err maildir_pack(struct maildir_box *b, const char *name, int *fd)
{
	char other[MAILDIR_NAME_MAX + 1];
	int tmp = maildir_tmp_open(b), to;
	enum err e;

	if (tmp < 0)
		return err_from_errno(errno);
	maildir_name_unique(other, sizeof(other), b->m->counter++, b->m->random, b->m->host);
	to = file_open(tmp, other, O_RDWR | O_CREAT | O_EXCL, b->m->file_mode);
	e = to < 0 ? err_from_errno(errno) : pack_file(b->m, *fd, to);
	if (!e && renameat(tmp, other, tmp, name) < 0)
		e = err_from_errno(errno);
	if (e && to >= 0) {
		unlinkat(tmp, other, 0);
		close(to);
	} else if (!e) {
		close(*fd);
		*fd = to;
	}
	close(tmp);
	return e;
}
