/*
 * roost-extra: one fact a line, appended; of several lines about one thing the last holds.
 *
 *	line     = body SP checksum LF
 *	checksum = XXH32 of body with seed 0, 8 lower-case hex digits
 *	body     = "v 1 " id               the first line; id: 16 hex digits, new with each rewrite
 *	         | "m " modseq             decimal: no modseq at or below it may be given again
 *	         | "n " bit " " name       this mailbox's keyword 26..63 has this name
 *	         | "k " mask " " key       hex: its keywords, bits 26..63; 0: none, or it is gone
 *	         | "b " validity " " last " " guid   an mbox: what a file without a base shall have; guid: 32 hex digits
 *	         | letter " " anything     of a later version: kept as it is
 *
 * A line whose checksum is wrong, and what follows the last LF, is ignored: so a torn write costs
 * that write alone. Writers hold flock on the file; when most lines are dead, the live ones are
 * written to roost-extra.tmp, synced, and renamed over it.
 */
#include "extra.h"
#include "file.h"
#include "keytab.h"
#include "lines.h"

#include "base/mailflags.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#define EXTRA_NAME "roost-extra"
enum {
	EXTRA_FIRST_BIT = 26,
	EXTRA_OTHER_MAX = 1 << 20,
	EXTRA_PENDING_MAX = 64 << 20,
	EXTRA_KEYS_MAX = 8 << 20,
	EXTRA_NAME_MAX = 200,
	EXTRA_LINE_MAX = 1024,
	EXTRA_SLACK = 64, /* dead lines that are not worth a rewrite */
};

struct extra {
	bool known;
	ino_t ino;
	uint64_t seen, end;
	struct timespec mtime;
	uint64_t id;          /* of the file's first line; 0: none */
	uint64_t floor;
	struct extra_base base;
	char *name[MAIL_KEYWORDS_MAX]; /* own */
	struct keytab tab;
	uint64_t *mask;       /* own; by number in tab */
	size_t mask_cap;
	struct pool pool;     /* the keys */
	struct buf other;     /* lines of later versions */
	size_t lines, live_masks, others;
	struct buf pending;
};

struct extra *extra_new(void)
{
	struct extra *x = mem_alloc(sizeof(*x));

	buf_init(&x->other, EXTRA_OTHER_MAX);
	buf_init(&x->pending, EXTRA_PENDING_MAX);
	return x;
}

/* Everything that was read, not what is collected. */
static void extra_forget(struct extra *x)
{
	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		free(x->name[i]);
	keytab_free(&x->tab);
	free(x->mask);
	pool_free(&x->pool);
	buf_free(&x->other);
	struct buf other = x->other, pending = x->pending;
	*x = (struct extra){ .other = other, .pending = pending };
}

void extra_free(struct extra **x)
{
	if (!*x)
		return;
	extra_forget(*x);
	buf_free(&(*x)->other);
	buf_free(&(*x)->pending);
	free(*x);
	*x = NULL;
}

/* --- lines in --- */

static void take_keywords_of(struct extra *x, struct span rest)
{
	struct span word;
	uint64_t mask;
	bool fresh;

	if (!span_split(&rest, ' ', &word) || !span_hex64(word, &mask) || rest.n == 0 ||
	    rest.n > 255)
		return;
	if (x->tab.n >= EXTRA_KEYS_MAX)
		return;
	size_t k = keytab_find(&x->tab, rest);
	if (k == SIZE_MAX && mask == 0)
		return;
	if (k == SIZE_MAX)
		k = keytab_add(&x->tab, pool_copy(&x->pool, rest), &fresh);
	if (k >= x->mask_cap) {
		size_t cap = x->mask_cap ? x->mask_cap * 2 : 64;
		x->mask = mem_grow(x->mask, cap, sizeof(*x->mask));
		memset(x->mask + x->mask_cap, 0, (cap - x->mask_cap) * sizeof(*x->mask));
		x->mask_cap = cap;
	}
	x->live_masks -= x->mask[k] != 0;
	x->mask[k] = mask & ~((UINT64_C(1) << EXTRA_FIRST_BIT) - 1);
	x->live_masks += x->mask[k] != 0;
}

