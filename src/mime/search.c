#include "mime/search.h"
#include "content.h"
#include "mime/header.h"

#include "base/mem.h"
#include "base/utf8.h"

enum {
	CHUNK = 16 << 10,                  /* of stored bytes decoded at a time */
	DECODED_MAX = 16 * MIME_FIELD_MAX, /* more than one field or chunk can become */
};

/*
 * The matcher: Knuth, Morris, Pratt at the borders of chunks, where have is the automaton's state,
 * so a chunk may end anywhere; within a chunk what span_search has, which is linear too.
 */

bool mime_matcher_init(struct mime_matcher *m, struct span needle)
{
	struct buf folded;
	uint32_t k = 0;

	*m = (struct mime_matcher){ 0 };
	buf_init(&folded, MIME_NEEDLE_MAX);
	utf8_fold(needle, &folded);
	if (folded.failed) {
		buf_free(&folded);
		return false;
	}
	m->n = (uint32_t)folded.n;
	m->needle = folded.p; /* taken */
	m->found = m->n == 0;
	m->fail = mem_array((size_t)m->n + 1, sizeof(*m->fail));
	for (uint32_t i = 1; i < m->n; i++) {
		while (k && m->needle[i] != m->needle[k])
			k = m->fail[k];
		k += m->needle[i] == m->needle[k];
		m->fail[i + 1] = k;
	}
	return true;
}

void mime_matcher_free(struct mime_matcher *m)
{
	free(m->needle);
	free(m->fail);
	*m = (struct mime_matcher){ 0 };
}

void mime_matcher_reset(struct mime_matcher *m)
{
	m->have = 0;
	m->found = m->n == 0;
}

void mime_matcher_break(struct mime_matcher *m)
{
	m->have = 0;
}

/* Bytes one by one from where it stands; stops where nothing is begun any more, from least on. */
static size_t step_bytes(struct mime_matcher *m, struct span folded, size_t i, size_t least)
{
	while (!m->found && i < folded.n && (m->have || i < least)) {
		while (m->have && folded.p[i] != m->needle[m->have])
			m->have = m->fail[m->have];
		m->have += folded.p[i] == m->needle[m->have];
		m->found = m->have == m->n;
		i++;
	}
	return i;
}

/*
 * What was begun is finished byte by byte; the rest goes through the fast search, and its last
 * bytes byte by byte again, for the needle may begin in them.
 */
bool mime_matcher_add(struct mime_matcher *m, struct span folded)
{
	size_t i = step_bytes(m, folded, 0, 0);

	if (!m->found && folded.n - i >= m->n) {
		m->found = span_search(span_from(folded, i), span_of(m->needle, m->n)) != SIZE_MAX;
		i = folded.n - (m->n - 1);
	}
	step_bytes(m, folded, i, folded.n);
	return m->found;
}

/* A field's text as a reader sees it: the blank of a fold (RFC 5322 section 2.2.3) may be a tab, nobody searches for one. */
static void add_field(struct mime_charsets *cs, struct span value, struct buf *text)
{
	size_t from = text->n;

	mime_words_decode(cs, value, text);
	for (size_t i = from; i < text->n; i++)
		if (text->p[i] == '\t')
			text->p[i] = ' ';
}

bool mime_search_header(struct mime_charsets *cs, struct span header, struct span name,
			struct mime_matcher *m)
{
	struct mime_header h = mime_header_of(header);
	struct mime_field f;
	struct buf text, folded;
	bool hit = false;

	buf_init(&text, DECODED_MAX);
	buf_init(&folded, DECODED_MAX);
	while (!hit && mime_header_next(&h, &f)) {
		if (!f.colon || !span_ieq(f.name, name))
			continue;
		buf_clear(&text);
		buf_clear(&folded);
		add_field(cs, f.value, &text);
		utf8_fold(buf_span(&text), &folded);
		mime_matcher_reset(m);
		hit = mime_matcher_add(m, buf_span(&folded));
	}
	buf_free(&text);
	buf_free(&folded);
	return hit;
}

/* The walk over a message. */

enum phase { PHASE_HEADER, PHASE_BODY, PHASE_NEXT };

void mime_search_init(struct mime_search *s, struct mime_charsets *cs, struct span message,
		      const struct mime_tree *tree, struct mime_matcher *m, size_t nm, bool headers)
{
	*s = (struct mime_search){
		.cs = cs,
		.message = message,
		.tree = tree,
		.m = m,
		.nm = nm,
		.headers = headers,
		.phase = PHASE_HEADER,
	};
	buf_init(&s->raw, 2 * CHUNK);
	buf_init(&s->text, DECODED_MAX);
	buf_init(&s->folded, DECODED_MAX);
	for (size_t i = 0; i < nm; i++)
		mime_matcher_reset(&m[i]);
}

void mime_search_free(struct mime_search *s)
{
	if (s->open)
		mime_decoder_end(&s->dec, &s->raw);
	buf_free(&s->raw);
	buf_free(&s->text);
	buf_free(&s->folded);
	s->open = false;
}

