/*
 * BINARY (RFC 3516): FETCH BINARY[part], BINARY.PEEK and BINARY.SIZE show a part without its transfer encoding;
 * APPEND takes literal8 (binary.c).
 *
 * The size stands before the bytes, so a part is decoded twice: once to count and to look for a NUL (which only a
 * literal8 may hold), once to be sent. Nothing is held but a piece. A partial fetch counts no further than it reads, and begins
 * where the one before it was about to read its last piece: so fetching a part in chunks decodes it twice, not once a chunk.
 * Multiparts and messages inside have no encoding of their own (RFC 2045 section 6.4), nor has the message as a whole.
 */
#include "args.h"
#include "fetch.h"

#include "base/mem.h"
#include "mime/decode.h"
#include "mime/header.h"
#include "mime/section.h"
#include "wire/imap_write.h"

enum {
	PIECE = 48 << 10,
};

/* Before a piece of a part: that much was read, that much had come out. */
struct binary_mark {
	uint32_t uid; /* of the selected mailbox; 0: of nothing */
	struct mime_section section;
	uint64_t at, out;
	uint64_t bytes_at, bytes_stored; /* where the reading of the part stood, not behind at */
	struct mime_decoder decoder;     /* own */
};

enum binary_phase { BINARY_BEGIN, BINARY_COUNT, BINARY_SEND };

struct binary_op {
	struct mime_section section;
	const char *label;            /* arena: "BINARY[1.2]<0>" */
	bool size_only, partial;
	uint64_t origin, length;

	enum binary_phase phase;
	struct message_bytes bytes;
	enum mime_cte cte;
	struct mime_decoder decoder;  /* while counting or sending */
	struct buf piece, plain;      /* own: cleaned up by the arena */
	uint64_t at;                  /* encoded octets read */
	uint64_t out;                 /* decoded octets that came out so far */
	uint64_t from, to;            /* decoded octets that are to be sent; to is final after counting */
	bool nul;
};

/* ---- parsing ---- */

static void binary_free(void *arg)
{
	struct binary_op *o = arg;

	buf_free(&o->decoder.tail);
	buf_free(&o->piece);
	buf_free(&o->plain);
}

static const char *make_label(struct arena *arena, const struct binary_op *o, struct span section)
{
	const char *name = o->size_only ? "BINARY.SIZE" : "BINARY";

	if (o->partial)
		return arena_printf(arena, "%s[%.*s]<%llu>", name, (int)section.n, section.p,
				    (unsigned long long)o->origin);
	return arena_printf(arena, "%s[%.*s]", name, (int)section.n, section.p);
}

static enum err parse(struct imap_fetch *f, const struct imap_arg *a, struct imap_fetch_op *op, bool size_only)
{
	struct binary_op *o = arena_alloc(f->c->arena, sizeof(*o));
	struct span section = SPAN("");

	if (!o)
		return ERR_MEMORY;
	o->size_only = size_only;
	buf_init(&o->piece, PIECE + 1);
	buf_init(&o->plain, 2 * PIECE);
	if (!arena_cleanup(f->c->arena, binary_free, o))
		return ERR_MEMORY;
	if (a->child && (!imap_arg_atom(a->child, &section) || a->child->next))
		return ERR_SYNTAX;
	if (mime_section_parse(section, &o->section) || o->section.kind != MIME_SECTION_ALL)
		return ERR_SYNTAX;
	if (!imap_arg_partial(a, &o->partial, &o->origin, &o->length) || (size_only && o->partial))
		return ERR_SYNTAX;
	o->label = make_label(f->c->arena, o, section);
	op->data = o;
	return o->label ? ERR_OK : ERR_MEMORY;
}

static enum err parse_binary(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	return parse(f, *a, op, false);
}

static enum err parse_size(struct imap_fetch *f, const struct imap_arg **a, struct imap_fetch_op *op)
{
	return parse(f, *a, op, true);
}

/* ---- decoding ---- */

