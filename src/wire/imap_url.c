/* Percent-encoding and the ";NAME=value" components of IMAP URLs. Components come in one order, each at most once. */
#include "wire/imap_url.h"

#include "base/must.h"
#include "base/utf8.h"

/* bchar of RFC 5092 section 11, but for "%". */
static bool is_bchar(char c)
{
	return ascii_isalpha(c) || ascii_isdigit(c) || (c && strchr("-._~!$'()*+,&=:@/", c));
}

static bool decode(struct span in, struct arena *arena, struct span *out_r)
{
	char *p = arena_alloc(arena, in.n + 1);
	size_t n = 0;

	if (!p)
		return false;
	for (size_t i = 0; i < in.n; i++) {
		uint64_t octet = (uint8_t)in.p[i];

		if (in.p[i] == '%') {
			struct span digits = span_cut(in, i + 1, 2);

			if (digits.n < 2 || !span_hex64(digits, &octet) || !octet)
				return false;
			i += 2;
		} else if (!is_bchar(in.p[i])) {
			return false;
		}
		p[n++] = (char)octet;
	}
	*out_r = span_of(p, n);
	return n > 0;
}

/* nz-number, of at most so much. */
static bool nz_number(struct span s, uint64_t max, uint64_t *v_r)
{
	return s.n > 0 && s.p[0] != '0' && span_u64(s, v_r) && *v_r <= max;
}

/* ---- the components ---- */

static bool take_uidvalidity(struct span value, struct arena *arena, struct imap_url *url)
{
	uint64_t v;

	if (!url->mailbox.n || !nz_number(value, UINT32_MAX, &v))
		return false;
	url->uidvalidity = (uint32_t)v;
	return true;
}

static bool take_uid(struct span value, struct arena *arena, struct imap_url *url)
{
	uint64_t v;

	if (!nz_number(value, UINT32_MAX, &v))
		return false;
	url->uid = (uint32_t)v;
	return true;
}

static bool take_section(struct span value, struct arena *arena, struct imap_url *url)
{
	return decode(value, arena, &url->section);
}

static bool take_partial(struct span value, struct arena *arena, struct imap_url *url)
{
	size_t dot = span_find(value, '.');

	url->partial = true;
	if (!span_u64(span_cut(value, 0, dot), &url->origin) || url->origin > INT64_MAX)
		return false;
	return dot == SIZE_MAX || nz_number(span_from(value, dot + 1), INT64_MAX, &url->length);
}

static const struct component {
	const char *name;
	bool of_mailbox; /* follows the mailbox's name without a slash */
	bool (*take)(struct span value, struct arena *arena, struct imap_url *url);
} components[] = {
	{ "UIDVALIDITY=", true, take_uidvalidity },
	{ "UID=", false, take_uid },
	{ "SECTION=", false, take_section },
	{ "PARTIAL=", false, take_partial },
};

/* The component that text begins with, none before *next. */
static const struct component *component_find(struct span text, size_t *next)
{
	for (size_t i = *next; i < ARRAY_LEN(components); i++) {
		if (!span_istarts(text, span_str(components[i].name)))
			continue;
		*next = i + 1;
		return &components[i];
	}
	return NULL;
}

/* "." and ".." between slashes would have to be resolved (RFC 3986 section 5.2.4). */
static bool has_dots(struct span path)
{
	struct span level;

	while (span_split(&path, '/', &level))
		if (span_eq_str(level, ".") || span_eq_str(level, ".."))
			return true;
	return false;
}

static bool take_mailbox(struct span path, struct arena *arena, struct imap_url *url)
{
	if (span_starts(path, SPAN("/")) || has_dots(path))
		return false;
	return decode(path, arena, &url->mailbox) && utf8_valid(url->mailbox);
}

/* The slash before a component belongs to it; only at the front of a relative URL there is none. */
static bool drop_slash(struct span *s)
{
	if (!span_ends(*s, SPAN("/")))
		return false;
	s->n--;
	return true;
}

static bool parse(struct span rest, struct arena *arena, struct imap_url *url)
{
	bool absolute = span_starts(rest, SPAN("/"));
	const struct component *c = NULL, *follows;
	size_t next = 0;

	if (!absolute && !span_starts(rest, SPAN(";")))
		return false;
	rest = span_from(rest, absolute);
	do {
		size_t end = span_find(rest, ';');
		struct span text = span_cut(rest, 0, end);

		rest = span_from(rest, end == SIZE_MAX ? end : end + 1);
		follows = component_find(rest, &next);
		if (end != SIZE_MAX && !follows)
			return false;
		if (follows && !follows->of_mailbox && (c || absolute) && !drop_slash(&text))
			return false;
		if (c ? !c->take(text, arena, url) : absolute && !take_mailbox(text, arena, url))
			return false;
		c = follows;
		rest = span_from(rest, c ? strlen(c->name) : 0);
	} while (c);
	return url->uid;
}

enum err imap_url_parse(struct span text, struct arena *arena, struct imap_url *url_r)
{
	struct imap_url url = { .uid = 0 };

	if (text.n > IMAP_URL_MAX || !parse(text, arena, &url))
		return ERR_SYNTAX;
	*url_r = url;
	return ERR_OK;
}

void imap_url_show(struct span text, struct buf *out)
{
	text = span_cut(text, 0, IMAP_URL_SHOWN);
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (is_bchar(c) || c == ';' || c == '%' || c == '?')
			buf_add_char(out, c);
		else
			buf_printf(out, "%%%02X", (uint8_t)c);
	}
}
