/* Names of message files in a Maildir. */
#include "maildir_name.h"

#include "base/clock.h"

#include <sys/random.h>
#include <unistd.h>

bool maildir_name_split(struct span file, struct span *base_r, struct span *rest_r)
{
	if (file.n == 0 || file.n > MAILDIR_NAME_MAX || file.p[0] == '.' || file.p[0] == ':')
		return false;
	if (memchr(file.p, '/', file.n) || memchr(file.p, '\n', file.n) ||
	    memchr(file.p, '\0', file.n))
		return false;
	size_t colon = span_find(file, ':');
	*base_r = span_cut(file, 0, colon);
	*rest_r = span_from(file, colon);
	return true;
}

static const struct {
	char letter;
	uint8_t flag;
} letters[] = {
	{ 'D', MAIL_DRAFT },
	{ 'F', MAIL_FLAGGED },
	{ 'R', MAIL_ANSWERED },
	{ 'S', MAIL_SEEN },
	{ 'T', MAIL_DELETED },
};

static uint8_t letter_flag(char c)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		if (letters[i].letter == c)
			return letters[i].flag;
	return 0;
}

/* The flag letters of rest, and what follows them from the next comma on. */
static bool rest_split(struct span rest, struct span *flags_r, struct span *more_r)
{
	if (!span_starts(rest, SPAN(":2,")))
		return false;
	struct span all = span_from(rest, 3);
	size_t comma = span_find(all, ',');
	*flags_r = span_cut(all, 0, comma);
	*more_r = span_from(all, comma);
	return true;
}

struct mail_flags maildir_name_flags(struct span rest)
{
	struct mail_flags f = { 0 };
	struct span text, more;

	if (!rest_split(rest, &text, &more))
		return f;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c >= 'a' && c <= 'z')
			f.keywords |= UINT64_C(1) << (c - 'a');
		else
			f.system |= letter_flag(c);
	}
	return f;
}

/* What stands in base behind ",x=", up to the next comma; NULL when it is not there. */
static struct span name_value(struct span base, char letter)
{
	const char mark[] = { ',', letter, '=' };
	size_t at = span_search(base, span_of(mark, sizeof(mark)));
	struct span value;

	if (at == SIZE_MAX)
		return (struct span){ NULL, 0 };
	value = span_from(base, at + sizeof(mark));
	return span_cut(value, 0, span_find(value, ','));
}

struct span maildir_name_guid(struct span base)
{
	return name_value(base, 'E');
}

uint64_t maildir_name_size(struct span base, char letter)
{
	uint64_t v;

	return span_u64(name_value(base, letter), &v) ? v : UINT64_MAX;
}

/* Which letters the new name gets, as a map of ASCII: ours by flags, foreign ones as they were. */
static void letters_wanted(bool want[128], struct span old, struct mail_flags flags)
{
	for (size_t i = 0; i < old.n; i++) {
		unsigned char c = (unsigned char)old.p[i];

		if (c > ' ' && c < 127 && !(c >= 'a' && c <= 'z') && !letter_flag((char)c))
			want[c] = true;
	}
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		want[(unsigned char)letters[i].letter] = (flags.system & letters[i].flag) != 0;
	for (int k = 0; k < MAILDIR_LETTERS; k++)
		want['a' + k] = (flags.keywords >> k) & 1;
}

bool maildir_name_build(char out[MAILDIR_NAME_MAX + 1], struct span base, struct span old,
			struct mail_flags flags)
{
	struct span text = SPAN(""), more = SPAN("");
	bool want[128] = { false };
	size_t n = base.n;

	rest_split(old, &text, &more);
	letters_wanted(want, text, flags);
	size_t need = base.n + 3 + more.n;
	for (int c = 0; c < 128; c++)
		need += want[c];
	if (need > MAILDIR_NAME_MAX)
		return false;

	memcpy(out, base.p, base.n);
	memcpy(out + n, ":2,", 3);
	n += 3;
	for (int c = 0; c < 128; c++)
		if (want[c])
			out[n++] = (char)c;
	if (more.n)
		memcpy(out + n, more.p, more.n);
	out[n + more.n] = '\0';
	return true;
}

/* Reads digits off the front; saturates. */
static uint64_t take_number(struct span *s)
{
	uint64_t v = 0;
	size_t i = 0;

	for (; i < s->n && ascii_isdigit(s->p[i]); i++)
		v = v > UINT64_MAX / 16 ? v : v * 10 + (uint64_t)(s->p[i] - '0');
	*s = span_from(*s, i);
	return v;
}

static uint64_t take_micro(struct span s)
{
	if (!span_starts(s, SPAN(".M")))
		return 0;
	s = span_from(s, 2);
	return take_number(&s);
}

int maildir_name_cmp(struct span a, struct span b)
{
	struct span ra = a, rb = b;
	uint64_t sa = take_number(&ra), sb = take_number(&rb);

	if (sa != sb)
		return sa < sb ? -1 : 1;
	uint64_t ma = take_micro(ra), mb = take_micro(rb);
	if (ma != mb)
		return ma < mb ? -1 : 1;
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;
	return d ? d : (a.n > b.n) - (a.n < b.n);
}

void maildir_name_host(char *out, size_t size, const char *host)
{
	size_t n = 0;

	for (const char *p = host && *host ? host : "localhost"; *p && n + 5 < size && n < 100;
	     p++) {
		if (*p == '/' || *p == ':' || *p == ',' || *p <= ' ' || *p == 127)
			n += (size_t)snprintf(out + n, size - n, "\\%03o", (unsigned char)*p);
		else
			out[n++] = *p;
	}
	out[n] = '\0';
}

uint64_t maildir_name_random(void)
{
	uint64_t random = 0;

	/*
	 * Never short for 8 bytes; were it refused, time, pid and counter still make the name
	 * unique here.
	 */
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = clock_us();
	return random;
}

static bool take_marked(struct span *s, char mark)
{
	size_t n = s->n;

	if (!n || s->p[0] != mark)
		return false;
	*s = span_from(*s, 1);
	take_number(s);
	return s->n < n - 1;
}

int64_t maildir_name_written(struct span base)
{
	uint64_t sec = take_number(&base), random;

	if (!base.n || base.p[0] != '.')
		return 0;
	base = span_from(base, 1);
	if (!take_marked(&base, 'M') || !take_marked(&base, 'P') || !take_marked(&base, 'Q') || base.n < 18 ||
	    base.p[0] != 'R' || base.p[17] != '.' || !span_hex64(span_cut(base, 1, 16), &random))
		return 0;
	return sec <= INT64_MAX && maildir_name_size(base, 'S') != UINT64_MAX ? (int64_t)sec : 0;
}

void maildir_name_unique(char *out, size_t size, uint32_t counter, uint64_t random, const char *host)
{
	uint64_t now = clock_wall_us();

	snprintf(out, size, "%llu.M%lluP%ldQ%uR%016llx.%s", (unsigned long long)(now / 1000000),
		 (unsigned long long)(now % 1000000), (long)getpid(), counter,
		 (unsigned long long)random, host);
}