void imap_binary_forget(struct imap_session *s)
{
	if (s->binary)
		buf_free(&s->binary->decoder.tail);
	free(s->binary);
	s->binary = NULL;
}

static void copy_decoder(struct mime_decoder *to, const struct mime_decoder *from)
{
	struct buf tail = to->tail;

	buf_clear(&tail);
	buf_add_span(&tail, buf_span(&from->tail));
	*to = *from;
	to->tail = tail;
}

/* Notes where the sending of a partial fetch stands. */
static void set_mark(struct imap_fetch *f, const struct binary_op *o)
{
	struct binary_mark *m = f->c->s->binary;

	if (!m) {
		m = f->c->s->binary = mem_alloc(sizeof(*m));
		mime_decoder_init(&m->decoder, o->cte);
	}
	m->section = o->section;
	m->at = o->at;
	m->out = o->out;
	m->bytes_at = o->bytes.at;
	m->bytes_stored = o->bytes.at_stored;
	copy_decoder(&m->decoder, &o->decoder);
	m->uid = m->decoder.tail.failed ? 0 : f->m.uid;
}

static bool same_part(const struct mime_section *a, const struct mime_section *b)
{
	return a->depth == b->depth && memcmp(a->path, b->path, a->depth * sizeof(*a->path)) == 0;
}

static void restart(struct imap_fetch *f, struct binary_op *o, enum binary_phase phase)
{
	const struct binary_mark *m = f->c->s->binary;

	buf_free(&o->decoder.tail);
	mime_decoder_init(&o->decoder, o->cte);
	o->phase = phase;
	o->at = o->out = 0;
	if (!o->partial || !m || m->uid != f->m.uid || !same_part(&m->section, &o->section) || m->out > o->from)
		return;
	copy_decoder(&o->decoder, &m->decoder);
	o->at = m->at;
	o->out = m->out;
	o->bytes.at = m->bytes_at;
	o->bytes.at_stored = m->bytes_stored;
}

/* The next decoded bytes into o->plain; *end_r: there are no more. */
static enum err next_plain(struct imap_fetch *f, struct binary_op *o, bool *end_r)
{
	uint64_t left = o->bytes.size - o->at;
	size_t n = left < PIECE ? (size_t)left : PIECE;
	enum err e;

	buf_clear(&o->piece);
	buf_clear(&o->plain);
	e = n ? message_read(&o->bytes, o->at, n, &o->piece, &f->text) : ERR_OK;
	if (!e && o->piece.n != n)
		e = ERR_IO;
	o->at += n;
	mime_decoder_add(&o->decoder, buf_span(&o->piece), &o->plain);
	*end_r = o->at == o->bytes.size;
	if (*end_r)
		mime_decoder_end(&o->decoder, &o->plain);
	return e ? e : o->plain.failed ? ERR_MEMORY : ERR_OK;
}

/* Those of the bytes in o->plain that are asked for. */
static struct span window(const struct binary_op *o)
{
	uint64_t skip = o->from > o->out ? o->from - o->out : 0, end = o->to - o->out;
	struct span all = buf_span(&o->plain);

	if (o->to <= o->out || skip >= all.n)
		return span_of(NULL, 0);
	all = span_cut(all, 0, end < all.n ? (size_t)end : all.n);
	return span_from(all, (size_t)skip);
}

/* ---- writing ---- */

static enum step binary_done(struct binary_op *o)
{
	buf_free(&o->decoder.tail);
	buf_free(&o->piece);
	buf_free(&o->plain);
	o->phase = BINARY_BEGIN;
	return STEP_DONE;
}

static enum step nothing(struct imap_fetch *f, struct binary_op *o, const char *value)
{
	buf_printf(imap_out(f->c->s), "%s %s", o->label, value);
	return binary_done(o);
}

static enum step begin(struct imap_fetch *f, struct binary_op *o)
{
	const char *none = o->size_only ? "0" : "NIL";
	enum err e = message_section(f->msg, &o->section, NULL, 0, &o->bytes, &f->text);

