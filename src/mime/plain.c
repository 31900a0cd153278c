#include "mime/plain.h"

#include "content.h"

#include "mime/header.h"

enum { CHUNK = 16 << 10 };

void mime_plain_init(struct mime_plain *p, struct mime_charsets *cs, struct span message, const struct mime_tree *tree)
{
	*p = (struct mime_plain){ .cs = cs, .message = message, .tree = tree };
	buf_init(&p->raw, 2 * CHUNK);
}

void mime_plain_free(struct mime_plain *p)
{
	if (p->open)
		mime_decoder_end(&p->dec, &p->raw);
	p->open = false;
	buf_free(&p->raw);
}

/* A field of the header at p->pos, or its end; returns the bytes eaten, 0 when there are no more. */
static size_t step_header(struct mime_plain *p, const struct mime_part *part, struct buf *out)
{
	struct mime_header h = { mime_part_header(p->message, part), (size_t)p->pos };
	struct mime_field f;

	if (p->pos >= h.bytes.n)
		return 0;
	if (mime_header_next(&h, &f)) {
		buf_add_span(out, f.colon ? f.name : span_cut(f.whole, 0, MIME_FIELD_MAX));
		if (f.colon) {
			buf_add_str(out, ": ");
			mime_words_decode(p->cs, f.value, out);
		}
		if (f.colon || !out->n || out->p[out->n - 1] != '\n')
			buf_add_char(out, '\n');
	} else if (h.pos > p->pos) {
		buf_add_char(out, '\n');
	}
	return h.pos - (size_t)p->pos;
}

/* False: a body that is none, or cannot be read. */
static bool open_body(struct mime_plain *p, const struct mime_part *part)
{
	struct span header = mime_part_header(p->message, part);
	enum mime_cte cte = MIME_CTE_IDENTITY;
	struct content_fields f;

	if (part->child != MIME_NONE)
		return false;
	if (!(part->flags & MIME_PART_MULTIPART) && !mime_cte_of_part(header, &cte))
		return false;
	p->text = part->flags & (MIME_PART_TEXT | MIME_PART_MULTIPART);
	mime_decoder_init(&p->dec, cte);
	content_fields_read(header, &f);
	if (p->text)
		content_converter(&f, p->cs, &p->conv);
	p->open = true;
	return true;
}

/* Takes p->raw. */
static void give(struct mime_plain *p, struct buf *out)
{
	if (p->text)
		mime_to_utf8_add(&p->conv, buf_span(&p->raw), out);
	else
		buf_add_span(out, buf_span(&p->raw));
	buf_clear(&p->raw);
}

static size_t step_body(struct mime_plain *p, const struct mime_part *part, struct buf *out)
{
	struct span chunk;

	if (!p->open && !open_body(p, part))
		return 0;
	chunk = span_cut(span_from(mime_part_body(p->message, part), (size_t)p->pos), 0, CHUNK);
	if (chunk.n) {
		mime_decoder_add(&p->dec, chunk, &p->raw);
		give(p, out);
		return chunk.n;
	}
	mime_decoder_end(&p->dec, &p->raw);
	give(p, out);
	if (p->text)
		mime_to_utf8_end(&p->conv, out);
	p->open = false;
	return 0;
}

enum step mime_plain_step(struct mime_plain *p, size_t budget, struct buf *out)
{
	size_t spent = 0;

	while (p->part < p->tree->n) {
		const struct mime_part *part = &p->tree->part[p->part];
		size_t n = p->body ? step_body(p, part, out) : step_header(p, part, out);

		p->pos += n;
		if (n == 0) {
			p->pos = 0;
			p->part += p->body;
			p->body = !p->body;
		}
		spent += n + 1;
		if (spent > budget)
			return STEP_SLICE;
	}
	return STEP_DONE;
}
