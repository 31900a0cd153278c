/*
 * roost-journal, in the control directory of a mailbox:
 *
 *	head = "roost-journal 1 " kind SP ino SP from SP to SP n SP new SP old SP rest SP ahead SP checksum
 *	       blanks LF                256 bytes; numbers in hex of 16 digits; checksum: XXH3 of what stands before it
 *	kind = "void" | "file" | "tail"
 *	data = n bytes                  behind the head, only of a "file"
 *
 * file: the mbox's bytes [from, to) become data. new, old, rest: XXH3 of data, of what it replaces, and of that part of the
 * latter which lies behind data's end. Order: the mbox, data and head are synced; where the file grows it is made as long as it
 * will be, with zeros, and synced; data is written; where the file shrinks it is synced and then cut, for a file system may well
 * keep the new size and not what was written before; synced; the head becomes void, synced.
 * tail: bytes are being appended at from, the first n of which have the sum new.
 * ahead: XXH3 of up to 4 KiB before from, which no step changes: what does not fit is another file's journal and is put aside,
 * never applied.
 *
 * While we are dead others may append to the file; they have its lock, and what they add is kept:
 * - where the file grows: behind to there are zeros or data up to where data ends: data is written again, and what lies behind
 *   that is foreign; else the file was not made longer, and the old bytes are all there;
 * - the old bytes are all there still: nothing was begun, the journal is void (the caller's to-do list knows);
 * - data is there and the rest is not, nor zeros in its place: all was done, and what lies behind data is foreign;
 * - else data is written again, and what lies behind the longer of both ends is foreign and moves to the new end. For that a
 *   second journal is written over this one; until it has its head, this head with damaged data says how far we were.
 */
#include "mbox_journal.h"
#include "file.h"
#include "mbox_from.h"

#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>
#include <xxhash.h>

#define JOURNAL "roost-journal"
enum {
	HEAD = 256,
	PIECE = 256 << 10,
	AHEAD = 4096,
};

struct note {
	char kind; /* 'v', 'f', 't' */
	uint64_t ino, from, to, n, new, old, rest, ahead;
};

static const char *kind_name(char kind)
{
	return kind == 'f' ? "file" : kind == 't' ? "tail" : "void";
}

/* --- bytes ----------------------------------------------------------------------------- */

static enum err write_at(int fd, const char *p, size_t n, uint64_t at)
{
	return file_write_at(fd, p, n, &at);
}

/* Fewer than n only at the end of the file. */
static enum err read_at(int fd, char *p, size_t n, uint64_t at, size_t *n_r)
{
	*n_r = 0;
	while (*n_r < n) {
		ssize_t got = pread(fd, p + *n_r, n - *n_r, (off_t)(at + *n_r));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_from_errno(errno);
		if (got == 0)
			break;
		*n_r += (size_t)got;
	}
	return ERR_OK;
}

/* fn is shown [from, to) piece by piece. ERR_IO when the file is shorter. */
typedef enum err piece_fn(void *arg, struct span piece);

static enum err each_piece(int fd, uint64_t from, uint64_t to, piece_fn *fn, void *arg)
{
	char *p = mem_array(PIECE, 1);
	enum err e = ERR_OK;

	while (!e && from < to) {
		size_t n = to - from < PIECE ? (size_t)(to - from) : PIECE, got;

		e = read_at(fd, p, n, from, &got);
		if (!e && got < n)
			e = ERR_IO;
		if (!e)
			e = fn(arg, span_of(p, n));
		from += n;
	}
	free(p);
	return e;
}

static enum err sum_piece(void *arg, struct span piece)
{
	XXH3_64bits_update(arg, piece.p, piece.n);
	return ERR_OK;
}

static enum err sum_range(int fd, uint64_t from, uint64_t to, uint64_t *sum_r)
{
	XXH3_state_t *state = XXH3_createState();
	enum err e;