static bool all_found(const struct mime_search *s)
{
	for (size_t i = 0; i < s->nm; i++)
		if (!s->m[i].found)
			return false;
	return true;
}

static void match_span(struct mime_search *s, struct span text)
{
	buf_clear(&s->folded);
	utf8_fold(text, &s->folded);
	for (size_t i = 0; i < s->nm; i++)
		mime_matcher_add(&s->m[i], buf_span(&s->folded));
}

/* Shows what stands in s->text to all needles and clears it. */
static void match_text(struct mime_search *s)
{
	match_span(s, buf_span(&s->text));
	buf_clear(&s->text);
}

static void match_border(struct mime_search *s)
{
	for (size_t i = 0; i < s->nm; i++)
		mime_matcher_break(&s->m[i]);
}

static void match_field(struct mime_search *s, const struct mime_field *f)
{
	if (f->colon) {
		buf_add_span(&s->text, span_cut(f->name, 0, MIME_FIELD_MAX));
		buf_add_str(&s->text, ": ");
	}
	add_field(s->cs, f->colon ? f->value : span_cut(f->whole, 0, MIME_FIELD_MAX), &s->text);
	match_text(s);
	match_border(s);
}

/* BODY looks into the headers of messages inside, for they are in the body; TEXT into all. */
static bool wants_header(const struct mime_search *s, const struct mime_part *p)
{
	return s->headers ||
	       (p->parent != MIME_NONE && (s->tree->part[p->parent].flags & MIME_PART_MESSAGE));
}

/* One field of the header at s->pos; returns the bytes eaten, 0 at its end. */
static size_t step_header(struct mime_search *s, const struct mime_part *p)
{
	struct mime_header h = { mime_part_header(s->message, p), (size_t)s->pos };
	struct mime_field f;

	if (!wants_header(s, p) || !mime_header_next(&h, &f))
		return 0;
	match_field(s, &f);
	return h.pos - (size_t)s->pos;
}

/*
 * Sets up the decoders for a body by what its header says; false: it is nothing to read (neither
 * text nor message). A multipart without parts is what its reader shows: text.
 */
static bool open_body(struct mime_search *s, const struct mime_part *p)
{
	struct content_fields f;
	struct content_type t;

	content_fields_read(mime_part_header(s->message, p), &f);
	if (!(p->flags & (MIME_PART_TEXT | MIME_PART_MULTIPART)) &&
	    !(f.type.p && content_type_parse(f.type, &t) && span_ieq_str(t.type, "message")))
		return false;
	mime_decoder_init(&s->dec, p->flags & MIME_PART_MULTIPART ? MIME_CTE_IDENTITY : mime_cte_of(f.encoding));
	content_converter(&f, s->cs, &s->conv);
	s->open = true;
	return true;
}

static void close_body(struct mime_search *s)
{
	buf_clear(&s->raw);
	mime_decoder_end(&s->dec, &s->raw);
	mime_to_utf8_add(&s->conv, buf_span(&s->raw), &s->text);
	mime_to_utf8_end(&s->conv, &s->text);
	match_text(s);
	match_border(s);
	s->open = false;
}

/* Decoded and converted as far as that changes anything. */
static void match_chunk(struct mime_search *s, struct span chunk)
{
	struct span decoded = chunk;

	if (s->dec.cte != MIME_CTE_IDENTITY) {
		buf_clear(&s->raw);
		mime_decoder_add(&s->dec, chunk, &s->raw);
		decoded = buf_span(&s->raw);
	}
	if (mime_to_utf8_same(&s->conv, decoded)) {
		match_span(s, decoded);
		return;
	}
	mime_to_utf8_add(&s->conv, decoded, &s->text);
	match_text(s);
}

/* One chunk of the body at s->pos; returns the bytes eaten, 0 at its end. */
static size_t step_body(struct mime_search *s, const struct mime_part *p)
{
	struct span chunk;

	if (p->child != MIME_NONE || (!s->open && !open_body(s, p)))
		return 0;
	chunk = span_cut(span_from(mime_part_body(s->message, p), (size_t)s->pos), 0, CHUNK);
	if (chunk.n == 0) {
		close_body(s);
		return 0;
	}
	match_chunk(s, chunk);
	return chunk.n;
}

static void to_next_phase(struct mime_search *s)
{
	s->pos = 0;
	if (++s->phase == PHASE_NEXT) {
		s->phase = PHASE_HEADER;
		s->part++;
	}
}

enum step mime_search_step(struct mime_search *s, size_t budget)
{
	size_t spent = 0;

	while (s->part < s->tree->n && !all_found(s)) {
		const struct mime_part *p = &s->tree->part[s->part];
		size_t n = s->phase == PHASE_HEADER ? step_header(s, p) : step_body(s, p);

		if (n == 0)
			to_next_phase(s);
		s->pos += n;
		spent += n + 1;
		if (spent > budget)
			return STEP_SLICE;
	}
	return STEP_DONE;
}