	if (e == ERR_AGAIN)
		return STEP_SLICE;
	if (!e && o->bytes.nil)
		return nothing(f, o, none);
	if (!e)
		e = message_encoding(f->msg, &o->section, &o->cte, &f->text);
	imap_fetch_failed(f, e);
	if (e)
		return nothing(f, o, none);
	buf_free(&o->plain);
	buf_init(&o->plain, 2 * PIECE);
	o->from = o->partial ? o->origin : 0;
	o->to = o->partial && o->length < UINT64_MAX - o->origin ? o->origin + o->length : UINT64_MAX;
	o->nul = false;
	restart(f, o, BINARY_COUNT);
	return STEP_SLICE;
}

/* All is counted: what stands before the bytes. */
static enum step announce(struct imap_fetch *f, struct binary_op *o)
{
	struct buf *out = imap_out(f->c->s);
	struct imap_stats *st = &f->c->s->stats;

	o->to = o->out < o->to ? o->out : o->to;
	buf_printf(out, "%s ", o->label);
	if (o->size_only) {
		buf_add_u64(out, o->out);
		return binary_done(o);
	}
	if (o->from >= o->to) {
		buf_add_str(out, "\"\"");
		return binary_done(o);
	}
	st->body_count++;
	st->body_bytes += o->to - o->from;
	(o->nul ? imap_write_literal8_head : imap_write_literal_head)(out, o->to - o->from);
	restart(f, o, BINARY_SEND);
	return STEP_SLICE;
}

/* Bytes cannot be had although their number was told, or to be told: the connection must end. */
static enum step broken(struct imap_fetch *f, struct binary_op *o)
{
	imap_session_end(f->c->s, IMAP_END_FAILED, "message changed while it was sent");
	return binary_done(o);
}

static enum step one_piece(struct imap_fetch *f, struct binary_op *o)
{
	struct span plain;
	bool end;

	if (o->phase == BINARY_SEND && o->partial)
		set_mark(f, o);
	if (next_plain(f, o, &end))
		return broken(f, o);
	plain = window(o);
	if (o->phase == BINARY_COUNT)
		o->nul |= plain.n && memchr(plain.p, '\0', plain.n);
	else
		buf_add_span(imap_out(f->c->s), plain);
	o->out += o->plain.n;
	if (o->phase == BINARY_COUNT)
		return end || o->out >= o->to ? announce(f, o) : STEP_SLICE;
	stream_push(f->c->s->stream);
	if (o->out >= o->to)
		return binary_done(o);
	return end ? broken(f, o) : STEP_SLICE;
}

static enum step emit_binary(struct imap_fetch *f, const struct imap_fetch_op *op)
{
	struct binary_op *o = op->data;
	enum step step;

	do {
		if (o->phase == BINARY_SEND && imap_out_full(f->c->s))
			return STEP_OUTPUT_FULL;
		step = o->phase == BINARY_BEGIN ? begin(f, o) : one_piece(f, o);
	} while (step == STEP_SLICE && !imap_slice_over(f->c));
	return step;
}

static const struct imap_capability capabilities[] = {
	{ "BINARY", NULL },
	{ 0 },
};

static const struct imap_fetch_item items[] = {
	{ .name = "BINARY", .flags = IMAP_FETCH_SECTION | IMAP_FETCH_BYTES | IMAP_FETCH_SEEN,
	  .parse = parse_binary, .emit_bytes = emit_binary },
	{ .name = "BINARY.PEEK", .flags = IMAP_FETCH_SECTION | IMAP_FETCH_BYTES,
	  .parse = parse_binary, .emit_bytes = emit_binary },
	{ .name = "BINARY.SIZE", .flags = IMAP_FETCH_SECTION | IMAP_FETCH_BYTES,
	  .parse = parse_size, .emit_bytes = emit_binary },
	{ 0 },
};

const struct imap_module imap_ext_binary = {
	.name = "binary",
	.capabilities = capabilities,
	.fetch_items = items,
};
