/*
 * Where the bytes of a message come from. A compressed message is unpacked, a slice at a time, into a nameless file, so that
 * whoever reads it finds every range at its place, as in a plain one: in memory when it is small, else in a directory of
 * the user's. The file lasts as long as the message is open; a view keeps the last one, so that a client that
 * fetches a large message in chunks has it unpacked once.
 */
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	SMALL = 256 << 10, /* larger ones are not unpacked in memory, nor read into it once unpacked */
	PIECE = 64 << 10,
	LOAD_PIECE = 1 << 20,
	AHEAD = 32 << 10,  /* what is read in the time of a look at the first bytes, or nearly so */
	UNPACKINGS = 4,    /* large ones at a time: each may take 130 MiB of memory, and LOAD_MAX of disk */
	LOADINGS = 2,      /* of more than LOAD_LARGE in memory at a time, by those who take turns: each may take LOAD_MAX */
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
	struct acct *acct;     /* borrowed */
	struct packed *packed; /* own */
	struct buf out;        /* own: unpacked and not written yet */
	int to;                /* own; -1: not made yet */
	uint64_t written;
	bool counted;          /* among the account's, for it takes more than a slice */
};

static enum err spill(struct unpacking *u, bool small)
{
	enum err e;

	if (u->to < 0)
		u->to = small ? memfd_create("unpacked", MFD_CLOEXEC) : scratch_open(u->acct->config);
	if (u->to < 0)
		return err_from_errno(errno);
	if (u->written + u->out.n > LOAD_MAX)
		return ERR_LIMIT;
	e = write_all(u->to, buf_span(&u->out));
	u->written += u->out.n;
	buf_clear(&u->out);
	return e;
}

static enum err later(struct unpacking *u)
{
	u->acct->unpackings += !u->counted;
	u->counted = true;
	return ERR_AGAIN;
}

/* ERR_AGAIN: not all of it yet. */
static enum err unpack_some(struct unpacking *u)
{
	uint64_t end = clock_us() + SLICE_US;
	enum err e = ERR_OK;

	while (!e && !packed_over(u->packed)) {
		if (clock_us() > end)
			return later(u);
		e = packed_read(u->packed, SMALL - u->out.n < PIECE ? SMALL - u->out.n : PIECE, &u->out);
		if (!e && u->out.n == SMALL && !packed_over(u->packed))
			e = spill(u, false);
	}
	return e ? e : spill(u, true);
}

static enum err unpacking_new(struct acct *a, const struct object *o, struct unpacking **u_r)
{
	struct packed *packed;
	enum err e = packed_open(o->kind, o->fd, o->offset, o->length, &packed);

	if (e)
		return e;
	*u_r = mem_alloc(sizeof(**u_r));
	**u_r = (struct unpacking){ .acct = a, .packed = packed, .to = -1 };
	buf_init(&(*u_r)->out, SMALL);
	return ERR_OK;
}

