/*
 * Dates: of the Date field (RFC 5322 section 3.3 with the obsolete forms of 4.3) and of IMAP
 * (RFC 3501 date and date-time). Times are seconds since 1970 in UTC, zones are minutes east of
 * it. The years 1900 to 9999 are accepted; no function looks at the time zone of the process.
 */
#ifndef MIME_DATE_H
#define MIME_DATE_H

#include "base/buf.h"

struct mime_date {
	int64_t utc;
	int zone; /* minutes east, -1439..1439 */
};

/*
 * Tolerant: day name optional, comments and folds anywhere, two-digit years, missing seconds,
 * missing or unknown zone (taken as UTC). False when day, month, year or time of day make no sense.
 */
bool mime_date_parse(struct span value, struct mime_date *d_r);

/* Strict: "17-Jul-1996 02:44:25 -0700", the day may be " 7" or "7"; without the quotes. */
bool mime_date_parse_imap(struct span s, struct mime_date *d_r);

/*
 * "17-Jul-1996 02:44:25 -0700", always 26 bytes, without quotes. Outside the years 0 to 9999 the
 * nearest time is shown.
 */
void mime_date_add_imap(struct mime_date d, struct buf *out);

/*
 * The calendar day that the date's own zone shows, as days since 1 January 1970 (SENTON compares that day, "disregarding time and
 * timezone").
 */
int64_t mime_date_day(struct mime_date d);

#endif
