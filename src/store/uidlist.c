/* The text of dovecot-uidlist. */
#include "uidlist.h"

#include "base/guid.h"

static bool read_guid(struct span hex, uint8_t guid[16])
{
	uint64_t high, low;

	if (hex.n != 32 || !span_hex64(span_cut(hex, 0, 16), &high) ||
	    !span_hex64(span_from(hex, 16), &low))
		return false;
	for (int i = 0; i < 8; i++) {
		guid[i] = (uint8_t)(high >> (56 - 8 * i));
		guid[8 + i] = (uint8_t)(low >> (56 - 8 * i));
	}
	return true;
}

static bool header3(struct span rest, struct uidlist_header *h)
{
	struct span word;

	h->more = rest;
	while (span_split(&rest, ' ', &word)) {
		struct span value = span_from(word, 1);
		bool good = true;

		if (word.n == 0)
			continue;
		if (word.p[0] == 'V')
			good = span_u32(value, &h->uidvalidity);
		else if (word.p[0] == 'N')
			good = span_u32(value, &h->next);
		else if (word.p[0] == 'G')
			h->has_guid = read_guid(value, h->guid);
		if (!good)
			return false;
	}
	return true;
}

static bool header1(struct span rest, struct uidlist_header *h)
{
	struct span word;

	return span_split(&rest, ' ', &word) && span_u32(word, &h->uidvalidity) &&
	       span_u32(rest, &h->next);
}

bool uidlist_parse_header(struct span line, struct uidlist_header *h_r)
{
	struct uidlist_header h = { 0 };
	struct span word;

	if (line.n == 0 || line.n > UIDLIST_LINE_MAX || memchr(line.p, '\0', line.n) ||
	    !span_split(&line, ' ', &word))
		return false;
	if (span_eq_str(word, "3"))
		h.version = 3;
	else if (span_eq_str(word, "1"))
		h.version = 1;
	else
		return false;
	if (!(h.version == 3 ? header3(line, &h) : header1(line, &h)))
		return false;
	if (h.uidvalidity == 0 || h.next == 0)
		return false;
	*h_r = h;
	return true;
}

/*
 * "S12 W13 :name": up to the field that begins with ':'; every field before it begins with a
 * letter.
 */
static bool record3(struct span rest, struct uidlist_record *r)
{
	const char *start = rest.p;
	size_t at = 0;

	while (at < rest.n && rest.p[at] != ':') {
		char c = rest.p[at];
		if (c != ' ' && !ascii_isalpha(c))
			return false;
		size_t blank = span_find(span_from(rest, at), ' ');
		if (blank == SIZE_MAX)
			return false;
		at += blank + 1;
	}
	if (at >= rest.n)
		return false;
	r->keys = span_of(start, at > 0 ? at - 1 : 0);
	r->base = span_from(rest, at + 1);
	return true;
}

bool uidlist_parse_record(struct span line, int version, struct uidlist_record *r_r)
{
	struct uidlist_record r = { 0 };
	struct span word;

	if (line.n > UIDLIST_LINE_MAX || !span_split(&line, ' ', &word) || !span_u32(word, &r.uid))
		return false;
	if (r.uid == 0 || r.uid > UIDLIST_UID_MAX)
		return false;
	if (version == 1)
		r.base = line;
	else if (!record3(line, &r))
		return false;
	r.base = span_cut(r.base, 0, span_find(r.base, ':'));
	if (r.base.n == 0 || r.base.n > 255 || memchr(r.base.p, '/', r.base.n) ||
	    memchr(line.p, '\0', line.n))
		return false;
	*r_r = r;
	return true;
}

bool uidlist_record_key(const struct uidlist_record *r, char key, struct span *value_r)
{
	struct span rest = r->keys, word;

	while (span_split(&rest, ' ', &word)) {
		if (word.n > 0 && word.p[0] == key) {
			*value_r = span_from(word, 1);
			return true;
		}
	}
	return false;
}

void uidlist_put_header(struct buf *out, const struct uidlist_header *h)
{
	struct span more = h->more, word;
	char guid[GUID_TEXT + 1];

	guid_text(h->guid, guid);
	buf_printf(out, "3 V%u N%u G%s", h->uidvalidity, h->next, guid);
	while (span_split(&more, ' ', &word)) {
		if (word.n == 0 || word.p[0] == 'V' || word.p[0] == 'N' || word.p[0] == 'G')
			continue;
		buf_add_char(out, ' ');
		buf_add_span(out, word);
	}
	buf_add_char(out, '\n');
}

void uidlist_put_record(struct buf *out, const struct uidlist_record *r)
{
	buf_add_u64(out, r->uid);
	buf_add_char(out, ' ');
	if (r->keys.n > 0) {
		buf_add_span(out, r->keys);
		buf_add_char(out, ' ');
	}
	buf_add_char(out, ':');
	buf_add_span(out, r->base);
	buf_add_char(out, '\n');
}