static void unpacking_free(struct unpacking *u)
{
	u->acct->unpackings -= u->counted;
	packed_close(&u->packed);
	buf_free(&u->out);
	if (u->to >= 0)
		close(u->to);
	free(u);
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

/* o's packed bytes become plain ones. ERR_AGAIN: in a while; where many are at it, o may be closed. */
static enum err object_unpack(struct acct *a, struct object *o, struct errtext *t)
{
	struct unpacking *u;
	enum err e = ERR_OK;

	if (!o->unpacking) {
		if (a->unpackings >= UNPACKINGS)
			object_close(o);
		e = o->fd < 0 ? ERR_AGAIN : unpacking_new(a, o, &o->unpacking);
	}
	if (!e)
		e = unpack_some(o->unpacking);
	if (e)
		return e == ERR_AGAIN ? e : say(e, t);
	u = o->unpacking;
	close(o->fd);
	*o = (struct object){ .fd = u->to, .length = u->written, .mtime = o->mtime, .ctime = o->ctime, .unpacked = true };
	u->to = -1;
	unpacking_free(u);
	return ERR_OK;
}

/* --- as one span ----------------------------------------------------------------------------- */

void loaded_init(struct loaded *l)
{
	*l = (struct loaded){ .map = NULL };
	buf_init(&l->buf, SMALL);
}

static void unload(struct loaded *l)
{
	if (l->map)
		munmap(l->map, l->map_n);
	l->map = NULL;
	if (l->counted)
		l->counted->loadings--;
	l->counted = NULL;
	l->bytes = span_of(NULL, 0);
}

/* A nameless file: nobody can take its bytes from under the map. */
static enum err map_file(struct loaded *l, const struct object *o, struct errtext *t)
{
	void *map = mmap(NULL, (size_t)o->length, PROT_READ, MAP_PRIVATE, o->fd, 0);

	if (map == MAP_FAILED)
		return err_say(t, ERR_MEMORY, "No memory for the bytes of a message");
	l->map = map;
	l->map_n = (size_t)o->length;
	l->bytes = span_of(map, l->map_n);
	return ERR_OK;
}

/* Memory in large pages, where there are such, is got and given back in a hundredth of the time. */
static enum err map_memory(struct loaded *l, struct acct *turn, const struct object *o, struct errtext *t)
{
	void *map;

	if (o->length > LOAD_MAX)
		return err_say(t, ERR_LIMIT, "The message is too large to be looked into");
	if (o->length <= LOAD_LARGE)
		turn = NULL;
	if (turn && turn->loadings >= LOADINGS)
		return ERR_AGAIN;
	map = mmap(NULL, (size_t)o->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return err_say(t, ERR_MEMORY, "No memory for the bytes of a message");
	(void)madvise(map, (size_t)o->length, MADV_HUGEPAGE);
	l->map = map;
	l->map_n = (size_t)o->length;
	l->got = 0;
	l->counted = turn;
	if (turn)
		turn->loadings++;
	return ERR_OK;
}

/* A slice's worth of them. */
static enum err fill_memory(struct loaded *l, const struct object *o, struct errtext *t)
{
	uint64_t end = clock_us() + SLICE_US;

	for (;;) {
		size_t left = l->map_n - l->got;
		ssize_t n = pread(o->fd, (char *)l->map + l->got, left < LOAD_PIECE ? left : LOAD_PIECE,
				  (off_t)(o->offset + l->got));

		if (n <= 0)
			return n ? err_sys(t, "Cannot read a message") : bytes_short(t);
		l->got += (size_t)n;
		if (l->got == l->map_n)
			break;
		if (clock_us() > end)
			return ERR_AGAIN;
	}
	l->bytes = span_of(l->map, l->map_n);
	return ERR_OK;
}

enum err loaded_get(struct loaded *l, struct acct *turn, const struct object *o, struct errtext *t)
{
	enum err e;

	if (l->bytes.p)
		return ERR_OK;
	if (o->length > SMALL && o->unpacked)
		return map_file(l, o, t);
	if (o->length > SMALL) {
		e = l->map ? ERR_OK : map_memory(l, turn, o, t);
		return e ? e : fill_memory(l, o, t);
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
static enum err look_into(struct object *o, struct loaded *l, struct errtext *t)
{
	char head[PACK_MAGIC];
	size_t most = o->length < sizeof(head) ? (size_t)o->length : sizeof(head);
	ssize_t n;

	if (l && o->length <= AHEAD) {
		enum err e = loaded_get(l, NULL, o, t);

		if (e)
			return e;
		o->kind = pack_kind_of(l->bytes);
		if (o->kind)
			unload(l);
		return ERR_OK;
	}
	n = pread(o->fd, head, most, (off_t)o->offset);
	o->kind = n > 0 ? pack_kind_of(span_of(head, (size_t)n)) : PACK_NONE;
	return ERR_OK;
}

static enum err find(struct mailbox *mb, struct span key, struct span hint, struct object *o_r, struct loaded *l,
		     struct errtext *t)
{
	struct store_object so;
	struct store_box *sb;
	enum err e = mailbox_store(mb, &sb, t);

	if (!e)
		e = sb->ops->locate(sb, key, hint, &so, NULL, NULL, t);
	if (e)
		return e;
	*o_r = (struct object){ .fd = so.fd, .offset = so.offset, .length = so.length, .mtime = so.mtime, .ctime = so.ctime };
	return so.maybe_packed ? look_into(o_r, l, t) : ERR_OK;
}

enum err object_find(struct mailbox *mb, struct span key, struct span hint, struct object *o_r, struct errtext *t)
{
	enum err e;

	do {
		e = find(mb, key, hint, o_r, NULL, t);
	} while (e == ERR_AGAIN);
	return e;
}

static bool object_is_open(const struct object *o)
{
	return o->fd >= 0 && !o->kind;
}

enum err object_open(struct mailbox *mb, struct span key, struct span hint, struct object *o, struct loaded *l,
		     struct errtext *t)
{
	enum err e = ERR_OK;

	if (object_is_open(o))
		return ERR_OK;
	if (l)
		unload(l);
	if (!o->unpacking)
		e = find(mb, key, hint, o, l, t);
	if (!e && o->kind)
		e = object_unpack(mb->acct, o, t);
	if (e && e != ERR_AGAIN)
		object_close(o);
	return e;
}

void object_close(struct object *o)
{
	if (o->unpacking)
		unpacking_free(o->unpacking);
	if (o->fd >= 0)
		close(o->fd);
	*o = OBJECT_CLOSED;
}
