/*
 * Reading dovecot-uidlist: what others added. A line: uidlist.h. Writing: maildir_number.c.
 *
 * Reading takes no lock. A file that only grew is read on from where we stopped; it is the same
 * file when inode and the bytes of the last line taken are the same.
 *
 * Damage. A line that does not parse, or whose UID does not ascend, is skipped, and the next write
 * leaves it out: its message gets a new UID. Where such lines end the file, the UIDs they may have
 * held are skipped too. Only a damaged header costs the UIDVALIDITY; the old file is then kept as
 * dovecot-uidlist.broken.
 */
#include "file.h"
#include "lines.h"
#include "list_state.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

void list_forget(struct list_state *u)
{
	keymap_free(&u->in_play);
	*u = (struct list_state){ 0 };
}

void list_took(struct list_state *u, struct span line, uint64_t end)
{
	u->tail_hash = XXH3_64bits(line.p, line.n);
	u->tail_n = (uint32_t)line.n;
	u->end = end;
}

static void list_take_record(struct list_state *u, struct span line, list_visit *fn, void *arg)
{
	struct uidlist_record r;
	uint32_t known;

	if (!uidlist_parse_record(line, u->head.version, &r) || r.uid <= u->last) {
		u->mend = true;
		u->lost += line.n + 1;
		return;
	}
	u->lost = 0;
	u->last = r.uid;
	u->records++;
	if (r.uid >= u->head.next)
		u->head.next = r.uid + 1;
	if (keymap_get(&u->in_play, r.base, &known))
		keymap_set(&u->in_play, r.base, r.uid);
	if (fn)
		fn(arg, &r);
}

static void list_take_header(struct list_state *u, struct span line)
{
	u->present = true;
	u->damaged = !uidlist_parse_header(line, &u->head);
	u->head.more = SPAN("");
	u->mend = u->damaged || u->head.version != 3 || !u->head.has_guid;
}

static enum err list_read_from(struct list_state *u, int fd, uint64_t off, list_visit *fn,
			       void *arg)
{
	struct lines l;
	struct span line;
	enum err e;

	lines_init(&l, fd, off);
	while (!(e = lines_next(&l, &line))) {
		if (u->end == 0)
			list_take_header(u, line);
		else if (!u->damaged)
			list_take_record(u, line, fn, arg);
		list_took(u, line, l.end);
	}
	lines_free(&l);
	if (u->end == 0)
		u->present = u->damaged = true; /* empty, or not one whole line */
	return e == ERR_CLOSED ? ERR_OK : e;
}

/* Header and last record only, of a file not read before. False: it needs a full read. */
static bool list_read_ends(struct list_state *u, int fd, uint64_t size)
{
	char p[UIDLIST_LINE_MAX + 1];
	struct uidlist_record r;
	ssize_t n = pread(fd, p, sizeof(p), 0);
	char *lf = n > 0 ? memchr(p, '\n', (size_t)n) : NULL;

	if (!lf)
		return false;
	list_take_header(u, span_of(p, (size_t)(lf - p)));
	list_took(u, span_of(p, (size_t)(lf - p)), (uint64_t)(lf - p) + 1);
	if (u->damaged || u->end == size)
		return true;

	uint64_t from = size > sizeof(p) ? size - sizeof(p) : 0;
	n = pread(fd, p, sizeof(p), (off_t)from);
	char *last = n > 1 && p[n - 1] == '\n' ? memrchr(p, '\n', (size_t)n - 1) : NULL;
	if (!last || from + (size_t)n != size)
		return false;
	struct span line = span_of(last + 1, (size_t)(p + n - 1 - (last + 1)));
	if (!uidlist_parse_record(line, u->head.version, &r))
		return false;
	u->last = r.uid;
	if (r.uid >= u->head.next)
		u->head.next = r.uid + 1;
	list_took(u, line, size);
	return true;
}

/* Does the file, as long or longer than we knew it, still hold the last line that we took? */
static bool list_same_tail(const struct list_state *u, int fd)
{
	char p[UIDLIST_LINE_MAX + 1];
	size_t n = u->tail_n + 1;

	if (n > sizeof(p) || u->end < n || pread(fd, p, n, (off_t)(u->end - n)) != (ssize_t)n)
		return false;
	return p[n - 1] == '\n' && XXH3_64bits(p, n - 1) == u->tail_hash;
}

void list_seen(struct list_state *u, const struct stat *st)
{
	u->known = true;
	u->dev = st->st_dev;
	u->ino = st->st_ino;
	u->seen = (uint64_t)st->st_size;
	u->mtime = st->st_mtim;
}

