/*
 * Where the bytes of a message come from. A compressed message is unpacked at once into a nameless file, so that
 * whoever reads it finds every range at its place, as in a plain one: in memory when it is small, else in a directory of
 * the user's. The file lasts as long as the message is open; a view keeps the last one, so that a client that
 * fetches a large message in chunks has it unpacked once.
 */
#include "room.h"

#include "codec/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	SMALL = 256 << 10, /* larger ones are not unpacked in memory, nor read into it once unpacked */
	PIECE = 64 << 10,
	AHEAD = 32 << 10,  /* what is read in the time of a look at the first bytes, or nearly so */
};

/* --- nameless files -------------------------------------------------------------------------- */

/* Where the file system knows no files without names: one that loses it at once. */
static int named_open(const char *dir)
{
	char path[4096];
	uint64_t random;
	int fd;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random) ||
	    snprintf(path, sizeof(path), "%s/unpack.%016llx", dir, (unsigned long long)random) >= (int)sizeof(path))
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int scratch_open(const struct acct_config *c)
{
	const char *dir = c->scratch_dir ? c->scratch_dir : c->index_dir;
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR) ? named_open(dir) : fd;
}

static enum err write_all(int fd, struct span s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno != EINTR)
			return err_from_errno(errno);
		if (n > 0)
			s = span_from(s, (size_t)n);
	}
	return ERR_OK;
}

/* --- unpacking ------------------------------------------------------------------------------- */

struct unpacking {
	const struct acct_config *config; /* borrowed */
	struct unpacker *u;               /* own */
	int from;                         /* borrowed */
	uint64_t at, left;                /* of the packed bytes */
	struct span in;                   /* into piece: read and not unpacked yet */
	struct buf out;                   /* own: unpacked and not written yet */
	int to;                           /* own; -1: not made yet */
	uint64_t written;
	char piece[PIECE];
};

static enum err refill(struct unpacking *p)
{
	ssize_t n = pread(p->from, p->piece, p->left < PIECE ? (size_t)p->left : PIECE, (off_t)p->at);

	if (n <= 0)
		return n < 0 ? err_from_errno(errno) : ERR_CORRUPT;
	p->at += (uint64_t)n;
	p->left -= (uint64_t)n;
	p->in = span_of(p->piece, (size_t)n);
	return ERR_OK;
}

static enum err spill(struct unpacking *p, bool small)
{
	enum err e;

	if (p->to < 0)
		p->to = small ? memfd_create("unpacked", MFD_CLOEXEC) : scratch_open(p->config);
	if (p->to < 0)
		return err_from_errno(errno);
	if (p->written + p->out.n > LOAD_MAX)
		return ERR_LIMIT;
	e = write_all(p->to, buf_span(&p->out));
	p->written += p->out.n;
	buf_clear(&p->out);
	return e;
}

static enum err unpack(struct unpacking *p)
{
	enum err e = ERR_OK;

	while (!e && (p->left || p->in.n || unpacker_more(p->u))) {
		if (p->left && !p->in.n && !unpacker_more(p->u))
			e = refill(p);
		if (!e)
			e = unpacker_run(p->u, &p->in, SMALL - p->out.n, &p->out);
		if (!e && p->out.n == SMALL && (p->left || p->in.n || unpacker_more(p->u)))
			e = spill(p, false);
	}
	if (!e && !unpacker_whole(p->u))
		e = ERR_CORRUPT;
	return e ? e : spill(p, true);
}

static enum err say(enum err e, struct errtext *t)
{
	switch (e) {
	case ERR_OK:
		return ERR_OK;
	case ERR_LIMIT:
		return err_say(t, e, "A compressed message is larger than the %d MiB that a message may have", LOAD_MAX >> 20);
	case ERR_CORRUPT:
		return err_say(t, ERR_IO, "A compressed message is damaged");
	case ERR_CANNOT:
		return err_say(t, ERR_IO, "A message is compressed in a way that this build does not know");
	case ERR_MEMORY:
		return err_say(t, e, "No memory to unpack a message");
	default:
		return err_say(t, ERR_IO, "A compressed message cannot be unpacked: %s", err_name(e));
	}
}

