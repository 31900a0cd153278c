/* A packed file read as a plain one. */
#include "codec/pack.h"

#include "base/mem.h"

#include <errno.h>
#include <unistd.h>

enum { PIECE = 64 << 10 };

struct packed {
	struct unpacker *u; /* own */
	int fd;             /* borrowed */
	uint64_t at, left;  /* of the packed bytes */
	struct span in;     /* into piece: read and not unpacked yet */
	char piece[PIECE];
};

enum err packed_open(enum pack_kind kind, int fd, uint64_t offset, uint64_t length, struct packed **p_r)
{
	struct unpacker *u;
	struct packed *p;
	enum err e = unpacker_new(kind, &u);

	if (e)
		return e;
	p = mem_alloc(sizeof(*p));
	p->u = u;
	p->fd = fd;
	p->at = offset;
	p->left = length;
	*p_r = p;
	return ERR_OK;
}

void packed_close(struct packed **p)
{
	if (!*p)
		return;
	unpacker_free(&(*p)->u);
	free(*p);
	*p = NULL;
}

bool packed_over(const struct packed *p)
{
	return !p->left && !p->in.n && !unpacker_more(p->u);
}

static enum err refill(struct packed *p)
{
	ssize_t n = pread(p->fd, p->piece, p->left < PIECE ? (size_t)p->left : PIECE, (off_t)p->at);

	if (n <= 0)
		return n < 0 ? err_from_errno(errno) : ERR_CORRUPT;
	p->at += (uint64_t)n;
	p->left -= (uint64_t)n;
	p->in = span_of(p->piece, (size_t)n);
	return ERR_OK;
}

enum err packed_read(struct packed *p, size_t room, struct buf *out)
{
	enum err e = p->in.n || unpacker_more(p->u) ? ERR_OK : refill(p);

	if (!e)
		e = unpacker_run(p->u, &p->in, room, out);
	return !e && packed_over(p) && !unpacker_whole(p->u) ? ERR_CORRUPT : e;
}
