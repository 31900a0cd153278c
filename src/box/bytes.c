/*
 * The bytes of one message, in CRLF form. Read with pread in pieces: a mail file is never mapped, for
 * whoever truncates a mapped file kills its readers.
 *
 * A view remembers the message that it opened last and where the reading of its last section stood, so that
 * a client that fetches a large part in chunks costs one pass. A position is only remembered where no half of a
 * line end is owed.
 */
#include "made.h"
#include "query.h"
#include "room.h"

#include "base/clock.h"
#include "base/mem.h"
#include "mime/crlf.h"
#include "mime/header.h"
#include "mime/section.h"
#include "mime/tree.h"

#include <sys/stat.h>
#include <unistd.h>

enum {
	PIECE = 256 << 10,
	SKIP_PIECE = 64 << 10,
	HEADER_LOAD = 16 << 20,
	MADE_MAX = 64 << 20,
	PART_HEADER = 1 << 20, /* enough to find two fields */
	OPEN_TRIES = 3,
};

/* Where sequential reading stands: CRLF offset and stored offset within [from, to). */
struct mark {
	uint64_t from, to, at, at_stored;
};

struct message {
	struct view *v;        /* borrowed */
	uint32_t uid;
	unsigned users;        /* opened and not closed; 0: kept as the view's last */
	struct object o;       /* as object_open left it */
	bool described;        /* these are the bytes that the cache speaks of */
	struct mime_tree tree; /* own; n 0: not there yet */
	struct mime_parser *parser; /* own: of the tree that is becoming that */
	struct mime_tree parsed; /* own: that */
	bool counted;          /* crlf is known */
	uint64_t crlf;         /* of the whole, in CRLF form */
	struct mark mark;
	struct loaded stored;  /* message_stored, */
	bool lent;             /* if somebody called it; else for a moment */
	struct buf piece;      /* own */
	struct buf made;       /* own: filtered headers, of the last message_section */
};

/* --- reading ranges ------------------------------------------------------------------ */

enum err bytes_short(struct errtext *t)
{
	return err_say(t, ERR_IO, "A message file became shorter while it was read");
}

static enum err read_at(int fd, uint64_t offset, size_t n, struct buf *out, struct errtext *t)
{
	while (n > 0) {
		ssize_t got;

		if (!buf_reserve(out, n))
			return err_say(t, ERR_MEMORY, "No memory for the bytes of a message");
		got = pread(fd, out->p + out->n, n, (off_t)offset);
		if (got < 0)
			return err_sys(t, "Cannot read a message");
		if (got == 0)
			return bytes_short(t);
		out->n += (size_t)got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return ERR_OK;
}

enum err bytes_load(int fd, uint64_t offset, uint64_t length, struct buf *out, struct errtext *t)
{
	buf_clear(out);
	if (length > LOAD_MAX || length > out->max)
		return err_say(t, ERR_LIMIT, "The message is too large to be looked into");
	return read_at(fd, offset, (size_t)length, out, t);
}

/* --- opening -------------------------------------------------------------------------- */

static enum err open_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct message *m = arg;
	struct idx_msg im;
	enum err e = idx_msg_get(x, r->b.id, m->uid, &im);

	if (e == ERR_NOTFOUND)
		return ERR_EXPUNGED;
	if (!e)
		e = object_open(m->v->mb, im.key, im.hint, &m->o, &m->stored, t);
	if (!e)
		m->described = im.size == m->o.length;
	return e == ERR_CORRUPT ? ERR_IO : e;
}

static enum err parts_run(struct idx_txn *x, struct rec *r, void *arg, struct errtext *t)
{
	struct message *m = arg;
	struct idx_cache c;
	enum err e = idx_cache_get(x, r->b.id, m->uid, &c);

	if (!e && c.field[IDX_PARTS].p && mime_tree_decode(c.field[IDX_PARTS], &m->tree))
		mime_tree_free(&m->tree);
	return e == ERR_NOTFOUND ? ERR_OK : e;
}

static void message_free(struct message *m)
{
	object_close(&m->o);
	mime_parser_free(&m->parser);
	mime_tree_free(&m->parsed);
	mime_tree_free(&m->tree);
	loaded_free(&m->stored);
	buf_free(&m->piece);
	buf_free(&m->made);
	free(m);
}

void view_forget_msg(struct view *v)
{
	if (!v->last || v->last->users)
		return;
	message_free(v->last);
	v->last = NULL;
}