/* o's packed bytes become plain ones. */
static enum err object_unpack(const struct acct_config *c, enum pack_kind kind, struct object *o, struct errtext *t)
{
	struct unpacking *p = malloc(sizeof(*p));
	enum err e;

	if (!p)
		return say(ERR_MEMORY, t);
	p->config = c;
	p->u = NULL;
	p->from = o->fd;
	p->at = o->offset;
	p->left = o->length;
	p->in = span_of(NULL, 0);
	p->to = -1;
	p->written = 0;
	buf_init(&p->out, SMALL);
	e = unpacker_new(kind, &p->u);
	if (!e)
		e = unpack(p);
	if (!e) {
		close(o->fd);
		*o = (struct object){ p->to, 0, p->written, o->mtime, o->ctime, true };
	} else if (p->to >= 0) {
		close(p->to);
	}
	unpacker_free(&p->u);
	buf_free(&p->out);
	free(p);
	return say(e, t);
}

/* --- as one span ----------------------------------------------------------------------------- */

void loaded_init(struct loaded *l)
{
	*l = (struct loaded){ .map = NULL };
	buf_init(&l->buf, LOAD_MAX);
}

static void unload(struct loaded *l)
{
	if (l->map)
		munmap(l->map, l->bytes.n);
	l->map = NULL;
	l->bytes = span_of(NULL, 0);
}

enum err loaded_get(struct loaded *l, const struct object *o, struct errtext *t)
{
	void *map;
	enum err e;

	if (l->bytes.p)
		return ERR_OK;
	if (o->unpacked && o->length > SMALL) {
		map = mmap(NULL, (size_t)o->length, PROT_READ, MAP_PRIVATE, o->fd, 0);
		if (map == MAP_FAILED)
			return err_say(t, ERR_MEMORY, "No memory for the bytes of a message");
		l->map = map;
		l->bytes = span_of(map, (size_t)o->length);
		return ERR_OK;
	}
	e = bytes_load(o->fd, o->offset, o->length, &l->buf, t);
	if (!e)
		l->bytes = l->buf.n ? buf_span(&l->buf) : SPAN("");
	return e;
}

void loaded_free(struct loaded *l)
{
	unload(l);
	buf_free(&l->buf);
}

/* --- opening --------------------------------------------------------------------------------- */

/* What the bytes begin with tells; where they are few and wanted, all are read at once. */
static enum err look_into(const struct object *o, struct loaded *l, enum pack_kind *kind_r, struct errtext *t)
{
	char head[PACK_MAGIC];
	size_t most = o->length < sizeof(head) ? (size_t)o->length : sizeof(head);
	ssize_t n;

	if (l && o->length <= AHEAD) {
		enum err e = loaded_get(l, o, t);

		if (e)
			return e;
		*kind_r = pack_kind_of(l->bytes);
		if (*kind_r)
			unload(l);
		return ERR_OK;
	}
	n = pread(o->fd, head, most, (off_t)o->offset);
	*kind_r = n > 0 ? pack_kind_of(span_of(head, (size_t)n)) : PACK_NONE;
	return ERR_OK;
}

enum err object_open(struct mailbox *mb, struct span key, struct span hint, struct object *o_r, struct loaded *l,
		     struct errtext *t)
{
	enum pack_kind kind = PACK_NONE;
	struct store_object so;
	struct store_box *sb;
	struct object o;
	enum err e = mailbox_store(mb, &sb, t);

	if (l)
		unload(l);
	if (!e)
		e = sb->ops->locate(sb, key, hint, &so, NULL, NULL, t);
	if (e)
		return e;
	o = (struct object){ so.fd, so.offset, so.length, so.mtime, so.ctime, false };
	if (so.maybe_packed)
		e = look_into(&o, l, &kind, t);
	if (kind)
		e = object_unpack(mb->acct->config, kind, &o, t);
	if (e)
		object_close(&o);
	else
		*o_r = o;
	return e;
}

void object_close(struct object *o)
{
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}
