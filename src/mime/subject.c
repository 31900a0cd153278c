#include "mime/subject.h"

/* What is left of the subject, and what has been found out. */
struct base {
	struct span s;
	bool reply;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(struct span s, size_t pos)
{
	while (pos < s.n && is_blank(s.p[pos]))
		pos++;
	return pos;
}

/* subj-blob at pos: the position behind it, its trailing blanks included; pos when there is none.
 */
static size_t skip_blob(struct span s, size_t pos)
{
	size_t end = pos + 1;

	if (pos >= s.n || s.p[pos] != '[')
		return pos;
	while (end < s.n && s.p[end] != '[' && s.p[end] != ']')
		end++;
	return end < s.n && s.p[end] == ']' ? skip_blanks(s, end + 1) : pos;
}

/* subj-refwd at pos, likewise. */
static size_t skip_refwd(struct span s, size_t pos)
{
	struct span rest = span_from(s, pos);
	size_t end = pos;

	if (span_istarts(rest, SPAN("fwd")))
		end += 3;
	else if (span_istarts(rest, SPAN("re")) || span_istarts(rest, SPAN("fw")))
		end += 2;
	else
		return pos;
	end = skip_blob(s, skip_blanks(s, end));
	return end < s.n && s.p[end] == ':' ? end + 1 : pos;
}

/* Step 2. */
static void strip_trailers(struct base *b)
{
	for (;;) {
		if (b->s.n && is_blank(b->s.p[b->s.n - 1])) {
			b->s.n--;
		} else if (b->s.n >= 5 && span_ieq(span_from(b->s, b->s.n - 5), SPAN("(fwd)"))) {
			b->s.n -= 5;
			b->reply = true;
		} else {
			return;
		}
	}
}

/*
 * Steps 3 to 5. A run of blobs is looked at once: a "re:" behind it takes all of it along; else
 * each of them goes by step 4, but for the last when nothing would be left.
 */
static void strip_leaders(struct base *b)
{
	for (;;) {
		size_t start = skip_blanks(b->s, 0), at = start, last = start, next;

		while ((next = skip_blob(b->s, at)) != at) {
			last = at;
			at = next;
		}
		next = skip_refwd(b->s, at);
		if (next == at) {
			b->s = span_from(b->s, at < b->s.n ? at : last);
			return;
		}
		b->s = span_from(b->s, next);
		b->reply = true;
	}
}

/* Step 6: "[fwd: ... ]" around it all. */
static bool unwrap(struct base *b)
{
	if (b->s.n < 6 || !span_istarts(b->s, SPAN("[fwd:")) || b->s.p[b->s.n - 1] != ']')
		return false;
	b->s = span_cut(b->s, 5, b->s.n - 6);
	b->reply = true;
	return true;
}

bool mime_subject_base(struct span subject, struct buf *out)
{
	struct base b = { subject, false };
	bool blank = false;

	do {
		strip_trailers(&b);
		strip_leaders(&b);
	} while (unwrap(&b));
	for (size_t i = 0; i < b.s.n; i++) {
		if (is_blank(b.s.p[i])) {
			blank = true;
			continue;
		}
		if (blank)
			buf_add_char(out, ' ');
		blank = false;
		buf_add_char(out, b.s.p[i]);
	}
	return b.reply;
}
