#include "mime/date.h"
#include "lex.h"

enum { DAY = 86400, ZONE_MAX = 24 * 60 };

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct civil {
	int64_t year;
	unsigned month; /* 1..12 */
	unsigned day;   /* 1..31 */
};

/*
 * Days since 1 January 1970, by the proleptic Gregorian calendar; years count from March, so that
 * the leap day comes last.
 */
static int64_t days_of(struct civil c)
{
	int64_t y = c.year - (c.month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy =
		(153 * (int64_t)(c.month > 2 ? c.month - 3 : c.month + 9) + 2) / 5 + c.day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	struct civil c;

	c.day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
	c.year = yoe + era * 400 + (c.month <= 2);
	return c;
}

static bool civil_valid(struct civil c)
{
	struct civil back;

	if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.year < 1900 ||
	    c.year > 9999)
		return false;
	back = civil_of(days_of(c));
	return back.day == c.day && back.month == c.month;
}

/* The number of a name's first three letters in a table of such; 0 when it is none. */
static unsigned name_index(struct span s, const char *table)
{
	size_t n = strlen(table) / 3;

	if (s.n < 3)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (span_ieq(span_cut(s, 0, 3), span_of(table + 3 * i, 3)))
			return (unsigned)i + 1;
	return 0;
}

struct clock_time {
	unsigned hour, minute, second;
};

static bool clock_valid(struct clock_time t)
{
	return t.hour < 24 && t.minute < 60 && t.second <= 60; /* 60: a leap second */
}

static struct mime_date date_of(struct civil c, struct clock_time t, int zone)
{
	int64_t local = days_of(c) * DAY + t.hour * 3600 + t.minute * 60 + t.second;

	return (struct mime_date){ local - (int64_t)zone * 60, zone };
}

static bool take(struct lex *l, char c)
{
	if (lex_peek(l) != c)
		return false;
	l->pos++;
	return true;
}

/* One to max digits. */
static bool take_number(struct lex *l, unsigned max, unsigned *n_r, unsigned *digits_r)
{
	size_t from = l->pos;
	uint32_t v;

	while (l->pos < l->in.n && ascii_isdigit((char)lex_peek(l)))
		l->pos++;
	*digits_r = (unsigned)(l->pos - from);
	if (*digits_r > max || !span_u32(span_cut(l->in, from, l->pos - from), &v))
		return false;
	*n_r = v;
	return true;
}

static struct span take_letters(struct lex *l)
{
	size_t from = l->pos;

	while (l->pos < l->in.n && ascii_isalpha((char)lex_peek(l)))
		l->pos++;
	return span_cut(l->in, from, l->pos - from);
}

/* RFC 5322 section 4.3: two digits are 2000 to 2049 and 1950 to 1999, three count from 1900. */
static int64_t full_year(unsigned year, unsigned digits)
{
	if (digits == 2)
		return year < 50 ? 2000 + year : 1900 + year;
	return digits == 3 ? 1900 + year : year;
}

