/* Headers of an mbox message. */
#include "mbox_head.h"

#include "base/must.h"
#include "mime/crlf.h"

#include <string.h>

enum { FOLD_AT = 1000 };

enum field { F_BASE, F_IMAP, F_UID, F_STATUS, F_XSTATUS, F_KEYWORDS, F_LENGTH, F_NONE };

static const char *const field_name[] = {
	[F_BASE] = "X-IMAPbase:", [F_IMAP] = "X-IMAP:",         [F_UID] = "X-UID:",
	[F_STATUS] = "Status:",   [F_XSTATUS] = "X-Status:",    [F_KEYWORDS] = "X-Keywords:",
	[F_LENGTH] = "Content-Length:",
};

static const struct {
	char letter;
	uint8_t flag;
} status_letters[] = { { 'R', MAIL_SEEN } }, xstatus_letters[] = {
	{ 'A', MAIL_ANSWERED },
	{ 'F', MAIL_FLAGGED },
	{ 'D', MAIL_DELETED },
	{ 'T', MAIL_DRAFT },
};

/* Blanks before the colon are an old way to write, which others read. */
static bool named(struct span line, const char *name, struct span *value_r)
{
	size_t n = strlen(name) - 1;

	if (!span_istarts(line, span_of(name, n)))
		return false;
	while (n < line.n && (line.p[n] == ' ' || line.p[n] == '\t'))
		n++;
	*value_r = span_from(line, n + 1);
	return n < line.n && line.p[n] == ':';
}

/* The rest of the line goes to *value_r. */
static enum field field_of(struct span line, struct span *value_r)
{
	char c = line.n ? ascii_upper(line.p[0]) : '\0';

	if (c != 'X' && c != 'S' && c != 'C')
		return F_NONE;
	for (unsigned f = 0; f < F_NONE; f++)
		if (named(line, field_name[f], value_r))
			return (enum field)f;
	return F_NONE;
}

bool mbox_name_next(struct span *rest, struct span *name_r)
{
	struct span s = *rest;
	size_t n = 0;

	s = span_trim(s);
	while (n < s.n && !strchr(" \t\r\n", s.p[n]))
		n++;
	*name_r = span_cut(s, 0, n);
	*rest = span_from(s, n);
	return n > 0;
}

/* --- reading ------------------------------------------------------------------------- */

static void keep_letter(char kept[MBOX_LETTERS_MAX], char c)
{
	size_t n = strlen(kept);

	if (ascii_isalpha(c) && n + 1 < MBOX_LETTERS_MAX && !strchr(kept, c))
		kept[n] = c;
}

static void take_status(struct mbox_head *h, struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == 'O')
			h->flags &= (uint8_t)~MAIL_RECENT;
		else if (value.p[i] == 'R')
			h->flags |= MAIL_SEEN;
		else if (value.p[i] != 'N')
			keep_letter(h->status, value.p[i]);
	}
}

static void take_xstatus(struct mbox_head *h, struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(xstatus_letters) && xstatus_letters[k].letter != value.p[i])
			k++;
		if (k < ARRAY_LEN(xstatus_letters))
			h->flags |= xstatus_letters[k].flag;
		else
			keep_letter(h->xstatus, value.p[i]);
	}
}

static void take_base(struct mbox_head *h, struct span value, bool pseudo)
{
	struct span validity, last;
	uint32_t v, l;

	if (h->based || !mbox_name_next(&value, &validity) || !mbox_name_next(&value, &last) ||
	    !span_u32(validity, &v) || !span_u32(last, &l) || v == 0 || l > MBOX_LAST_BELIEVED)
		return;
	h->based = true;
	h->pseudo = pseudo;
	h->validity = v;
	h->last = l;
	h->names = value;
}

/* The first counts, and one blank before it at most, as in Dovecot: where a message ends hangs on it. */
static void take_length(struct mbox_head *h, struct span value)
{
	value = span_from(value, value.n && value.p[0] == ' ');
	if (h->content_length == UINT64_MAX && value.n && ascii_isdigit(value.p[0]) &&
	    !span_u64(span_trim(value), &h->content_length))
		h->content_length = UINT64_MAX;
}

static void take_field(struct mbox_head *h, enum field f, struct span raw)
{
	struct span value = span_trim(raw);
	uint32_t uid;

	switch (f) {
	case F_BASE:
	case F_IMAP:
		take_base(h, value, f == F_IMAP);
		break;
	case F_UID:
		if (!h->uid && span_u32(value, &uid) && uid < UINT32_MAX) {
			h->uid = uid;
			h->uid_early = !h->based;
		}
		break;
	case F_STATUS:
		take_status(h, value);
		break;
	case F_XSTATUS:
		take_xstatus(h, value);
		break;
	case F_KEYWORDS:
		h->keywords = value;
		break;
	case F_LENGTH:
		take_length(h, raw);
		break;
	case F_NONE:
		break;
	}
}

/* A field with its continuation lines, from off on: its length. */
static size_t field_length(struct span text, size_t off)
{
	size_t n = 0;

	do {
		const char *lf = memchr(text.p + off + n, '\n', text.n - off - n);

		n = lf ? (size_t)(lf - text.p) + 1 - off : text.n - off;
	} while (off + n < text.n && (text.p[off + n] == ' ' || text.p[off + n] == '\t'));
	return n;
}

static bool empty_line(struct span text, size_t off, size_t *n_r)
{
	*n_r = text.p[off] == '\r' ? 2 : 1;
	return off + *n_r <= text.n && text.p[off + *n_r - 1] == '\n';
}