	must(state);
	XXH3_64bits_reset(state);
	e = each_piece(fd, from, to, sum_piece, state);
	*sum_r = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return e;
}

struct copying {
	int fd;
	uint64_t at;
};

static enum err copy_piece(void *arg, struct span piece)
{
	struct copying *c = arg;
	enum err e = write_at(c->fd, piece.p, piece.n, c->at);

	c->at += piece.n;
	return e;
}

static enum err copy_range(int from_fd, uint64_t from, uint64_t to, int to_fd, uint64_t at)
{
	return each_piece(from_fd, from, to, copy_piece, &(struct copying){ to_fd, at });
}

static bool syncs(const struct mbox_box *b)
{
	return b->r->sync != STORE_SYNC_NEVER;
}

/* --- the head --------------------------------------------------------------------------- */

static enum err ahead_sum(struct mbox_box *b, uint64_t from, uint64_t *sum_r)
{
	return sum_range(b->fd, from > AHEAD ? from - AHEAD : 0, from, sum_r);
}

static enum err head_write(struct mbox_box *b, int fd, const struct note *n)
{
	char head[HEAD + 1];
	int at = snprintf(head, sizeof(head),
			  JOURNAL " 1 %s %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64
				  " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64,
			  kind_name(n->kind), n->ino, n->from, n->to, n->n, n->new, n->old, n->rest,
			  n->ahead);

	at += snprintf(head + at, sizeof(head) - (size_t)at, " %016" PRIx64,
		       (uint64_t)XXH3_64bits(head, (size_t)at));
	memset(head + at, ' ', (size_t)(HEAD - at));
	head[HEAD - 1] = '\n';
	enum err e = write_at(fd, head, HEAD, 0);
	return !e && syncs(b) ? file_sync_data(fd) : e;
}

static bool head_parse(struct span head, struct note *n)
{
	uint64_t *field[] = { &n->ino, &n->from, &n->to,   &n->n,
			      &n->new, &n->old,  &n->rest, &n->ahead };
	struct span rest = head, word;
	uint64_t sum;

	if (!span_split(&rest, ' ', &word) || !span_eq_str(word, JOURNAL) ||
	    !span_split(&rest, ' ', &word) || !span_eq_str(word, "1") ||
	    !span_split(&rest, ' ', &word))
		return false;
	n->kind = span_eq_str(word, "file") ? 'f' : span_eq_str(word, "tail") ? 't' : 'v';
	for (size_t i = 0; i < ARRAY_LEN(field); i++)
		if (!span_split(&rest, ' ', &word) || !span_hex64(word, field[i]))
			return false;
	size_t summed = (size_t)(rest.p - head.p) - 1;
	return span_split(&rest, ' ', &word) && span_hex64(word, &sum) &&
	       sum == XXH3_64bits(head.p, summed);
}

/* ERR_NOTFOUND: no journal, or one whose head was never finished, or a void one. */
static enum err head_read(int fd, struct note *n)
{
	char head[HEAD];
	size_t got;
	enum err e = read_at(fd, head, HEAD, 0, &got);

	if (e)
		return e;
	return got == HEAD && head_parse(span_of(head, HEAD), n) && n->kind != 'v' ? ERR_OK
										   : ERR_NOTFOUND;
}

static int journal_open(struct mbox_box *b, int flags)
{
	return b->control_fd < 0 ? -1 : file_open(b->control_fd, JOURNAL, flags, b->r->file_mode);
}

/* Made anew, its name durable. */
static enum err journal_make(struct mbox_box *b, int *fd_r, struct errtext *t)
{
	enum err e = mbox_control_make(b, t);