static struct message *message_new(struct view *v, uint32_t uid)
{
	struct message *m = mem_alloc(sizeof(*m));

	m->v = v;
	m->uid = uid;
	m->o = OBJECT_CLOSED;
	m->users = 1;
	loaded_init(&m->stored);
	buf_init(&m->piece, PIECE + 1);
	buf_init(&m->made, MADE_MAX);
	return m;
}

enum err message_open(struct view *v, uint32_t uid, struct message **m, struct errtext *t)
{
	enum err e = ERR_INUSE;

	if (*m && (*m)->uid != uid)
		message_close(m);
	if (!*m && v->last && v->last->uid == uid) {
		v->last->users++;
		*m = v->last;
		return ERR_OK;
	}
	if (!*m)
		*m = message_new(v, uid);
	/* Where others rename and remove, its record as it is now says where it went, or that it went. */
	for (int i = 0; i < OPEN_TRIES && e == ERR_INUSE; i++)
		e = mailbox_read(v->mb, open_run, *m, t);
	if (e == ERR_EXPUNGED)
		mailbox_look_again(v->mb);
	if (e && e != ERR_AGAIN)
		message_close(m);
	if (e)
		return e;
	view_forget_msg(v);
	if (!v->last)
		v->last = *m;
	return ERR_OK;
}

void message_close(struct message **m)
{
	struct message *c = *m;

	*m = NULL;
	if (!c || --c->users)
		return;
	if (c->v->last != c) {
		message_free(c);
		return;
	}
	mime_parser_free(&c->parser);
	loaded_free(&c->stored);
	c->lent = false;
	buf_free(&c->piece);
	buf_free(&c->made);
}

/* The tree from the bytes. ERR_AGAIN. What is large is not held while a client takes it, which may be long. */
static enum err parse_tree(struct message *m, struct errtext *t)
{
	enum err e = loaded_get(&m->stored, m->v->mb->acct, &m->o, t);

	if (e)
		return e;
	if (!m->parser)
		m->parser = mime_parser_new(m->stored.bytes, &m->parsed, NULL);
	if (made_parse(m->parser, clock_us() + SLICE_US))
		return ERR_AGAIN;
	mime_parser_free(&m->parser);
	m->tree = m->parsed;
	m->parsed = (struct mime_tree){ .n = 0 };
	if (m->o.length > LOAD_LARGE && !m->lent)
		loaded_free(&m->stored);
	return ERR_OK;
}

/* The tree from the cache, else from the bytes. ERR_AGAIN. */
static enum err message_tree(struct message *m, struct errtext *t)
{
	enum err e = ERR_OK;

	if (!m->tree.n && !m->parser && m->described)
		e = mailbox_read(m->v->mb, parts_run, m, t);
	return e || m->tree.n ? e : parse_tree(m, t);
}

enum err message_parts(struct message *m, const struct mime_tree **tree_r, struct errtext *t)
{
	enum err e = message_tree(m, t);

	if (!e)
		*tree_r = &m->tree;
	return e;
}

unsigned message_links(const struct message *m)
{
	struct stat st;

	return m->o.fd >= 0 && fstat(m->o.fd, &st) == 0 && st.st_nlink > 0 ? (unsigned)st.st_nlink : 1;
}

enum err message_stored(struct message *m, size_t max, struct span *bytes_r, struct errtext *t)
{
	enum err e;

	if (m->o.length > max)
		return err_say(t, ERR_LIMIT, "The message is too large to be looked into");
	e = loaded_get(&m->stored, NULL, &m->o, t);
	if (e)
		return e;
	m->lent = true;
	*bytes_r = m->stored.bytes;
	return ERR_OK;
}

/* --- sections -------------------------------------------------------------------------- */

/* As stored; into a buffer of the caller's when the message is not loaded. */
static enum err range_bytes(struct message *m, const struct mime_range *range, struct buf *own, struct span *s_r,
			    struct errtext *t)
{
	enum err e;

	if (m->stored.bytes.p) {
		*s_r = span_cut(m->stored.bytes, (size_t)range->off, (size_t)range->size);
		return ERR_OK;
	}
	e = bytes_load(m->o.fd, m->o.offset + range->off, range->size, own, t);
	*s_r = buf_span(own);
	return e;
}