bool list_unchanged(const struct list_state *u, const struct stat *st)
{
	return u->known && u->present && u->dev == st->st_dev && u->ino == st->st_ino &&
	       u->seen == (uint64_t)st->st_size && u->mtime.tv_sec == st->st_mtim.tv_sec &&
	       u->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

static enum err list_read_open(struct list_state *u, int fd, const struct stat *st, bool full,
			       list_visit *fn, void *arg)
{
	bool grown = u->known && u->present && u->dev == st->st_dev && u->ino == st->st_ino &&
		     (uint64_t)st->st_size >= u->end && list_same_tail(u, fd);
	enum err e = ERR_OK;

	if (grown && !full) {
		e = list_read_from(u, fd, u->end, fn, arg);
	} else {
		/* What is in play stays known when the same file is merely read again. */
		struct keymap play = u->in_play;
		u->in_play = (struct keymap){ 0 };
		list_forget(u);
		if (grown)
			u->in_play = play;
		else
			keymap_free(&play);
		if (full || !list_read_ends(u, fd, (uint64_t)st->st_size)) {
			play = u->in_play;
			*u = (struct list_state){ .in_play = play };
			e = list_read_from(u, fd, 0, fn, arg);
		}
	}
	if (e)
		list_forget(u);
	else
		list_seen(u, st);
	return e;
}

enum err maildir_uidlist_read(struct maildir_box *b, bool full, list_visit *fn, void *arg,
			      struct errtext *t)
{
	struct list_state *u = &b->list;
	struct stat st;
	enum err e;
	int fd;

	if (!full && b->control_fd >= 0 &&
	    fstatat(b->control_fd, LIST_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && list_unchanged(u, &st))
		return ERR_OK;
	e = b->control_fd < 0 ? ERR_NOTFOUND : file_open_read(b->control_fd, LIST_NAME, &fd, &st);
	if (e == ERR_NOTFOUND) {
		list_forget(u);
		u->known = true;
		return ERR_OK;
	}
	if (e)
		return err_say(t, e, "%s/" LIST_NAME ": %s", b->name, err_name(e));
	/* Others may have left what they wrote to the kernel: sync_numbers settles it. */
	b->list_dirty = b->list_dirty || !list_unchanged(u, &st);
	e = list_read_open(u, fd, &st, full, fn, arg);
	close(fd);
	return e ? err_say(t, e, "%s/" LIST_NAME ": %s", b->name, err_name(e)) : ERR_OK;
}

/* --- the end of it --- */

enum { LIST_STRETCH = 64 * 1024 }; /* read rather than parted further */

/* The first record that begins behind off, at *start_r. ERR_CANNOT: damage. */
static enum err list_record_behind(int fd, uint64_t off, int version, struct uidlist_record *r, uint64_t *start_r)
{
	char p[2 * (UIDLIST_LINE_MAX + 1)];
	ssize_t n = pread(fd, p, sizeof(p), (off_t)off);
	char *line = n > 0 ? memchr(p, '\n', (size_t)n) : NULL;
	char *end = line++ ? memchr(line, '\n', (size_t)(p + n - line)) : NULL;

	if (!end || !uidlist_parse_record(span_of(line, (size_t)(end - line)), version, r))
		return ERR_CANNOT;
	r->keys = r->base = SPAN("");
	*start_r = off + (uint64_t)(line - p);
	return ERR_OK;
}

/*
 * Records ascend, so halves of the file are passed over. Those with this UID or a greater one begin at *from_r or later: it
 * is itself the beginning of one.
 */
static enum err list_find(int fd, int version, uint64_t size, uint32_t uid, uint64_t *from_r)
{
	uint64_t from = *from_r, to = size, start;
	struct uidlist_record r;

	while (to > from && to - from > LIST_STRETCH) {
		uint64_t half = from + (to - from) / 2;
		enum err e = list_record_behind(fd, half, version, &r, &start);

		if (e)
			return e;
		if (r.uid < uid)
			from = start;
		else
			to = half + 1;
	}
	*from_r = from;
	return ERR_OK;
}

static enum err list_show(int fd, int version, uint64_t from, uint32_t uid, list_visit *fn, void *arg)
{
	struct uidlist_record r = { .uid = 0 };
	struct lines l;
	struct span line;
	uint32_t last = 0;
	enum err e;

	lines_init(&l, fd, from);
	while (!(e = lines_next(&l, &line))) {
		e = uidlist_parse_record(line, version, &r) && r.uid > last ? ERR_OK : ERR_CANNOT;
		if (e)
			break;
		last = r.uid;
		if (r.uid >= uid)
			fn(arg, &r);
	}
	lines_free(&l);
	return e == ERR_CLOSED ? ERR_OK : e;
}

enum err maildir_uidlist_tail(struct maildir_box *b, uint32_t uid, list_visit *fn, void *arg)
{
	char p[UIDLIST_LINE_MAX + 1];
	struct uidlist_header h;
	struct stat st;
	uint64_t from;
	int fd;
	enum err e = b->control_fd < 0 ? ERR_NOTFOUND : file_open_read(b->control_fd, LIST_NAME, &fd, &st);

	if (e)
		return e;
	ssize_t n = pread(fd, p, sizeof(p), 0);
	char *lf = n > 0 ? memchr(p, '\n', (size_t)n) : NULL;
	if (!lf || !uidlist_parse_header(span_of(p, (size_t)(lf - p)), &h))
		e = ERR_CANNOT;
	from = lf ? (uint64_t)(lf - p) + 1 : 0;
	if (!e)
		e = list_find(fd, h.version, (uint64_t)st.st_size, uid, &from);
	if (!e)
		e = list_show(fd, h.version, from, uid, fn, arg);
	close(fd);
	return e;
}