static void take_keyword(struct extra *x, struct span rest)
{
	struct span word;
	uint32_t bit;

	if (!span_split(&rest, ' ', &word) || !span_u32(word, &bit) || bit < EXTRA_FIRST_BIT ||
	    bit >= MAIL_KEYWORDS_MAX || rest.n == 0 || rest.n > EXTRA_NAME_MAX ||
	    memchr(rest.p, '\0', rest.n))
		return;
	free(x->name[bit]);
	x->name[bit] = span_dup(rest);
}

static void take_base(struct extra *x, struct span rest)
{
	struct extra_base b = { 0 };
	struct span validity, last;
	uint64_t high, low;

	if (!span_split(&rest, ' ', &validity) || !span_split(&rest, ' ', &last) ||
	    !span_u32(validity, &b.validity) || !span_u32(last, &b.last) || rest.n != 32 ||
	    !span_hex64(span_cut(rest, 0, 16), &high) || !span_hex64(span_from(rest, 16), &low))
		return;
	for (int i = 0; i < 8; i++) {
		b.guid[i] = (uint8_t)(high >> (56 - 8 * i));
		b.guid[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	x->base = b;
}

static void take_version(struct extra *x, struct span rest)
{
	struct span word;
	uint64_t id;

	if (span_split(&rest, ' ', &word) && span_eq_str(word, "1") && span_hex64(rest, &id))
		x->id = id;
}

static void take_other(struct extra *x, struct span line)
{
	if (x->other.n + line.n + 1 > EXTRA_OTHER_MAX)
		return;
	buf_add_span(&x->other, line);
	buf_add_char(&x->other, '\n');
	x->others++;
}

static void extra_take_line(struct extra *x, struct span line)
{
	uint64_t sum, v;

	x->lines++;
	if (line.n < 11 || line.n > EXTRA_LINE_MAX || line.p[1] != ' ')
		return;
	struct span body = span_cut(line, 0, line.n - 9), tail = span_from(line, line.n - 9);
	if (tail.p[0] != ' ' || !span_hex64(span_from(tail, 1), &sum) ||
	    sum != XXH32(body.p, body.n, 0))
		return;
	struct span rest = span_from(body, 2);
	switch (body.p[0]) {
	case 'v':
		take_version(x, rest);
		break;
	case 'm':
		if (span_u64(rest, &v) && v > x->floor)
			x->floor = v;
		break;
	case 'b':
		take_base(x, rest);
		break;
	case 'n':
		take_keyword(x, rest);
		break;
	case 'k':
		take_keywords_of(x, rest);
		break;
	default:
		take_other(x, line);
	}
}

void extra_take(struct extra *x, struct span text)
{
	struct span line;

	while (span_split(&text, '\n', &line))
		extra_take_line(x, line);
}

static enum err extra_read_from(struct extra *x, int fd)
{
	struct lines l;
	struct span line;
	enum err e;

	lines_init(&l, fd, x->end);
	while (!(e = lines_next(&l, &line)))
		extra_take_line(x, line);
	x->end = l.end;
	lines_free(&l);
	return e == ERR_CLOSED ? ERR_OK : e;
}

/* Is this file, of the same inode, the one that we read before? */
static bool extra_same(const struct extra *x, int fd)
{
	struct extra first = { 0 };
	char p[64];
	ssize_t n = pread(fd, p, sizeof(p), 0);
	const char *lf = n > 0 ? memchr(p, '\n', (size_t)n) : NULL;

	if (!lf)
		return false;
	extra_take_line(&first, span_of(p, (size_t)(lf - p)));
	bool same = first.id != 0 && first.id == x->id;
	extra_forget(&first);
	return same;
}

static enum err extra_read(struct extra *x, int fd, const struct stat *st)
{
	if (!x->known || x->ino != st->st_ino || (uint64_t)st->st_size < x->end ||
	    !extra_same(x, fd))
		extra_forget(x);
	enum err e = extra_read_from(x, fd);
	if (e) {
		extra_forget(x);
		return e;
	}
	x->known = true;
	x->ino = st->st_ino;
	x->seen = (uint64_t)st->st_size;
	x->mtime = st->st_mtim;
	return ERR_OK;
}

static bool extra_unchanged(const struct extra *x, const struct stat *st)
{
	return x->known && x->ino == st->st_ino && x->seen == (uint64_t)st->st_size &&
	       x->mtime.tv_sec == st->st_mtim.tv_sec && x->mtime.tv_nsec == st->st_mtim.tv_nsec;
}

enum err extra_refresh(struct extra *x, int dir_fd, struct errtext *t)
{
	struct stat st;
	int fd;
	enum err e;

	if (dir_fd >= 0 && x->known && fstatat(dir_fd, EXTRA_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    extra_unchanged(x, &st))
		return ERR_OK;
	e = dir_fd < 0 ? ERR_NOTFOUND : file_open_read(dir_fd, EXTRA_NAME, &fd, &st);
	if (e == ERR_NOTFOUND) {
		extra_forget(x);
		return ERR_OK;
	}
	if (!e) {
		e = extra_read(x, fd, &st);
		close(fd);
	}
	return e ? err_say(t, e, EXTRA_NAME ": %s", err_name(e)) : ERR_OK;
}

uint64_t extra_floor(const struct extra *x)
{
	return x->floor;
}

const struct extra_base *extra_base(const struct extra *x)
{
	return &x->base;
}

const char *extra_keyword(const struct extra *x, unsigned bit)
{
	return bit < MAIL_KEYWORDS_MAX ? x->name[bit] : NULL;
}

uint64_t extra_keywords_of(const struct extra *x, struct span key)
{
	size_t k = x->live_masks ? keytab_find(&x->tab, key) : SIZE_MAX;

	return k == SIZE_MAX ? 0 : x->mask[k];
}

/* --- lines out --- */

/* Ends the body that begins at from with its checksum. */
static void seal(struct buf *out, size_t from)
{
	if (!out->failed)
		buf_printf(out, " %08x\n", XXH32(out->p + from, out->n - from, 0));
}

static void put_version(struct buf *out)
{
	uint64_t id = 0;
	size_t from = out->n;

	if (getrandom(&id, sizeof(id), 0) < 0 || id == 0)
		id = (uint64_t)getpid() << 32 | 1;
	buf_printf(out, "v 1 %016llx", (unsigned long long)id);
	seal(out, from);
}

static void put_floor(struct buf *out, uint64_t floor)
{
	size_t from = out->n;

	buf_printf(out, "m %llu", (unsigned long long)floor);
	seal(out, from);
}

static void put_base(struct buf *out, const struct extra_base *b)
{
	size_t from = out->n;

	buf_printf(out, "b %u %u ", b->validity, b->last);
	for (size_t i = 0; i < sizeof(b->guid); i++)
		buf_printf(out, "%02x", b->guid[i]);
	seal(out, from);
}

static void put_keyword(struct buf *out, unsigned bit, const char *name)
{
	size_t from = out->n;

	buf_printf(out, "n %u %s", bit, name);
	seal(out, from);
}

static void put_keywords_of(struct buf *out, struct span key, uint64_t bits)
{
	size_t from = out->n;

	buf_printf(out, "k %llx ", (unsigned long long)bits);
	buf_add_span(out, key);
	seal(out, from);
}

void extra_set_floor(struct extra *x, uint64_t floor)
{
	put_floor(&x->pending, floor);
}

void extra_set_base(struct extra *x, const struct extra_base *b)
{
	put_base(&x->pending, b);
}

void extra_set_keyword(struct extra *x, unsigned bit, const char *name)
{
	put_keyword(&x->pending, bit, name);
}

void extra_set_keywords_of(struct extra *x, struct span key, uint64_t bits)
{
	put_keywords_of(&x->pending, key, bits);
}

bool extra_pending(const struct extra *x)
{
	return x->pending.n > 0 || x->pending.failed;
}

static size_t extra_live(const struct extra *x)
{
	size_t n = 1 + (x->floor > 0) + (x->base.validity > 0) + x->live_masks + x->others;

	for (size_t i = 0; i < MAIL_KEYWORDS_MAX; i++)
		n += x->name[i] != NULL;
	return n;
}

static enum err extra_compact(struct extra *x, int dir_fd, mode_t mode, bool sync)
{
	struct buf out;
	enum err e = ERR_LIMIT;

	buf_init(&out, SIZE_MAX / 2);
	put_version(&out);
	if (x->floor)
		put_floor(&out, x->floor);
	if (x->base.validity)
		put_base(&out, &x->base);
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if (x->name[i])
			put_keyword(&out, i, x->name[i]);
	buf_add_span(&out, buf_span(&x->other));
	for (size_t k = 0; k < x->tab.n; k++)
		if (x->mask[k])
			put_keywords_of(&out, x->tab.key[k], x->mask[k]);
	if (!out.failed)
		e = file_replace(dir_fd, EXTRA_NAME ".tmp", EXTRA_NAME, buf_span(&out), mode, sync);
	buf_free(&out);
	return e;
}

/* Opens, makes when missing, and locks the file that bears the name now. */
static enum err extra_lock(int dir_fd, mode_t mode, int *fd_r, struct stat *st_r)
{
	struct stat named;

	for (int i = 0; i < 4; i++) {
		int fd = file_open(dir_fd, EXTRA_NAME, O_RDWR | O_APPEND | O_CREAT, mode);
		if (fd < 0)
			return err_from_errno(errno);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			close(fd);
			return ERR_INUSE;
		}
		if (fstat(fd, st_r) == 0 && S_ISREG(st_r->st_mode) &&
		    fstatat(dir_fd, EXTRA_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    named.st_ino == st_r->st_ino && named.st_dev == st_r->st_dev) {
			*fd_r = fd;
			return ERR_OK;
		}
		close(fd);
	}
	return ERR_INUSE;
}

/* The bytes to append: first a version line, or an LF that ends what a crash tore. */
static void extra_compose(const struct extra *x, uint64_t size, struct buf *out)
{
	if (size > x->end)
		buf_add_char(out, '\n');
	if (x->id == 0)
		put_version(out);
	buf_add_span(out, buf_span(&x->pending));
}

static enum err extra_append(struct extra *x, int dir_fd, int fd, const struct stat *st, bool sync)
{
	struct buf out;
	enum err e;

	buf_init(&out, EXTRA_PENDING_MAX + 256);
	extra_compose(x, (uint64_t)st->st_size, &out);
	e = out.failed ? ERR_LIMIT : file_write(fd, out.p, out.n);
	if (e && ftruncate(fd, st->st_size) < 0)
		e = ERR_IO;
	buf_free(&out);
	if (!e && sync)
		e = file_sync_data(fd);
	if (!e && sync && st->st_size == 0)
		e = file_sync_dir(dir_fd);
	return e;
}

static enum err extra_write_locked(struct extra *x, int dir_fd, int fd, struct stat *st,
				   mode_t mode, bool sync)
{
	enum err e = x->pending.failed ? ERR_LIMIT : extra_read(x, fd, st);

	if (!e)
		e = extra_append(x, dir_fd, fd, st, sync);
	if (!e && fstat(fd, st) < 0)
		e = err_from_errno(errno);
	if (!e)
		e = extra_read(x, fd, st);
	if (!e && x->lines > 2 * extra_live(x) + EXTRA_SLACK) {
		e = extra_compact(x, dir_fd, mode, sync);
		extra_forget(x);
	}
	return e;
}

enum err extra_write(struct extra *x, int dir_fd, mode_t mode, bool sync, struct errtext *t)
{
	struct stat st;
	int fd = -1;

	if (!extra_pending(x))
		return ERR_OK;
	enum err e = extra_lock(dir_fd, mode, &fd, &st);
	if (!e) {
		e = extra_write_locked(x, dir_fd, fd, &st, mode, sync);
		close(fd);
	}
	if (e != ERR_INUSE)
		buf_clear(&x->pending);
	if (!e && !x->known)
		e = extra_refresh(x, dir_fd, t);
	return e ? err_say(t, e, EXTRA_NAME " cannot be written: %s", err_name(e)) : ERR_OK;
}