/* HEADER.FIELDS: the block is read and filtered, the result converted. */
static enum err make_fields(struct message *m, const struct mime_section *section, const struct span *names,
			    size_t n, const struct mime_range *range, struct message_bytes *b, struct errtext *t)
{
	struct mime_crlf state = MIME_CRLF_START;
	struct buf block, kept;
	struct span header;
	enum err e;

	buf_init(&block, HEADER_LOAD);
	buf_init(&kept, HEADER_LOAD);
	e = range_bytes(m, range, &block, &header, t);
	if (!e) {
		mime_header_filter(header, names, n, section->kind == MIME_SECTION_FIELDS_NOT, &kept);
		buf_clear(&m->made);
		mime_crlf_add(&state, buf_span(&kept), &m->made);
		if (kept.failed || m->made.failed)
			e = err_say(t, ERR_LIMIT, "The header is too large");
	}
	b->made = buf_span(&m->made);
	b->size = m->made.n;
	buf_free(&block);
	buf_free(&kept);
	return e;
}

/* The whole of a small message, whose structure nobody has asked for: one reading gives its size and then its bytes. */
static bool is_simple(const struct message *m, const struct mime_section *section)
{
	bool whole = !section || (section->kind == MIME_SECTION_ALL && !section->depth);

	return whole && !m->tree.n && m->o.length <= PIECE;
}

static enum err whole_range(struct message *m, struct mime_range *range_r, struct errtext *t)
{
	struct span stored;
	enum err e = m->counted ? ERR_OK : message_stored(m, PIECE, &stored, t);

	if (e)
		return e;
	if (!m->counted)
		m->crlf = mime_crlf_size(stored);
	m->counted = true;
	*range_r = (struct mime_range){ 0, m->o.length, m->crlf };
	return ERR_OK;
}

static enum err find_range(struct message *m, const struct mime_section *section, struct mime_range *range_r,
			   bool *holds_parts_r, struct errtext *t)
{
	static const struct mime_section whole = { .kind = MIME_SECTION_ALL };
	uint32_t part;
	enum err e;

	if (is_simple(m, section))
		return whole_range(m, range_r, t);
	e = message_tree(m, t);
	if (!e)
		e = mime_section_find(&m->tree, section ? section : &whole, range_r, &part);
	if (!e)
		*holds_parts_r = m->tree.part[part].flags & (MIME_PART_MULTIPART | MIME_PART_MESSAGE);
	return e;
}

static void take_range(struct message *m, const struct mime_range *range, struct message_bytes *b)
{
	b->from = range->off;
	b->to = range->off + range->size;
	b->size = range->crlf;
	if (m->mark.from == b->from && m->mark.to == b->to) {
		b->at = m->mark.at;
		b->at_stored = m->mark.at_stored;
	} else {
		b->at = 0;
		b->at_stored = b->from;
	}
}

enum err message_section(struct message *m, const struct mime_section *section, const struct span *names, size_t n,
			 struct message_bytes *b_r, struct errtext *t)
{
	struct message_bytes b = { .msg = m };
	struct mime_range range;
	enum err e = find_range(m, section, &range, &b.holds_parts, t);

	if (e == ERR_NOTFOUND) {
		b.nil = true;
		*b_r = b;
		return ERR_OK;
	}
	if (e)
		return e;
	if (range.off > m->o.length || range.size > m->o.length - range.off)
		return err_say(t, ERR_IO, "A message file is not what it was");
	if (section && (section->kind == MIME_SECTION_FIELDS || section->kind == MIME_SECTION_FIELDS_NOT))
		e = make_fields(m, section, names, n, &range, &b, t);
	else
		take_range(m, &range, &b);
	if (!e)
		*b_r = b;
	return e;
}

/* --- reading in CRLF form ---------------------------------------------------------------- */

/* Is the byte before a stored position a CR? Within the section only: parts never begin between CR and LF. */
static enum err state_at(struct message_bytes *b, uint64_t at_stored, struct mime_crlf *st_r)
{
	char before = 0;

	*st_r = (struct mime_crlf)MIME_CRLF_START;
	if (at_stored == b->from)
		return ERR_OK;
	if (b->msg->stored.bytes.p) {
		st_r->after_cr = b->msg->stored.bytes.p[at_stored - 1] == '\r';
		return ERR_OK;
	}
	if (pread(b->msg->o.fd, &before, 1, (off_t)(b->msg->o.offset + at_stored - 1)) != 1)
		return ERR_IO;
	st_r->after_cr = before == '\r';
	return ERR_OK;
}

static enum err next_piece(struct message_bytes *b, size_t most, struct span *piece_r, struct errtext *t)
{
	struct message *m = b->msg;
	uint64_t left = b->to - b->at_stored;
	enum err e;

