/* Charsets to UTF-8. UTF-8 and US-ASCII are done here, all others by iconv. */
#include "mime/decode.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/utf8.h"

#include <errno.h>
#include <iconv.h>

enum { OPEN_MAX_CHARSETS = 8 };

struct charset {
	char name[64];
	iconv_t cd;
};

struct mime_charsets {
	size_t n;
	struct charset open[OPEN_MAX_CHARSETS]; /* most recently used first */
};

struct mime_charsets *mime_charsets_new(void)
{
	return mem_alloc(sizeof(struct mime_charsets));
}

void mime_charsets_free(struct mime_charsets **cs)
{
	if (!*cs)
		return;
	for (size_t i = 0; i < (*cs)->n; i++)
		iconv_close((*cs)->open[i].cd);
	free(*cs);
	*cs = NULL;
}

/*
 * Upper case into out. False when it is no plain name: iconv reads more into '/' and ',' than a
 * name, and ISO-2022-CN-EXT, which no mail uses, is known for a flaw in its converter.
 */
static bool clean_name(struct span name, char out[64])
{
	name = span_trim(name);
	if (name.n == 0 || name.n > 63)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_upper(name.p[i]);

		if (!ascii_isalpha(c) && !ascii_isdigit(c) && (!c || !strchr("-_.:+()", c)))
			return false;
		out[i] = c;
	}
	out[name.n] = '\0';
	return !strstr(out, "CN-EXT") && !strstr(out, "CNEXT");
}

static bool is_utf8(const char *name)
{
	static const char *const names[] = { "UTF-8", "UTF8", "US-ASCII", "ASCII",
					     "ANSI_X3.4-1968" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Moves entry i to the front. */
static void to_front(struct mime_charsets *cs, size_t i)
{
	struct charset c = cs->open[i];

	memmove(cs->open + 1, cs->open, i * sizeof(c));
	cs->open[0] = c;
}

/* The open converter of a clean name, or NULL. */
static struct charset *find_open(struct mime_charsets *cs, const char *name)
{
	for (size_t i = 0; i < cs->n; i++) {
		if (strcmp(cs->open[i].name, name) == 0) {
			to_front(cs, i);
			return &cs->open[0];
		}
	}
	return NULL;
}

static struct charset *open_charset(struct mime_charsets *cs, const char *name)
{
	struct charset *c = find_open(cs, name);
	iconv_t cd;

	if (c)
		return c;
	cd = iconv_open("UTF-8", name);
	if (cd == (iconv_t)-1)
		return NULL;
	if (cs->n == OPEN_MAX_CHARSETS)
		iconv_close(cs->open[--cs->n].cd);
	c = &cs->open[cs->n];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->cd = cd;
	to_front(cs, cs->n++);
	return &cs->open[0];
}

bool mime_charsets_known(struct mime_charsets *cs, struct span name)
{
	char clean[64];

	return clean_name(name, clean) && (is_utf8(clean) || open_charset(cs, clean));
}

void mime_to_utf8_init(struct mime_to_utf8 *u, struct mime_charsets *cs, struct span charset)
{
	struct charset *c = NULL;

	*u = (struct mime_to_utf8){ .cs = cs };
	if (clean_name(charset, u->charset) && !is_utf8(u->charset))
		c = open_charset(cs, u->charset);
	if (c)
		iconv(c->cd, NULL, NULL, NULL, NULL); /* back to the initial shift state */
	else
		u->charset[0] = '\0';
}

static void put_replacement(struct buf *out)
{
	buf_add_str(out, "\xef\xbf\xbd");
}

/* Could these be the first bytes of a character whose rest is still to come? */
static bool utf8_may_go_on(struct span s)
{
	unsigned char lead = (unsigned char)s.p[0];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

	if (lead < 0xc2 || lead > 0xf4 || s.n >= want)
		return false;
	for (size_t i = 1; i < s.n; i++)
		if ((s.p[i] & 0xc0) != 0x80)
			return false;
	return true;
}

/* Appends valid UTF-8 only; returns how many bytes at the end are left for later. */
static size_t add_utf8(struct span in, struct buf *out)
{
	size_t i = 0, n;

	while (i < in.n) {
		size_t run = i + utf8_ascii_run(span_from(in, i));

		while (run < in.n && (n = utf8_next(span_from(in, run), NULL)) > 0) {
			run += n;
			run += utf8_ascii_run(span_from(in, run));
		}
		buf_add(out, in.p + i, run - i);
		i = run;
		if (i == in.n)
			break;
		if (utf8_may_go_on(span_from(in, i)))
			return in.n - i;
		put_replacement(out);
		i++;
	}
	return 0;
}

/* The same through iconv. */
static size_t add_iconv(iconv_t cd, struct span in, struct buf *out)
{
	char *from = (char *)(uintptr_t)in.p;
	size_t left = in.n;

	while (left && !out->failed) {
		char chunk[1024];
		char *to = chunk;
		size_t room = sizeof(chunk);
		size_t r = iconv(cd, &from, &left, &to, &room);

		buf_add(out, chunk, sizeof(chunk) - room);
		if (r != (size_t)-1 || errno == E2BIG)
			continue;
		if (errno == EINVAL)
			return left;
		put_replacement(out);
		from++;
		left--;
	}
	return 0;
}

/* Converts, returns how many bytes at the end are left for later. */
static size_t convert(struct mime_to_utf8 *u, struct span in, struct buf *out)
{
	struct charset *c = u->charset[0] ? find_open(u->cs, u->charset) : NULL;

	return c ? add_iconv(c->cd, in, out) : add_utf8(in, out);
}

/*
 * Keeps the last left bytes of in for the next chunk; more than a character can have is no
 * character.
 */
static void hold(struct mime_to_utf8 *u, struct span in, size_t left, struct buf *out)
{
	if (left > sizeof(u->held)) {
		put_replacement(out);
		left = 0;
	}
	memmove(u->held, in.p + in.n - left, left);
	u->nheld = left;
}

/* Feeds byte by byte until what was held is gone; returns how many bytes of in that took. */
static size_t finish_held(struct mime_to_utf8 *u, struct span in, struct buf *out)
{
	size_t i = 0;

	while (u->nheld && i < in.n) {
		char both[sizeof(u->held) + 1];
		size_t n = u->nheld;

		memcpy(both, u->held, n);
		both[n++] = in.p[i++];
		hold(u, span_of(both, n), convert(u, span_of(both, n), out), out);
	}
	return i;
}

bool mime_to_utf8_same(const struct mime_to_utf8 *u, struct span in)
{
	return !u->charset[0] && !u->nheld && utf8_ascii_run(in) == in.n;
}

void mime_to_utf8_add(struct mime_to_utf8 *u, struct span in, struct buf *out)
{
	in = span_from(in, finish_held(u, in, out));
	if (in.n)
		hold(u, in, convert(u, in, out), out);
}

void mime_to_utf8_end(struct mime_to_utf8 *u, struct buf *out)
{
	if (u->nheld)
		put_replacement(out);
	u->nheld = 0;
}
