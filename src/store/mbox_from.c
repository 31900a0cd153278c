/* From_ lines. */
#include "mbox_from.h"

#include <string.h>
#include <time.h>

enum { WORDS_MAX = 64 };

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* 0 and up; -1: none of them. */
static int name_index(struct span word, const char *names)
{
	if (word.n && word.p[word.n - 1] == ',')
		word.n--;
	if (word.n != 3)
		return -1;
	for (int i = 0; names[3 * i]; i++)
		if (span_ieq(word, span_of(names + 3 * i, 3)))
			return i;
	return -1;
}

static bool number_in(struct span word, uint32_t from, uint32_t to, int *v_r)
{
	uint32_t v;

	if (word.n > 4 || !span_u32(word, &v) || v < from || v > to)
		return false;
	*v_r = (int)v;
	return true;
}

/* "12:12" or "12:12:12" */
static bool clock_parse(struct span word, struct tm *tm)
{
	struct span rest = word, part;
	int *field[] = { &tm->tm_hour, &tm->tm_min, &tm->tm_sec };
	const uint32_t most[] = { 23, 59, 60 };
	int n = 0;

	while (n < 3 && span_split(&rest, ':', &part)) {
		if (part.n < 1 || part.n > 2 || !number_in(part, 0, most[n], field[n]))
			return false;
		n++;
	}
	return n >= 2 && rest.n == 0 && word.p[word.n - 1] != ':';
}

/* "+0100"; false for a zone by name. */
static bool offset_parse(struct span word, int64_t *seconds_r)
{
	uint32_t v;

	if (word.n != 5 || (word.p[0] != '+' && word.p[0] != '-') ||
	    !span_u32(span_from(word, 1), &v) || v % 100 > 59)
		return false;
	*seconds_r = (int64_t)(v / 100 * 3600 + v % 100 * 60);
	if (word.p[0] == '-')
		*seconds_r = -*seconds_r;
	return true;
}

static bool zone_name(struct span word)
{
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] < 'A' || word.p[i] > 'Z')
			return false;
	return word.n >= 1 && word.n <= 5;
}

struct date {
	struct tm tm;
	bool has_offset;
	int64_t offset;
};

/* Words that may be a zone, from w[i] on; the index behind them. At most two ("MET DST"). */
static size_t zone_skip(const struct span *w, size_t n, size_t i, struct date *d)
{
	if (i < n && offset_parse(w[i], &d->offset)) {
		d->has_offset = true;
		return i + 1;
	}
	for (int k = 0; k < 2 && i < n && zone_name(w[i]); k++)
		i++;
	return i;
}

/* Month and day, or day and month. */
static bool day_month(struct span a, struct span b, struct tm *tm)
{
	tm->tm_mon = name_index(a, months);
	if (tm->tm_mon >= 0)
		return number_in(b, 1, 31, &tm->tm_mday);
	tm->tm_mon = name_index(b, months);
	return tm->tm_mon >= 0 && number_in(a, 1, 31, &tm->tm_mday);
}

static bool year_parse(struct span word, struct tm *tm)
{
	int year;

	if (word.n != 4 || !number_in(word, 1900, 9999, &year))
		return false;
	tm->tm_year = year - 1900;
	return true;
}

/* w[0] is a day of the week. */
static bool date_parse(const struct span *w, size_t n, struct date *d)
{
	size_t i = 3;

	*d = (struct date){ .tm = { .tm_isdst = -1 } };
	if (n < 5 || name_index(w[0], days) < 0 || !day_month(w[1], w[2], &d->tm))
		return false;
	if (year_parse(w[i], &d->tm)) { /* RFC 5322's order */
		if (!clock_parse(w[i + 1], &d->tm))
			return false;
		i += 2;
	} else {
		if (!clock_parse(w[i], &d->tm))
			return false;
		i = zone_skip(w, n, i + 1, d);
		if (i >= n || !year_parse(w[i], &d->tm))
			return false;
		i++;
	}
	i = zone_skip(w, n, i, d);
	return i == n || (i + 3 == n && span_eq_str(w[i], "remote") && span_eq_str(w[i + 1], "from"));
}

static size_t words(struct span rest, struct span *w)
{
	struct span word;
	size_t n = 0;

	while (n < WORDS_MAX && span_split(&rest, ' ', &word))
		if (word.n)
			w[n++] = word;
	return n;
}

bool mbox_from_parse(struct span line, int64_t *time_r)
{
	struct span w[WORDS_MAX];
	struct date d;
	size_t n;

	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n > MBOX_FROM_MAX || !span_starts(line, SPAN("From ")))
		return false;
	n = words(span_from(line, 5), w);
	for (size_t i = 0; i + 5 <= n; i++) {
		if (!date_parse(w + i, n - i, &d))
			continue;
		if (time_r)
			*time_r = d.has_offset ? timegm(&d.tm) - d.offset : mktime(&d.tm);
		return true;
	}
	return false;
}

/* By a letter that is rare enough in mail: several times as fast as looking for the whole. */
size_t mbox_from_search(struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (end - p >= 6 && (p = memchr(p + 1, 'F', (size_t)(end - p - 5)))) {
		if (p[-1] == '\n' && memcmp(p + 1, "rom ", 4) == 0)
			return (size_t)(p - 1 - s.p);
	}
	return SIZE_MAX;
}

void mbox_from_put(struct buf *out, struct span sender, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	buf_add_str(out, "From ");
	if (!sender.n || sender.n > 256)
		sender = SPAN("MAILER-DAEMON");
	for (size_t i = 0; i < sender.n; i++) {
		unsigned char c = (unsigned char)sender.p[i];

		buf_add_char(out, c <= ' ' || c == 127 ? '-' : (char)c);
	}
	localtime_r(&t, &tm);
	buf_printf(out, " %.3s %.3s %2d %02d:%02d:%02d %d\n", days + 3 * tm.tm_wday,
		   months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		   1900 + tm.tm_year);
}