	if (m->stored.bytes.p) {
		*piece_r = span_cut(m->stored.bytes, (size_t)b->at_stored, left < most ? (size_t)left : most);
		return ERR_OK;
	}
	buf_clear(&m->piece);
	e = read_at(m->o.fd, m->o.offset + b->at_stored, left < most ? (size_t)left : most, &m->piece, t);
	*piece_r = buf_span(&m->piece);
	return e;
}

/* Moves the position forward, at most to offset; it stops before a line end that offset would cut in half. */
static enum err skip_to(struct message_bytes *b, uint64_t offset, struct errtext *t)
{
	while (b->at < offset && b->at_stored < b->to) {
		struct mime_crlf st;
		struct span piece;
		size_t eaten;
		enum err e = state_at(b, b->at_stored, &st);

		/* A piece must not begin between CR and LF: begin with the CR. */
		if (!e && st.after_cr) {
			b->at--;
			b->at_stored--;
		}
		if (!e)
			e = next_piece(b, SKIP_PIECE, &piece, t);
		if (e)
			return e;
		eaten = mime_crlf_seek(&st, piece, offset - b->at);
		if (eaten < piece.n) {
			b->at = offset - (st.owes_lf ? 1 : 0);
			b->at_stored += eaten;
			return ERR_OK;
		}
		b->at += mime_crlf_size(piece);
		b->at_stored += piece.n;
	}
	return ERR_OK;
}

/* One piece, converted, from the position on; drop: bytes of it to leave out at the front (a CR already delivered). */
static enum err copy_piece(struct message_bytes *b, size_t drop, size_t max, struct buf *out, struct errtext *t)
{
	size_t start = out->n, eaten, got;
	struct mime_crlf st;
	struct span piece;
	enum err e = state_at(b, b->at_stored, &st);

	if (!e)
		e = next_piece(b, max + drop < PIECE ? max + drop : PIECE, &piece, t);
	if (e)
		return e;
	eaten = mime_crlf_copy(&st, piece, max + drop, out);
	got = out->n - start;
	if (out->failed || got == 0)
		return err_say(t, ERR_MEMORY, "No room for the bytes of a message");
	b->at_stored += eaten;
	b->at += got;
	if (st.owes_lf)
		b->at--; /* stand before the line end whose CR went out */
	if (drop) {
		memmove(out->p + start, out->p + start + drop, got - drop);
		out->n -= drop;
	}
	return ERR_OK;
}

static enum err read_range(struct message_bytes *b, uint64_t offset, size_t max, struct buf *out, struct errtext *t)
{
	size_t start = out->n;
	enum err e = ERR_OK;

	if (offset < b->at) {
		b->at = 0;
		b->at_stored = b->from;
	}
	buf_reserve(out, max);
	e = skip_to(b, offset, t);
	while (!e && out->n - start < max && b->at_stored < b->to) {
		size_t drop = (size_t)(offset + (out->n - start) - b->at);

		e = copy_piece(b, drop, max - (out->n - start), out, t);
	}
	b->msg->mark = (struct mark){ b->from, b->to, b->at, b->at_stored };
	return e;
}

enum err message_read(struct message_bytes *b, uint64_t offset, size_t max, struct buf *out, struct errtext *t)
{
	uint64_t left;

	if (b->nil || offset >= b->size)
		return ERR_OK;
	left = b->size - offset;
	if (max > left)
		max = (size_t)left;
	if (b->made.p) {
		buf_add_span(out, span_cut(b->made, (size_t)offset, max));
		return out->failed ? err_say(t, ERR_MEMORY, "No room for the bytes of a message") : ERR_OK;
	}
	return read_range(b, offset, max, out, t);
}

enum err message_encoding(struct message *m, const struct mime_section *part, enum mime_cte *cte_r, struct errtext *t)
{
	struct mime_section header = *part;
	struct message_bytes b;
	struct buf text;
	enum err e;

	*cte_r = MIME_CTE_IDENTITY;
	if (!part->depth)
		return ERR_OK;
	header.kind = MIME_SECTION_MIME;
	e = message_section(m, &header, NULL, 0, &b, t);
	if (e || b.nil || b.holds_parts)
		return e;
	buf_init(&text, PART_HEADER);
	e = message_read(&b, 0, b.size < PART_HEADER ? (size_t)b.size : PART_HEADER, &text, t);
	if (!e && !mime_cte_of_part(buf_span(&text), cte_r))
		e = ERR_CTE;
	buf_free(&text);
	return e;
}