	if (e)
		return e;
	*fd_r = journal_open(b, O_RDWR);
	if (*fd_r >= 0)
		return ERR_OK;
	*fd_r = errno == ENOENT ? journal_open(b, O_RDWR | O_CREAT | O_EXCL) : -1;
	if (*fd_r < 0)
		return err_sys(t, JOURNAL " of %s", b->name);
	e = syncs(b) ? file_sync_dir(b->control_fd) : ERR_OK;
	if (!e)
		return ERR_OK;
	close(*fd_r);
	*fd_r = -1;
	return err_say(t, e, JOURNAL " of %s cannot be synced", b->name);
}

static enum err journal_void(struct mbox_box *b, int fd)
{
	struct note n = { .kind = 'v' };
	enum err e = head_write(b, fd, &n);

	if (!e && ftruncate(fd, HEAD) < 0)
		e = err_from_errno(errno);
	return e;
}

bool journal_pending(struct mbox_box *b)
{
	struct note n;
	int fd = journal_open(b, O_RDONLY);
	bool pending = fd >= 0 && head_read(fd, &n) == ERR_OK;

	if (fd >= 0)
		close(fd);
	return pending;
}

/* --- spilling --------------------------------------------------------------------------- */

enum err spill_begin(struct mbox_box *b, struct spill *s, struct errtext *t)
{
	enum err e;

	*s = (struct spill){ .fd = -1 };
	buf_init(&s->buf, 2 * PIECE);
	e = journal_make(b, &s->fd, t);
	if (!e && ftruncate(s->fd, HEAD) < 0)
		e = err_sys(t, JOURNAL " of %s", b->name);
	s->sum = XXH3_createState();
	must(s->sum);
	XXH3_64bits_reset(s->sum);
	return e;
}

void spill_end(struct spill *s)
{
	if (s->fd >= 0)
		close(s->fd);
	if (s->sum)
		XXH3_freeState(s->sum);
	buf_free(&s->buf);
	s->fd = -1;
	s->sum = NULL;
}

static enum err spill_flush(struct mbox_box *b, struct spill *s, struct errtext *t)
{
	enum err e = write_at(s->fd, s->buf.p, s->buf.n, HEAD + s->n - s->buf.n);

	buf_clear(&s->buf);
	return e ? err_say(t, e, JOURNAL " of %s: %s", b->name, err_name(e)) : ERR_OK;
}

/* So many bytes more stand in the buffer. */
static enum err spilled(struct mbox_box *b, struct spill *s, size_t n, struct errtext *t)
{
	XXH3_64bits_update(s->sum, s->buf.p + s->buf.n, n);
	s->buf.n += n;
	s->n += n;
	return s->buf.n >= PIECE ? spill_flush(b, s, t) : ERR_OK;
}

enum err spill_bytes(struct mbox_box *b, struct spill *s, struct span bytes, struct errtext *t)
{
	enum err e = ERR_OK;

	while (!e && bytes.n) {
		struct span part = span_cut(bytes, 0, PIECE);

		if (!buf_reserve(&s->buf, part.n))
			return err_say(t, ERR_MEMORY, JOURNAL " of %s", b->name);
		memcpy(s->buf.p + s->buf.n, part.p, part.n);
		e = spilled(b, s, part.n, t);
		bytes = span_from(bytes, part.n);
	}
	return e;
}

/* Read to where it will be written from. */
enum err spill_range(struct mbox_box *b, struct spill *s, uint64_t at, uint64_t n, struct errtext *t)
{
	enum err e = ERR_OK;

	while (!e && n) {
		size_t part = n < PIECE ? (size_t)n : PIECE, got = 0;

		e = buf_reserve(&s->buf, part) ? read_at(b->fd, s->buf.p + s->buf.n, part, at, &got) : ERR_MEMORY;
		if (!e && got < part)
			e = ERR_IO;
		if (e)
			return err_say(t, e, "%s cannot be read or copied: %s", b->path, err_name(e));
		e = spilled(b, s, part, t);
		at += part;
		n -= part;
	}
	return e;
}

/* --- applying --------------------------------------------------------------------------- */

/* Data of the journal over the file. */
static enum err data_write(struct mbox_box *b, int fd, const struct note *n)
{
	return copy_range(fd, HEAD, HEAD + n->n, b->fd, n->from);
}

