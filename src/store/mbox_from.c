/* From_ lines. */
#include "mbox_from.h"

#include <string.h>
#include <time.h>

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* --- what a date is made of: each takes its part from the front of *s, if that is there ---------------- */

static bool take_char(struct span *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = span_from(*s, 1);
	return true;
}

static bool take_number(struct span *s, size_t least, size_t most, int *v_r)
{
	size_t n = 0;
	uint32_t v;

	while (n < s->n && n < most && ascii_isdigit(s->p[n]))
		n++;
	if (n < least || !span_u32(span_cut(*s, 0, n), &v))
		return false;
	*v_r = (int)v;
	*s = span_from(*s, n);
	return true;
}

static bool take_month(struct span *s, int *v_r)
{
	struct span word = span_cut(*s, 0, 3);
	int i = 0;

	while (i < 12 && !span_ieq(word, span_of(months + 3 * i, 3)))
		i++;
	if (i == 12 && !span_eq_str(word, "???"))
		return false;
	*v_r = i % 12;
	*s = span_from(*s, 3);
	return true;
}

/* One that is out of bounds is counted on from the month's beginning; 0 is the first. */
static bool take_day(struct span *s, struct tm *tm)
{
	if (!take_number(s, 1, 2, &tm->tm_mday))
		return false;
	tm->tm_mday += tm->tm_mday == 0;
	return true;
}

/* "12:12" or "12:12:12" */
static bool take_clock(struct span *s, struct tm *tm)
{
	return take_number(s, 2, 2, &tm->tm_hour) && take_char(s, ':') && take_number(s, 2, 2, &tm->tm_min) &&
	       (!take_char(s, ':') || take_number(s, 2, 2, &tm->tm_sec));
}

static bool take_year(struct span *s, struct tm *tm)
{
	if (!take_number(s, 4, 4, &tm->tm_year))
		return false;
	tm->tm_year -= 1900;
	return true;
}

struct zone {
	bool known;
	int64_t seconds;
};

/* " +0100"; false: what follows is none. */
static bool take_zone(struct span *s, struct zone *z)
{
	struct span rest = *s;
	int hours, minutes;
	bool east;

	if (!take_char(&rest, ' '))
		return false;
	east = take_char(&rest, '+');
	if ((!east && !take_char(&rest, '-')) || !take_number(&rest, 2, 2, &hours) || !take_number(&rest, 2, 2, &minutes))
		return false;
	*z = (struct zone){ true, (east ? 1 : -1) * (hours * 3600 + minutes * 60) };
	*s = rest;
	return true;
}

/* --- the whole -------------------------------------------------------------------------------------------- */

static bool exists(const struct tm *tm)
{
	struct tm now = *tm;

	now.tm_sec -= now.tm_sec == 60;
	(void)timegm(&now);
	return now.tm_mday == tm->tm_mday && now.tm_hour == tm->tm_hour && now.tm_min == tm->tm_min && tm->tm_sec <= 60;
}

/* Behind the day of the week: "Jan  5 12:12:12 1996", a word before the year, a zone behind it, and anything. */
static bool asctime_date(struct span s, struct tm *tm, struct zone *z)
{
	struct span word;

	if (!take_month(&s, &tm->tm_mon) || !take_char(&s, ' '))
		return false;
	take_char(&s, ' ');
	if (!take_day(&s, tm) || !take_char(&s, ' ') || !take_clock(&s, tm))
		return false;
	word = s;
	take_zone(&word, z);
	if (!take_char(&s, ' ') || (!take_year(&s, tm) && (!span_split(&s, ' ', &word) || !take_year(&s, tm))))
		return false;
	return !take_zone(&s, z) || exists(tm);
}

/* Behind the day of the week and its comma: " 5 Jan 1996 12:12:12". */
static bool rfc_date(struct span s, struct tm *tm, struct zone *z)
{
	s = span_from(s, 1);
	if (!take_day(&s, tm) || !take_char(&s, ' ') || !take_month(&s, &tm->tm_mon) || !take_char(&s, ' ') ||
	    !take_year(&s, tm))
		return false;
	s = span_from(s, 1);
	return take_clock(&s, tm) && (!take_zone(&s, z) || exists(tm));
}

/* Blanks of a sender stand in quotes. */
static struct span behind_sender(struct span s)
{
	size_t i = 0;

	if (s.n && s.p[0] == '"')
		for (i = 1; i < s.n && s.p[i] != '"'; i++)
			i += s.p[i] == '\\';
	while (i < s.n && s.p[i] != ' ')
		i++;
	s = span_from(s, i + 1);
	while (take_char(&s, ' '))
		;
	return s;
}

bool mbox_from_parse(struct span line, int64_t *time_r)
{
	struct tm tm = { .tm_isdst = -1 };
	struct zone zone = { false, 0 };
	struct span date;

	if (line.n > MBOX_FROM_MAX || !span_starts(line, SPAN("From ")))
		return false;
	date = span_from(behind_sender(span_from(line, 5)), 4); /* the day of the week is anything */
	if (!asctime_date(date, &tm, &zone) && !rfc_date(date, &tm, &zone))
		return false;
	if (time_r)
		*time_r = zone.known ? timegm(&tm) - zone.seconds : mktime(&tm);
	return true;
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

		buf_add_char(out, c <= ' ' || c == 127 || c == '"' ? '-' : (char)c);
	}
	localtime_r(&t, &tm);
	buf_printf(out, " %.3s %.3s %2d %02d:%02d:%02d %d\n", days + 3 * tm.tm_wday,
		   months + 3 * tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		   1900 + tm.tm_year);
}
