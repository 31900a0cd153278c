/*
 * A message of anybody: structure, ENVELOPE, BODYSTRUCTURE, sections, and what the cache holds of
 * them. What we write must be what we read: the tree survives its encoding, BODY comes out of
 * BODYSTRUCTURE, sizes agree, every section lies inside the message.
 */
#include "mime/bodystruct.h"
#include "mime/crlf.h"
#include "mime/envelope.h"
#include "mime/header.h"
#include "mime/section.h"

#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_encoding(const struct mime_tree *t)
{
	struct mime_tree u = { 0 };
	struct buf b;

	buf_init(&b, 4 << 20);
	mime_tree_encode(t, &b);
	must(mime_tree_decode(buf_span(&b), &u) == ERR_OK);
	must(u.n == t->n && memcmp(u.part, t->part, t->n * sizeof(*t->part)) == 0);
	mime_tree_free(&u);
	buf_free(&b);
}

static void check_structure(struct span message, const struct mime_tree *t)
{
	struct buf full, body, cut;

	buf_init(&full, 64 << 20);
	buf_init(&body, 64 << 20);
	buf_init(&cut, 64 << 20);
	mime_bodystruct_add(message, t, true, &full);
	mime_bodystruct_add(message, t, false, &body);
	must(!full.failed && !body.failed);
	must(mime_body_from_structure(buf_span(&full), &cut) == ERR_OK);
	must(span_eq(buf_span(&cut), buf_span(&body)));
	buf_free(&full);
	buf_free(&body);
	buf_free(&cut);
}

/* In slices of any size it is the same tree. */
static void check_slices(struct span message, const struct mime_tree *t)
{
	struct mime_tree u = { 0 };
	struct mime_parser *p = mime_parser_new(message, &u, NULL);
	size_t step = 1 + message.n % 61;

	while (mime_parser_step(p, step) != STEP_DONE)
		step = 1 + step * 7 % 61;
	must(u.n == t->n && memcmp(u.part, t->part, t->n * sizeof(*t->part)) == 0);
	mime_parser_free(&p);
	mime_tree_free(&u);
}

/* With the header of the message read already, all is as without. */
static void check_fields(struct span message, const struct mime_tree *t)
{
	struct mime_fields fields = { 0 };
	struct mime_tree u = { 0 };
	struct buf alone, read;

	buf_init(&alone, 64 << 20);
	buf_init(&read, 64 << 20);
	mime_tree_parse_fields(message, &u, &fields);
	must(u.n == t->n && memcmp(u.part, t->part, t->n * sizeof(*t->part)) == 0);
	mime_envelope_add(message, &alone);
	mime_bodystruct_add(message, t, true, &alone);
	mime_envelope_write(&fields, &read);
	mime_bodystruct_write(message, t, &fields, true, &read);
	must(!alone.failed && span_eq(buf_span(&alone), buf_span(&read)));
	mime_tree_free(&u);
	mime_fields_free(&fields);
	buf_free(&alone);
	buf_free(&read);
}

static void check_parts(struct span message, const struct mime_tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct mime_part *p = &t->part[i];
		struct span header = mime_part_header(message, p);
		struct span body = mime_part_body(message, p);

		must(header.n == p->header_size && body.n == p->body_size);
		must(mime_crlf_size(header) == p->header_size + p->header_bare);
		if (p->body_size < 100000)
			must(mime_crlf_size(body) == p->body_size + p->body_bare);
	}
	must(mime_tree_size(t) == mime_crlf_size(message));
}

static void check_sections(struct span message, const struct mime_tree *t)
{
	static const char *const texts[] = { "",    "HEADER",	"TEXT",	    "1",      "2.MIME",
					     "1.1", "1.HEADER", "2.1.TEXT", "1.1.1.1" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct mime_section s;
		struct mime_range r;
		uint32_t part;

		must(mime_section_parse(span_str(texts[i]), &s) == ERR_OK);
		if (mime_section_find(t, &s, &r, &part) == ERR_OK)
			must(part < t->n && r.off <= message.n && r.size <= message.n - r.off &&
			     r.crlf >= r.size);
	}
}

static void check_foreign(struct span bytes)
{
	struct mime_tree t = { 0 };
	struct mime_section s;
	struct buf out;

	buf_init(&out, 1 << 20);
	if (mime_tree_decode(bytes, &t) == ERR_OK) {
		mime_bodystruct_add(SPAN("A: b\n\nx"), &t, true, &out);
		check_encoding(&t);
	}
	mime_body_from_structure(bytes, &out);
	mime_section_parse(bytes, &s);
	mime_tree_free(&t);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span message = span_of(data, n);
	struct span names[] = { SPAN("Subject"), SPAN("To") };
	struct mime_tree t = { 0 };
	struct buf out;

	buf_init(&out, 64 << 20);
	mime_tree_parse(message, &t);
	check_parts(message, &t);
	check_encoding(&t);
	check_structure(message, &t);
	check_sections(message, &t);
	check_slices(message, &t);
	check_fields(message, &t);
	mime_header_filter(message, names, 2, true, &out);
	check_foreign(message);
	mime_tree_free(&t);
	buf_free(&out);
	return 0;
}