static enum err finish(struct mbox_box *b, int fd)
{
	enum err e = syncs(b) ? file_sync_data(b->fd) : ERR_OK;

	return e ? e : journal_void(b, fd);
}

/* Data is written; the file ends behind it. */
static enum err shrink(struct mbox_box *b, uint64_t new_end)
{
	enum err e = syncs(b) ? file_sync_data(b->fd) : ERR_OK;

	return !e && ftruncate(b->fd, (off_t)new_end) < 0 ? err_from_errno(errno) : e;
}

/*
 * The file becomes as long as it will be before a byte of what it holds is overwritten: else those might be on the disk when the
 * power fails, and what is behind them not. When there is no room for it all is as it was.
 */
static enum err grow(struct mbox_box *b, int fd, const struct note *n)
{
	enum err e = ftruncate(b->fd, (off_t)(n->from + n->n)) < 0 ? err_from_errno(errno) : ERR_OK;

	if (!e && syncs(b))
		e = file_sync_data(b->fd);
	if (!e)
		e = copy_range(fd, HEAD + n->to - n->from, HEAD + n->n, b->fd, n->to);
	if (e && ftruncate(b->fd, (off_t)n->to) == 0)
		(void)finish(b, fd);
	return e;
}

static enum err note_apply(struct mbox_box *b, int fd, const struct note *n)
{
	enum err e = n->n > n->to - n->from ? grow(b, fd, n) : ERR_OK;

	if (!e)
		e = data_write(b, fd, n);
	if (!e && n->n < n->to - n->from)
		e = shrink(b, n->from + n->n);
	return e ? e : finish(b, fd);
}

/* Flags that were changed in place and not synced would be other bytes than those summed here, once the power has failed. */
static enum err note_fill(struct mbox_box *b, struct note *n)
{
	struct stat st;
	enum err e = fstat(b->fd, &st) < 0 ? err_from_errno(errno) : ERR_OK;

	if (!e && syncs(b))
		e = file_sync_data(b->fd);
	n->ino = e ? 0 : st.st_ino;
	if (!e)
		e = ahead_sum(b, n->from, &n->ahead);
	if (!e)
		e = sum_range(b->fd, n->from, n->to, &n->old);
	return e || n->from + n->n >= n->to ? e : sum_range(b->fd, n->from + n->n, n->to, &n->rest);
}

enum err spill_apply(struct mbox_box *b, struct spill *s, uint64_t from, uint64_t to, struct errtext *t)
{
	struct note n = { .kind = 'f', .from = from, .to = to, .n = s->n };
	enum err e = spill_flush(b, s, t);

	if (e)
		return e;
	n.new = XXH3_64bits_digest(s->sum);
	e = note_fill(b, &n);
	if (!e && syncs(b))
		e = file_sync_data(s->fd);
	if (!e)
		e = head_write(b, s->fd, &n);
	if (!e)
		e = note_apply(b, s->fd, &n);
	return e ? err_say(t, e, "%s cannot be rewritten: %s", b->path, err_name(e)) : ERR_OK;
}

/* --- appending --------------------------------------------------------------------------- */

enum err journal_append_begin(struct mbox_box *b, uint64_t at, struct span first)
{
	struct note n = { .kind = 't', .from = at, .to = at, .n = first.n, .new = XXH3_64bits(first.p, first.n) };
	int fd;
	enum err e = journal_make(b, &fd, NULL);

	if (e)
		return e;
	e = note_fill(b, &n);
	if (!e)
		e = head_write(b, fd, &n);
	close(fd);
	return e;
}

enum err journal_append_end(struct mbox_box *b, struct errtext *t)
{
	int fd = journal_open(b, O_RDWR);
	enum err e = fd < 0 ? ERR_IO : journal_void(b, fd);

