/*
 * Putting messages into an mbox: staged in a file without a name, then appended, all of a batch with one sync.
 *
 * The UIDs are taken first, in the base at the file's beginning; then the journal notes where the file ended; then the
 * messages are appended, each with its X-UID, synced, and the note is void again. Hidden lines that the sender wrote are left
 * out. A Content-Length is written when the body holds a line that some program could take for a From_ line, and for large
 * bodies.
 */
#include "file.h"
#include "mbox_from.h"
#include "mbox_journal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

enum {
	PIECE = 256 << 10,
	LENGTH_FROM = 1024,      /* bytes of body that get a Content-Length */
	OVERLAP = sizeof("\nFrom ") - 2, /* bytes */
};

/* --- staging --------------------------------------------------------------------------------- */

int mbox_scratch(struct mbox_box *b)
{
	int dir = b->control_fd >= 0 ? b->control_fd : b->r->control_fd;
	int fd = dir < 0 ? -1 : openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[64];

	if (fd >= 0 || dir < 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	snprintf(name, sizeof(name), "roost-tmp.%ld.%llx", (long)getpid(), (unsigned long long)clock_wall_us());
	fd = file_open(dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		unlinkat(dir, name, 0);
	return fd;
}

enum err mbox_stage(struct store_box *sb, uint64_t size_hint, struct store_stage *st_r, struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	enum err e;

	if (b->head.readonly)
		return err_say(t, ERR_READONLY, "%s is read-only", b->name);
	if (file_room(b->dir_fd, size_hint))
		return err_say(t, ERR_NOSPACE, "no room for the message in %s", b->name);
	e = mbox_control_make(b, t);
	if (e)
		return e;
	int fd = mbox_scratch(b);
	if (fd < 0)
		return err_sys(t, "no file for the message of %s", b->name);
	*st_r = (struct store_stage){ .box = sb, .fd = fd };
	return ERR_OK;
}

void mbox_abort(struct store_stage *st)
{
	if (st->fd >= 0)
		close(st->fd);
	st->fd = -1;
}

/* --- one message -------------------------------------------------------------------------------- */

/* Appended bytes on their way into the file. */
struct appending {
	struct mbox_box *b;
	struct buf out;
	uint64_t at;       /* where out will lie */
	uint32_t uid;      /* of the next message */
	bool first;        /* the next one begins the file and carries the base */
	bool noted;        /* in the journal, that we are about to append */
	uint32_t validity, last;
	XXH3_state_t *sum; /* of what clients will see of the message */
};

/* The From_ line, and what parts it from the message before. */
static struct span first_line(const struct buf *out)
{
	size_t lead = out->n && out->p[0] == '\n', n = span_find(span_from(buf_span(out), lead), '\n');

	return span_cut(buf_span(out), 0, n == SIZE_MAX ? out->n : lead + n + 1);
}

static enum err flush(struct appending *a)
{
	enum err e = a->noted ? ERR_OK : journal_append_begin(a->b, a->at, first_line(&a->out));

	if (e)
		return e;
	a->noted = true;
	e = file_write_at(a->b->fd, a->out.p, a->out.n, &a->at);
	if (e)
		return e;
	buf_clear(&a->out);
	return ERR_OK;
}

/* The staged body: does it hold a line that begins as a From_ line does, and how does it end? */
struct body {
	int fd;
	uint64_t from, size;
	bool quotes_from;
	char last;
};

static enum err piece_read(const struct body *y, uint64_t at, struct buf *piece)
{
	ssize_t got;

	buf_clear(piece);
	if (!buf_reserve(piece, PIECE))
		return ERR_MEMORY;
	got = pread(y->fd, piece->p, PIECE, (off_t)at);
	if (got <= 0)
		return ERR_IO;
	piece->n = (size_t)got;
	return ERR_OK;
}

static enum err body_look(struct body *y, struct buf *piece)
{
	uint64_t at = y->from ? y->from - 1 : 0;
	enum err e = ERR_OK;

	while (!e && at < y->size) {
		e = piece_read(y, at, piece);
		if (e)
			break;
		y->quotes_from |= mbox_from_search(buf_span(piece)) != SIZE_MAX;
		y->last = piece->p[piece->n - 1];
		at += piece->n;
		if (at < y->size) /* a line may lie across the border */
			at -= piece->n > OVERLAP ? OVERLAP : 0;
	}
	return e;
}

static enum err body_append(struct appending *a, const struct body *y, struct buf *piece)
{
	enum err e = ERR_OK;

	for (uint64_t at = y->from; !e && at < y->size; at += piece->n) {
		e = piece_read(y, at, piece);
		if (e)
			break;
		buf_add_span(&a->out, buf_span(piece));
		XXH3_128bits_update(a->sum, piece->p, piece->n);
		if (a->out.n >= PIECE)
			e = flush(a);
	}
	return e;
}

/* Of a Return-Path in the header; empty: none. */
static struct span sender_of(struct span text)
{
	struct span line, rest = text;

	while (span_split(&rest, '\n', &line) && line.n) {
		size_t from, to;

		if (!span_istarts(line, SPAN("Return-Path:")))
			continue;
		from = span_find(line, '<');
		to = span_find(line, '>');
		return from < to && to != SIZE_MAX ? span_cut(line, from + 1, to - from - 1) : span_of("", 0);
	}
	return span_of("", 0);
}

static enum err head_read(int fd, uint64_t size, struct buf *text, struct mbox_head *h)
{
	struct span all;

	ssize_t got;

	buf_clear(text);
	if (!buf_reserve(text, size < MBOX_HEAD_MAX ? (size_t)size : MBOX_HEAD_MAX))
		return ERR_MEMORY;
	got = pread(fd, text->p, size < MBOX_HEAD_MAX ? (size_t)size : MBOX_HEAD_MAX, 0);
	if (got < 0)
		return err_from_errno(errno);
	text->n = (size_t)got;
	all = buf_span(text);
	mbox_head_parse(all, h);
	mbox_head_limit(&all, h);
	text->n = all.n;
	return ERR_OK;
}

static void block_append(struct appending *a, const struct store_commit *c, uint64_t length)
{
	const char *names[MAIL_KEYWORDS_MAX];
	struct mbox_block block = {
		.uid = a->uid,
		.flags = c->flags,
		.names = names,
		.content_length = length,
		.based = a->first,
		.validity = a->validity,
		.last = a->last,
	};

	mbox_names(a->b, names);
	if (c->recent)
		block.flags.system |= MAIL_RECENT;
	mbox_block_put(&a->out, &block, 0);
}

/*
 * Bytes that clients will see. Hidden lines of the sender's are left out: then what the caller knows of the staged bytes
 * does not hold.
 */
static void commit_told(struct appending *a, struct store_commit *c, const struct mbox_head *h, uint64_t body,
			struct arena *arena)
{
	char *key = arena_printf(arena, "%u", a->uid);
	char *hint = mbox_hint(arena, a->at + a->out.n, c->recent);

	c->key = span_str(key);
	c->hint = span_str(hint);
	c->size = h->visible + (h->size == h->end) + body;
	c->altered = h->size == h->end || h->scattered || h->block < h->end;
}

static enum err head_append(struct appending *a, struct store_commit *c, struct span text, const struct mbox_head *h,
			    uint64_t length)
{
	struct span end = h->size > h->end ? span_cut(text, h->end, h->size - h->end) : SPAN("\n");
	struct buf visible;
	enum err e;

	buf_init(&visible, 2 * MBOX_HEAD_MAX);
	mbox_head_visible(text, h, false, &visible);
	if (visible.n && visible.p[visible.n - 1] != '\n')
		buf_add_char(&visible, '\n');
	mbox_from_put(&a->out, sender_of(buf_span(&visible)), c->internaldate);
	buf_add_span(&a->out, buf_span(&visible));
	block_append(a, c, length);
	buf_add_span(&a->out, end);
	XXH3_128bits_reset(a->sum);
	XXH3_128bits_update(a->sum, visible.p, visible.n);
	XXH3_128bits_update(a->sum, end.p, end.n);
	e = visible.failed || a->out.failed ? ERR_MEMORY : ERR_OK;
	buf_free(&visible);
	return e;
}

static enum err message_append(struct appending *a, struct store_commit *c, struct buf *head, struct buf *piece,
			       struct arena *arena)
{
	struct body y = { .fd = c->stage->fd };
	XXH128_canonical_t guid;
	struct mbox_head h;
	struct stat st;
	uint64_t body;
	enum err e = fstat(y.fd, &st) < 0 ? err_from_errno(errno) : ERR_OK;

	y.size = e ? 0 : (uint64_t)st.st_size;
	if (!e)
		e = head_read(y.fd, y.size, head, &h);
	if (e)
		return e;
	y.from = h.size;
	body = y.size - y.from;
	e = body_look(&y, piece);
	if (e)
		return e;
	bool length = y.quotes_from || body >= LENGTH_FROM || (body && y.last != '\n');
	if (!c->internaldate)
		c->internaldate = clock_wall();
	commit_told(a, c, &h, body, arena);
	e = head_append(a, c, buf_span(head), &h, length ? body : UINT64_MAX);
	if (!e)
		e = body_append(a, &y, piece);
	buf_add_char(&a->out, '\n');
	XXH128_canonicalFromHash(&guid, XXH3_128bits_digest(a->sum));
	memcpy(c->guid, guid.digest, sizeof(c->guid));
	a->first = false;
	a->uid++;
	return e;
}

/* --- the batch -------------------------------------------------------------------------------------- */

/*
 * A last message that nothing yet parts from the next. Where a line end does there shall be no empty line more: that line end
 * would become the message's, and its size another.
 */
static enum err end_last(struct appending *a)
{
	char last = '\n';

	if (a->at && pread(a->b->fd, &last, 1, (off_t)a->at - 1) < 0)
		return err_from_errno(errno);
	if (last != '\n')
		buf_add_char(&a->out, '\n');
	return ERR_OK;
}

static enum err file_make(struct mbox_box *b, struct errtext *t)
{
	int fd = b->fd >= 0 ? -1 : openat(b->dir_fd, b->base, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, b->r->file_mode);

	if (fd < 0)
		return b->fd >= 0 || errno == EEXIST ? ERR_OK : err_sys(t, "%s cannot be made", b->path);
	close(fd);
	if (b->r->sync != STORE_SYNC_NEVER && file_sync_dir(b->dir_fd))
		return err_say(t, ERR_IO, "the directory of %s cannot be synced", b->path);
	return ERR_OK;
}

/* The file exists, is locked and known; who has no UID gets one, and n more are set aside. */
static enum err ready(struct mbox_box *b, size_t n, struct appending *a, struct errtext *t)
{
	struct mbox_want want = { .number = true, .reserve = (uint32_t)n };
	enum err e = file_make(b, t);

	if (!e)
		e = mbox_lock(b, F_WRLCK, t);
	if (e)
		return e;
	if (b->fd < 0)
		return err_say(t, ERR_INUSE, "%s was just removed", b->path);
	if (!b->writable)
		return err_say(t, ERR_READONLY, "%s may not be written to", b->path);
	e = mbox_map_update(b, MBOX_LOOK_NEW, t);
	if (!e)
		e = mbox_rewrite(b, &want, t);
	if (e)
		return e;
	a->at = b->map.stamp.size;
	a->first = !b->map.based;
	if (!a->first) {
		a->last = b->map.last;
		a->uid = a->last - (uint32_t)n + 1;
		return ERR_OK;
	}
	e = mbox_base_claim(b, true, &a->validity, &a->last, t);
	a->uid = a->last + 1;
	a->last += (uint32_t)n;
	return e;
}

static enum err append_all(struct appending *a, struct store_commit *c, size_t n, struct arena *arena,
			   struct errtext *t)
{
	bool sync = a->b->r->sync != STORE_SYNC_NEVER;
	uint64_t start = a->at;
	struct mbox_stamp written;
	struct buf head, piece;
	enum err e = end_last(a);

	buf_init(&head, MBOX_HEAD_MAX);
	buf_init(&piece, PIECE);
	a->sum = XXH3_createState();
	must(a->sum);
	for (size_t i = 0; !e && i < n; i++)
		e = message_append(a, &c[i], &head, &piece, arena);
	if (!e)
		e = a->out.failed ? ERR_MEMORY : flush(a);
	if (!e && sync)
		e = file_sync_data(a->b->fd);
	/* A note that stays takes the messages away with the next lock: they are not there before it is void. */
	if (!e)
		e = journal_append_end(a->b, NULL);
	if (e && ftruncate(a->b->fd, (off_t)start) == 0 && a->noted)
		(void)journal_append_end(a->b, NULL);
	if (!e)
		(void)mbox_stamp_own(a->b, &a->b->map.stamp, true, &written);
	buf_free(&head);
	buf_free(&piece);
	XXH3_freeState(a->sum);
	return e ? err_say(t, e, "%s cannot be appended to: %s", a->b->path, err_name(e)) : ERR_OK;
}

enum err mbox_commit_many(struct store_box *sb, struct store_commit *c, size_t n, struct arena *arena,
			  struct errtext *t)
{
	struct mbox_box *b = mbox_box_of(sb);
	struct appending a = { .b = b };
	enum err e = ready(b, n, &a, t);

	buf_init(&a.out, 4 * (size_t)MBOX_HEAD_MAX);
	if (!e)
		e = append_all(&a, c, n, arena, t);
	mbox_unlock(b);
	buf_free(&a.out);
	for (size_t i = 0; e != ERR_INUSE && i < n; i++) {
		c[i].err = e;
		mbox_abort(c[i].stage);
	}
	return e;
}