/* "+0100" and kin as minutes; what is none counts as UTC, as does what is out of range. */
static int zone_of(struct lex *l)
{
	static const struct {
		const char *name;
		int hours;
	} zones[] = {
		{ "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 },
		{ "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 },
	};
	bool minus = lex_peek(l) == '-';
	struct span name;
	unsigned n, digits;

	if (take(l, '+') || take(l, '-')) {
		if (!take_number(l, 4, &n, &digits) || digits != 4 ||
		    n / 100 * 60 + n % 100 >= ZONE_MAX)
			return 0;
		n = n / 100 * 60 + n % 100;
		return minus ? -(int)n : (int)n;
	}
	name = take_letters(l);
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (span_ieq_str(name, zones[i].name))
			return zones[i].hours * 60;
	return 0;
}

/* "17 Jul 1996", with blanks, comments or '-' between. */
static bool take_day(struct lex *l, struct civil *c)
{
	unsigned year, digits;

	if (!take_number(l, 2, &c->day, &digits))
		return false;
	lex_cfws(l);
	take(l, '-');
	c->month = name_index(take_letters(l), months);
	lex_cfws(l);
	take(l, '.');
	take(l, '-');
	lex_cfws(l);
	if (!c->month || !take_number(l, 4, &year, &digits) || digits < 2)
		return false;
	c->year = full_year(year, digits);
	return civil_valid(*c);
}

/* "02:44:25" or "02:44", blanks allowed; some senders write dots. */
static bool take_clock(struct lex *l, struct clock_time *t)
{
	unsigned digits;

	*t = (struct clock_time){ 0 };
	lex_cfws(l);
	if (!take_number(l, 2, &t->hour, &digits))
		return false;
	lex_cfws(l);
	if (!take(l, ':') && !take(l, '.'))
		return false;
	lex_cfws(l);
	if (!take_number(l, 2, &t->minute, &digits))
		return false;
	lex_cfws(l);
	if (take(l, ':') || take(l, '.')) {
		lex_cfws(l);
		if (!take_number(l, 2, &t->second, &digits))
			return false;
	}
	return clock_valid(*t);
}

bool mime_date_parse(struct span value, struct mime_date *d_r)
{
	struct lex l = { .in = value };
	struct civil c;
	struct clock_time t;

	lex_cfws(&l);
	if (take_letters(&l).n) {
		lex_cfws(&l);
		take(&l, '.');
		take(&l, ',');
		lex_cfws(&l);
	}
	if (!take_day(&l, &c) || !take_clock(&l, &t))
		return false;
	lex_cfws(&l);
	*d_r = date_of(c, t, zone_of(&l));
	return true;
}

/* "17-Jul-1996", one or two digits for the day (a blank may stand for the first). */
static bool take_imap_day(struct lex *l, struct civil *c)
{
	unsigned year, digits;
	bool padded = take(l, ' ');

	if (!take_number(l, padded ? 1 : 2, &c->day, &digits) || !take(l, '-'))
		return false;
	c->month = l->pos + 3 <= l->in.n ? name_index(span_cut(l->in, l->pos, 3), months) : 0;
	l->pos += 3;
	if (!c->month || !take(l, '-') || !take_number(l, 4, &year, &digits) || digits != 4)
		return false;
	c->year = year;
	return civil_valid(*c);
}

static bool take_two(struct lex *l, char before, unsigned *n_r)
{
	unsigned digits;

	return take(l, before) && take_number(l, 2, n_r, &digits) && digits == 2;
}

bool mime_date_parse_imap(struct span s, struct mime_date *d_r)
{
	struct lex l = { .in = s };
	struct civil c;
	struct clock_time t;
	unsigned zone, digits;
	bool minus;

	if (!take_imap_day(&l, &c) || !take_two(&l, ' ', &t.hour) ||
	    !take_two(&l, ':', &t.minute) || !take_two(&l, ':', &t.second) || !clock_valid(t) ||
	    !take(&l, ' '))
		return false;
	minus = lex_peek(&l) == '-';
	if ((!take(&l, '+') && !take(&l, '-')) || !take_number(&l, 4, &zone, &digits) ||
	    digits != 4 || l.pos != s.n)
		return false;
	zone = zone / 100 * 60 + zone % 100;
	if (zone >= ZONE_MAX)
		return false;
	*d_r = date_of(c, t, minus ? -(int)zone : (int)zone);
	return true;
}

/* The local time in seconds, kept within what four digits can say. */
static int64_t local_seconds(struct mime_date d)
{
	const int64_t first = days_of((struct civil){ 0, 1, 1 }) * DAY;
	const int64_t last = days_of((struct civil){ 9999, 12, 31 }) * DAY + DAY - 1;

	if (d.utc < first + DAY)
		return first;
	if (d.utc > last - DAY)
		return last;
	return d.utc + (int64_t)d.zone * 60;
}

static int64_t floor_day(int64_t seconds)
{
	return (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY;
}

int64_t mime_date_day(struct mime_date d)
{
	return floor_day(local_seconds(d));
}

static void add_clock_and_zone(int64_t second, int zone, struct buf *out)
{
	unsigned z = (unsigned)(zone < 0 ? -zone : zone);

	buf_printf(out, " %02d:%02d:%02d %c%02u%02u", (int)(second / 3600), (int)(second / 60 % 60),
		   (int)(second % 60), zone < 0 ? '-' : '+', z / 60, z % 60);
}

void mime_date_add_imap(struct mime_date d, struct buf *out)
{
	int64_t local = local_seconds(d);
	int64_t day = floor_day(local);
	struct civil c = civil_of(day);

	buf_printf(out, "%02u-%.3s-%04d", c.day, months + 3 * (c.month - 1), (int)c.year);
	add_clock_and_zone(local - day * DAY, d.zone, out);
}