	if (fd >= 0)
		close(fd);
	return e ? err_say(t, e, JOURNAL " of %s: %s", b->name, err_name(e)) : ERR_OK;
}

/* --- recovery ----------------------------------------------------------------------------- */

struct recovery {
	struct mbox_box *b;
	int fd;
	struct note n;
	uint64_t size; /* of the mbox now */
};

static enum err set_aside(struct recovery *r, struct errtext *t)
{
	char name[64];

	snprintf(name, sizeof(name), JOURNAL ".%016" PRIx64, r->n.new ^ r->n.from);
	if (renameat(r->b->control_fd, JOURNAL, r->b->control_fd, name) < 0)
		return err_sys(t, JOURNAL " of %s", r->b->name);
	return ERR_OK;
}

/* Is it this file's journal? */
static enum err fits(struct recovery *r, bool *fits_r)
{
	struct stat st;
	uint64_t ahead;
	enum err e = fstat(r->b->fd, &st) < 0 ? err_from_errno(errno) : ERR_OK;

	*fits_r = false;
	r->size = e ? 0 : (uint64_t)st.st_size;
	if (e || st.st_ino != r->n.ino || r->size < r->n.from)
		return e;
	e = ahead_sum(r->b, r->n.from, &ahead);
	*fits_r = !e && ahead == r->n.ahead;
	return e;
}

/* A range of the mbox against a sum; a file that is too short has another. */
static enum err same_range(struct recovery *r, uint64_t from, uint64_t to, uint64_t sum, bool *same_r)
{
	uint64_t now;
	enum err e = ERR_OK;

	*same_r = false;
	if (to > r->size)
		return ERR_OK;
	e = sum_range(r->b->fd, from, to, &now);
	*same_r = !e && now == sum;
	return e;
}

/* Where the first From_ line behind from begins, which need not begin a line; the end of the file when there is none. */
static enum err next_from(struct recovery *r, uint64_t from, uint64_t *at_r)
{
	char *p = mem_array(PIECE, 1);
	uint64_t at = from;
	size_t got = PIECE;
	enum err e = ERR_OK;

	*at_r = r->size;
	while (!e && *at_r == r->size && got == PIECE) {
		struct span rest, line;
		size_t i;

		e = read_at(r->b->fd, p, PIECE, at, &got);
		rest = span_of(p, e ? 0 : got);
		while (*at_r == r->size && (i = span_search(rest, SPAN("From "))) != SIZE_MAX) {
			rest = span_from(rest, i);
			line = span_cut(rest, 0, span_find(rest, '\n'));
			if (mbox_from_parse(line, NULL))
				*at_r = at + (uint64_t)(rest.p - p);
			rest = span_from(rest, 5);
		}
		at += PIECE - MBOX_FROM_MAX - 2;
	}
	free(p);
	return e;
}

/* What others appended behind foreign moves to new_end. */
static enum err foreign_move(struct recovery *r, uint64_t new_end, uint64_t foreign, struct errtext *t)
{
	struct spill s;
	enum err e = syncs(r->b) ? file_sync_data(r->b->fd) : ERR_OK;

	if (e)
		return e;
	e = spill_begin(r->b, &s, t);
	if (!e)
		e = spill_range(r->b, &s, foreign, r->size - foreign, t);
	if (!e)
		e = spill_apply(r->b, &s, new_end, r->size, t);
	spill_end(&s);
	return e;
}

/* A torn tail of ours goes; what others appended behind it stays. */
static enum err tail_cut(struct recovery *r, struct errtext *t)
{
	uint64_t from = r->n.from, foreign;
	bool ours;
	enum err e = same_range(r, from, from + r->n.n, r->n.new, &ours);

	if (!e)
		e = next_from(r, ours ? from + r->n.n : from, &foreign);
	return e ? e : foreign_move(r, from, foreign, t);
}

