#include "mime/header.h"

#include "base/mem.h"

#include <stdlib.h>

/* Position behind the line that begins at pos. */
static size_t line_end(struct span b, size_t pos)
{
	const char *lf = memchr(b.p + pos, '\n', b.n - pos);

	return lf ? (size_t)(lf - b.p) + 1 : b.n;
}

static bool line_is_empty(struct span b, size_t pos)
{
	return b.p[pos] == '\n' || (b.p[pos] == '\r' && pos + 1 < b.n && b.p[pos + 1] == '\n');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span without_line_end(struct span s)
{
	if (s.n && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* first: the length of the first line of whole, its line end included. */
static void split_field(struct span whole, size_t first, struct mime_field *f_r)
{
	struct span line = without_line_end(whole), name, value = SPAN("");
	size_t colon = span_find(span_cut(line, 0, first), ':');

	if (colon == SIZE_MAX) {
		name = without_line_end(span_cut(line, 0, first));
	} else {
		name = span_cut(line, 0, colon);
		value = span_cut(line, colon + 1, MIME_FIELD_MAX);
	}
	while (name.n && is_blank(name.p[name.n - 1]))
		name.n--;
	while (value.n && is_blank(value.p[0]))
		value = span_from(value, 1);
	f_r->name = name;
	f_r->value = value;
	f_r->whole = whole;
	f_r->colon = colon != SIZE_MAX;
}

bool mime_header_next(struct mime_header *h, struct mime_field *f_r)
{
	struct span b = h->bytes;
	size_t start = h->pos, first;

	if (start >= b.n)
		return false;
	if (line_is_empty(b, start)) {
		h->pos = line_end(b, start);
		return false;
	}
	if (start > MIME_HEADER_MAX) {
		h->pos = start + mime_header_size(span_from(b, start));
		return false;
	}
	first = h->pos = line_end(b, start);
	while (h->pos < b.n && is_blank(b.p[h->pos]))
		h->pos = line_end(b, h->pos);
	split_field(span_of(b.p + start, h->pos - start), first - start, f_r);
	return true;
}

size_t mime_header_size(struct span bytes)
{
	size_t pos = 0;

	while (pos < bytes.n && !line_is_empty(bytes, pos))
		pos = line_end(bytes, pos);
	return pos < bytes.n ? line_end(bytes, pos) : pos;
}

bool mime_header_find(struct span bytes, const char *name, struct mime_field *f_r)
{
	struct mime_header h = mime_header_of(bytes);
	struct mime_field f;

	while (mime_header_next(&h, &f)) {
		if (f.colon && span_ieq_str(f.name, name)) {
			*f_r = f;
			return true;
		}
	}
	return false;
}

void mime_field_unfold(struct span value, struct buf *out)
{
	while (value.n) {
		size_t lf = span_find(value, '\n');
		struct span line =
			without_line_end(span_cut(value, 0, lf == SIZE_MAX ? value.n : lf + 1));

		/* At the very end a CR is a byte of the value: its line end was cut off before. */
		buf_add_span(out, lf == SIZE_MAX ? value : line);
		value = span_from(value, lf == SIZE_MAX ? value.n : lf + 1);
	}
}

/* Any order will do in which names that differ in case alone are the same. */
static int by_name(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	for (size_t i = 0; i < x->n; i++) {
		int d = ascii_lower(x->p[i]) - ascii_lower(y->p[i]);

		if (d)
			return d;
	}
	return 0;
}

/* A client may list thousands of names, and a message hold millions of fields. */
void mime_header_filter(struct span bytes, const struct span *names, size_t n, bool invert,
			struct buf *out)
{
	struct mime_header h = mime_header_of(bytes);
	struct span *sorted = mem_array(n + 1, sizeof(*sorted));
	struct mime_field f;
	size_t end = 0;

	if (n)
		memcpy(sorted, names, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), by_name);
	while (mime_header_next(&h, &f)) {
		bool listed = f.colon && bsearch(&f.name, sorted, n, sizeof(*sorted), by_name);

		if (listed != invert)
			buf_add_span(out, f.whole);
		end = h.pos;
	}
	free(sorted);
	if (end < bytes.n && line_is_empty(bytes, end))
		buf_add_span(out, span_cut(bytes, end, line_end(bytes, end) - end));
}