static void head_end(struct mbox_head *h, struct span text, size_t off, size_t empty)
{
	h->end = off;
	h->size = off + empty;
	h->visible += empty;
	h->bare += empty == 1 || (empty == 2 && text.p[off] != '\r');
	if (h->block == SIZE_MAX)
		h->block = off;
}

bool mbox_head_parse(struct span text, struct mbox_head *h)
{
	size_t off = 0, n;

	*h = (struct mbox_head){ .flags = MAIL_RECENT,
				 .content_length = UINT64_MAX,
				 .block = SIZE_MAX };
	while (off < text.n) {
		struct span line, value;
		enum field f;

		if ((text.p[off] == '\n' || text.p[off] == '\r') && empty_line(text, off, &n)) {
			head_end(h, text, off, n);
			return true;
		}
		n = field_length(text, off);
		line = span_cut(text, off, n);
		f = field_of(line, &value);
		if (f != F_NONE) {
			take_field(h, f, value);
			h->block = h->block == SIZE_MAX ? off : h->block;
		} else {
			h->scattered |= h->block != SIZE_MAX;
			h->block = SIZE_MAX;
			h->visible += n;
			h->bare += mime_crlf_size(line) - n;
		}
		off += n;
	}
	head_end(h, text, off, 0);
	return false;
}

/* What was cut once and got a block and an end is not cut again. */
void mbox_head_limit(struct span *text, struct mbox_head *h)
{
	if (h->visible <= MBOX_HEAD_LONG + 2 * sizeof("\r\n"))
		return;
	*text = span_cut(*text, 0, MBOX_HEAD_LONG);
	mbox_head_parse(*text, h);
}

void mbox_head_visible(struct span text, const struct mbox_head *h, bool with_end, struct buf *out)
{
	struct span value;
	size_t n;

	for (size_t off = 0; off < h->end; off += n) {
		n = field_length(span_cut(text, 0, h->end), off);
		if (field_of(span_cut(text, off, n), &value) == F_NONE)
			buf_add(out, text.p + off, n);
	}
	if (with_end && h->size > h->end)
		buf_add(out, text.p + h->end, h->size - h->end);
	else if (with_end)
		buf_add_char(out, '\n');
}

/* --- writing ------------------------------------------------------------------------- */

static void put_base(struct buf *out, const struct mbox_block *b)
{
	size_t line;

	buf_printf(out, "%s %u %010u", field_name[b->pseudo ? F_IMAP : F_BASE], b->validity,
		   b->last);
	line = out->n;
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++) {
		if (!b->names[i])
			continue;
		if (out->n - line > FOLD_AT) {
			buf_add_str(out, "\n\t");
			line = out->n;
		} else {
			buf_add_char(out, ' ');
		}
		buf_add_str(out, b->names[i]);
	}
	buf_add_char(out, '\n');
}

/* letters, then what is kept, blanks up to width. */
static void put_letters(struct buf *out, enum field f, const char *letters, const char *kept,
			size_t width)
{
	size_t n = strlen(letters) + (kept ? strlen(kept) : 0);

	buf_printf(out, "%s %s%s%*s\n", field_name[f], letters, kept ? kept : "",
		   (int)(n < width ? width - n : 0), "");
}

static void put_status(struct buf *out, const struct mbox_block *b)
{
	char letters[8];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(status_letters); i++)
		if (b->flags.system & status_letters[i].flag)
			letters[n++] = status_letters[i].letter;
	if (!(b->flags.system & MAIL_RECENT))
		letters[n++] = 'O';
	letters[n] = '\0';
	put_letters(out, F_STATUS, letters, b->status, 2);
	n = 0;
	for (size_t i = 0; i < ARRAY_LEN(xstatus_letters); i++)
		if (b->flags.system & xstatus_letters[i].flag)
			letters[n++] = xstatus_letters[i].letter;
	letters[n] = '\0';
	put_letters(out, F_XSTATUS, letters, b->xstatus, ARRAY_LEN(xstatus_letters));
}

static void put_keywords(struct buf *out, const struct mbox_block *b)
{
	buf_add_str(out, field_name[F_KEYWORDS]);
	for (unsigned i = 0; i < MAIL_KEYWORDS_MAX; i++)
		if ((b->flags.keywords >> i & 1) && b->names[i])
			buf_printf(out, " %s", b->names[i]);
}

bool mbox_block_put(struct buf *out, const struct mbox_block *b, size_t size)
{
	size_t start = out->n, pad = b->based ? MBOX_BASE_PAD : MBOX_PAD;

	if (b->based)
		put_base(out, b);
	if (!b->pseudo)
		buf_printf(out, "%s %u\n", field_name[F_UID], b->uid);
	put_status(out, b);
	if (b->content_length != UINT64_MAX)
		buf_printf(out, "%s %llu\n", field_name[F_LENGTH],
			   (unsigned long long)b->content_length);
	put_keywords(out, b);
	size_t need = out->n + 1 - start;
	if (size && need > size) {
		buf_truncate(out, start);
		return false;
	}
	for (pad = size ? size - need : pad; pad > 0; pad--)
		buf_add_char(out, ' ');
	buf_add_char(out, '\n');
	if (out->failed)
		buf_truncate(out, start);
	return !out->failed;
}

/* Up to and with the colon, and where the line ends. */
static bool same_line(struct span a, struct span b)
{
	size_t colon = span_find(a, ':');

	return a.n == b.n && colon != SIZE_MAX && span_eq(span_cut(a, 0, colon + 1),
							   span_cut(b, 0, colon + 1));
}

bool mbox_block_same_lines(struct span a, struct span b)
{
	struct span la, lb;

	if (a.n != b.n)
		return false;
	while (span_split(&a, '\n', &la))
		if (!span_split(&b, '\n', &lb) || !same_line(la, lb))
			return false;
	return true;
}