/* Each byte that the file grows by is that of data, or zero: it was made longer, and whoever appended did so behind that. */
static enum err was_grown(struct recovery *r, bool *grown_r)
{
	const struct note *n = &r->n;
	uint64_t end = n->from + n->n;
	char *p = mem_array(2 * PIECE, 1), *data = p + PIECE;
	enum err e = ERR_OK;

	*grown_r = r->size >= end;
	for (uint64_t at = n->to; !e && *grown_r && at < end; at += PIECE) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE, got, got_data;

		e = read_at(r->b->fd, p, want, at, &got);
		if (!e)
			e = read_at(r->fd, data, want, HEAD + at - n->from, &got_data);
		*grown_r = !e && got == want && got_data == want;
		for (size_t i = 0; *grown_r && i < want; i++)
			*grown_r = p[i] == '\0' || p[i] == data[i];
	}
	free(p);
	return e;
}

static bool data_whole(struct recovery *r)
{
	uint64_t sum;

	return sum_range(r->fd, HEAD, HEAD + r->n.n, &sum) == ERR_OK && sum == r->n.new;
}

static enum err redo(struct recovery *r, struct errtext *t)
{
	const struct note *n = &r->n;
	uint64_t new_end = n->from + n->n;
	enum err e = ERR_OK;

	if (r->size < n->to)
		return set_aside(r, t);
	if (data_whole(r))
		e = data_write(r->b, r->fd, n);
	if (!e && n->to > new_end && r->size > n->to)
		return foreign_move(r, new_end, n->to, t);
	if (!e && n->to > new_end)
		e = shrink(r->b, new_end);
	return e ? e : finish(r->b, r->fd);
}

/*
 * A file system cuts a file by writing zeros behind the new end first, up to that of a block: those may be there when the power
 * fails, and the new size not. No message begins with one.
 */
static enum err cut_begun(struct recovery *r, uint64_t new_end, bool *begun_r)
{
	char first = 1;
	size_t n;
	enum err e = read_at(r->b->fd, &first, 1, new_end, &n);

	*begun_r = !e && n == 1 && first == '\0';
	return e;
}

static enum err growth_recover(struct recovery *r, struct errtext *t)
{
	bool old, grown;
	enum err e = same_range(r, r->n.from, r->n.to, r->n.old, &old);

	if (!e)
		e = was_grown(r, &grown);
	if (e)
		return e;
	if (grown && data_whole(r))
		return redo(r, t);
	return old ? journal_void(r->b, r->fd) : set_aside(r, t);
}

static enum err file_recover(struct recovery *r, struct errtext *t)
{
	const struct note *n = &r->n;
	uint64_t new_end = n->from + n->n;
	bool old, new, rest, cut = false;
	enum err e;

	if (new_end > n->to)
		return growth_recover(r, t);
	e = same_range(r, n->from, n->to, n->old, &old);
	if (!e)
		e = same_range(r, n->from, new_end, n->new, &new);
	if (!e)
		e = same_range(r, new_end, n->to, n->rest, &rest);
	if (!e && r->size >= n->to)
		e = cut_begun(r, new_end, &cut);
	if (e)
		return e;
	if (old)
		return journal_void(r->b, r->fd);
	if (new && n->to > new_end && !rest && !cut)
		return finish(r->b, r->fd);
	return redo(r, t);
}

enum err journal_recover(struct mbox_box *b, struct errtext *t)
{
	struct recovery r = { .b = b, .fd = journal_open(b, O_RDWR) };
	bool ours = false;
	enum err e = r.fd < 0 ? ERR_NOTFOUND : head_read(r.fd, &r.n);

	if (!e)
		e = fits(&r, &ours);
	if (!e && !ours)
		e = set_aside(&r, t);
	else if (!e && r.n.kind == 't')
		e = r.size > r.n.from ? tail_cut(&r, t) : journal_void(b, r.fd);
	else if (!e)
		e = file_recover(&r, t);
	if (r.fd >= 0)
		close(r.fd);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}
